//! Transactions: identities for their producers, what belongs to one, its end, and looking after
//! them.

mod add;
mod administer;
mod end;
mod markers;
mod offsets;
mod producers;

pub(crate) use add::{add_offsets_to_txn, add_partitions_to_txn};
pub(crate) use administer::{describe_transactions, list_transactions};
pub(crate) use end::end_txn;
pub(crate) use markers::write_txn_markers;
pub(crate) use offsets::txn_offset_commit;
pub(crate) use producers::describe_producers;

use onrush_broker::Error;
use onrush_kafka_protocol::ErrorCode;

use crate::error::coordinator_code;

/// The code of an error for a client of this version: those before `since` know of one error for
/// a producer that is fenced.
pub(super) fn code_for(error: &Error, version: i16, since: i16) -> ErrorCode {
    match coordinator_code(error) {
        ErrorCode::PRODUCER_FENCED if version < since => ErrorCode::INVALID_PRODUCER_EPOCH,
        code => code,
    }
}
