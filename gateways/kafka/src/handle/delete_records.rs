//! DeleteRecords: lets go of what lies before an offset.

use onrush_kafka_protocol::messages::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsRequest,
    DeleteRecordsResponse, DeleteRecordsTopicResult,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};
use onrush_record::Offset;

use crate::context::Context;
use crate::error::code;
use crate::lookup::{self, wire_offset};

/// Stands for the end of what consumers see.
const TO_THE_END: i64 = -1;

/// Deletes records before offsets.
pub(crate) async fn delete_records(
    ctx: &Context,
    _header: &RequestHeader,
    request: DeleteRecordsRequest,
) -> DeleteRecordsResponse {
    let mut response = DeleteRecordsResponse::default();
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in &topic.partitions {
            let (low_watermark, error_code) = match delete(ctx, &topic.name, asked).await {
                Ok(start) => (wire_offset(start), 0),
                Err(code) => (-1, code.0),
            };
            partitions.push(DeleteRecordsPartitionResult {
                partition_index: asked.partition_index,
                low_watermark,
                error_code,
            });
        }
        response.topics.push(DeleteRecordsTopicResult { name: topic.name, partitions });
    }
    response
}

async fn delete(
    ctx: &Context,
    topic: &str,
    asked: &DeleteRecordsPartition,
) -> Result<Offset, ErrorCode> {
    let partition = lookup::partition(&ctx.broker, topic, asked.partition_index)?;
    // What a compacted topic keeps is the newest of each key, not the newest.
    let settings = ctx.broker.topic(partition.topic_id()).map(|topic| topic.describe_configs());
    let policy = settings.into_iter().flatten().find(|entry| entry.key == "cleanup.policy");
    if policy.is_some_and(|policy| !policy.value.split(',').any(|part| part.trim() == "delete")) {
        return Err(ErrorCode::POLICY_VIOLATION);
    }
    let before = match asked.offset {
        TO_THE_END => partition.ends().readable,
        offset => Offset::new(u64::try_from(offset).map_err(|_| ErrorCode::OFFSET_OUT_OF_RANGE)?),
    };
    ctx.broker.delete_records(&partition, before).await.map_err(|error| code(&error))
}
