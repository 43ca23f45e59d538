//! `FindCoordinator`.

use crate::schema::message;

message! {
    /// Asks which broker keeps a group, a transactional id or a share partition.
    FindCoordinatorRequest: FIND_COORDINATOR [0-6, flexible 3+] {
        key: String [0-3],
        key_type: i8 [1+],
        coordinator_keys: Vec<String> [4+],
    }
}

message! {
    /// The brokers, one for each key.
    FindCoordinatorResponse: FIND_COORDINATOR [0-6, flexible 3+] {
        throttle_time_ms: i32 [1+, ignorable],
        error_code: i16 [0-3],
        error_message: Option<String> [1-3, nullable 1-3, ignorable],
        node_id: i32 [0-3],
        host: String [0-3],
        port: i32 [0-3],
        coordinators: Vec<Coordinator> [4+],
    }
    Coordinator {
        key: String [4+],
        node_id: i32 [4+],
        host: String [4+],
        port: i32 [4+],
        error_code: i16 [4+],
        error_message: Option<String> [4+, nullable 4+, ignorable],
    }
}
