//! DeleteTopics, by name or by id.

use std::collections::HashSet;

use onrush_kafka_protocol::messages::{
    DeletableTopicResult, DeleteTopicState, DeleteTopicsRequest, DeleteTopicsResponse,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader, Uuid};

use super::placement::Refused;
use crate::context::Context;
use crate::error::admin_code;
use crate::lookup::{self, wire_id};

/// From here on topics come with ids.
const IDS: i16 = 6;

/// Deletes topics.
pub(crate) async fn delete_topics(
    ctx: &Context,
    header: &RequestHeader,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let topics = if header.api_version >= IDS {
        request.topics
    } else {
        let named = |name| DeleteTopicState { name: Some(name), ..DeleteTopicState::default() };
        request.topic_names.into_iter().map(named).collect()
    };
    let mut seen = HashSet::new();
    let mut response = DeleteTopicsResponse::default();
    for topic in topics {
        let known = (topic.name.clone(), topic.topic_id);
        let result = if seen.insert(known) {
            delete(ctx, &topic).await
        } else {
            Err(Refused::invalid_request("Duplicate topic name or id."))
        };
        response.responses.push(match result {
            Ok(deleted) => deleted,
            Err(Refused { code, message }) => DeletableTopicResult {
                name: topic.name,
                topic_id: topic.topic_id,
                error_code: code.0,
                error_message: Some(message),
            },
        });
    }
    response
}

async fn delete(ctx: &Context, asked: &DeleteTopicState) -> Result<DeletableTopicResult, Refused> {
    let by_id = asked.topic_id != Uuid::default();
    let name = asked.name.as_deref();
    if by_id && name.is_some() {
        return Err(Refused::invalid_request("You may not specify both topic name and topic id."));
    }
    if !by_id && name.is_none() {
        return Err(Refused::invalid_request("Neither topic name nor id were specified."));
    }
    let found = lookup::topic(&ctx.broker, name.unwrap_or_default(), asked.topic_id);
    let topic = found.map_err(|code| {
        let message = if code == ErrorCode::UNKNOWN_TOPIC_ID {
            "This server does not host this topic ID."
        } else {
            "This server does not host this topic-partition."
        };
        Refused { code, message: message.to_owned() }
    })?;
    let deleted = ctx.broker.delete_topic(topic.id()).await;
    deleted.map_err(|error| Refused { code: admin_code(&error), message: error.to_string() })?;
    Ok(DeletableTopicResult {
        name: Some(topic.name().to_string()),
        topic_id: wire_id(topic.id()),
        ..DeletableTopicResult::default()
    })
}
