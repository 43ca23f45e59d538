//! `Produce`.

use bytes::Bytes;

use crate::Uuid;
use crate::schema::message;

message! {
    /// Appends record batches to partitions.
    ProduceRequest: PRODUCE [0-13, flexible 9+] {
        transactional_id: Option<String> [3+, nullable 3+],
        acks: i16 [0+],
        timeout_ms: i32 [0+],
        topic_data: Vec<TopicProduceData> [0+],
    }
    TopicProduceData {
        name: String [0-12, ignorable],
        topic_id: Uuid [13+, ignorable],
        partition_data: Vec<PartitionProduceData> [0+],
    }
    PartitionProduceData {
        index: i32 [0+],
        records: Option<Bytes> [0+, nullable 0+],
    }
}

message! {
    /// Where the batches were appended.
    ProduceResponse: PRODUCE [0-13, flexible 9+] {
        responses: Vec<TopicProduceResponse> [0+],
        throttle_time_ms: i32 [1+, ignorable],
        node_endpoints: Vec<ProduceResponseNodeEndpoint> [10+, tag 0],
    }
    TopicProduceResponse {
        name: String [0-12, ignorable],
        topic_id: Uuid [13+, ignorable],
        partition_responses: Vec<PartitionProduceResponse> [0+],
    }
    PartitionProduceResponse {
        index: i32 [0+],
        error_code: i16 [0+],
        base_offset: i64 [0+],
        log_append_time_ms: i64 [2+, ignorable, default -1],
        log_start_offset: i64 [5+, ignorable, default -1],
        record_errors: Vec<BatchIndexAndErrorMessage> [8+, ignorable],
        error_message: Option<String> [8+, nullable 8+, ignorable],
        current_leader: ProduceResponseLeaderIdAndEpoch [10+, tag 0],
    }
    BatchIndexAndErrorMessage {
        batch_index: i32 [8+],
        batch_index_error_message: Option<String> [8+, nullable 8+],
    }
    ProduceResponseLeaderIdAndEpoch {
        leader_id: i32 [10+, default -1],
        leader_epoch: i32 [10+, default -1],
    }
    ProduceResponseNodeEndpoint {
        node_id: i32 [10+],
        host: String [10+],
        port: i32 [10+],
        rack: Option<String> [10+, nullable 10+],
    }
}
