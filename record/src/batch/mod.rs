//! Kafka's record batch, version 2: the unit that is sent, stored and fetched.
//!
//! ```text
//!  0 base offset i64 | 8 length i32, of all from byte 12 on | 12 leader epoch i32 | 16 magic i8 = 2
//! 17 CRC-32C u32 of all from byte 21 on | 21 attributes i16 | 23 last offset delta i32
//! 27 base timestamp i64 | 35 max timestamp i64 | 43 producer id i64 | 51 producer epoch i16
//! 53 base sequence i32 | 57 record count i32 | 61 records (compressed as one, if at all)
//! ```
//!
//! All numbers are big-endian.

mod attributes;
mod batches;
mod builder;
mod error;
mod header;
mod marker;
mod recompress;
mod records;
mod rewrite;
mod stamp;
mod validate;

pub use crate::codec::Codec;
pub use attributes::{Attributes, TimestampType};
pub use batches::{BatchRef, Batches};
pub use builder::BatchBuilder;
pub use error::BatchError;
pub use header::{BatchHeader, HEADER_LEN, LENGTH_PREFIX};
pub use marker::Marker;
pub use recompress::recompress;
pub use records::{Headers, RecordRef, Records};
pub use rewrite::{emptied, filler, rewrite};
pub use stamp::{set_producer, stamp, stamp_append_time};
pub use validate::{validate, verify_crc};
