//! `Metadata`.

use crate::Uuid;
use crate::schema::message;

message! {
    /// Asks for topics, their partitions and leaders, and for the brokers.
    MetadataRequest: METADATA [0-13, flexible 9+] {
        topics: Option<Vec<MetadataRequestTopic>> [0+, nullable 1+, default Some(Vec::new())],
        allow_auto_topic_creation: bool [4+, default true],
        include_cluster_authorized_operations: bool [8-10],
        include_topic_authorized_operations: bool [8+],
    }
    MetadataRequestTopic {
        topic_id: Uuid [10+, ignorable],
        name: Option<String> [0+, nullable 10+, default Some(String::new())],
    }
}

message! {
    /// The topics and brokers.
    MetadataResponse: METADATA [0-13, flexible 9+] {
        throttle_time_ms: i32 [3+, ignorable],
        brokers: Vec<MetadataResponseBroker> [0+],
        cluster_id: Option<String> [2+, nullable 2+, ignorable],
        controller_id: i32 [1+, ignorable, default -1],
        topics: Vec<MetadataResponseTopic> [0+],
        cluster_authorized_operations: i32 [8-10, default i32::MIN],
        error_code: i16 [13+, ignorable],
    }
    MetadataResponseBroker {
        node_id: i32 [0+],
        host: String [0+],
        port: i32 [0+],
        rack: Option<String> [1+, nullable 1+, ignorable],
    }
    MetadataResponseTopic {
        error_code: i16 [0+],
        name: Option<String> [0+, nullable 12+, default Some(String::new())],
        topic_id: Uuid [10+, ignorable],
        is_internal: bool [1+, ignorable],
        partitions: Vec<MetadataResponsePartition> [0+],
        topic_authorized_operations: i32 [8+, default i32::MIN],
    }
    MetadataResponsePartition {
        error_code: i16 [0+],
        partition_index: i32 [0+],
        leader_id: i32 [0+],
        leader_epoch: i32 [7+, ignorable, default -1],
        replica_nodes: Vec<i32> [0+],
        isr_nodes: Vec<i32> [0+],
        offline_replicas: Vec<i32> [5+, ignorable],
    }
}
