//! `OffsetCommit`.

use crate::Uuid;
use crate::schema::message;

message! {
    /// Commits offsets of a group.
    OffsetCommitRequest: OFFSET_COMMIT [2-10, flexible 8+] {
        group_id: String [0+],
        generation_id_or_member_epoch: i32 [1+, ignorable, default -1],
        member_id: String [1+, ignorable],
        group_instance_id: Option<String> [7+, nullable 7+],
        retention_time_ms: i64 [2-4, ignorable, default -1],
        topics: Vec<OffsetCommitRequestTopic> [0+],
    }
    OffsetCommitRequestTopic {
        name: String [0-9, ignorable],
        topic_id: Uuid [10+, ignorable],
        partitions: Vec<OffsetCommitRequestPartition> [0+],
    }
    OffsetCommitRequestPartition {
        partition_index: i32 [0+],
        committed_offset: i64 [0+],
        committed_leader_epoch: i32 [6+, ignorable, default -1],
        committed_metadata: Option<String> [0+, nullable 0+],
    }
}

message! {
    /// The outcome, partition by partition.
    OffsetCommitResponse: OFFSET_COMMIT [2-10, flexible 8+] {
        throttle_time_ms: i32 [3+, ignorable],
        topics: Vec<OffsetCommitResponseTopic> [0+],
    }
    OffsetCommitResponseTopic {
        name: String [0-9, ignorable],
        topic_id: Uuid [10+, ignorable],
        partitions: Vec<OffsetCommitResponsePartition> [0+],
    }
    OffsetCommitResponsePartition {
        partition_index: i32 [0+],
        error_code: i16 [0+],
    }
}
