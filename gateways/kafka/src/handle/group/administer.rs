//! Looking after groups: what there is, and taking it away.

use onrush_broker::group::{ClassicMemberDescription, GroupState};
use onrush_kafka_protocol::messages::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest,
    DescribeGroupsResponse, DescribeGroupsResponseDescribedGroup as DescribedGroup,
    DescribedGroupMember, ListGroupsRequest, ListGroupsResponse, ListedGroup, OffsetDeleteRequest,
    OffsetDeleteResponse, OffsetDeleteResponsePartition, OffsetDeleteResponseTopic,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};

use super::super::operations;
use crate::context::Context;
use crate::error::coordinator_code;

/// From here on a group that is not there is an error; before, it was dead.
const NOT_FOUND: i16 = 6;

/// Describes groups of the classic protocol.
pub(crate) async fn describe_groups(
    ctx: &Context,
    header: &RequestHeader,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let authorized_operations = if request.include_authorized_operations {
        operations::ON_GROUP
    } else {
        operations::NOT_ASKED
    };
    let describe = |group_id: String| {
        let described = describe(ctx, header.api_version, group_id);
        DescribedGroup { authorized_operations, ..described }
    };
    DescribeGroupsResponse {
        groups: request.groups.into_iter().map(describe).collect(),
        ..DescribeGroupsResponse::default()
    }
}

fn describe(ctx: &Context, version: i16, group_id: String) -> DescribedGroup {
    let group = match ctx.broker.classic_describe(&group_id) {
        Ok(group) => group,
        Err(error) => {
            let code = coordinator_code(&error);
            let dead = code == ErrorCode::GROUP_ID_NOT_FOUND;
            return DescribedGroup {
                error_code: if dead && version < NOT_FOUND { 0 } else { code.0 },
                error_message: (version >= NOT_FOUND).then(|| error.to_string()),
                group_state: if dead { "Dead".to_owned() } else { String::new() },
                group_id,
                ..DescribedGroup::default()
            };
        }
    };
    // While a rebalance goes on there is nothing to show of what members said or have.
    let stable = group.state == GroupState::Stable;
    let member = |member: ClassicMemberDescription| DescribedGroupMember {
        member_id: member.member_id,
        group_instance_id: member.instance_id,
        client_id: member.client_id,
        client_host: member.client_host,
        member_metadata: if stable { member.metadata } else { bytes::Bytes::new() },
        member_assignment: if stable { member.assignment } else { bytes::Bytes::new() },
    };
    DescribedGroup {
        group_id,
        group_state: group.state.name().to_owned(),
        protocol_type: group.protocol_type,
        protocol_data: if stable { group.protocol_name } else { String::new() },
        members: group.members.into_iter().map(member).collect(),
        ..DescribedGroup::default()
    }
}

/// Lists groups, of all kinds.
pub(crate) async fn list_groups(
    ctx: &Context,
    _header: &RequestHeader,
    request: ListGroupsRequest,
) -> ListGroupsResponse {
    let groups = match ctx.broker.group_list() {
        Ok(groups) => groups,
        Err(error) => {
            let error_code = coordinator_code(&error).0;
            return ListGroupsResponse { error_code, ..ListGroupsResponse::default() };
        }
    };
    let among = |filter: &[String], name: &str| {
        filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(name))
    };
    let wanted = groups.into_iter().filter(|group| {
        among(&request.states_filter, group.state.name())
            && among(&request.types_filter, group.kind.name())
    });
    let groups = wanted.map(|group| ListedGroup {
        group_id: group.group,
        protocol_type: group.protocol_type,
        group_state: group.state.name().to_owned(),
        group_type: group.kind.name().to_owned(),
    });
    ListGroupsResponse { groups: groups.collect(), ..ListGroupsResponse::default() }
}

/// Deletes groups that have no members.
pub(crate) async fn delete_groups(
    ctx: &Context,
    _header: &RequestHeader,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let mut response = DeleteGroupsResponse::default();
    for group_id in request.groups_names {
        let deleted = ctx.broker.group_delete(&group_id).await;
        let error_code = deleted.map_or_else(|error| coordinator_code(&error).0, |()| 0);
        response.results.push(DeletableGroupResult { group_id, error_code });
    }
    response
}

/// Forgets offsets of topics that a group no longer reads.
pub(crate) async fn offset_delete(
    ctx: &Context,
    _header: &RequestHeader,
    request: OffsetDeleteRequest,
) -> OffsetDeleteResponse {
    let mut response = OffsetDeleteResponse::default();
    let mut known = Vec::new();
    // Where in the response the answer to each belongs.
    let mut places = Vec::new();
    for asked in request.topics {
        let topic = ctx.broker.topic_by_name(&asked.name);
        let mut partitions = Vec::with_capacity(asked.partitions.len());
        for partition in asked.partitions {
            let partition_index = partition.partition_index;
            let index = u32::try_from(partition_index).ok();
            let found = topic.as_ref().zip(index);
            let found = found.filter(|(topic, index)| *index < topic.partition_count());
            let mut error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0;
            if let Some((topic, index)) = found {
                places.push((response.topics.len(), partitions.len()));
                known.push((topic.id(), index));
                error_code = 0;
            }
            partitions.push(OffsetDeleteResponsePartition { partition_index, error_code });
        }
        response.topics.push(OffsetDeleteResponseTopic { name: asked.name, partitions });
    }
    match ctx.broker.group_delete_offsets(&request.group_id, &known).await {
        Ok(results) => {
            for ((topic, partition), result) in places.into_iter().zip(results) {
                let code = result.map_or_else(|error| coordinator_code(&error).0, |()| 0);
                response.topics[topic].partitions[partition].error_code = code;
            }
        }
        Err(error) => {
            response.topics.clear();
            response.error_code = coordinator_code(&error).0;
        }
    }
    response
}
