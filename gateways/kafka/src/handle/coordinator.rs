//! FindCoordinator: of every group and every transactional id, this broker.

use onrush_gateway_net::Pace;
use onrush_kafka_protocol::messages::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};

use crate::context::Context;

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;
/// From here on a request may ask for several.
const BATCHED: i16 = 4;
/// From here on there are share coordinators.
const SHARES: i16 = 6;

/// Answers which broker coordinates.
pub(crate) async fn find_coordinator(
    ctx: &Context,
    header: &RequestHeader,
    request: FindCoordinatorRequest,
) -> FindCoordinatorResponse {
    let version = header.api_version;
    let key_type = request.key_type;
    let answer = |key: String| {
        let refused = refusal(version, key_type, &key);
        let mut answer = Coordinator { key, node_id: -1, port: -1, ..Coordinator::default() };
        match refused {
            None => {
                answer.node_id = ctx.broker.node_id();
                answer.host = ctx.endpoint.host.clone();
                answer.port = i32::from(ctx.endpoint.port);
                answer.error_message = Some(String::new());
            }
            Some(reason) => {
                answer.error_code = ErrorCode::INVALID_REQUEST.0;
                answer.error_message = Some(reason);
            }
        }
        answer
    };
    if version >= BATCHED {
        let mut response = FindCoordinatorResponse::default();
        let mut pace = Pace::default();
        for key in request.coordinator_keys {
            pace.step().await;
            response.coordinators.push(answer(key));
        }
        return response;
    }
    let one = answer(request.key);
    FindCoordinatorResponse {
        error_code: one.error_code,
        error_message: one.error_message,
        node_id: one.node_id,
        host: one.host,
        port: one.port,
        ..FindCoordinatorResponse::default()
    }
}

fn refusal(version: i16, key_type: i8, key: &str) -> Option<String> {
    match key_type {
        GROUP | TRANSACTION => None,
        SHARE if version >= SHARES => {
            // group:topic id:partition
            let mut parts = key.rsplitn(3, ':');
            let partition = parts.next().and_then(|part| part.parse::<u32>().ok());
            let complete = partition.is_some() && parts.count() == 2;
            (!complete)
                .then(|| format!("{key:?} is no share partition: use group:topic-id:partition"))
        }
        other => Some(format!(
            "there are no coordinators of type {other} in version {version}: use 0 for a group, \
             1 for a transactional id, 2 for a share partition"
        )),
    }
}
