//! `DescribeTransactions`.

use crate::schema::message;

message! {
    /// Asks for the state of transactional ids.
    DescribeTransactionsRequest: DESCRIBE_TRANSACTIONS [0-0, flexible 0+] {
        transactional_ids: Vec<String> [0+],
    }
}

message! {
    /// The states.
    DescribeTransactionsResponse: DESCRIBE_TRANSACTIONS [0-0, flexible 0+] {
        throttle_time_ms: i32 [0+],
        transaction_states: Vec<DescribeTransactionsResponseTransactionState> [0+],
    }
    DescribeTransactionsResponseTransactionState {
        error_code: i16 [0+],
        transactional_id: String [0+],
        transaction_state: String [0+],
        transaction_timeout_ms: i32 [0+],
        transaction_start_time_ms: i64 [0+],
        producer_id: i64 [0+],
        producer_epoch: i16 [0+],
        topics: Vec<TopicData> [0+],
    }
    TopicData {
        topic: String [0+],
        partitions: Vec<i32> [0+],
    }
}
