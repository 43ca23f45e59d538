//! OffsetFetch: how far groups have come.

use std::collections::{BTreeMap, BTreeSet};

use onrush_broker::group::{CommittedOffset, GroupError, GroupKind, TopicPartition};
use onrush_broker::{Error, Result};
use onrush_gateway_net::Pace;
use onrush_kafka_protocol::messages::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics, OffsetFetchResponse,
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions,
    OffsetFetchResponseTopic, OffsetFetchResponseTopics,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};

use crate::context::Context;
use crate::error::coordinator_code;
use crate::lookup::{self, wire_epoch, wire_id, wire_number, wire_offset};

/// From here on a request is about several groups.
const GROUPS: i16 = 8;
/// From here on topics are named by id.
const IDS: i16 = 10;

/// Gives committed offsets.
pub(crate) async fn offset_fetch(
    ctx: &Context,
    header: &RequestHeader,
    request: OffsetFetchRequest,
) -> OffsetFetchResponse {
    let (version, stable) = (header.api_version, request.require_stable);
    if version >= GROUPS {
        let mut response = OffsetFetchResponse::default();
        let mut pace = Pace::default();
        for group in request.groups {
            pace.step().await;
            response.groups.push(fetch(ctx, version, stable, group).await);
        }
        return response;
    }
    let topic = |topic: onrush_kafka_protocol::messages::OffsetFetchRequestTopic| {
        OffsetFetchRequestTopics {
            name: topic.name,
            partition_indexes: topic.partition_indexes,
            ..OffsetFetchRequestTopics::default()
        }
    };
    let group = OffsetFetchRequestGroup {
        group_id: request.group_id,
        topics: request.topics.map(|topics| topics.into_iter().map(topic).collect()),
        ..OffsetFetchRequestGroup::default()
    };
    old(fetch(ctx, version, stable, group).await)
}

/// The answer about one group as it was before there were several.
fn old(group: OffsetFetchResponseGroup) -> OffsetFetchResponse {
    let partition = |partition: OffsetFetchResponsePartitions| OffsetFetchResponsePartition {
        partition_index: partition.partition_index,
        committed_offset: partition.committed_offset,
        committed_leader_epoch: partition.committed_leader_epoch,
        metadata: partition.metadata,
        error_code: partition.error_code,
    };
    let topic = |topic: OffsetFetchResponseTopics| OffsetFetchResponseTopic {
        name: topic.name,
        partitions: topic.partitions.into_iter().map(partition).collect(),
    };
    OffsetFetchResponse {
        topics: group.topics.into_iter().map(topic).collect(),
        error_code: group.error_code,
        ..OffsetFetchResponse::default()
    }
}

async fn fetch(
    ctx: &Context,
    version: i16,
    stable: bool,
    asked: OffsetFetchRequestGroup,
) -> OffsetFetchResponseGroup {
    let group = asked.group_id.clone();
    let found = match check_member(ctx, &asked) {
        Ok(()) => match &asked.topics {
            Some(topics) => these(ctx, version, stable, &group, topics).await,
            None => all(ctx, stable, &group).await,
        },
        Err(code) => Err(code),
    };
    let (topics, error_code) = match found {
        Ok(topics) => (topics, 0),
        // Up to version 1 there is no place for it but at each partition.
        Err(code) if version < 2 => (failed(asked.topics.unwrap_or_default(), code), code.0),
        Err(code) => (Vec::new(), code.0),
    };
    OffsetFetchResponseGroup { group_id: group, topics, error_code }
}

/// A member of the newer protocol says who it is: one that is fenced must not read offsets that
/// another has taken over.
fn check_member(ctx: &Context, asked: &OffsetFetchRequestGroup) -> Result<(), ErrorCode> {
    if asked.member_id.is_none() && asked.member_epoch < 0 {
        return Ok(());
    }
    let group = match ctx.broker.group_describe(&asked.group_id) {
        Ok(group) => group,
        // It has committed nothing, which is no error, whoever asks.
        Err(Error::Group(GroupError::UnknownGroup { .. })) => return Ok(()),
        Err(error) => return Err(coordinator_code(&error)),
    };
    if group.kind != GroupKind::Consumer {
        return Ok(());
    }
    let member_id = asked.member_id.as_deref().unwrap_or_default();
    let member = group.members.iter().find(|member| member.member_id == member_id);
    match member {
        None => Err(ErrorCode::UNKNOWN_MEMBER_ID),
        Some(member) if member.member_epoch != asked.member_epoch => {
            Err(ErrorCode::STALE_MEMBER_EPOCH)
        }
        Some(_) => Ok(()),
    }
}

