//! `AlterUserScramCredentials`.

use bytes::Bytes;

use crate::schema::message;

message! {
    /// Sets and removes SCRAM credentials of users.
    AlterUserScramCredentialsRequest: ALTER_USER_SCRAM_CREDENTIALS [0-0, flexible 0+] {
        deletions: Vec<ScramCredentialDeletion> [0+],
        upsertions: Vec<ScramCredentialUpsertion> [0+],
    }
    ScramCredentialDeletion {
        name: String [0+],
        mechanism: i8 [0+],
    }
    ScramCredentialUpsertion {
        name: String [0+],
        mechanism: i8 [0+],
        iterations: i32 [0+],
        salt: Bytes [0+],
        salted_password: Bytes [0+],
    }
}

message! {
    /// The outcome, user by user.
    AlterUserScramCredentialsResponse: ALTER_USER_SCRAM_CREDENTIALS [0-0, flexible 0+] {
        throttle_time_ms: i32 [0+],
        results: Vec<AlterUserScramCredentialsResult> [0+],
    }
    AlterUserScramCredentialsResult {
        user: String [0+],
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
    }
}
