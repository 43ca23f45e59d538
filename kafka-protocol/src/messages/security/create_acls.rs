//! `CreateAcls`.

use crate::schema::message;

message! {
    /// Creates access rules.
    CreateAclsRequest: CREATE_ACLS [1-3, flexible 2+] {
        creations: Vec<AclCreation> [0+],
    }
    AclCreation {
        resource_type: i8 [0+],
        resource_name: String [0+],
        resource_pattern_type: i8 [1+, default 3],
        principal: String [0+],
        host: String [0+],
        operation: i8 [0+],
        permission_type: i8 [0+],
    }
}

message! {
    /// The outcome, rule by rule.
    CreateAclsResponse: CREATE_ACLS [1-3, flexible 2+] {
        throttle_time_ms: i32 [0+],
        results: Vec<AclCreationResult> [0+],
    }
    AclCreationResult {
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
    }
}
