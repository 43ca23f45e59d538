//! Offsets, record batches, records and checksums: the stored unit that is also the wire unit. No I/O.
//!
//! A partition's log is a row of Kafka record batches (magic 2), byte for byte what a client sent and
//! what the next client receives. Two fields of a batch lie outside its checksum, the base offset and
//! the leader epoch; [`batch::stamp`] writes them in place, and nothing else of a batch is ever
//! re-encoded on its way through the broker.
//!
//! Read in this order: [`ids`](crate::Offset) (the newtypes), [`batch`] (header, validation, iteration,
//! building), [`codec`] (decompression that never trusts an announced size).

pub mod batch;
pub mod codec;
mod crc;
mod ids;
mod murmur2;
mod topic_id;
mod varint;

pub use crc::{crc32c, crc32c_append};
pub use ids::{LeaderEpoch, Offset, Position, ProducerEpoch, ProducerId, Sequence, TimestampMs};
pub use murmur2::{murmur2, partition_for_key};
pub use topic_id::{ParseTopicIdError, TopicId};
