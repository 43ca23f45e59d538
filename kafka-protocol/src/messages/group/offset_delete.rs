//! `OffsetDelete`.

use crate::schema::message;

message! {
    /// Forgets committed offsets of a group.
    OffsetDeleteRequest: OFFSET_DELETE [0-0, flexible none] {
        group_id: String [0+],
        topics: Vec<OffsetDeleteRequestTopic> [0+],
    }
    OffsetDeleteRequestTopic {
        name: String [0+],
        partitions: Vec<OffsetDeleteRequestPartition> [0+],
    }
    OffsetDeleteRequestPartition {
        partition_index: i32 [0+],
    }
}

message! {
    /// The outcome, partition by partition.
    OffsetDeleteResponse: OFFSET_DELETE [0-0, flexible none] {
        error_code: i16 [0+],
        throttle_time_ms: i32 [0+, ignorable],
        topics: Vec<OffsetDeleteResponseTopic> [0+],
    }
    OffsetDeleteResponseTopic {
        name: String [0+],
        partitions: Vec<OffsetDeleteResponsePartition> [0+],
    }
    OffsetDeleteResponsePartition {
        partition_index: i32 [0+],
        error_code: i16 [0+],
    }
}
