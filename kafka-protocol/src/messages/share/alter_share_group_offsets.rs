//! `AlterShareGroupOffsets`.

use crate::Uuid;
use crate::schema::message;

message! {
    /// Moves the start of a share group in its partitions.
    AlterShareGroupOffsetsRequest: ALTER_SHARE_GROUP_OFFSETS [0-0, flexible 0+] {
        group_id: String [0+],
        topics: Vec<AlterShareGroupOffsetsRequestTopic> [0+],
    }
    AlterShareGroupOffsetsRequestTopic {
        topic_name: String [0+],
        partitions: Vec<AlterShareGroupOffsetsRequestPartition> [0+],
    }
    AlterShareGroupOffsetsRequestPartition {
        partition_index: i32 [0+],
        start_offset: i64 [0+],
    }
}

message! {
    /// The outcome, partition by partition.
    AlterShareGroupOffsetsResponse: ALTER_SHARE_GROUP_OFFSETS [0-0, flexible 0+] {
        throttle_time_ms: i32 [0+],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
        responses: Vec<AlterShareGroupOffsetsResponseTopic> [0+],
    }
    AlterShareGroupOffsetsResponseTopic {
        topic_name: String [0+],
        topic_id: Uuid [0+],
        partitions: Vec<AlterShareGroupOffsetsResponsePartition> [0+],
    }
    AlterShareGroupOffsetsResponsePartition {
        partition_index: i32 [0+],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
    }
}
