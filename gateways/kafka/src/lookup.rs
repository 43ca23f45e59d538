//! Finding what a request names: by the names, ids and numbers that Kafka's clients use.

use std::sync::Arc;

use onrush_broker::{Broker, Error, Partition, Topic};
use onrush_kafka_protocol::{ErrorCode, Uuid};
use onrush_record::TopicId;

use crate::error::code;

/// A topic by its id, where the request has one, or else by its name.
pub(crate) fn topic(broker: &Broker, name: &str, id: Uuid) -> Result<Arc<Topic>, ErrorCode> {
    if id == Uuid::default() {
        return broker.topic_by_name(name).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    broker.topic(TopicId::new(id.0)).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)
}

/// A partition of the topic of this name.
pub(crate) fn partition(
    broker: &Broker,
    topic: &str,
    index: i32,
) -> Result<Arc<Partition>, ErrorCode> {
    let topic = broker.topic_by_name(topic).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    partition_of(&topic, index)
}

/// A partition of this topic.
pub(crate) fn partition_of(topic: &Topic, index: i32) -> Result<Arc<Partition>, ErrorCode> {
    let index = u32::try_from(index).map_err(|_| ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
    topic.partition(index).map_err(|error| match error {
        Error::UnknownPartition { .. } => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        other => code(&other),
    })
}

/// Compares the leader epoch a client believes in, -1 for none, with the partition's.
pub(crate) fn check_epoch(partition: &Partition, believed: i32) -> Result<(), ErrorCode> {
    let Ok(believed) = u32::try_from(believed) else { return Ok(()) };
    match believed.cmp(&partition.leader_epoch().get()) {
        std::cmp::Ordering::Less => Err(ErrorCode::FENCED_LEADER_EPOCH),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
    }
}

/// A leader epoch as the protocol has it.
pub(crate) fn wire_epoch(epoch: onrush_record::LeaderEpoch) -> i32 {
    i32::try_from(epoch.get()).unwrap_or(i32::MAX)
}

/// An offset as the protocol has it.
pub(crate) fn wire_offset(offset: onrush_record::Offset) -> i64 {
    i64::try_from(offset.get()).unwrap_or(i64::MAX)
}

/// A topic's id as the protocol has it.
pub(crate) fn wire_id(id: TopicId) -> Uuid {
    Uuid(id.bytes())
}

/// A count or number as the protocol has it.
pub(crate) fn wire_number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
