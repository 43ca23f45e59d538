//! `CreateTopics`.

use crate::Uuid;
use crate::schema::message;

message! {
    /// Creates topics.
    CreateTopicsRequest: CREATE_TOPICS [2-7, flexible 5+] {
        topics: Vec<CreatableTopic> [0+],
        timeout_ms: i32 [0+, default 60000],
        validate_only: bool [1+],
    }
    CreatableTopic {
        name: String [0+],
        num_partitions: i32 [0+],
        replication_factor: i16 [0+],
        assignments: Vec<CreatableReplicaAssignment> [0+],
        configs: Vec<CreatableTopicConfig> [0+],
    }
    CreatableReplicaAssignment {
        partition_index: i32 [0+],
        broker_ids: Vec<i32> [0+],
    }
    CreatableTopicConfig {
        name: String [0+],
        value: Option<String> [0+, nullable 0+],
    }
}

message! {
    /// The outcome and what became of the settings, topic by topic.
    CreateTopicsResponse: CREATE_TOPICS [2-7, flexible 5+] {
        throttle_time_ms: i32 [2+, ignorable],
        topics: Vec<CreatableTopicResult> [0+],
    }
    CreatableTopicResult {
        name: String [0+],
        topic_id: Uuid [7+, ignorable],
        error_code: i16 [0+],
        error_message: Option<String> [1+, nullable 0+, ignorable],
        topic_config_error_code: i16 [5+, tag 0, ignorable],
        num_partitions: i32 [5+, ignorable, default -1],
        replication_factor: i16 [5+, ignorable, default -1],
        configs: Option<Vec<CreatableTopicConfigs>> [5+, nullable 5+, ignorable],
    }
    CreatableTopicConfigs {
        name: String [5+],
        value: Option<String> [5+, nullable 5+],
        read_only: bool [5+],
        config_source: i8 [5+, ignorable, default -1],
        is_sensitive: bool [5+],
    }
}
