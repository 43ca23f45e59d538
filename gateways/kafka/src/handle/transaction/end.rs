//! EndTxn: all of it happens, or none.

use onrush_kafka_protocol::RequestHeader;
use onrush_kafka_protocol::messages::{EndTxnRequest, EndTxnResponse};
use onrush_record::{ProducerEpoch, ProducerId};

use super::code_for;
use crate::context::Context;

/// From here on a producer is told by an error of its own that it is fenced.
const FENCED: i16 = 2;
/// From here on each end gives the producer a new epoch (KIP-890).
const BUMPED: i16 = 5;

/// Commits or aborts a transaction.
pub(crate) async fn end_txn(
    ctx: &Context,
    header: &RequestHeader,
    request: EndTxnRequest,
) -> EndTxnResponse {
    let bump = header.api_version >= BUMPED;
    let producer = ProducerId::new(request.producer_id);
    let epoch = ProducerEpoch::new(request.producer_epoch);
    let (id, commit) = (&request.transactional_id, request.committed);
    match ctx.broker.transaction_end(id, producer, epoch, commit, bump).await {
        Ok((producer, epoch)) if bump => EndTxnResponse {
            producer_id: producer.get(),
            producer_epoch: epoch.get(),
            ..EndTxnResponse::default()
        },
        Ok(_) => EndTxnResponse::default(),
        Err(error) => EndTxnResponse {
            error_code: code_for(&error, header.api_version, FENCED).0,
            ..EndTxnResponse::default()
        },
    }
}
