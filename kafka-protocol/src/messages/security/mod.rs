//! Authentication and access lists.

pub mod alter_user_scram_credentials;
pub mod create_acls;
pub mod delete_acls;
pub mod describe_acls;
pub mod describe_user_scram_credentials;
pub mod sasl_authenticate;
pub mod sasl_handshake;

pub use alter_user_scram_credentials::*;
pub use create_acls::*;
pub use delete_acls::*;
pub use describe_acls::*;
pub use describe_user_scram_credentials::*;
pub use sasl_authenticate::*;
pub use sasl_handshake::*;
