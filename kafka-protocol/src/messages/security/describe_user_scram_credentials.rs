//! `DescribeUserScramCredentials`.

use crate::schema::message;

message! {
    /// Asks which SCRAM credentials users have.
    DescribeUserScramCredentialsRequest: DESCRIBE_USER_SCRAM_CREDENTIALS [0-0, flexible 0+] {
        users: Option<Vec<UserName>> [0+, nullable 0+],
    }
    UserName {
        name: String [0+],
    }
}

message! {
    /// The credentials, without their secrets.
    DescribeUserScramCredentialsResponse: DESCRIBE_USER_SCRAM_CREDENTIALS [0-0, flexible 0+] {
        throttle_time_ms: i32 [0+],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
        results: Vec<DescribeUserScramCredentialsResult> [0+],
    }
    DescribeUserScramCredentialsResult {
        user: String [0+],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
        credential_infos: Vec<CredentialInfo> [0+],
    }
    CredentialInfo {
        mechanism: i8 [0+],
        iterations: i32 [0+],
    }
}
