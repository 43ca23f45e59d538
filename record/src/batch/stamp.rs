//! What is written into a finished batch in place. Each function takes exactly one whole batch, as
//! [`validate`](super::validate) has passed it or [`BatchBuilder`](super::BatchBuilder) made it.

use super::Attributes;
use super::header::at;
use crate::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs, crc32c};

#[inline]
pub(super) fn put<const N: usize>(batch: &mut [u8], at: usize, value: [u8; N]) {
    batch[at..at + N].copy_from_slice(&value);
}

/// Gives the batch its place in the log. These fields lie outside the checksum.
///
/// # Panics
/// If `bytes` are fewer than a header.
#[inline]
pub fn stamp(bytes: &mut [u8], base_offset: Offset, epoch: LeaderEpoch) {
    put(bytes, 0, base_offset.get().to_be_bytes());
    put(bytes, at::LEADER_EPOCH, epoch.get().to_be_bytes());
}

/// Marks the batch as timestamped by the broker at `timestamp`, and computes its checksum anew.
///
/// # Panics
/// If `bytes` are fewer than a header.
pub fn stamp_append_time(bytes: &mut [u8], timestamp: TimestampMs) {
    let attributes = u16::from_be_bytes([bytes[at::ATTRIBUTES], bytes[at::ATTRIBUTES + 1]]);
    put(bytes, at::ATTRIBUTES, (attributes | Attributes::APPEND_TIME).to_be_bytes());
    put(bytes, at::MAX_TIMESTAMP, timestamp.to_be_bytes());
    stamp_crc(bytes);
}

/// Says whose batch it is, and computes its checksum anew: for a producer that must send a finished
/// batch again under a new epoch.
///
/// # Panics
/// If `bytes` are fewer than a header.
pub fn set_producer(bytes: &mut [u8], id: ProducerId, epoch: ProducerEpoch, first: Sequence) {
    put(bytes, at::PRODUCER_ID, id.get().to_be_bytes());
    put(bytes, at::PRODUCER_EPOCH, epoch.get().to_be_bytes());
    put(bytes, at::BASE_SEQUENCE, first.get().to_be_bytes());
    stamp_crc(bytes);
}

#[inline]
pub(super) fn stamp_crc(bytes: &mut [u8]) {
    let crc = crc32c(&bytes[at::ATTRIBUTES..]);
    put(bytes, at::CRC, crc.to_be_bytes());
}
