//! `DescribeTopicPartitions`.

use crate::Uuid;
use crate::schema::message;

message! {
    /// Asks for topics and their partitions, page by page.
    DescribeTopicPartitionsRequest: DESCRIBE_TOPIC_PARTITIONS [0-0, flexible 0+] {
        topics: Vec<DescribeTopicPartitionsRequestTopicRequest> [0+],
        response_partition_limit: i32 [0+, default 2000],
        cursor: Option<DescribeTopicPartitionsRequestCursor> [0+, nullable 0+],
    }
    DescribeTopicPartitionsRequestTopicRequest {
        name: String [0+],
    }
    DescribeTopicPartitionsRequestCursor {
        topic_name: String [0+],
        partition_index: i32 [0+],
    }
}

message! {
    /// One page of topics, and where the next one begins.
    DescribeTopicPartitionsResponse: DESCRIBE_TOPIC_PARTITIONS [0-0, flexible 0+] {
        throttle_time_ms: i32 [0+, ignorable],
        topics: Vec<DescribeTopicPartitionsResponseTopic> [0+],
        next_cursor: Option<DescribeTopicPartitionsResponseCursor> [0+, nullable 0+],
    }
    DescribeTopicPartitionsResponseTopic {
        error_code: i16 [0+],
        name: Option<String> [0+, nullable 0+],
        topic_id: Uuid [0+, ignorable],
        is_internal: bool [0+, ignorable],
        partitions: Vec<DescribeTopicPartitionsResponsePartition> [0+],
        topic_authorized_operations: i32 [0+, default i32::MIN],
    }
    DescribeTopicPartitionsResponsePartition {
        error_code: i16 [0+],
        partition_index: i32 [0+],
        leader_id: i32 [0+],
        leader_epoch: i32 [0+, ignorable, default -1],
        replica_nodes: Vec<i32> [0+],
        isr_nodes: Vec<i32> [0+],
        eligible_leader_replicas: Option<Vec<i32>> [0+, nullable 0+],
        last_known_elr: Option<Vec<i32>> [0+, nullable 0+],
        offline_replicas: Vec<i32> [0+, ignorable],
    }
    DescribeTopicPartitionsResponseCursor {
        topic_name: String [0+],
        partition_index: i32 [0+],
    }
}
