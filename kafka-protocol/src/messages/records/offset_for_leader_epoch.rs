//! `OffsetForLeaderEpoch`.

use crate::schema::message;

message! {
    /// Asks where a leader epoch ended, to find out whether a log was truncated.
    OffsetForLeaderEpochRequest: OFFSET_FOR_LEADER_EPOCH [2-4, flexible 4+] {
        replica_id: i32 [3+, ignorable, default -2],
        topics: Vec<OffsetForLeaderTopic> [0+],
    }
    OffsetForLeaderTopic {
        topic: String [0+],
        partitions: Vec<OffsetForLeaderPartition> [0+],
    }
    OffsetForLeaderPartition {
        partition: i32 [0+],
        current_leader_epoch: i32 [2+, ignorable, default -1],
        leader_epoch: i32 [0+],
    }
}

message! {
    /// The ends of the epochs.
    OffsetForLeaderEpochResponse: OFFSET_FOR_LEADER_EPOCH [2-4, flexible 4+] {
        throttle_time_ms: i32 [2+, ignorable],
        topics: Vec<OffsetForLeaderTopicResult> [0+],
    }
    OffsetForLeaderTopicResult {
        topic: String [0+],
        partitions: Vec<OffsetForLeaderEpochResponseEpochEndOffset> [0+],
    }
    OffsetForLeaderEpochResponseEpochEndOffset {
        error_code: i16 [0+],
        partition: i32 [0+],
        leader_epoch: i32 [1+, ignorable, default -1],
        end_offset: i64 [0+, default -1],
    }
}
