//! DescribeTopicPartitions: metadata in pages.

use std::sync::Arc;

use onrush_broker::Topic;
use onrush_kafka_protocol::messages::{
    DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponseCursor as Cursor, DescribeTopicPartitionsResponsePartition,
    DescribeTopicPartitionsResponseTopic,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};

use super::operations;
use crate::context::Context;
use crate::lookup::{wire_epoch, wire_id, wire_number};

/// The most partitions one answer holds, as Kafka has it by default.
const PAGE_MAX: i32 = 2000;

/// Describes topics and their partitions, from a cursor on, up to a page's end.
pub(crate) async fn describe_topic_partitions(
    ctx: &Context,
    _header: &RequestHeader,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let mut response = DescribeTopicPartitionsResponse::default();
    let (from_topic, from_partition) = match request.cursor {
        Some(cursor) => (cursor.topic_name, u32::try_from(cursor.partition_index).unwrap_or(0)),
        None => (String::new(), 0),
    };
    let mut room = request.response_partition_limit.clamp(1, PAGE_MAX).unsigned_abs();
    for (name, topic) in
        wanted(ctx, request.topics.into_iter().map(|topic| topic.name), &from_topic)
    {
        let Some(topic) = topic else {
            response.topics.push(DescribeTopicPartitionsResponseTopic {
                error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0,
                name: Some(name),
                ..DescribeTopicPartitionsResponseTopic::default()
            });
            continue;
        };
        let first = if name == from_topic { from_partition } else { 0 };
        if room == 0 {
            response.next_cursor = Some(cursor(name, first));
            break;
        }
        let end = topic.partition_count().min(first.saturating_add(room));
        response.topics.push(describe(ctx, &topic, first..end));
        room -= end.saturating_sub(first);
        if end < topic.partition_count() {
            response.next_cursor = Some(cursor(name, end));
            break;
        }
    }
    response
}

fn cursor(topic_name: String, partition: u32) -> Cursor {
    Cursor { topic_name, partition_index: wire_number(partition) }
}

/// The topics asked for, or all, from the cursor's on, in order of name.
fn wanted(
    ctx: &Context,
    asked: impl Iterator<Item = String>,
    from: &str,
) -> Vec<(String, Option<Arc<Topic>>)> {
    let mut names: Vec<String> = asked.collect();
    if names.is_empty() {
        let topics = ctx.broker.topics().into_iter();
        let named = topics.map(|topic| (topic.name().to_string(), Some(topic)));
        return named.filter(|(name, _)| name.as_str() >= from).collect();
    }
    names.sort_unstable();
    names.dedup();
    names.retain(|name| name.as_str() >= from);
    let found = |name: String| {
        let topic = ctx.broker.topic_by_name(&name);
        (name, topic)
    };
    names.into_iter().map(found).collect()
}

fn describe(
    ctx: &Context,
    topic: &Topic,
    range: std::ops::Range<u32>,
) -> DescribeTopicPartitionsResponseTopic {
    let node = ctx.broker.node_id();
    let partition = |index: u32| {
        let here = topic.partition(index).ok();
        DescribeTopicPartitionsResponsePartition {
            error_code: if here.is_some() { 0 } else { ErrorCode::LEADER_NOT_AVAILABLE.0 },
            partition_index: wire_number(index),
            leader_id: if here.is_some() { node } else { -1 },
            leader_epoch: here.as_ref().map_or(-1, |here| wire_epoch(here.leader_epoch())),
            replica_nodes: vec![node],
            isr_nodes: if here.is_some() { vec![node] } else { Vec::new() },
            eligible_leader_replicas: Some(Vec::new()),
            last_known_elr: Some(Vec::new()),
            offline_replicas: if here.is_some() { Vec::new() } else { vec![node] },
        }
    };
    DescribeTopicPartitionsResponseTopic {
        name: Some(topic.name().to_string()),
        topic_id: wire_id(topic.id()),
        partitions: range.map(partition).collect(),
        topic_authorized_operations: operations::ON_TOPIC,
        ..DescribeTopicPartitionsResponseTopic::default()
    }
}
