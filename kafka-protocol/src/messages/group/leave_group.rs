//! `LeaveGroup`.

use crate::schema::message;

message! {
    /// Takes members out of a group.
    LeaveGroupRequest: LEAVE_GROUP [0-5, flexible 4+] {
        group_id: String [0+],
        member_id: String [0-2],
        members: Vec<MemberIdentity> [3+],
    }
    MemberIdentity {
        member_id: String [3+],
        group_instance_id: Option<String> [3+, nullable 3+],
        reason: Option<String> [5+, nullable 5+, ignorable],
    }
}

message! {
    /// The outcome, member by member.
    LeaveGroupResponse: LEAVE_GROUP [0-5, flexible 4+] {
        throttle_time_ms: i32 [1+, ignorable],
        error_code: i16 [0+],
        members: Vec<MemberResponse> [3+],
    }
    MemberResponse {
        member_id: String [3+],
        group_instance_id: Option<String> [3+, nullable 3+],
        error_code: i16 [3+],
    }
}
