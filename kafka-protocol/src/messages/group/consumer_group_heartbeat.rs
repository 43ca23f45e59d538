//! `ConsumerGroupHeartbeat`.

use crate::Uuid;
use crate::schema::message;

message! {
    /// Joins, stays in, or leaves a group of the protocol of KIP-848.
    ConsumerGroupHeartbeatRequest: CONSUMER_GROUP_HEARTBEAT [0-1, flexible 0+] {
        group_id: String [0+],
        member_id: String [0+],
        member_epoch: i32 [0+],
        instance_id: Option<String> [0+, nullable 0+],
        rack_id: Option<String> [0+, nullable 0+],
        rebalance_timeout_ms: i32 [0+, default -1],
        subscribed_topic_names: Option<Vec<String>> [0+, nullable 0+],
        subscribed_topic_regex: Option<String> [1+, nullable 1+],
        server_assignor: Option<String> [0+, nullable 0+],
        topic_partitions: Option<Vec<ConsumerGroupHeartbeatRequestTopicPartitions>> [0+, nullable 0+],
    }
    ConsumerGroupHeartbeatRequestTopicPartitions {
        topic_id: Uuid [0+],
        partitions: Vec<i32> [0+],
    }
}

message! {
    /// The member's epoch, and its assignment where that changed.
    ConsumerGroupHeartbeatResponse: CONSUMER_GROUP_HEARTBEAT [0-1, flexible 0+] {
        throttle_time_ms: i32 [0+],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
        member_id: Option<String> [0+, nullable 0+],
        member_epoch: i32 [0+],
        heartbeat_interval_ms: i32 [0+],
        assignment: Option<ConsumerGroupHeartbeatResponseAssignment> [0+, nullable 0+],
    }
    ConsumerGroupHeartbeatResponseAssignment {
        topic_partitions: Vec<ConsumerGroupHeartbeatResponseTopicPartitions> [0+],
    }
    ConsumerGroupHeartbeatResponseTopicPartitions {
        topic_id: Uuid [0+],
        partitions: Vec<i32> [0+],
    }
}
