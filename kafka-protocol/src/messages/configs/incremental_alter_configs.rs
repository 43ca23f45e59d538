//! `IncrementalAlterConfigs`.

use crate::schema::message;

message! {
    /// Sets and removes single settings of topics, groups and brokers.
    IncrementalAlterConfigsRequest: INCREMENTAL_ALTER_CONFIGS [0-1, flexible 1+] {
        resources: Vec<IncrementalAlterConfigsRequestAlterConfigsResource> [0+],
        validate_only: bool [0+],
    }
    IncrementalAlterConfigsRequestAlterConfigsResource {
        resource_type: i8 [0+],
        resource_name: String [0+],
        configs: Vec<IncrementalAlterConfigsRequestAlterableConfig> [0+],
    }
    IncrementalAlterConfigsRequestAlterableConfig {
        name: String [0+],
        config_operation: i8 [0+],
        value: Option<String> [0+, nullable 0+],
    }
}

message! {
    /// The outcome, resource by resource.
    IncrementalAlterConfigsResponse: INCREMENTAL_ALTER_CONFIGS [0-1, flexible 1+] {
        throttle_time_ms: i32 [0+],
        responses: Vec<IncrementalAlterConfigsResponseAlterConfigsResourceResponse> [0+],
    }
    IncrementalAlterConfigsResponseAlterConfigsResourceResponse {
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
        resource_type: i8 [0+],
        resource_name: String [0+],
    }
}
