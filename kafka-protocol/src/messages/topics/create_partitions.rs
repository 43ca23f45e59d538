//! `CreatePartitions`.

use crate::schema::message;

message! {
    /// Gives topics more partitions.
    CreatePartitionsRequest: CREATE_PARTITIONS [0-3, flexible 2+] {
        topics: Vec<CreatePartitionsTopic> [0+],
        timeout_ms: i32 [0+],
        validate_only: bool [0+],
    }
    CreatePartitionsTopic {
        name: String [0+],
        count: i32 [0+],
        assignments: Option<Vec<CreatePartitionsAssignment>> [0+, nullable 0+],
    }
    CreatePartitionsAssignment {
        broker_ids: Vec<i32> [0+],
    }
}

message! {
    /// The outcome, topic by topic.
    CreatePartitionsResponse: CREATE_PARTITIONS [0-3, flexible 2+] {
        throttle_time_ms: i32 [0+],
        results: Vec<CreatePartitionsTopicResult> [0+],
    }
    CreatePartitionsTopicResult {
        name: String [0+],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
    }
}
