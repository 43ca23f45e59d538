//! Replicas and their leaders: there is one of each, and it stays where it is.

use onrush_kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, ElectLeadersRequest,
    ElectLeadersResponse, ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
    PartitionResult, ReassignablePartition, ReassignablePartitionResponse,
    ReassignableTopicResponse, ReplicaElectionResult,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};

use super::placement::{Refused, check_replicas};
use crate::context::Context;
use crate::lookup;

/// Answers which partitions are on the move: none.
pub(crate) async fn list_partition_reassignments(
    _ctx: &Context,
    _header: &RequestHeader,
    _request: ListPartitionReassignmentsRequest,
) -> ListPartitionReassignmentsResponse {
    ListPartitionReassignmentsResponse::default()
}

/// Moves partitions to where they are already; nowhere else is there to go.
pub(crate) async fn alter_partition_reassignments(
    ctx: &Context,
    _header: &RequestHeader,
    request: AlterPartitionReassignmentsRequest,
) -> AlterPartitionReassignmentsResponse {
    let mut response = AlterPartitionReassignmentsResponse {
        allow_replication_factor_change: request.allow_replication_factor_change,
        ..AlterPartitionReassignmentsResponse::default()
    };
    for topic in request.topics {
        let one = |asked: ReassignablePartition| {
            let refused = reassign(ctx, &topic.name, &asked).err();
            ReassignablePartitionResponse {
                partition_index: asked.partition_index,
                error_code: refused.as_ref().map_or(0, |refused| refused.code.0),
                error_message: refused.map(|refused| refused.message),
            }
        };
        response.responses.push(ReassignableTopicResponse {
            partitions: topic.partitions.into_iter().map(one).collect(),
            name: topic.name,
        });
    }
    response
}

fn reassign(ctx: &Context, topic: &str, asked: &ReassignablePartition) -> Result<(), Refused> {
    let found = lookup::partition(&ctx.broker, topic, asked.partition_index);
    found.map_err(|code| {
        let message = format!("Unable to find {topic} partition {}.", asked.partition_index);
        Refused { code, message }
    })?;
    match &asked.replicas {
        Some(replicas) => check_replicas(ctx.broker.node_id(), replicas),
        None => Err(Refused {
            code: ErrorCode::NO_REASSIGNMENT_IN_PROGRESS,
            message: "No partition reassignment is in progress.".to_owned(),
        }),
    }
}

/// Elects the leader that is at work already.
pub(crate) async fn elect_leaders(
    ctx: &Context,
    _header: &RequestHeader,
    request: ElectLeadersRequest,
) -> ElectLeadersResponse {
    let mut response = ElectLeadersResponse::default();
    // Asked about all, Kafka leaves out those that need no election: that is all of them.
    for asked in request.topic_partitions.into_iter().flatten() {
        let one = |partition_id: i32| {
            let (code, message) = match lookup::partition(&ctx.broker, &asked.topic, partition_id) {
                Ok(_) => {
                    let message = "Leader election not needed for topic partition.";
                    (ErrorCode::ELECTION_NOT_NEEDED, message)
                }
                Err(code) => (code, "No such partition."),
            };
            PartitionResult {
                partition_id,
                error_code: code.0,
                error_message: Some(message.to_owned()),
            }
        };
        response.replica_election_results.push(ReplicaElectionResult {
            partition_result: asked.partitions.iter().copied().map(one).collect(),
            topic: asked.topic,
        });
    }
    response
}
