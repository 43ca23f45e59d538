//! Consumer groups: the protocol's messages and the broker's calls are nearly the same.

use onrush_broker::{Error, group as model};
use onrush_protocol::WireError;
use onrush_protocol::request::{
    CommitOffset, GroupCommitRequest, GroupDeleteRequest, GroupDescribeRequest,
    GroupHeartbeatRequest, GroupOffsetsRequest, Subscription, TopicPartition,
};
use onrush_protocol::response::{
    CommitResult, CommittedOffset, GroupCommitResponse, GroupDeleteResponse, GroupDeleted,
    GroupDescribeResponse, GroupDescription, GroupHeartbeatResponse, GroupListResponse,
    GroupListing, GroupMember, GroupOffsetsResponse, GroupState, MemberState,
};
use onrush_protocol::wire::Maybe;

use super::calls::Caller;
use super::errors::wire_error;

pub(super) fn pairs(partitions: Vec<TopicPartition>) -> Vec<model::TopicPartition> {
    partitions.into_iter().map(|one| (one.topic_id, one.partition)).collect()
}

pub(super) fn partitions(pairs: Vec<model::TopicPartition>) -> Vec<TopicPartition> {
    pairs.into_iter().map(|(topic_id, partition)| TopicPartition { topic_id, partition }).collect()
}

pub(super) async fn heartbeat(
    caller: &Caller,
    request: GroupHeartbeatRequest,
) -> Result<GroupHeartbeatResponse, WireError> {
    let heartbeat = model::GroupHeartbeat {
        group: request.group,
        member_id: request.member_id,
        member_epoch: request.member_epoch,
        instance_id: request.instance_id,
        client_id: caller.peer.client.to_string(),
        client_host: caller.peer.host.to_string(),
        rebalance_timeout_ms: request.rebalance_timeout_ms,
        session_timeout_ms: request.session_timeout_ms,
        assignor: request.assignor,
        owned: request.owned.map(pairs),
        ..model::GroupHeartbeat::default()
    };
    let heartbeat = match request.subscription {
        Some(wanted) => heartbeat
            .subscribing(model::Subscription { topics: wanted.topics, regex: wanted.regex }),
        None => heartbeat,
    };
    let reply =
        caller.broker.group_heartbeat(heartbeat).await.map_err(|error| wire_error(&error))?;
    Ok(GroupHeartbeatResponse {
        member_id: reply.member_id,
        member_epoch: reply.member_epoch,
        heartbeat_interval_ms: reply.heartbeat_interval_ms,
        assignment: reply.assignment.map(partitions),
    })
}

pub(super) async fn commit(
    caller: &Caller,
    request: GroupCommitRequest,
) -> Result<GroupCommitResponse, WireError> {
    let commit = model::GroupCommit {
        group: request.group,
        member_id: request.member_id,
        member_epoch: request.member_epoch,
        instance_id: None,
        offsets: commits(request.offsets),
    };
    let asked: Vec<_> = commit.offsets.iter().map(|commit| commit.partition).collect();
    let results = caller.broker.group_commit(commit).await.map_err(|error| wire_error(&error))?;
    Ok(GroupCommitResponse { parts: committed(asked, results) })
}

/// What is to be committed.
pub(super) fn commits(offsets: Vec<CommitOffset>) -> Vec<model::OffsetCommit> {
    let commit = |commit: CommitOffset| model::OffsetCommit {
        partition: (commit.topic_id, commit.partition),
        offset: commit.offset.0,
        leader_epoch: commit.leader_epoch.0,
        metadata: commit.metadata,
    };
    offsets.into_iter().map(commit).collect()
}

/// What became of it.
pub(super) fn committed(
    asked: Vec<model::TopicPartition>,
    results: Vec<Result<(), Error>>,
) -> Vec<CommitResult> {
    let parts = asked.into_iter().zip(results).map(|((topic_id, partition), result)| {
        CommitResult { error: Maybe(result.err().as_ref().map(wire_error)), topic_id, partition }
    });
    parts.collect()
}

