//! `ListPartitionReassignments`.

use crate::schema::message;

message! {
    /// Asks which replicas are being moved.
    ListPartitionReassignmentsRequest: LIST_PARTITION_REASSIGNMENTS [0-0, flexible 0+] {
        timeout_ms: i32 [0+, default 60000],
        topics: Option<Vec<ListPartitionReassignmentsTopics>> [0+, nullable 0+],
    }
    ListPartitionReassignmentsTopics {
        name: String [0+],
        partition_indexes: Vec<i32> [0+],
    }
}

message! {
    /// The partitions whose replicas are being moved.
    ListPartitionReassignmentsResponse: LIST_PARTITION_REASSIGNMENTS [0-0, flexible 0+] {
        throttle_time_ms: i32 [0+],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
        topics: Vec<OngoingTopicReassignment> [0+],
    }
    OngoingTopicReassignment {
        name: String [0+],
        partitions: Vec<OngoingPartitionReassignment> [0+],
    }
    OngoingPartitionReassignment {
        partition_index: i32 [0+],
        replicas: Vec<i32> [0+],
        adding_replicas: Vec<i32> [0+],
        removing_replicas: Vec<i32> [0+],
    }
}
