//! The newer protocol (KIP-848): one heartbeat says all, and the broker spreads the partitions.

use std::collections::BTreeMap;

use onrush_broker::group::{
    GroupDescription, GroupHeartbeat, GroupKind, MemberDescription, Subscription, TopicPartition,
};
use onrush_kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse,
    ConsumerGroupDescribeResponseAssignment as DescribedAssignment,
    ConsumerGroupDescribeResponseDescribedGroup as DescribedGroup,
    ConsumerGroupDescribeResponseMember as Member,
    ConsumerGroupDescribeResponseTopicPartitions as DescribedTopic, ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse, ConsumerGroupHeartbeatResponseAssignment as ToldAssignment,
    ConsumerGroupHeartbeatResponseTopicPartitions as ToldTopic,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};
use onrush_record::TopicId;

use super::super::operations;
use super::{client_host, client_id};
use crate::context::Context;
use crate::error::coordinator_code;
use crate::lookup::{wire_id, wire_number};

/// A member joins, stays or leaves.
pub(crate) async fn consumer_group_heartbeat(
    ctx: &Context,
    header: &RequestHeader,
    request: ConsumerGroupHeartbeatRequest,
) -> ConsumerGroupHeartbeatResponse {
    let owned = request.topic_partitions.map(|topics| {
        let each = topics.into_iter().flat_map(|topic| {
            let id = TopicId::new(topic.topic_id.0);
            let indexes = topic.partitions.into_iter();
            indexes.filter_map(move |index| Some((id, u32::try_from(index).ok()?)))
        });
        each.collect()
    });
    let beat = GroupHeartbeat {
        group: request.group_id,
        member_id: request.member_id,
        member_epoch: request.member_epoch,
        instance_id: request.instance_id,
        client_id: client_id(header),
        client_host: client_host(ctx),
        rebalance_timeout_ms: u32::try_from(request.rebalance_timeout_ms).unwrap_or(0),
        session_timeout_ms: None,
        topics: request.subscribed_topic_names,
        regex: request.subscribed_topic_regex,
        assignor: request.server_assignor,
        owned,
        refuse_unreleased: true,
    };
    match ctx.broker.group_heartbeat(beat).await {
        Ok(reply) => ConsumerGroupHeartbeatResponse {
            member_id: Some(reply.member_id),
            member_epoch: reply.member_epoch,
            heartbeat_interval_ms: wire_number(reply.heartbeat_interval_ms),
            assignment: reply.assignment.map(|partitions| ToldAssignment {
                topic_partitions: by_topic(partitions)
                    .map(|(id, partitions)| ToldTopic { topic_id: wire_id(id), partitions })
                    .collect(),
            }),
            ..ConsumerGroupHeartbeatResponse::default()
        },
        Err(error) => ConsumerGroupHeartbeatResponse {
            error_code: coordinator_code(&error).0,
            error_message: Some(error.to_string()),
            ..ConsumerGroupHeartbeatResponse::default()
        },
    }
}

fn by_topic(partitions: Vec<TopicPartition>) -> impl Iterator<Item = (TopicId, Vec<i32>)> {
    let mut topics: BTreeMap<TopicId, Vec<i32>> = BTreeMap::new();
    for (topic, index) in partitions {
        topics.entry(topic).or_default().push(wire_number(index));
    }
    topics.into_iter()
}

/// Describes groups of the newer protocol.
pub(crate) async fn consumer_group_describe(
    ctx: &Context,
    _header: &RequestHeader,
    request: ConsumerGroupDescribeRequest,
) -> ConsumerGroupDescribeResponse {
    let authorized_operations = if request.include_authorized_operations {
        operations::ON_GROUP
    } else {
        operations::NOT_ASKED
    };
    let describe = |group_id: String| {
        let found = ctx.broker.group_describe(&group_id);
        let described = match found {
            Ok(group) if group.kind == GroupKind::Consumer => describe(ctx, group),
            Ok(_) => DescribedGroup {
                error_code: ErrorCode::GROUP_ID_NOT_FOUND.0,
                error_message: Some(format!("Group {group_id} is not a consumer group.")),
                group_id,
                ..DescribedGroup::default()
            },
            Err(error) => DescribedGroup {
                error_code: coordinator_code(&error).0,
                error_message: Some(error.to_string()),
                group_id,
                ..DescribedGroup::default()
            },
        };
        DescribedGroup { authorized_operations, ..described }
    };
    ConsumerGroupDescribeResponse {
        groups: request.group_ids.into_iter().map(describe).collect(),
        ..ConsumerGroupDescribeResponse::default()
    }
}

fn describe(ctx: &Context, group: GroupDescription) -> DescribedGroup {
    let member = |member: MemberDescription| {
        let Subscription { topics, regex } = member.subscription;
        Member {
            member_id: member.member_id,
            instance_id: member.instance_id,
            member_epoch: member.member_epoch,
            client_id: member.client_id,
            client_host: member.client_host,
            subscribed_topic_names: topics,
            subscribed_topic_regex: Some(regex.unwrap_or_default()),
            assignment: assignment(ctx, member.assignment),
            target_assignment: assignment(ctx, member.target),
            member_type: i8::from(!member.classic),
            ..Member::default()
        }
    };
    DescribedGroup {
        group_id: group.group,
        group_state: group.state.name().to_owned(),
        group_epoch: group.group_epoch,
        assignment_epoch: group.target_epoch,
        assignor_name: group.assignor.to_owned(),
        members: group.members.into_iter().map(member).collect(),
        ..DescribedGroup::default()
    }
}

fn assignment(ctx: &Context, partitions: Vec<TopicPartition>) -> DescribedAssignment {
    let topics = by_topic(partitions).filter_map(|(id, partitions)| {
        // What was deleted meanwhile has no name any more.
        let topic_name = ctx.broker.topic(id)?.name().to_string();
        Some(DescribedTopic { topic_id: wire_id(id), topic_name, partitions })
    });
    DescribedAssignment { topic_partitions: topics.collect() }
}