pub(super) async fn offsets(
    caller: &Caller,
    request: GroupOffsetsRequest,
) -> Result<GroupOffsetsResponse, WireError> {
    let asked = request.partitions.map(pairs);
    let found = if request.stable {
        caller.broker.group_offsets_stable(&request.group, asked.as_deref()).await
    } else {
        let found = caller.broker.group_offsets(&request.group, asked.as_deref()).await;
        found.map(|found| found.into_iter().map(|(at, committed)| (at, Ok(committed))).collect())
    };
    let found = found.map_err(|error| wire_error(&error))?;
    let offsets = found.into_iter().map(|((topic_id, partition), committed)| {
        let (committed, unstable) = match committed {
            Ok(committed) => (committed, None),
            Err(error) => (None, Some(error)),
        };
        let end = if let Some(error) = unstable {
            Err(error)
        } else if request.with_end {
            let partition = caller.broker.partition(topic_id, partition);
            partition.map(|partition| Some(partition.ends().readable))
        } else {
            Ok(None)
        };
        let (error, readable_end) = match end {
            Ok(end) => (None, end),
            Err(error) => (Some(wire_error(&error)), None),
        };
        let (offset, leader_epoch, metadata, committed_at_ms) = match committed {
            Some(committed) => (
                Some(committed.offset),
                committed.leader_epoch,
                committed.metadata,
                committed.committed_at_ms,
            ),
            None => (None, None, String::new(), -1),
        };
        CommittedOffset {
            error: Maybe(error),
            topic_id,
            partition,
            offset: Maybe(offset),
            leader_epoch: Maybe(leader_epoch),
            metadata,
            committed_at_ms,
            readable_end: Maybe(readable_end),
        }
    });
    Ok(GroupOffsetsResponse { offsets: offsets.collect() })
}

fn state(state: model::GroupState) -> GroupState {
    match state {
        model::GroupState::Empty => GroupState::Empty,
        // What a rebalance of the classic protocol comes to for somebody who knows this one.
        model::GroupState::Assigning | model::GroupState::PreparingRebalance => {
            GroupState::Assigning
        }
        model::GroupState::Reconciling | model::GroupState::CompletingRebalance => {
            GroupState::Reconciling
        }
        model::GroupState::Stable => GroupState::Stable,
    }
}

pub(super) fn list(caller: &Caller) -> Result<GroupListResponse, WireError> {
    let groups = caller.broker.group_list().map_err(|error| wire_error(&error))?;
    let groups = groups.into_iter().map(|group| GroupListing {
        group: group.group,
        state: state(group.state),
        members: u32::try_from(group.members).unwrap_or(u32::MAX),
    });
    Ok(GroupListResponse { groups: groups.collect() })
}

pub(super) fn describe(
    caller: &Caller,
    request: GroupDescribeRequest,
) -> Result<GroupDescribeResponse, WireError> {
    let groups =
        request.groups.into_iter().map(|group| match caller.broker.group_describe(&group) {
            Ok(found) => description(found),
            Err(error) => GroupDescription {
                error: Maybe::some(wire_error(&error)),
                group,
                state: GroupState::Empty,
                group_epoch: -1,
                target_epoch: -1,
                assignor: String::new(),
                members: Vec::new(),
            },
        });
    Ok(GroupDescribeResponse { groups: groups.collect() })
}

fn description(group: model::GroupDescription) -> GroupDescription {
    GroupDescription {
        error: Maybe::NONE,
        group: group.group,
        state: state(group.state),
        group_epoch: group.group_epoch,
        target_epoch: group.target_epoch,
        assignor: group.assignor.to_owned(),
        members: group.members.into_iter().map(member).collect(),
    }
}

fn member(member: model::MemberDescription) -> GroupMember {
    GroupMember {
        member_id: member.member_id,
        instance_id: member.instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
        member_epoch: member.member_epoch,
        state: match member.state {
            model::MemberState::Stable => MemberState::Stable,
            model::MemberState::Revoking => MemberState::Revoking,
            model::MemberState::Waiting => MemberState::Waiting,
        },
        subscription: Subscription {
            topics: member.subscription.topics,
            regex: member.subscription.regex,
        },
        assignment: partitions(member.assignment),
        target: partitions(member.target),
    }
}

pub(super) async fn delete(
    caller: &Caller,
    request: GroupDeleteRequest,
) -> Result<GroupDeleteResponse, WireError> {
    let mut groups = Vec::with_capacity(request.groups.len());
    for group in request.groups {
        let deleted = caller.broker.group_delete(&group).await;
        groups.push(GroupDeleted { error: Maybe(deleted.err().as_ref().map(wire_error)), group });
    }
    Ok(GroupDeleteResponse { groups })
}
