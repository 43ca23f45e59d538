//! Topics made, removed and widened.

pub mod create_partitions;
pub mod create_topics;
pub mod delete_topics;

pub use create_partitions::*;
pub use create_topics::*;
pub use delete_topics::*;
