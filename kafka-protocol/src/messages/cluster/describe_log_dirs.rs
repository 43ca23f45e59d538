//! `DescribeLogDirs`.

use crate::schema::message;

message! {
    /// Asks for the directories of the logs and what lies in them.
    DescribeLogDirsRequest: DESCRIBE_LOG_DIRS [1-5, flexible 2+] {
        topics: Option<Vec<DescribableLogDirTopic>> [0+, nullable 0+],
    }
    DescribableLogDirTopic {
        topic: String [0+],
        partitions: Vec<i32> [0+],
    }
}

message! {
    /// The directories.
    DescribeLogDirsResponse: DESCRIBE_LOG_DIRS [1-5, flexible 2+] {
        throttle_time_ms: i32 [0+],
        error_code: i16 [3+, ignorable],
        results: Vec<DescribeLogDirsResult> [0+],
    }
    DescribeLogDirsResult {
        error_code: i16 [0+],
        log_dir: String [0+],
        topics: Vec<DescribeLogDirsTopic> [0+],
        total_bytes: i64 [4+, ignorable, default -1],
        usable_bytes: i64 [4+, ignorable, default -1],
        is_cordoned: bool [5+, ignorable],
    }
    DescribeLogDirsTopic {
        name: String [0+],
        partitions: Vec<DescribeLogDirsPartition> [0+],
    }
    DescribeLogDirsPartition {
        partition_index: i32 [0+],
        partition_size: i64 [0+],
        offset_lag: i64 [0+],
        is_future_key: bool [0+],
    }
}
