//! ShareGroupDescribe.

use onrush_broker::group::TopicPartition;
use onrush_broker::share::{ShareDescription, ShareMemberDescription};
use onrush_kafka_protocol::RequestHeader;
use onrush_kafka_protocol::messages::{
    ShareGroupDescribeRequest, ShareGroupDescribeResponse,
    ShareGroupDescribeResponseAssignment as Assignment,
    ShareGroupDescribeResponseDescribedGroup as Described,
    ShareGroupDescribeResponseMember as Member, ShareGroupDescribeResponseTopicPartitions as Topic,
};

use super::by_topic;
use crate::context::Context;
use crate::error::coordinator_code;
use crate::handle::operations;
use crate::lookup::wire_id;

/// Describes share groups.
pub(crate) async fn share_group_describe(
    ctx: &Context,
    _header: &RequestHeader,
    request: ShareGroupDescribeRequest,
) -> ShareGroupDescribeResponse {
    let authorized_operations = if request.include_authorized_operations {
        operations::ON_GROUP
    } else {
        operations::NOT_ASKED
    };
    let describe = |group_id: String| {
        let described = match ctx.broker.share_describe(&group_id) {
            Ok(group) => describe(ctx, group),
            Err(error) => Described {
                error_code: coordinator_code(&error).0,
                error_message: Some(error.to_string()),
                group_id,
                ..Described::default()
            },
        };
        Described { authorized_operations, ..described }
    };
    ShareGroupDescribeResponse {
        groups: request.group_ids.into_iter().map(describe).collect(),
        ..ShareGroupDescribeResponse::default()
    }
}

fn describe(ctx: &Context, group: ShareDescription) -> Described {
    let member = |member: ShareMemberDescription| Member {
        member_id: member.member_id,
        rack_id: member.rack,
        member_epoch: member.epoch,
        client_id: member.client_id,
        client_host: member.client_host,
        subscribed_topic_names: member.topics,
        assignment: assignment(ctx, member.assignment),
    };
    Described {
        group_id: group.group,
        group_state: group.state.name().to_owned(),
        group_epoch: group.epoch,
        assignment_epoch: group.assignment_epoch,
        assignor_name: group.assignor.to_owned(),
        members: group.members.into_iter().map(member).collect(),
        ..Described::default()
    }
}

fn assignment(ctx: &Context, partitions: Vec<TopicPartition>) -> Assignment {
    let topics = by_topic(partitions).filter_map(|(id, partitions)| {
        // What was deleted meanwhile has no name any more.
        let topic_name = ctx.broker.topic(id)?.name().to_string();
        Some(Topic { topic_id: wire_id(id), topic_name, partitions })
    });
    Assignment { topic_partitions: topics.collect() }
}
