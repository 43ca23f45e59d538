//! ShareFetch: acknowledges what came before, and acquires what comes next.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use onrush_broker::group::TopicPartition;
use onrush_broker::share::{AcquireMode, ShareSessionRequest};
use onrush_broker::{Error, QuotaKind, ReadMode, ShareAcquire, ShareAcquired, Signal, Slice};
use onrush_kafka_protocol::messages::{
    AcquiredRecords, ShareFetchRequest, ShareFetchResponse,
    ShareFetchResponsePartitionData as PartitionData, ShareFetchableTopicResponse,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};
use onrush_record::TopicId;

use super::acknowledge::{Run, acknowledge, close};
use crate::context::Context;
use crate::error::{code, coordinator_code};
use crate::lookup::{wire_id, wire_number, wire_offset};

/// The mode that acquires no record beyond the number asked for.
const RECORD_LIMIT: i8 = 1;

/// Acquires records, waiting for them if there are none.
pub(crate) async fn share_fetch(
    ctx: &Context,
    _header: &RequestHeader,
    request: ShareFetchRequest,
) -> ShareFetchResponse {
    let (Some(group), Some(member)) = (request.group_id, request.member_id) else {
        return failed(ErrorCode::INVALID_REQUEST, "a group and a member have to be named");
    };
    let mut acknowledgements: Vec<((TopicId, i32), Vec<Run>)> = Vec::new();
    let mut add = Vec::new();
    for topic in request.topics {
        let id = TopicId::new(topic.topic_id.0);
        for asked in topic.partitions {
            add.extend(u32::try_from(asked.partition_index).ok().map(|index| (id, index)));
            let runs = asked.acknowledgement_batches.into_iter();
            let runs: Vec<Run> = runs
                .map(|run| (run.first_offset, run.last_offset, run.acknowledge_types))
                .collect();
            if !runs.is_empty() {
                acknowledgements.push(((id, asked.partition_index), runs));
            }
        }
    }
    let forgotten = request.forgotten_topics_data.into_iter().flat_map(|topic| {
        let id = TopicId::new(topic.topic_id.0);
        let indexes = topic.partitions.into_iter();
        indexes.filter_map(move |index| Some((id, u32::try_from(index).ok()?)))
    });
    let session = ctx.broker.share_session_fetch(ShareSessionRequest {
        group: group.clone(),
        member_id: member.clone(),
        epoch: request.share_session_epoch,
        add,
        forget: forgotten.collect(),
        acknowledges: !acknowledgements.is_empty(),
    });
    let session = match session {
        Ok(session) => session,
        Err(error) => return failed(coordinator_code(&error), &error.to_string()),
    };
    ctx.shares.note(&group, &member, session.id);
    let mut parts: BTreeMap<(TopicId, i32), PartitionData> = BTreeMap::new();
    for (at, runs) in acknowledgements {
        let refused = acknowledge(ctx, &group, &member, at, runs).await.err();
        let part = parts.entry(at).or_default();
        part.acknowledge_error_code = refused.as_ref().map_or(0, |(code, _)| code.0);
        part.acknowledge_error_message = refused.map(|(_, message)| message);
    }
    // Who owes for what it was given before is given nothing more, as with a Fetch.
    let allowance = ctx.allowance();
    let owed = allowance.map_or(Duration::ZERO, |allowance| allowance.owed);
    let owes = !owed.is_zero();
    let most = allowance.map_or(u32::MAX, |it| u32::try_from(it.bytes).unwrap_or(u32::MAX));
    let most = most.min(ctx.options.fetch_bytes_max);
    if session.ends {
        close(ctx, &group, &member).await;
    } else if request.max_records > 0 && !request.is_renew_ack && !owes {
        let wanted = Wanted {
            group: &group,
            member: &member,
            partitions: &session.partitions,
            max_records: request.max_records.unsigned_abs(),
            // A batch is answered with however little was asked for: else one would wait for
            // what is there already.
            max_bytes: u32::try_from(request.max_bytes).unwrap_or(0).min(most).max(1),
            mode: if request.share_acquire_mode == RECORD_LIMIT {
                AcquireMode::RecordLimit
            } else {
                AcquireMode::BatchOptimized
            },
        };
        // What was acknowledged is not kept from the client for as long as nothing new comes.
        let wait =
            if parts.is_empty() { u64::try_from(request.max_wait_ms).unwrap_or(0) } else { 0 };
        acquire(ctx, &wanted, Duration::from_millis(wait), &mut parts).await;
    }
    let given = parts.values().map(|part| part.records.len() as u64).sum();
    let throttle_time_ms = match owes {
        true => ctx.mute(QuotaKind::Fetch, owed),
        false => ctx.charge(QuotaKind::Fetch, given),
    };
    ShareFetchResponse {
        throttle_time_ms,
        acquisition_lock_timeout_ms: wire_number(ctx.broker.share_lock_ms(&group)),
        responses: by_topic(parts),
        ..ShareFetchResponse::default()
    }
}

