//! `DeleteGroups`.

use crate::schema::message;

message! {
    /// Deletes groups without members.
    DeleteGroupsRequest: DELETE_GROUPS [0-2, flexible 2+] {
        groups_names: Vec<String> [0+],
    }
}

message! {
    /// The outcome, group by group.
    DeleteGroupsResponse: DELETE_GROUPS [0-2, flexible 2+] {
        throttle_time_ms: i32 [0+],
        results: Vec<DeletableGroupResult> [0+],
    }
    DeletableGroupResult {
        group_id: String [0+],
        error_code: i16 [0+],
    }
}
