//! CreatePartitions: topics get more of them, never fewer.

use std::collections::HashMap;

use onrush_broker::TopicChange;
use onrush_kafka_protocol::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic,
    CreatePartitionsTopicResult,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};

use super::placement::{Refused, check_replicas};
use crate::context::Context;
use crate::error::admin_code;

/// Adds partitions to topics, or says whether they could be added.
pub(crate) async fn create_partitions(
    ctx: &Context,
    _header: &RequestHeader,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let mut times: HashMap<String, u32> = HashMap::new();
    for topic in &request.topics {
        *times.entry(topic.name.clone()).or_default() += 1;
    }
    let mut response = CreatePartitionsResponse::default();
    for topic in request.topics {
        // A name that comes twice is answered once; 0 marks it as answered.
        let result = match times.get_mut(&topic.name) {
            Some(0) => continue,
            Some(more @ 2..) => {
                *more = 0;
                Err(Refused::invalid_request("Duplicate topic name."))
            }
            _ => grow(ctx, &topic, request.validate_only).await,
        };
        let (error_code, error_message) = match result {
            Ok(()) => (0, None),
            Err(Refused { code, message }) => (code.0, Some(message)),
        };
        response.results.push(CreatePartitionsTopicResult {
            name: topic.name,
            error_code,
            error_message,
        });
    }
    response
}

async fn grow(
    ctx: &Context,
    asked: &CreatePartitionsTopic,
    validate_only: bool,
) -> Result<(), Refused> {
    let topic = ctx.broker.topic_by_name(&asked.name).ok_or_else(|| Refused {
        code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        message: "This server does not host this topic-partition.".to_owned(),
    })?;
    let has = topic.partition_count();
    let invalid = |message| Refused { code: ErrorCode::INVALID_PARTITIONS, message };
    let wants = match u32::try_from(asked.count) {
        Ok(wants) if wants == has => {
            return Err(invalid(format!("Topic already has {has} partition(s).")));
        }
        Ok(wants) if wants > has => wants,
        _ => {
            return Err(invalid(format!(
                "The topic {} currently has {has} partition(s); {} would not be an increase.",
                asked.name, asked.count
            )));
        }
    };
    if let Some(assignments) = &asked.assignments {
        let more = wants - has;
        if u32::try_from(assignments.len()) != Ok(more) {
            return Err(Refused::placement(&format!(
                "Attempted to add {more} additional partition(s), but only {} assignment(s) were \
                 specified.",
                assignments.len()
            )));
        }
        for assignment in assignments {
            check_replicas(ctx.broker.node_id(), &assignment.broker_ids)?;
        }
    }
    let change = TopicChange { partitions: Some(wants), validate_only, ..TopicChange::default() };
    let changed = ctx.broker.alter_topic(topic.id(), change).await;
    changed.map_err(|error| match admin_code(&error) {
        ErrorCode::INVALID_REQUEST => invalid(error.to_string()),
        code => Refused { code, message: error.to_string() },
    })
}
