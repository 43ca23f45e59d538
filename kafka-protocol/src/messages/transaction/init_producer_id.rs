//! `InitProducerId`.

use crate::schema::message;

message! {
    /// Asks for a producer id; with a transactional id, fences its older users.
    InitProducerIdRequest: INIT_PRODUCER_ID [0-6, flexible 2+] {
        transactional_id: Option<String> [0+, nullable 0+],
        transaction_timeout_ms: i32 [0+],
        producer_id: i64 [3+, default -1],
        producer_epoch: i16 [3+, default -1],
        enable2_pc: bool [6+],
        keep_prepared_txn: bool [6+],
    }
}

message! {
    /// The producer id and its epoch.
    InitProducerIdResponse: INIT_PRODUCER_ID [0-6, flexible 2+] {
        throttle_time_ms: i32 [0+, ignorable],
        error_code: i16 [0+],
        producer_id: i64 [0+, default -1],
        producer_epoch: i16 [0+],
        ongoing_txn_producer_id: i64 [6+, default -1],
        ongoing_txn_producer_epoch: i16 [6+, default -1],
    }
}
