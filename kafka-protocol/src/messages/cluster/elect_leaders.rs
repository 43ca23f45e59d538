//! `ElectLeaders`.

use crate::schema::message;

message! {
    /// Has leaders elected anew.
    ElectLeadersRequest: ELECT_LEADERS [0-2, flexible 2+] {
        election_type: i8 [1+],
        topic_partitions: Option<Vec<ElectLeadersRequestTopicPartitions>> [0+, nullable 0+],
        timeout_ms: i32 [0+, default 60000],
    }
    ElectLeadersRequestTopicPartitions {
        topic: String [0+],
        partitions: Vec<i32> [0+],
    }
}

message! {
    /// The outcome, partition by partition.
    ElectLeadersResponse: ELECT_LEADERS [0-2, flexible 2+] {
        throttle_time_ms: i32 [0+],
        error_code: i16 [1+],
        replica_election_results: Vec<ReplicaElectionResult> [0+],
    }
    ReplicaElectionResult {
        topic: String [0+],
        partition_result: Vec<PartitionResult> [0+],
    }
    PartitionResult {
        partition_id: i32 [0+],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
    }
}
