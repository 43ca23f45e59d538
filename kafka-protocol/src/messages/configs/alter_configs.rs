//! `AlterConfigs`.

use crate::schema::message;

message! {
    /// Replaces all settings of topics, groups and brokers.
    AlterConfigsRequest: ALTER_CONFIGS [0-2, flexible 2+] {
        resources: Vec<AlterConfigsRequestAlterConfigsResource> [0+],
        validate_only: bool [0+],
    }
    AlterConfigsRequestAlterConfigsResource {
        resource_type: i8 [0+],
        resource_name: String [0+],
        configs: Vec<AlterConfigsRequestAlterableConfig> [0+],
    }
    AlterConfigsRequestAlterableConfig {
        name: String [0+],
        value: Option<String> [0+, nullable 0+],
    }
}

message! {
    /// The outcome, resource by resource.
    AlterConfigsResponse: ALTER_CONFIGS [0-2, flexible 2+] {
        throttle_time_ms: i32 [0+],
        responses: Vec<AlterConfigsResponseAlterConfigsResourceResponse> [0+],
    }
    AlterConfigsResponseAlterConfigsResourceResponse {
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
        resource_type: i8 [0+],
        resource_name: String [0+],
    }
}
