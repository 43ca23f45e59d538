//! `ConsumerGroupDescribe`.

use crate::Uuid;
use crate::schema::message;

message! {
    /// Asks for the state and the members of groups of KIP-848.
    ConsumerGroupDescribeRequest: CONSUMER_GROUP_DESCRIBE [0-1, flexible 0+] {
        group_ids: Vec<String> [0+],
        include_authorized_operations: bool [0+],
    }
}

message! {
    /// The groups.
    ConsumerGroupDescribeResponse: CONSUMER_GROUP_DESCRIBE [0-1, flexible 0+] {
        throttle_time_ms: i32 [0+],
        groups: Vec<ConsumerGroupDescribeResponseDescribedGroup> [0+],
    }
    ConsumerGroupDescribeResponseDescribedGroup {
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
        group_id: String [0+],
        group_state: String [0+],
        group_epoch: i32 [0+],
        assignment_epoch: i32 [0+],
        assignor_name: String [0+],
        members: Vec<ConsumerGroupDescribeResponseMember> [0+],
        authorized_operations: i32 [0+, default i32::MIN],
    }
    ConsumerGroupDescribeResponseMember {
        member_id: String [0+],
        instance_id: Option<String> [0+, nullable 0+],
        rack_id: Option<String> [0+, nullable 0+],
        member_epoch: i32 [0+],
        client_id: String [0+],
        client_host: String [0+],
        subscribed_topic_names: Vec<String> [0+],
        subscribed_topic_regex: Option<String> [0+, nullable 0+],
        assignment: ConsumerGroupDescribeResponseAssignment [0+],
        target_assignment: ConsumerGroupDescribeResponseAssignment [0+],
        member_type: i8 [1+, ignorable, default -1],
    }
    ConsumerGroupDescribeResponseTopicPartitions {
        topic_id: Uuid [0+],
        topic_name: String [0+],
        partitions: Vec<i32> [0+],
    }
    ConsumerGroupDescribeResponseAssignment {
        topic_partitions: Vec<ConsumerGroupDescribeResponseTopicPartitions> [0+],
    }
}
