//! Records, and where they lie in a partition.

pub mod delete_records;
pub mod fetch;
pub mod list_offsets;
pub mod offset_for_leader_epoch;
pub mod produce;

pub use delete_records::*;
pub use fetch::*;
pub use list_offsets::*;
pub use offset_for_leader_epoch::*;
pub use produce::*;