fn failed(
    topics: Vec<OffsetFetchRequestTopics>,
    code: ErrorCode,
) -> Vec<OffsetFetchResponseTopics> {
    let topic = |topic: OffsetFetchRequestTopics| OffsetFetchResponseTopics {
        partitions: topic.partition_indexes.iter().map(|index| none(*index, code.0)).collect(),
        name: topic.name,
        topic_id: topic.topic_id,
    };
    topics.into_iter().map(topic).collect()
}

/// Nothing is committed, or it cannot be told.
fn none(partition_index: i32, error_code: i16) -> OffsetFetchResponsePartitions {
    OffsetFetchResponsePartitions {
        partition_index,
        committed_offset: -1,
        committed_leader_epoch: -1,
        metadata: Some(String::new()),
        error_code,
    }
}

fn answer(
    partition_index: i32,
    found: Result<Option<CommittedOffset>>,
) -> OffsetFetchResponsePartitions {
    match found {
        Ok(Some(committed)) => OffsetFetchResponsePartitions {
            partition_index,
            committed_offset: wire_offset(committed.offset),
            committed_leader_epoch: committed.leader_epoch.map_or(-1, wire_epoch),
            metadata: Some(committed.metadata),
            error_code: 0,
        },
        Ok(None) => none(partition_index, 0),
        Err(error) => none(partition_index, coordinator_code(&error).0),
    }
}

/// What the broker has for these partitions, or for all.
async fn committed(
    ctx: &Context,
    stable: bool,
    group: &str,
    partitions: Option<&[TopicPartition]>,
) -> Result<Vec<(TopicPartition, Result<Option<CommittedOffset>, Error>)>, ErrorCode> {
    let found = if stable {
        ctx.broker.group_offsets_stable(group, partitions).await
    } else {
        let found = ctx.broker.group_offsets(group, partitions).await;
        found.map(|found| found.into_iter().map(|(at, offset)| (at, Ok(offset))).collect())
    };
    found.map_err(|error| coordinator_code(&error))
}

async fn these(
    ctx: &Context,
    version: i16,
    stable: bool,
    group: &str,
    topics: &[OffsetFetchRequestTopics],
) -> Result<Vec<OffsetFetchResponseTopics>, ErrorCode> {
    let mut answers = Vec::with_capacity(topics.len());
    let mut pace = Pace::default();
    for topic in topics {
        pace.steps(1 + topic.partition_indexes.len()).await;
        let indexes = topic.partition_indexes.iter().copied();
        let partitions = match lookup::topic(&ctx.broker, &topic.name, topic.topic_id) {
            Ok(found) => {
                // What is no partition can have nothing committed either.
                let of_topic = |index: &u32| *index < found.partition_count();
                let wanted: BTreeSet<u32> = indexes
                    .clone()
                    .filter_map(|index| u32::try_from(index).ok().filter(of_topic))
                    .collect();
                let wanted: Vec<TopicPartition> =
                    wanted.into_iter().map(|index| (found.id(), index)).collect();
                let offsets: BTreeMap<i32, _> = committed(ctx, stable, group, Some(&wanted))
                    .await?
                    .into_iter()
                    .map(|((_, index), offset)| (wire_number(index), offset))
                    .collect();
                // A partition may be named twice.
                let one = |index| match offsets.get(&index) {
                    Some(found) => answer(index, found.clone()),
                    None => none(index, 0),
                };
                indexes.map(one).collect()
            }
            Err(code) if version >= IDS => indexes.map(|index| none(index, code.0)).collect(),
            // By name, a topic that is not there has nothing committed.
            Err(_) => indexes.map(|index| none(index, 0)).collect(),
        };
        let (name, topic_id) = (topic.name.clone(), topic.topic_id);
        answers.push(OffsetFetchResponseTopics { name, topic_id, partitions });
    }
    Ok(answers)
}

async fn all(
    ctx: &Context,
    stable: bool,
    group: &str,
) -> Result<Vec<OffsetFetchResponseTopics>, ErrorCode> {
    let mut topics = BTreeMap::new();
    for ((topic, index), offset) in committed(ctx, stable, group, None).await? {
        let Some(topic) = ctx.broker.topic(topic) else { continue };
        let of_topic = topics.entry(topic.name().to_string()).or_insert_with(|| {
            let (name, topic_id) = (topic.name().to_string(), wire_id(topic.id()));
            OffsetFetchResponseTopics { name, topic_id, partitions: Vec::new() }
        });
        of_topic.partitions.push(answer(wire_number(index), offset));
    }
    Ok(topics.into_values().collect())
}
