//! `ListConfigResources`.

use crate::schema::message;

message! {
    /// Asks what has settings.
    ListConfigResourcesRequest: LIST_CONFIG_RESOURCES [0-1, flexible 0+] {
        resource_types: Vec<i8> [1+],
    }
}

message! {
    /// The names and kinds of what has settings.
    ListConfigResourcesResponse: LIST_CONFIG_RESOURCES [0-1, flexible 0+] {
        throttle_time_ms: i32 [0+],
        error_code: i16 [0+],
        config_resources: Vec<ConfigResource> [0+],
    }
    ConfigResource {
        resource_name: String [0+],
        resource_type: i8 [1+, ignorable, default 16],
    }
}
