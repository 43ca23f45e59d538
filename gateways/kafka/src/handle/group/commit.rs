//! OffsetCommit: how far a group has come.

use onrush_broker::Error;
use onrush_broker::group::{GroupCommit, GroupError};
use onrush_kafka_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetCommitResponsePartition,
    OffsetCommitResponseTopic,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};

use crate::context::Context;
use crate::error::coordinator_code;
use crate::handle::committed::committed;
use crate::lookup;

/// From here on members of the newer protocol commit, too.
const MEMBER_EPOCHS: i16 = 9;

/// Commits offsets.
pub(crate) async fn offset_commit(
    ctx: &Context,
    header: &RequestHeader,
    request: OffsetCommitRequest,
) -> OffsetCommitResponse {
    let mut response = OffsetCommitResponse::default();
    let mut offsets = Vec::new();
    // Where in the response the answer to each offset belongs.
    let mut places = Vec::new();
    for topic in request.topics {
        let found = lookup::topic(&ctx.broker, &topic.name, topic.topic_id);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let partition_index = asked.partition_index;
            let commit = found.as_ref().map_err(|code| *code).and_then(|found| {
                let index = u32::try_from(partition_index).ok();
                let index = index.filter(|index| *index < found.partition_count());
                let index = index.ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)?;
                let (offset, epoch) = (asked.committed_offset, asked.committed_leader_epoch);
                committed((found.id(), index), offset, epoch, asked.committed_metadata)
            });
            let error_code = match commit {
                Ok(commit) => {
                    places.push((response.topics.len(), partitions.len()));
                    offsets.push(commit);
                    0
                }
                Err(code) => code.0,
            };
            partitions.push(OffsetCommitResponsePartition { partition_index, error_code });
        }
        response.topics.push(OffsetCommitResponseTopic {
            name: topic.name,
            topic_id: topic.topic_id,
            partitions,
        });
    }
    let commit = GroupCommit {
        group: request.group_id,
        member_id: request.member_id,
        member_epoch: request.generation_id_or_member_epoch,
        instance_id: request.group_instance_id,
        offsets,
    };
    let codes: Vec<i16> = match ctx.broker.group_commit(commit).await {
        Ok(results) => {
            results.iter().map(|result| code_of(header, result.as_ref().err())).collect()
        }
        Err(error) => vec![code_of(header, Some(&error)); places.len()],
    };
    for ((topic, partition), code) in places.into_iter().zip(codes) {
        response.topics[topic].partitions[partition].error_code = code;
    }
    response
}

fn code_of(header: &RequestHeader, error: Option<&Error>) -> i16 {
    let code = match error {
        None => return 0,
        Some(Error::Group(GroupError::UnknownGroup { .. })) => {
            if header.api_version >= MEMBER_EPOCHS {
                ErrorCode::GROUP_ID_NOT_FOUND
            } else {
                ErrorCode::ILLEGAL_GENERATION
            }
        }
        // A commit knows of one code for an epoch that is not the member's.
        Some(Error::Group(GroupError::FencedMember { .. })) => ErrorCode::STALE_MEMBER_EPOCH,
        // A lone consumer commits for a group that has members.
        Some(Error::Group(GroupError::GroupNotEmpty { .. })) => ErrorCode::UNKNOWN_MEMBER_ID,
        Some(error) => coordinator_code(error),
    };
    code.0
}
