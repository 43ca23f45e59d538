//! ListConfigResources: what has settings.

use onrush_kafka_protocol::messages::{
    ConfigResource, ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};

use super::resource;
use crate::context::Context;

/// From here on the request says what kind of resources it wants; before, there was one kind.
const KINDS: i16 = 1;

/// Lists what has settings.
pub(crate) async fn list_config_resources(
    ctx: &Context,
    header: &RequestHeader,
    request: ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    let all = [resource::TOPIC, resource::BROKER, resource::CLIENT_METRICS, resource::GROUP];
    let kinds = if header.api_version < KINDS {
        vec![resource::CLIENT_METRICS]
    } else if request.resource_types.is_empty() {
        all.to_vec()
    } else {
        request.resource_types
    };
    let known = |kind: &i8| all.contains(kind) || *kind == resource::BROKER_LOGGER;
    if !kinds.iter().all(known) {
        return ListConfigResourcesResponse {
            error_code: ErrorCode::UNSUPPORTED_VERSION.0,
            ..ListConfigResourcesResponse::default()
        };
    }
    let mut config_resources = Vec::new();
    let mut add = |resource_type, resource_name| {
        config_resources.push(ConfigResource { resource_type, resource_name });
    };
    if kinds.contains(&resource::TOPIC) {
        for topic in ctx.broker.topics() {
            add(resource::TOPIC, topic.name().to_string());
        }
    }
    if kinds.contains(&resource::BROKER) {
        add(resource::BROKER, ctx.broker.node_id().to_string());
    }
    if kinds.contains(&resource::GROUP) {
        for group in ctx.broker.group_configured().unwrap_or_default() {
            add(resource::GROUP, group);
        }
    }
    ListConfigResourcesResponse { config_resources, ..ListConfigResourcesResponse::default() }
}
