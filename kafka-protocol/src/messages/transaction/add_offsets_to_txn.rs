//! `AddOffsetsToTxn`.

use crate::schema::message;

message! {
    /// Adds the offsets of a group to a transaction.
    AddOffsetsToTxnRequest: ADD_OFFSETS_TO_TXN [0-4, flexible 3+] {
        transactional_id: String [0+],
        producer_id: i64 [0+],
        producer_epoch: i16 [0+],
        group_id: String [0+],
    }
}

message! {
    /// The outcome.
    AddOffsetsToTxnResponse: ADD_OFFSETS_TO_TXN [0-4, flexible 3+] {
        throttle_time_ms: i32 [0+],
        error_code: i16 [0+],
    }
}
