//! `SyncGroup`.

use bytes::Bytes;

use crate::schema::message;

message! {
    /// Asks for one's assignment; the leader brings those of all.
    SyncGroupRequest: SYNC_GROUP [0-5, flexible 4+] {
        group_id: String [0+],
        generation_id: i32 [0+],
        member_id: String [0+],
        group_instance_id: Option<String> [3+, nullable 3+],
        protocol_type: Option<String> [5+, nullable 5+, ignorable],
        protocol_name: Option<String> [5+, nullable 5+, ignorable],
        assignments: Vec<SyncGroupRequestAssignment> [0+],
    }
    SyncGroupRequestAssignment {
        member_id: String [0+],
        assignment: Bytes [0+],
    }
}

message! {
    /// The assignment.
    SyncGroupResponse: SYNC_GROUP [0-5, flexible 4+] {
        throttle_time_ms: i32 [1+, ignorable],
        error_code: i16 [0+],
        protocol_type: Option<String> [5+, nullable 5+, ignorable],
        protocol_name: Option<String> [5+, nullable 5+, ignorable],
        assignment: Bytes [0+],
    }
}
