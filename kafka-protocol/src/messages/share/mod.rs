//! Share groups (KIP-932).

pub mod alter_share_group_offsets;
pub mod delete_share_group_offsets;
pub mod describe_share_group_offsets;
pub mod share_acknowledge;
pub mod share_fetch;
pub mod share_group_describe;
pub mod share_group_heartbeat;

pub use alter_share_group_offsets::*;
pub use delete_share_group_offsets::*;
pub use describe_share_group_offsets::*;
pub use share_acknowledge::*;
pub use share_fetch::*;
pub use share_group_describe::*;
pub use share_group_heartbeat::*;
