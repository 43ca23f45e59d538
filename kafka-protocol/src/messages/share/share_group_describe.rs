//! `ShareGroupDescribe`.

use crate::Uuid;
use crate::schema::message;

message! {
    /// Asks for the state and the members of share groups.
    ShareGroupDescribeRequest: SHARE_GROUP_DESCRIBE [1-1, flexible 0+] {
        group_ids: Vec<String> [0+],
        include_authorized_operations: bool [0+],
    }
}

message! {
    /// The groups.
    ShareGroupDescribeResponse: SHARE_GROUP_DESCRIBE [1-1, flexible 0+] {
        throttle_time_ms: i32 [0+],
        groups: Vec<ShareGroupDescribeResponseDescribedGroup> [0+],
    }
    ShareGroupDescribeResponseDescribedGroup {
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
        group_id: String [0+],
        group_state: String [0+],
        group_epoch: i32 [0+],
        assignment_epoch: i32 [0+],
        assignor_name: String [0+],
        members: Vec<ShareGroupDescribeResponseMember> [0+],
        authorized_operations: i32 [0+, default i32::MIN],
    }
    ShareGroupDescribeResponseMember {
        member_id: String [0+],
        rack_id: Option<String> [0+, nullable 0+],
        member_epoch: i32 [0+],
        client_id: String [0+],
        client_host: String [0+],
        subscribed_topic_names: Vec<String> [0+],
        assignment: ShareGroupDescribeResponseAssignment [0+],
    }
    ShareGroupDescribeResponseTopicPartitions {
        topic_id: Uuid [0+],
        topic_name: String [0+],
        partitions: Vec<i32> [0+],
    }
    ShareGroupDescribeResponseAssignment {
        topic_partitions: Vec<ShareGroupDescribeResponseTopicPartitions> [0+],
    }
}
