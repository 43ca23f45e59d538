//! `Heartbeat`.

use crate::schema::message;

message! {
    /// Says that a member of a classic group is alive.
    HeartbeatRequest: HEARTBEAT [0-4, flexible 4+] {
        group_id: String [0+],
        generation_id: i32 [0+],
        member_id: String [0+],
        group_instance_id: Option<String> [3+, nullable 3+],
    }
}

message! {
    /// Whether the generation still stands.
    HeartbeatResponse: HEARTBEAT [0-4, flexible 4+] {
        throttle_time_ms: i32 [1+, ignorable],
        error_code: i16 [0+],
    }
}
