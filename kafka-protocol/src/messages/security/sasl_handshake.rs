//! `SaslHandshake`.

use crate::schema::message;

message! {
    /// Chooses how to authenticate.
    SaslHandshakeRequest: SASL_HANDSHAKE [0-1, flexible none] {
        mechanism: String [0+],
    }
}

message! {
    /// The ways there are.
    SaslHandshakeResponse: SASL_HANDSHAKE [0-1, flexible none] {
        error_code: i16 [0+],
        mechanisms: Vec<String> [0+],
    }
}
