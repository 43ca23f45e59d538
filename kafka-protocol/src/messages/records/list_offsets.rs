//! `ListOffsets`.

use crate::schema::message;

message! {
    /// Asks for offsets by time: the first, the last, or those of a timestamp.
    ListOffsetsRequest: LIST_OFFSETS [1-11, flexible 6+] {
        replica_id: i32 [0+],
        isolation_level: i8 [2+],
        topics: Vec<ListOffsetsTopic> [0+],
        timeout_ms: i32 [10+, ignorable],
    }
    ListOffsetsTopic {
        name: String [0+],
        partitions: Vec<ListOffsetsPartition> [0+],
    }
    ListOffsetsPartition {
        partition_index: i32 [0+],
        current_leader_epoch: i32 [4+, ignorable, default -1],
        timestamp: i64 [0+],
    }
}

message! {
    /// The offsets, one for each partition asked about.
    ListOffsetsResponse: LIST_OFFSETS [1-11, flexible 6+] {
        throttle_time_ms: i32 [2+, ignorable],
        topics: Vec<ListOffsetsTopicResponse> [0+],
    }
    ListOffsetsTopicResponse {
        name: String [0+],
        partitions: Vec<ListOffsetsPartitionResponse> [0+],
    }
    ListOffsetsPartitionResponse {
        partition_index: i32 [0+],
        error_code: i16 [0+],
        timestamp: i64 [1+, default -1],
        offset: i64 [1+, default -1],
        leader_epoch: i32 [4+, default -1],
    }
}