fn failed(code: ErrorCode, message: &str) -> ShareFetchResponse {
    ShareFetchResponse {
        error_code: code.0,
        error_message: Some(message.to_owned()),
        ..ShareFetchResponse::default()
    }
}

fn by_topic(parts: BTreeMap<(TopicId, i32), PartitionData>) -> Vec<ShareFetchableTopicResponse> {
    let mut topics: Vec<ShareFetchableTopicResponse> = Vec::new();
    for ((topic, partition_index), part) in parts {
        let topic_id = wire_id(topic);
        if topics.last().is_none_or(|last| last.topic_id != topic_id) {
            topics.push(ShareFetchableTopicResponse { topic_id, partitions: Vec::new() });
        }
        if let Some(last) = topics.last_mut() {
            last.partitions.push(PartitionData { partition_index, ..part });
        }
    }
    topics
}

/// What a member wants to acquire.
struct Wanted<'a> {
    group: &'a str,
    member: &'a str,
    partitions: &'a [TopicPartition],
    max_records: u32,
    max_bytes: u32,
    mode: AcquireMode,
}

/// Acquires until there is something to answer with, or `wait` is over.
async fn acquire(
    ctx: &Context,
    wanted: &Wanted<'_>,
    wait: Duration,
    parts: &mut BTreeMap<(TopicId, i32), PartitionData>,
) {
    let signal = Signal::new();
    let mut sleep = pin!(ctx.broker.clock().sleep(wait));
    loop {
        if acquire_now(ctx, wanted, parts).await || wait.is_zero() {
            return;
        }
        for partition in wanted.partitions {
            // What cannot be waited for says why when it is tried again.
            let _ = ctx.broker.share_wake(wanted.group, *partition, &signal);
        }
        let mut woken = pin!(signal.notified());
        // The time first: it ends the wait even if there is a reason to look again each time.
        let late = poll_fn(|task| match sleep.as_mut().poll(task) {
            Poll::Ready(()) => Poll::Ready(true),
            Poll::Pending => woken.as_mut().poll(task).map(|()| false),
        });
        if late.await {
            acquire_now(ctx, wanted, parts).await;
            return;
        }
    }
}

/// Acquires what is there now; whether there is something to tell.
async fn acquire_now(
    ctx: &Context,
    wanted: &Wanted<'_>,
    parts: &mut BTreeMap<(TopicId, i32), PartitionData>,
) -> bool {
    let (mut records, mut bytes) = (u64::from(wanted.max_records), wanted.max_bytes);
    let mut found = false;
    for &(topic, index) in wanted.partitions {
        if records == 0 || bytes == 0 {
            break;
        }
        let asked = ShareAcquire {
            group: wanted.group,
            member_id: wanted.member,
            partition: (topic, index),
            max_records: u32::try_from(records).unwrap_or(u32::MAX),
            max_bytes: bytes,
            mode: wanted.mode,
        };
        let acquired = ctx.broker.share_acquire(asked).await;
        let part = match acquired {
            Ok(ShareAcquired { read: None, .. }) => continue,
            Ok(acquired) => {
                records = records.saturating_sub(acquired.records());
                describe(ctx, acquired).await
            }
            // Clients know only errors of partitions here: a member that is gone meanwhile gets
            // nothing, at once, and is told by its next heartbeat or fetch.
            Err(Error::Share(_) | Error::Group(_)) => return true,
            Err(error) => Err((code(&error), error.to_string())),
        };
        found = true;
        let place = parts.entry((topic, wire_number(index))).or_default();
        match part {
            Ok((run, acquired_records)) => {
                bytes = bytes.saturating_sub(u32::try_from(run.len()).unwrap_or(u32::MAX));
                place.records = run;
                place.acquired_records = acquired_records;
            }
            Err((code, message)) => {
                place.error_code = code.0;
                place.error_message = Some(message);
            }
        }
    }
    found
}

/// The records that were acquired, as they travel.
async fn describe(
    ctx: &Context,
    acquired: ShareAcquired,
) -> Result<(Bytes, Vec<AcquiredRecords>), (ErrorCode, String)> {
    let ranges = acquired.ranges.iter().map(|range| AcquiredRecords {
        first_offset: wire_offset(range.first),
        last_offset: wire_offset(range.last),
        delivery_count: i16::try_from(range.delivery_count).unwrap_or(i16::MAX),
    });
    let ranges = ranges.collect();
    let Some(read) = acquired.read else { return Ok((Bytes::new(), ranges)) };
    warm(ctx, &read.slice).await;
    let bytes = read.slice.to_bytes(ReadMode::Copied);
    let bytes = bytes.map_err(|error| (ErrorCode::KAFKA_STORAGE_ERROR, error.to_string()))?;
    Ok((bytes, ranges))
}

/// Has records that are not in memory brought there, without the shard's waiting for the disk.
async fn warm(ctx: &Context, slice: &Slice) {
    if slice.is_cached() {
        return;
    }
    let signal = Signal::new();
    let Some(warming) = ctx.broker.warm(slice.clone(), &signal) else { return };
    while !warming.is_done() {
        signal.notified().await;
    }
}
