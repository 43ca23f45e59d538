//! `ShareFetch`.

use bytes::Bytes;

use crate::Uuid;
use crate::schema::message;

message! {
    /// Acquires records of a share group, and acknowledges earlier ones.
    ShareFetchRequest: SHARE_FETCH [1-2, flexible 0+] {
        group_id: Option<String> [0+, nullable 0+],
        member_id: Option<String> [0+, nullable 0+],
        share_session_epoch: i32 [0+],
        max_wait_ms: i32 [0+],
        min_bytes: i32 [0+],
        max_bytes: i32 [0+, default i32::MAX],
        max_records: i32 [1+],
        batch_size: i32 [1+],
        share_acquire_mode: i8 [2+, ignorable],
        is_renew_ack: bool [2+],
        topics: Vec<ShareFetchRequestFetchTopic> [0+],
        forgotten_topics_data: Vec<ShareFetchRequestForgottenTopic> [0+],
    }
    ShareFetchRequestFetchTopic {
        topic_id: Uuid [0+],
        partitions: Vec<ShareFetchRequestFetchPartition> [0+],
    }
    ShareFetchRequestFetchPartition {
        partition_index: i32 [0+],
        partition_max_bytes: i32 [0],
        acknowledgement_batches: Vec<ShareFetchRequestAcknowledgementBatch> [0+],
    }
    ShareFetchRequestAcknowledgementBatch {
        first_offset: i64 [0+],
        last_offset: i64 [0+],
        acknowledge_types: Vec<i8> [0+],
    }
    ShareFetchRequestForgottenTopic {
        topic_id: Uuid [0+],
        partitions: Vec<i32> [0+],
    }
}

message! {
    /// The records, and which of them were acquired.
    ShareFetchResponse: SHARE_FETCH [1-2, flexible 0+] {
        throttle_time_ms: i32 [0+],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
        acquisition_lock_timeout_ms: i32 [1+],
        responses: Vec<ShareFetchableTopicResponse> [0+],
        node_endpoints: Vec<ShareFetchResponseNodeEndpoint> [0+],
    }
    ShareFetchableTopicResponse {
        topic_id: Uuid [0+],
        partitions: Vec<ShareFetchResponsePartitionData> [0+],
    }
    ShareFetchResponsePartitionData {
        partition_index: i32 [0+],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
        acknowledge_error_code: i16 [0+],
        acknowledge_error_message: Option<String> [0+, nullable 0+],
        current_leader: ShareFetchResponseLeaderIdAndEpoch [0+],
        records: Bytes [0+],
        acquired_records: Vec<AcquiredRecords> [0+],
    }
    ShareFetchResponseLeaderIdAndEpoch {
        leader_id: i32 [0+],
        leader_epoch: i32 [0+],
    }
    AcquiredRecords {
        first_offset: i64 [0+],
        last_offset: i64 [0+],
        delivery_count: i16 [0+],
    }
    ShareFetchResponseNodeEndpoint {
        node_id: i32 [0+],
        host: String [0+],
        port: i32 [0+],
        rack: Option<String> [0+, nullable 0+],
    }
}
