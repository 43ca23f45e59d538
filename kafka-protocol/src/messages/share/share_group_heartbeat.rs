//! `ShareGroupHeartbeat`.

use crate::Uuid;
use crate::schema::message;

message! {
    /// Joins, stays in, or leaves a share group.
    ShareGroupHeartbeatRequest: SHARE_GROUP_HEARTBEAT [1-1, flexible 0+] {
        group_id: String [0+],
        member_id: String [0+],
        member_epoch: i32 [0+],
        rack_id: Option<String> [0+, nullable 0+],
        subscribed_topic_names: Option<Vec<String>> [0+, nullable 0+],
    }
}

message! {
    /// The member's epoch, and its assignment where that changed.
    ShareGroupHeartbeatResponse: SHARE_GROUP_HEARTBEAT [1-1, flexible 0+] {
        throttle_time_ms: i32 [0+],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
        member_id: Option<String> [0+, nullable 0+],
        member_epoch: i32 [0+],
        heartbeat_interval_ms: i32 [0+],
        assignment: Option<ShareGroupHeartbeatResponseAssignment> [0+, nullable 0+],
    }
    ShareGroupHeartbeatResponseAssignment {
        topic_partitions: Vec<ShareGroupHeartbeatResponseTopicPartitions> [0+],
    }
    ShareGroupHeartbeatResponseTopicPartitions {
        topic_id: Uuid [0+],
        partitions: Vec<i32> [0+],
    }
}
