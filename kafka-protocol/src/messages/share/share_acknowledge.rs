//! `ShareAcknowledge`.

use crate::Uuid;
use crate::schema::message;

message! {
    /// Acknowledges records of a share group.
    ShareAcknowledgeRequest: SHARE_ACKNOWLEDGE [1-2, flexible 0+] {
        group_id: Option<String> [0+, nullable 0+],
        member_id: Option<String> [0+, nullable 0+],
        share_session_epoch: i32 [0+],
        is_renew_ack: bool [2+],
        topics: Vec<AcknowledgeTopic> [0+],
    }
    AcknowledgeTopic {
        topic_id: Uuid [0+],
        partitions: Vec<AcknowledgePartition> [0+],
    }
    AcknowledgePartition {
        partition_index: i32 [0+],
        acknowledgement_batches: Vec<ShareAcknowledgeRequestAcknowledgementBatch> [0+],
    }
    ShareAcknowledgeRequestAcknowledgementBatch {
        first_offset: i64 [0+],
        last_offset: i64 [0+],
        acknowledge_types: Vec<i8> [0+],
    }
}

message! {
    /// The outcome, partition by partition.
    ShareAcknowledgeResponse: SHARE_ACKNOWLEDGE [1-2, flexible 0+] {
        throttle_time_ms: i32 [0+],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
        acquisition_lock_timeout_ms: i32 [2+, ignorable],
        responses: Vec<ShareAcknowledgeTopicResponse> [0+],
        node_endpoints: Vec<ShareAcknowledgeResponseNodeEndpoint> [0+],
    }
    ShareAcknowledgeTopicResponse {
        topic_id: Uuid [0+],
        partitions: Vec<ShareAcknowledgeResponsePartitionData> [0+],
    }
    ShareAcknowledgeResponsePartitionData {
        partition_index: i32 [0+],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
        current_leader: ShareAcknowledgeResponseLeaderIdAndEpoch [0+],
    }
    ShareAcknowledgeResponseLeaderIdAndEpoch {
        leader_id: i32 [0+],
        leader_epoch: i32 [0+],
    }
    ShareAcknowledgeResponseNodeEndpoint {
        node_id: i32 [0+],
        host: String [0+],
        port: i32 [0+],
        rack: Option<String> [0+, nullable 0+],
    }
}
