//! TxnOffsetCommit: offsets that are committed when their transaction is.

use onrush_broker::group::GroupCommit;
use onrush_broker::transaction::TransactionalCommit;
use onrush_broker::{Error, Result};
use onrush_kafka_protocol::messages::{
    TxnOffsetCommitRequest, TxnOffsetCommitResponse, TxnOffsetCommitResponsePartition,
    TxnOffsetCommitResponseTopic,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};
use onrush_record::{ProducerEpoch, ProducerId};

use crate::context::Context;
use crate::error::coordinator_code;
use crate::handle::committed::committed;

/// From here on the group joins the transaction by this request, no other before it (KIP-890).
const IMPLICIT: i16 = 5;

/// Commits offsets as part of a transaction.
pub(crate) async fn txn_offset_commit(
    ctx: &Context,
    header: &RequestHeader,
    request: TxnOffsetCommitRequest,
) -> TxnOffsetCommitResponse {
    let mut response = TxnOffsetCommitResponse::default();
    let mut offsets = Vec::new();
    // Where in the response the answer to each offset belongs.
    let mut places = Vec::new();
    for topic in request.topics {
        let found = ctx.broker.topic_by_name(&topic.name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let partition_index = asked.partition_index;
            let index = u32::try_from(partition_index).ok();
            let at = found.as_ref().zip(index);
            let at = at.filter(|(topic, index)| *index < topic.partition_count());
            let commit =
                at.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION).and_then(|(topic, index)| {
                    let (offset, epoch) = (asked.committed_offset, asked.committed_leader_epoch);
                    committed((topic.id(), index), offset, epoch, asked.committed_metadata)
                });
            let error_code = match commit {
                Ok(commit) => {
                    places.push((response.topics.len(), partitions.len()));
                    offsets.push(commit);
                    0
                }
                Err(code) => code.0,
            };
            partitions.push(TxnOffsetCommitResponsePartition { partition_index, error_code });
        }
        response.topics.push(TxnOffsetCommitResponseTopic { name: topic.name, partitions });
    }
    let commit = TransactionalCommit {
        id: request.transactional_id,
        producer: ProducerId::new(request.producer_id),
        epoch: ProducerEpoch::new(request.producer_epoch),
        commit: GroupCommit {
            group: request.group_id,
            member_id: request.member_id,
            member_epoch: request.generation_id,
            instance_id: request.group_instance_id,
            offsets,
        },
    };
    let codes: Vec<i16> = match run(ctx, header, commit).await {
        Ok(results) => {
            let code = |result: Result<()>| result.map_or_else(|error| code_of(&error), |()| 0);
            results.into_iter().map(code).collect()
        }
        Err(error) => vec![code_of(&error); places.len()],
    };
    for ((topic, partition), code) in places.into_iter().zip(codes) {
        response.topics[topic].partitions[partition].error_code = code;
    }
    response
}

async fn run(
    ctx: &Context,
    header: &RequestHeader,
    commit: TransactionalCommit,
) -> Result<Vec<Result<()>>> {
    if header.api_version >= IMPLICIT {
        let TransactionalCommit { id, producer, epoch, commit, .. } = &commit;
        ctx.broker.transaction_add_group(id, *producer, *epoch, &commit.group).await?;
    }
    ctx.broker.transaction_commit_offsets(commit).await
}

/// Kafka's group coordinator knows a fenced producer by its epoch only. Of members that may not
/// commit, producers know two codes, by which they abort the transaction; at others they give up.
fn code_of(error: &Error) -> i16 {
    match coordinator_code(error) {
        ErrorCode::PRODUCER_FENCED => ErrorCode::INVALID_PRODUCER_EPOCH.0,
        ErrorCode::STALE_MEMBER_EPOCH
        | ErrorCode::FENCED_MEMBER_EPOCH
        | ErrorCode::GROUP_ID_NOT_FOUND => ErrorCode::ILLEGAL_GENERATION.0,
        ErrorCode::NON_EMPTY_GROUP => ErrorCode::UNKNOWN_MEMBER_ID.0,
        code => code.0,
    }
}
