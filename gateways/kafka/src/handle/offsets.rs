//! ListOffsets and OffsetForLeaderEpoch: where in a partition something is.

use std::collections::HashMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use onrush_broker::{OffsetSpec, Partition};
use onrush_gateway_net::Pace;
use onrush_kafka_protocol::messages::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopicResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse,
    OffsetForLeaderEpochResponseEpochEndOffset as EpochEndOffset, OffsetForLeaderPartition,
    OffsetForLeaderTopicResult,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};
use onrush_record::LeaderEpoch;

use crate::context::Context;
use crate::error::code;
use crate::lookup::{self, wire_epoch, wire_offset};

/// The isolation level that sees no records of unfinished transactions.
const READ_COMMITTED: i8 = 1;
/// From here on answers carry leader epochs.
const EPOCHS: i16 = 4;
/// How many look-ups of one request wait at a time, for what was written to become durable.
const AT_ONCE: usize = 128;

/// Looks offsets up by time, or by the names Kafka gives to negative times.
pub(crate) async fn list_offsets(
    ctx: &Context,
    header: &RequestHeader,
    request: ListOffsetsRequest,
) -> ListOffsetsResponse {
    let (version, committed) = (header.api_version, request.isolation_level == READ_COMMITTED);
    let mut response = ListOffsetsResponse::default();
    let mut times = HashMap::new();
    let mut pace = Pace::default();
    for topic in &request.topics {
        pace.steps(1 + topic.partitions.len()).await;
        for partition in &topic.partitions {
            *times.entry((topic.name.as_str(), partition.partition_index)).or_insert(0) += 1;
        }
    }
    for topic in &request.topics {
        let one = |asked: &ListOffsetsPartition| {
            let repeated = times.get(&(topic.name.as_str(), asked.partition_index)) != Some(&1);
            let (asked, name) = (asked.clone(), topic.name.as_str());
            async move {
                let found = if repeated {
                    Err(ErrorCode::INVALID_REQUEST)
                } else {
                    look_up(ctx, version, committed, name, &asked).await
                };
                let partition_index = asked.partition_index;
                match found {
                    Ok(found) => ListOffsetsPartitionResponse { partition_index, ..found },
                    Err(code) => ListOffsetsPartitionResponse {
                        partition_index,
                        error_code: code.0,
                        ..ListOffsetsPartitionResponse::default()
                    },
                }
            }
        };
        let mut found = stream::iter(topic.partitions.iter().map(one)).buffered(AT_ONCE);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        while let Some(one) = found.next().await {
            pace.step().await;
            partitions.push(one);
        }
        response.topics.push(ListOffsetsTopicResponse { name: topic.name.clone(), partitions });
    }
    response
}

/// What a timestamp asks for.
enum Asked {
    Offset(OffsetSpec),
    /// What only a broker with tiered storage has.
    Tiered,
}

fn asked(version: i16, timestamp: i64, committed: bool) -> Result<Asked, ErrorCode> {
    let (since, asked) = match timestamp {
        0.. => return Ok(Asked::Offset(OffsetSpec::Timestamp(timestamp))),
        -1 if committed => (1, Asked::Offset(OffsetSpec::LastStable)),
        -1 => (1, Asked::Offset(OffsetSpec::Latest)),
        // All there is, is local.
        -2 => (1, Asked::Offset(OffsetSpec::Earliest)),
        -4 => (8, Asked::Offset(OffsetSpec::Earliest)),
        -3 => (7, Asked::Offset(OffsetSpec::MaxTimestamp)),
        -5 => (9, Asked::Tiered),
        -6 => (11, Asked::Tiered),
        _ => return Err(ErrorCode::UNSUPPORTED_VERSION),
    };
    if version < since { Err(ErrorCode::UNSUPPORTED_VERSION) } else { Ok(asked) }
}

async fn look_up(
    ctx: &Context,
    version: i16,
    committed: bool,
    topic: &str,
    wanted: &ListOffsetsPartition,
) -> Result<ListOffsetsPartitionResponse, ErrorCode> {
    let partition = lookup::partition(&ctx.broker, topic, wanted.partition_index)?;
    lookup::check_epoch(&partition, wanted.current_leader_epoch)?;
    let nothing = ListOffsetsPartitionResponse::default();
    let Asked::Offset(spec) = asked(version, wanted.timestamp, committed)? else {
        return Ok(nothing);
    };
    let listed = partition.list_offset(spec).await.map_err(|error| code(&error))?;
    let by_time = matches!(spec, OffsetSpec::Timestamp(_) | OffsetSpec::MaxTimestamp);
    let found = listed.offset.filter(|offset| {
        // What an open transaction may still take back is not found by its time either.
        !(by_time && committed) || *offset < partition.ends().last_stable
    });
    let Some(offset) = found else { return Ok(nothing) };
    let epoch = match spec {
        OffsetSpec::Latest | OffsetSpec::LastStable => partition.leader_epoch(),
        _ => partition.epoch_at(offset),
    };
    Ok(ListOffsetsPartitionResponse {
        timestamp: listed.timestamp,
        offset: wire_offset(offset),
        // Older versions have no place for it.
        leader_epoch: if version >= EPOCHS { wire_epoch(epoch) } else { -1 },
        ..nothing
    })
}

/// Says where leader epochs end, by which consumers find out whether records they have read were
/// lost since.
pub(crate) async fn offset_for_leader_epoch(
    ctx: &Context,
    _header: &RequestHeader,
    request: OffsetForLeaderEpochRequest,
) -> OffsetForLeaderEpochResponse {
    let mut response = OffsetForLeaderEpochResponse::default();
    let mut pace = Pace::default();
    for topic in request.topics {
        pace.steps(1 + topic.partitions.len()).await;
        let one = |asked: &OffsetForLeaderPartition| {
            let found = lookup::partition(&ctx.broker, &topic.topic, asked.partition).and_then(
                |partition| {
                    lookup::check_epoch(&partition, asked.current_leader_epoch)?;
                    Ok(epoch_end(&partition, asked.leader_epoch))
                },
            );
            let (error_code, (leader_epoch, end_offset)) = match found {
                Ok(found) => (0, found),
                Err(code) => (code.0, UNDEFINED),
            };
            EpochEndOffset { error_code, partition: asked.partition, leader_epoch, end_offset }
        };
        response.topics.push(OffsetForLeaderTopicResult {
            partitions: topic.partitions.iter().map(one).collect(),
            topic: topic.topic,
        });
    }
    response
}

/// No such epoch.
const UNDEFINED: (i32, i64) = (-1, -1);

fn epoch_end(partition: &Arc<Partition>, asked: i32) -> (i32, i64) {
    let Ok(epoch) = u32::try_from(asked) else { return UNDEFINED };
    let epoch = LeaderEpoch::new(epoch);
    if epoch > partition.leader_epoch() {
        return UNDEFINED;
    }
    match partition.epoch_end(epoch) {
        Some((found, end)) => (wire_epoch(found), wire_offset(end)),
        // Nothing of that epoch or an older one is left, or nothing at all is there.
        None => (asked, wire_offset(partition.ends().start)),
    }
}
