//! InitProducerId: an identity for an idempotent producer, or for a transactional one.

use onrush_kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};
use onrush_record::{ProducerEpoch, ProducerId};

use super::transaction::code_for;
use crate::context::Context;

/// From here on a producer is told by an error of its own that it is fenced.
const FENCED: i16 = 4;

/// Gives a producer its id and epoch.
pub(crate) async fn init_producer_id(
    ctx: &Context,
    header: &RequestHeader,
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
    let made = match request.transactional_id.as_deref() {
        None => ctx.broker.init_producer().await,
        Some("") => return refused(ErrorCode::INVALID_REQUEST),
        Some(id) => {
            let known = (request.producer_id >= 0).then(|| {
                let epoch = ProducerEpoch::new(request.producer_epoch);
                (ProducerId::new(request.producer_id), epoch)
            });
            let timeout = request.transaction_timeout_ms;
            ctx.broker.init_transactional(id, timeout, known).await
        }
    };
    match made {
        Ok((producer, epoch)) => InitProducerIdResponse {
            producer_id: producer.get(),
            producer_epoch: epoch.get(),
            ..InitProducerIdResponse::default()
        },
        Err(error) => refused(code_for(&error, header.api_version, FENCED)),
    }
}
