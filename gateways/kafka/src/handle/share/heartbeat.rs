//! ShareGroupHeartbeat: a member joins, stays or leaves.

use onrush_broker::share::ShareHeartbeat;
use onrush_kafka_protocol::RequestHeader;
use onrush_kafka_protocol::messages::{
    ShareGroupHeartbeatRequest, ShareGroupHeartbeatResponse,
    ShareGroupHeartbeatResponseAssignment as Assignment,
    ShareGroupHeartbeatResponseTopicPartitions as Topic,
};

use super::by_topic;
use crate::context::Context;
use crate::error::coordinator_code;
use crate::handle::group::{client_host, client_id};
use crate::lookup::{wire_id, wire_number};

/// A member joins, stays or leaves.
pub(crate) async fn share_group_heartbeat(
    ctx: &Context,
    header: &RequestHeader,
    request: ShareGroupHeartbeatRequest,
) -> ShareGroupHeartbeatResponse {
    let beat = ShareHeartbeat {
        group: request.group_id,
        member_id: request.member_id,
        member_epoch: request.member_epoch,
        rack: request.rack_id,
        client_id: client_id(header),
        client_host: client_host(ctx),
        topics: request.subscribed_topic_names,
    };
    match ctx.broker.share_heartbeat(beat).await {
        Ok(reply) => ShareGroupHeartbeatResponse {
            member_id: Some(reply.member_id),
            member_epoch: reply.member_epoch,
            heartbeat_interval_ms: wire_number(reply.interval_ms),
            assignment: reply.assignment.map(|partitions| Assignment {
                topic_partitions: by_topic(partitions)
                    .map(|(id, partitions)| Topic { topic_id: wire_id(id), partitions })
                    .collect(),
            }),
            ..ShareGroupHeartbeatResponse::default()
        },
        Err(error) => ShareGroupHeartbeatResponse {
            error_code: coordinator_code(&error).0,
            error_message: Some(error.to_string()),
            ..ShareGroupHeartbeatResponse::default()
        },
    }
}
