//! `DescribeShareGroupOffsets`.

use crate::Uuid;
use crate::schema::message;

message! {
    /// Asks where share groups start in their partitions.
    DescribeShareGroupOffsetsRequest: DESCRIBE_SHARE_GROUP_OFFSETS [0-1, flexible 0+] {
        groups: Vec<DescribeShareGroupOffsetsRequestGroup> [0+],
    }
    DescribeShareGroupOffsetsRequestGroup {
        group_id: String [0+],
        topics: Option<Vec<DescribeShareGroupOffsetsRequestTopic>> [0+, nullable 0+],
    }
    DescribeShareGroupOffsetsRequestTopic {
        topic_name: String [0+],
        partitions: Vec<i32> [0+],
    }
}

message! {
    /// The start offsets.
    DescribeShareGroupOffsetsResponse: DESCRIBE_SHARE_GROUP_OFFSETS [0-1, flexible 0+] {
        throttle_time_ms: i32 [0+],
        groups: Vec<DescribeShareGroupOffsetsResponseGroup> [0+],
    }
    DescribeShareGroupOffsetsResponseGroup {
        group_id: String [0+],
        topics: Vec<DescribeShareGroupOffsetsResponseTopic> [0+],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
    }
    DescribeShareGroupOffsetsResponseTopic {
        topic_name: String [0+],
        topic_id: Uuid [0+],
        partitions: Vec<DescribeShareGroupOffsetsResponsePartition> [0+],
    }
    DescribeShareGroupOffsetsResponsePartition {
        partition_index: i32 [0+],
        start_offset: i64 [0+],
        leader_epoch: i32 [0+],
        lag: i64 [1+, ignorable, default -1],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
    }
}
