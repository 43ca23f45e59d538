//! `EndTxn`.

use crate::schema::message;

message! {
    /// Commits or aborts a transaction.
    EndTxnRequest: END_TXN [0-5, flexible 3+] {
        transactional_id: String [0+],
        producer_id: i64 [0+],
        producer_epoch: i16 [0+],
        committed: bool [0+],
    }
}

message! {
    /// The outcome, and the epoch to go on with.
    EndTxnResponse: END_TXN [0-5, flexible 3+] {
        throttle_time_ms: i32 [0+],
        error_code: i16 [0+],
        producer_id: i64 [5+, ignorable, default -1],
        producer_epoch: i16 [5+, ignorable, default -1],
    }
}
