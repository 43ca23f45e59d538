//! `SaslAuthenticate`.

use bytes::Bytes;

use crate::schema::message;

message! {
    /// One step of authentication.
    SaslAuthenticateRequest: SASL_AUTHENTICATE [0-2, flexible 2+] {
        auth_bytes: Bytes [0+],
    }
}

message! {
    /// The broker's step.
    SaslAuthenticateResponse: SASL_AUTHENTICATE [0-2, flexible 2+] {
        error_code: i16 [0+],
        error_message: Option<String> [0+, nullable 0+],
        auth_bytes: Bytes [0+],
        session_lifetime_ms: i64 [1+, ignorable],
    }
}
