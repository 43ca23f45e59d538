//! Produce around its records: a borrowed walk over a request, and the answer written piece by piece.
//!
//! The plain [`ProduceRequest`](crate::messages::ProduceRequest) copies the records of a request;
//! this form says where they lie in the frame.

mod view;
mod writer;

pub use view::{PartitionView, Partitions, ProduceView};
pub use writer::{ProduceResponseWriter, ProducedPartition};

/// The first version that names topics by id.
const BY_ID: i16 = 13;
