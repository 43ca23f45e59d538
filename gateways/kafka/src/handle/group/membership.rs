//! The classic protocol: members join, one of them spreads the partitions, all hear of it.

use onrush_broker::Error;
use onrush_broker::group::{ClassicJoin, ClassicSync, GroupError, LeavingMember};
use onrush_kafka_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
    JoinGroupResponseMember, LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse,
    SyncGroupRequest, SyncGroupResponse,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};

use super::{client_host, client_id};
use crate::context::Context;
use crate::error::coordinator_code;

/// From here on a JoinGroup without a member id is told one first, so that a client that gives up
/// waiting leaves no member behind.
const MEMBER_ID_FIRST: i16 = 4;
/// From here on a missing protocol is null; before, empty.
const NULL_PROTOCOL: i16 = 7;
/// From here on a leader may be told to assign nothing.
const SKIPPED_ASSIGNMENT: i16 = 9;
/// From here on SyncGroup names the protocol.
const NAMED_PROTOCOL: i16 = 5;
/// From here on LeaveGroup is about several members.
const SEVERAL_LEAVE: i16 = 3;

/// Joins a group; answered when all members have.
pub(crate) async fn join_group(
    ctx: &Context,
    header: &RequestHeader,
    request: JoinGroupRequest,
) -> JoinGroupResponse {
    let version = header.api_version;
    let no_protocol = if version >= NULL_PROTOCOL { None } else { Some(String::new()) };
    let member_id = request.member_id.clone();
    let join = ClassicJoin {
        group: request.group_id,
        member_id: request.member_id,
        member_id_required: version >= MEMBER_ID_FIRST && request.group_instance_id.is_none(),
        instance_id: request.group_instance_id,
        client_id: client_id(header),
        client_host: client_host(ctx),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: request.rebalance_timeout_ms,
        protocol_type: request.protocol_type,
        protocols: request.protocols.into_iter().map(|one| (one.name, one.metadata)).collect(),
        skips_assignment: version >= SKIPPED_ASSIGNMENT,
        reason: request.reason,
    };
    match ctx.broker.classic_join(join).await {
        Ok(joined) => JoinGroupResponse {
            generation_id: joined.generation,
            protocol_type: joined.protocol_type,
            protocol_name: joined.protocol_name.or(no_protocol),
            leader: joined.leader,
            skip_assignment: joined.skip_assignment,
            member_id: joined.member_id,
            members: joined
                .members
                .into_iter()
                .map(|member| JoinGroupResponseMember {
                    member_id: member.member_id,
                    group_instance_id: member.instance_id,
                    metadata: member.metadata,
                })
                .collect(),
            ..JoinGroupResponse::default()
        },
        Err(error) => JoinGroupResponse {
            error_code: coordinator_code(&error).0,
            protocol_name: no_protocol,
            member_id: match error {
                Error::Group(GroupError::MemberIdRequired { member_id, .. }) => member_id,
                _ => member_id,
            },
            ..JoinGroupResponse::default()
        },
    }
}

/// Hands the leader's assignment in, or waits for it.
pub(crate) async fn sync_group(
    ctx: &Context,
    header: &RequestHeader,
    request: SyncGroupRequest,
) -> SyncGroupResponse {
    let refused =
        |code: ErrorCode| SyncGroupResponse { error_code: code.0, ..SyncGroupResponse::default() };
    let named = request.protocol_type.is_some() && request.protocol_name.is_some();
    if header.api_version >= NAMED_PROTOCOL && !named {
        return refused(ErrorCode::INCONSISTENT_GROUP_PROTOCOL);
    }
    let sync = ClassicSync {
        group: request.group_id,
        generation: request.generation_id,
        member_id: request.member_id,
        instance_id: request.group_instance_id,
        protocol_type: request.protocol_type,
        protocol_name: request.protocol_name,
        assignments: request
            .assignments
            .into_iter()
            .map(|one| (one.member_id, one.assignment))
            .collect(),
    };
    match ctx.broker.classic_sync(sync).await {
        Ok(synced) => SyncGroupResponse {
            protocol_type: synced.protocol_type,
            protocol_name: synced.protocol_name,
            assignment: synced.assignment,
            ..SyncGroupResponse::default()
        },
        Err(error) => refused(coordinator_code(&error)),
    }
}

/// A member is alive.
pub(crate) async fn heartbeat(
    ctx: &Context,
    _header: &RequestHeader,
    request: HeartbeatRequest,
) -> HeartbeatResponse {
    let HeartbeatRequest { group_id, generation_id, member_id, group_instance_id, .. } = request;
    let instance = group_instance_id.as_deref();
    let beat = ctx.broker.classic_heartbeat(&group_id, generation_id, &member_id, instance).await;
    HeartbeatResponse {
        error_code: beat.map_or_else(|error| coordinator_code(&error).0, |()| 0),
        ..HeartbeatResponse::default()
    }
}

/// Members leave.
pub(crate) async fn leave_group(
    ctx: &Context,
    header: &RequestHeader,
    request: LeaveGroupRequest,
) -> LeaveGroupResponse {
    let several = header.api_version >= SEVERAL_LEAVE;
    let members = if several {
        request.members
    } else {
        vec![MemberIdentity { member_id: request.member_id, ..MemberIdentity::default() }]
    };
    let leaving = |member: &MemberIdentity| LeavingMember {
        member_id: member.member_id.clone(),
        instance_id: member.group_instance_id.clone(),
        reason: member.reason.clone(),
    };
    let leaving: Vec<_> = members.iter().map(leaving).collect();
    let left = match ctx.broker.classic_leave(&request.group_id, leaving).await {
        Ok(left) => left,
        Err(error) => {
            let error_code = coordinator_code(&error).0;
            return LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() };
        }
    };
    let codes =
        left.iter().map(|left| left.as_ref().map_or_else(|e| coordinator_code(e).0, |()| 0));
    if !several {
        let error_code = codes.into_iter().next().unwrap_or(0);
        return LeaveGroupResponse { error_code, ..LeaveGroupResponse::default() };
    }
    let answer = |(member, error_code): (MemberIdentity, i16)| MemberResponse {
        member_id: member.member_id,
        group_instance_id: member.group_instance_id,
        error_code,
    };
    let answered = codes.collect::<Vec<_>>();
    LeaveGroupResponse {
        members: members.into_iter().zip(answered).map(answer).collect(),
        ..LeaveGroupResponse::default()
    }
}
