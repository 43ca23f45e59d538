//! Consumer groups: the classic protocol, the one of KIP-848, and committed offsets.

pub mod consumer_group_describe;
pub mod consumer_group_heartbeat;
pub mod delete_groups;
pub mod describe_groups;
pub mod heartbeat;
pub mod join_group;
pub mod leave_group;
pub mod list_groups;
pub mod offset_commit;
pub mod offset_delete;
pub mod offset_fetch;
pub mod sync_group;

pub use consumer_group_describe::*;
pub use consumer_group_heartbeat::*;
pub use delete_groups::*;
pub use describe_groups::*;
pub use heartbeat::*;
pub use join_group::*;
pub use leave_group::*;
pub use list_groups::*;
pub use offset_commit::*;
pub use offset_delete::*;
pub use offset_fetch::*;
pub use sync_group::*;
