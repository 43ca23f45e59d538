//! Settings of topics, groups and brokers, and quotas of clients.

pub mod alter_client_quotas;
pub mod alter_configs;
pub mod describe_client_quotas;
pub mod describe_configs;
pub mod incremental_alter_configs;
pub mod list_config_resources;

pub use alter_client_quotas::*;
pub use alter_configs::*;
pub use describe_client_quotas::*;
pub use describe_configs::*;
pub use incremental_alter_configs::*;
pub use list_config_resources::*;
