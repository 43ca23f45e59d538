//! What Kafka asks about its cluster, answered by the one node there is.

use onrush_kafka_protocol::messages::{
    DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};

use super::operations;
use crate::context::Context;

/// The endpoints that clients connect to; those of controllers have the number 2.
const BROKERS: i8 = 1;

/// Answers which brokers there are.
pub(crate) async fn describe_cluster(
    ctx: &Context,
    _header: &RequestHeader,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    let answer = DescribeClusterResponse {
        endpoint_type: request.endpoint_type,
        cluster_id: ctx.broker.cluster_id().to_string(),
        ..DescribeClusterResponse::default()
    };
    if request.endpoint_type != BROKERS {
        return DescribeClusterResponse {
            error_code: ErrorCode::MISMATCHED_ENDPOINT_TYPE.0,
            error_message: Some(format!(
                "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of \
                 type {}",
                if request.endpoint_type == 2 { "CONTROLLER" } else { "UNKNOWN" }
            )),
            ..answer
        };
    }
    let node = ctx.broker.node_id();
    DescribeClusterResponse {
        controller_id: node,
        brokers: vec![DescribeClusterBroker {
            broker_id: node,
            host: ctx.endpoint.host.clone(),
            port: i32::from(ctx.endpoint.port),
            ..DescribeClusterBroker::default()
        }],
        cluster_authorized_operations: if request.include_cluster_authorized_operations {
            operations::ON_CLUSTER
        } else {
            operations::NOT_ASKED
        },
        ..answer
    }
}
