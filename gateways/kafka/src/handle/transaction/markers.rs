//! WriteTxnMarkers: how an operator ends a transaction that its coordinator knows nothing of.

use onrush_kafka_protocol::RequestHeader;
use onrush_kafka_protocol::messages::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
    WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};
use onrush_record::{ProducerEpoch, ProducerId};

use crate::context::Context;
use crate::error::coordinator_code;
use crate::lookup;

/// Ends hanging transactions.
pub(crate) async fn write_txn_markers(
    ctx: &Context,
    _header: &RequestHeader,
    request: WriteTxnMarkersRequest,
) -> WriteTxnMarkersResponse {
    let mut response = WriteTxnMarkersResponse::default();
    for marker in request.markers {
        let producer = ProducerId::new(marker.producer_id);
        let epoch = ProducerEpoch::new(marker.producer_epoch);
        let mut topics = Vec::with_capacity(marker.topics.len());
        for topic in marker.topics {
            let mut partitions = Vec::with_capacity(topic.partition_indexes.len());
            for partition_index in topic.partition_indexes {
                let error_code = match lookup::partition(&ctx.broker, &topic.name, partition_index)
                {
                    Ok(partition) => {
                        let at = (partition.topic_id(), partition.index());
                        let commit = marker.transaction_result;
                        let ended =
                            ctx.broker.transaction_abort_hanging(at, producer, epoch, commit);
                        ended.await.map_or_else(|error| coordinator_code(&error).0, |()| 0)
                    }
                    Err(code) => code.0,
                };
                partitions.push(WritableTxnMarkerPartitionResult { partition_index, error_code });
            }
            topics.push(WritableTxnMarkerTopicResult { name: topic.name, partitions });
        }
        response.markers.push(WritableTxnMarkerResult { producer_id: producer.get(), topics });
    }
    response
}
