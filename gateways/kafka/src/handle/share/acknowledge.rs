//! ShareAcknowledge, and the acknowledgements that come with a ShareFetch.

use onrush_broker::group::TopicPartition;
use onrush_broker::share::{AckType, ShareAcknowledgement};
use onrush_kafka_protocol::messages::{
    ShareAcknowledgeRequest, ShareAcknowledgeResponse,
    ShareAcknowledgeResponsePartitionData as PartitionData, ShareAcknowledgeTopicResponse,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};
use onrush_record::{Offset, TopicId};

use crate::context::Context;
use crate::error::coordinator_code;
use crate::lookup::wire_number;

/// Why acknowledgements are refused.
pub(super) type Refusal = (ErrorCode, String);

/// One run of records: first, last, and how each or all of them are acknowledged.
pub(super) type Run = (i64, i64, Vec<i8>);

/// Acknowledges records.
pub(crate) async fn share_acknowledge(
    ctx: &Context,
    _header: &RequestHeader,
    request: ShareAcknowledgeRequest,
) -> ShareAcknowledgeResponse {
    let mut response = ShareAcknowledgeResponse::default();
    let (Some(group), Some(member)) = (request.group_id, request.member_id) else {
        response.error_code = ErrorCode::INVALID_REQUEST.0;
        return response;
    };
    let epoch = request.share_session_epoch;
    let session = match ctx.broker.share_session_acknowledge(&group, &member, epoch) {
        Ok(session) => session,
        Err(error) => {
            response.error_code = coordinator_code(&error).0;
            response.error_message = Some(error.to_string());
            return response;
        }
    };
    ctx.shares.note(&group, &member, session.id);
    for topic in request.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let runs = asked
                .acknowledgement_batches
                .into_iter()
                .map(|batch| (batch.first_offset, batch.last_offset, batch.acknowledge_types));
            let at = (TopicId::new(topic.topic_id.0), asked.partition_index);
            let refused = acknowledge(ctx, &group, &member, at, runs.collect()).await.err();
            partitions.push(PartitionData {
                partition_index: asked.partition_index,
                error_code: refused.as_ref().map_or(0, |(code, _)| code.0),
                error_message: refused.map(|(_, message)| message),
                ..PartitionData::default()
            });
        }
        let topic_id = topic.topic_id;
        response.responses.push(ShareAcknowledgeTopicResponse { topic_id, partitions });
    }
    if session.ends {
        close(ctx, &group, &member).await;
    }
    response.acquisition_lock_timeout_ms = wire_number(ctx.broker.share_lock_ms(&group));
    response
}

/// Acknowledges records of one partition, all that is asked or none.
pub(super) async fn acknowledge(
    ctx: &Context,
    group: &str,
    member: &str,
    (topic, index): (TopicId, i32),
    runs: Vec<Run>,
) -> Result<(), Refusal> {
    let index = u32::try_from(index).map_err(|_| {
        (ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, format!("there is no partition {index}"))
    })?;
    let runs: Option<Vec<ShareAcknowledgement>> = runs.into_iter().map(run).collect();
    let runs = runs.ok_or_else(|| {
        let message = "a run of acknowledgements ends before it begins, or has an unknown type";
        (ErrorCode::INVALID_REQUEST, message.to_owned())
    })?;
    let at: TopicPartition = (topic, index);
    let done = ctx.broker.share_acknowledge(group, member, at, &runs).await;
    done.map_err(|error| (coordinator_code(&error), error.to_string()))
}

fn run((first, last, types): Run) -> Option<ShareAcknowledgement> {
    let (first, last) = (u64::try_from(first).ok()?, u64::try_from(last).ok()?);
    let types: Option<Vec<AckType>> = types.into_iter().map(AckType::from_id).collect();
    (first <= last).then_some(())?;
    Some(ShareAcknowledgement { first: Offset::new(first), last: Offset::new(last), types: types? })
}

/// Ends a member's session: what it holds goes to others.
pub(super) async fn close(ctx: &Context, group: &str, member: &str) {
    ctx.shares.forget(group, member);
    if let Err(error) = ctx.broker.share_session_close(group, member).await {
        tracing::debug!(group, member, %error, "a share session does not close in order");
    }
}
