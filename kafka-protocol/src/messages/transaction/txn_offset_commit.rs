//! `TxnOffsetCommit`.

use crate::schema::message;

message! {
    /// Commits offsets of a group as a part of a transaction.
    TxnOffsetCommitRequest: TXN_OFFSET_COMMIT [0-5, flexible 3+] {
        transactional_id: String [0+],
        group_id: String [0+],
        producer_id: i64 [0+],
        producer_epoch: i16 [0+],
        generation_id: i32 [3+, default -1],
        member_id: String [3+],
        group_instance_id: Option<String> [3+, nullable 3+],
        topics: Vec<TxnOffsetCommitRequestTopic> [0+],
    }
    TxnOffsetCommitRequestTopic {
        name: String [0+],
        partitions: Vec<TxnOffsetCommitRequestPartition> [0+],
    }
    TxnOffsetCommitRequestPartition {
        partition_index: i32 [0+],
        committed_offset: i64 [0+],
        committed_leader_epoch: i32 [2+, ignorable, default -1],
        committed_metadata: Option<String> [0+, nullable 0+],
    }
}

message! {
    /// The outcome, partition by partition.
    TxnOffsetCommitResponse: TXN_OFFSET_COMMIT [0-5, flexible 3+] {
        throttle_time_ms: i32 [0+],
        topics: Vec<TxnOffsetCommitResponseTopic> [0+],
    }
    TxnOffsetCommitResponseTopic {
        name: String [0+],
        partitions: Vec<TxnOffsetCommitResponsePartition> [0+],
    }
    TxnOffsetCommitResponsePartition {
        partition_index: i32 [0+],
        error_code: i16 [0+],
    }
}
