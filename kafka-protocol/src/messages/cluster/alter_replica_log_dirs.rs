//! `AlterReplicaLogDirs`.

use crate::schema::message;

message! {
    /// Moves logs to other directories.
    AlterReplicaLogDirsRequest: ALTER_REPLICA_LOG_DIRS [1-2, flexible 2+] {
        dirs: Vec<AlterReplicaLogDir> [0+],
    }
    AlterReplicaLogDir {
        path: String [0+],
        topics: Vec<AlterReplicaLogDirTopic> [0+],
    }
    AlterReplicaLogDirTopic {
        name: String [0+],
        partitions: Vec<i32> [0+],
    }
}

message! {
    /// The outcome, partition by partition.
    AlterReplicaLogDirsResponse: ALTER_REPLICA_LOG_DIRS [1-2, flexible 2+] {
        throttle_time_ms: i32 [0+],
        results: Vec<AlterReplicaLogDirTopicResult> [0+],
    }
    AlterReplicaLogDirTopicResult {
        topic_name: String [0+],
        partitions: Vec<AlterReplicaLogDirPartitionResult> [0+],
    }
    AlterReplicaLogDirPartitionResult {
        partition_index: i32 [0+],
        error_code: i16 [0+],
    }
}
