//! InitProducerId: an identity for an idempotent producer.

use onrush_kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};

use crate::context::Context;
use crate::error::coordinator_code;

/// Gives a producer its id and epoch.
pub(crate) async fn init_producer_id(
    ctx: &Context,
    _header: &RequestHeader,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let refused = |code: ErrorCode| InitProducerIdResponse {
        error_code: code.0,
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdResponse::default()
    };
    // Both are given, or neither is.
    if (request.producer_id == -1) != (request.producer_epoch == -1) {
        return refused(ErrorCode::INVALID_REQUEST);
    }
    match request.transactional_id.as_deref() {
        None => {}
        Some("") => return refused(ErrorCode::INVALID_REQUEST),
        Some(_) => return refused(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
    }
    match ctx.broker.init_producer().await {
        Ok((producer, epoch)) => InitProducerIdResponse {
            producer_id: producer.get(),
            producer_epoch: epoch.get(),
            ..InitProducerIdResponse::default()
        },
        Err(error) => refused(coordinator_code(&error)),
    }
}
