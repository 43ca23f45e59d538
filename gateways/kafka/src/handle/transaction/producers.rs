//! DescribeProducers: whose sequence numbers a partition remembers, and whose transaction is open.

use std::collections::{HashMap, HashSet};

use onrush_broker::ActiveProducer;
use onrush_gateway_net::Pace;
use onrush_kafka_protocol::RequestHeader;
use onrush_kafka_protocol::messages::{
    DescribeProducersRequest, DescribeProducersResponse, PartitionResponse, ProducerState,
    TopicResponse,
};

use crate::context::Context;
use crate::lookup::{self, wire_offset};

/// Describes the producers of partitions.
pub(crate) async fn describe_producers(
    ctx: &Context,
    _header: &RequestHeader,
    request: DescribeProducersRequest,
) -> DescribeProducersResponse {
    let mut response = DescribeProducersResponse::default();
    // Each partition once: its producers may be many.
    let mut seen: HashMap<String, HashSet<i32>> = HashMap::new();
    let mut pace = Pace::default();
    for topic in request.topics {
        let describe = |partition_index: i32| {
            let mut described = PartitionResponse { partition_index, ..Default::default() };
            match lookup::partition(&ctx.broker, &topic.name, partition_index) {
                Ok(partition) => {
                    described.active_producers =
                        partition.producers().into_iter().map(state).collect();
                }
                Err(code) => {
                    described.error_code = code.0;
                    described.error_message =
                        Some("This server does not host this topic-partition.".to_owned());
                }
            }
            described
        };
        let seen = seen.entry(topic.name.clone()).or_default();
        let mut partitions = Vec::new();
        for index in topic.partition_indexes {
            if !seen.insert(index) {
                pace.step().await;
                continue;
            }
            let described = describe(index);
            pace.steps(1 + described.active_producers.len()).await;
            partitions.push(described);
        }
        response.topics.push(TopicResponse { name: topic.name, partitions });
    }
    response
}

fn state(producer: ActiveProducer) -> ProducerState {
    ProducerState {
        producer_id: producer.producer.get(),
        producer_epoch: i32::from(producer.epoch.get()),
        last_sequence: producer.last_sequence.map_or(-1, |sequence| sequence.get()),
        last_timestamp: producer.last_timestamp_ms,
        coordinator_epoch: producer.coordinator_epoch,
        current_txn_start_offset: producer.transaction_start.map_or(-1, wire_offset),
    }
}
