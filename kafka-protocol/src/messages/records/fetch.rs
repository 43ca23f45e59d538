//! `Fetch`.

use bytes::Bytes;

use crate::Uuid;
use crate::schema::message;

message! {
    /// Asks for record batches from offsets on, and may wait for them.
    FetchRequest: FETCH [4-18, flexible 12+] {
        cluster_id: Option<String> [12+, nullable 12+, tag 0, ignorable],
        replica_id: i32 [0-14, default -1],
        replica_state: ReplicaState [15+, tag 1],
        max_wait_ms: i32 [0+],
        min_bytes: i32 [0+],
        max_bytes: i32 [3+, ignorable, default i32::MAX],
        isolation_level: i8 [4+, ignorable],
        session_id: i32 [7+, ignorable],
        session_epoch: i32 [7+, ignorable, default -1],
        topics: Vec<FetchRequestFetchTopic> [0+],
        forgotten_topics_data: Vec<FetchRequestForgottenTopic> [7+],
        rack_id: String [11+, ignorable],
    }
    ReplicaState {
        replica_id: i32 [15+, default -1],
        replica_epoch: i64 [15+, default -1],
    }
    FetchRequestFetchTopic {
        topic: String [0-12, ignorable],
        topic_id: Uuid [13+, ignorable],
        partitions: Vec<FetchRequestFetchPartition> [0+],
    }
    FetchRequestFetchPartition {
        partition: i32 [0+],
        current_leader_epoch: i32 [9+, ignorable, default -1],
        fetch_offset: i64 [0+],
        last_fetched_epoch: i32 [12+, default -1],
        log_start_offset: i64 [5+, ignorable, default -1],
        partition_max_bytes: i32 [0+],
        replica_directory_id: Uuid [17+, tag 0, ignorable],
        high_watermark: i64 [18+, tag 1, ignorable, default i64::MAX],
    }
    FetchRequestForgottenTopic {
        topic: String [7-12, ignorable],
        topic_id: Uuid [13+, ignorable],
        partitions: Vec<i32> [7+],
    }
}

message! {
    /// The record batches, as they are stored.
    FetchResponse: FETCH [4-18, flexible 12+] {
        throttle_time_ms: i32 [1+, ignorable],
        error_code: i16 [7+, ignorable],
        session_id: i32 [7+],
        responses: Vec<FetchableTopicResponse> [0+],
        node_endpoints: Vec<FetchResponseNodeEndpoint> [16+, tag 0],
    }
    FetchableTopicResponse {
        topic: String [0-12, ignorable],
        topic_id: Uuid [13+, ignorable],
        partitions: Vec<FetchResponsePartitionData> [0+],
    }
    FetchResponsePartitionData {
        partition_index: i32 [0+],
        error_code: i16 [0+],
        high_watermark: i64 [0+],
        last_stable_offset: i64 [4+, ignorable, default -1],
        log_start_offset: i64 [5+, ignorable, default -1],
        diverging_epoch: FetchResponseEpochEndOffset [12+, tag 0],
        current_leader: FetchResponseLeaderIdAndEpoch [12+, tag 1],
        snapshot_id: SnapshotId [12+, tag 2],
        aborted_transactions: Option<Vec<AbortedTransaction>> [4+, nullable 4+, ignorable],
        preferred_read_replica: i32 [11+, default -1],
        records: Option<Bytes> [0+, nullable 0+],
    }
    FetchResponseEpochEndOffset {
        epoch: i32 [12+, default -1],
        end_offset: i64 [12+, default -1],
    }
    FetchResponseLeaderIdAndEpoch {
        leader_id: i32 [12+, default -1],
        leader_epoch: i32 [12+, default -1],
    }
    SnapshotId {
        end_offset: i64 [0+, default -1],
        epoch: i32 [0+, default -1],
    }
    AbortedTransaction {
        producer_id: i64 [4+],
        first_offset: i64 [4+],
    }
    FetchResponseNodeEndpoint {
        node_id: i32 [16+],
        host: String [16+],
        port: i32 [16+],
        rack: Option<String> [16+, nullable 16+],
    }
}
