//! `JoinGroup`.

use bytes::Bytes;

use crate::schema::message;

message! {
    /// Joins a group of the classic protocol, and waits for the others.
    JoinGroupRequest: JOIN_GROUP [0-9, flexible 6+] {
        group_id: String [0+],
        session_timeout_ms: i32 [0+],
        rebalance_timeout_ms: i32 [1+, ignorable, default -1],
        member_id: String [0+],
        group_instance_id: Option<String> [5+, nullable 5+],
        protocol_type: String [0+],
        protocols: Vec<JoinGroupRequestProtocol> [0+],
        reason: Option<String> [8+, nullable 8+, ignorable],
    }
    JoinGroupRequestProtocol {
        name: String [0+],
        metadata: Bytes [0+],
    }
}

message! {
    /// The generation; the leader also learns who is in it.
    JoinGroupResponse: JOIN_GROUP [0-9, flexible 6+] {
        throttle_time_ms: i32 [2+, ignorable],
        error_code: i16 [0+],
        generation_id: i32 [0+, default -1],
        protocol_type: Option<String> [7+, nullable 7+, ignorable],
        protocol_name: Option<String> [0+, nullable 7+, default Some(String::new())],
        leader: String [0+],
        skip_assignment: bool [9+],
        member_id: String [0+],
        members: Vec<JoinGroupResponseMember> [0+],
    }
    JoinGroupResponseMember {
        member_id: String [0+],
        group_instance_id: Option<String> [5+, nullable 5+, ignorable],
        metadata: Bytes [0+],
    }
}
