//! The 61 bytes before the records.

use super::{Attributes, BatchError};
use crate::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};

/// Length of a batch's header; the records follow.
pub const HEADER_LEN: usize = 61;

/// Bytes at the start of a batch that its length field does not count.
pub const LENGTH_PREFIX: usize = 12;

/// Where each field begins.
pub(super) mod at {
    pub(crate) const LENGTH: usize = 8;
    pub(crate) const LEADER_EPOCH: usize = 12;
    pub(crate) const MAGIC: usize = 16;
    pub(crate) const CRC: usize = 17;
    pub(crate) const ATTRIBUTES: usize = 21;
    pub(crate) const LAST_OFFSET_DELTA: usize = 23;
    pub(crate) const BASE_TIMESTAMP: usize = 27;
    pub(crate) const MAX_TIMESTAMP: usize = 35;
    pub(crate) const PRODUCER_ID: usize = 43;
    pub(crate) const PRODUCER_EPOCH: usize = 51;
    pub(crate) const BASE_SEQUENCE: usize = 53;
    pub(crate) const COUNT: usize = 57;
}

pub(super) const MAGIC: u8 = 2;

/// A batch's header, taken apart and found sane. Whether the checksum holds is another question:
/// [`verify_crc`](super::verify_crc).
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct BatchHeader {
    /// Offset of the first record (0 until the broker stamps it).
    pub base_offset: Offset,
    /// Length of the whole batch in bytes, [`LENGTH_PREFIX`] included.
    pub total_len: u32,
    /// Reign of the leader that stamped it; 0 where a client wrote -1.
    pub leader_epoch: LeaderEpoch,
    /// The stored CRC-32C.
    pub crc: u32,
    /// How to read the rest.
    pub attributes: Attributes,
    /// Offset of the last record, from the base offset. Compaction leaves it as it was.
    pub last_offset_delta: u32,
    /// What the records' timestamps are relative to.
    pub base_timestamp: TimestampMs,
    /// The largest timestamp of the records.
    pub max_timestamp: TimestampMs,
    /// Whose batch it is, if an idempotent producer's.
    pub producer_id: ProducerId,
    /// Incarnation of that producer.
    pub producer_epoch: ProducerEpoch,
    /// Sequence of the first record.
    pub base_sequence: Sequence,
    /// How many records there are; 0 only where compaction removed them all.
    pub record_count: u32,
}

#[inline]
fn field<const N: usize>(header: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&header[at..at + N]);
    bytes
}

impl BatchHeader {
    /// Takes the header at the start of `bytes` apart. The rest of the batch need not be there yet.
    ///
    /// # Errors
    /// If there are too few bytes for a header, or a field has a value that no batch can have.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Self, BatchError> {
        let Some(raw) = bytes.first_chunk::<HEADER_LEN>() else {
            return Err(BatchError::Truncated { have: bytes.len(), need: HEADER_LEN });
        };
        let total_len = total_len(i32::from_be_bytes(field(raw, at::LENGTH)))?;
        if raw[at::MAGIC] != MAGIC {
            return Err(BatchError::BadMagic(raw[at::MAGIC]));
        }
        let base_offset = i64::from_be_bytes(field(raw, 0));
        let delta = i32::from_be_bytes(field(raw, at::LAST_OFFSET_DELTA));
        let count = i32::from_be_bytes(field(raw, at::COUNT));
        let (Ok(last_offset_delta), Ok(record_count)) =
            (u32::try_from(delta), u32::try_from(count))
        else {
            return Err(BatchError::BadCount { count, last_offset_delta: delta });
        };
        if record_count > last_offset_delta + 1 {
            return Err(BatchError::BadCount { count, last_offset_delta: delta });
        }
        if base_offset < 0 || base_offset > i64::MAX - i64::from(delta) - 1 {
            return Err(BatchError::BadOffset { base_offset });
        }
        let leader_epoch = i32::from_be_bytes(field(raw, at::LEADER_EPOCH));
        Ok(Self {
            base_offset: Offset::new(base_offset.cast_unsigned()),
            total_len,
            leader_epoch: LeaderEpoch::new(leader_epoch.max(0).cast_unsigned()),
            crc: u32::from_be_bytes(field(raw, at::CRC)),
            attributes: Attributes::from_bits(u16::from_be_bytes(field(raw, at::ATTRIBUTES))),
            last_offset_delta,
            base_timestamp: i64::from_be_bytes(field(raw, at::BASE_TIMESTAMP)),
            max_timestamp: i64::from_be_bytes(field(raw, at::MAX_TIMESTAMP)),
            producer_id: ProducerId::new(i64::from_be_bytes(field(raw, at::PRODUCER_ID))),
            producer_epoch: ProducerEpoch::new(i16::from_be_bytes(field(raw, at::PRODUCER_EPOCH))),
            base_sequence: Sequence::new(i32::from_be_bytes(field(raw, at::BASE_SEQUENCE))),
            record_count,
        })
    }

    /// The offset after this batch: where the next one begins.
    #[inline]
    pub const fn next_offset(&self) -> Offset {
        self.base_offset.plus(self.last_offset_delta as u64 + 1)
    }

    /// The offset of the last record.
    #[inline]
    pub const fn last_offset(&self) -> Offset {
        self.base_offset.plus(self.last_offset_delta as u64)
    }

    /// The sequence of the last record. Means something only if [`producer_id`](Self::producer_id) does.
    #[inline]
    pub const fn last_sequence(&self) -> Sequence {
        self.base_sequence.plus(self.last_offset_delta)
    }

    /// Whether a client may send this batch: no control batch, no broker's timestamp, and either no
    /// producer or one with an epoch and a sequence.
    ///
    /// # Errors
    /// [`BatchError::Reserved`] or [`BatchError::BadProducer`].
    pub fn check_from_client(&self) -> Result<(), BatchError> {
        if self.attributes.is_control() {
            return Err(BatchError::Reserved { what: "a control batch" });
        }
        if self.attributes.timestamp_type() == super::TimestampType::LogAppendTime {
            return Err(BatchError::Reserved { what: "timestamped by the broker (LogAppendTime)" });
        }
        let negative = self.producer_epoch.get() < 0 || self.base_sequence.get() < 0;
        if self.producer_id.is_some() && negative {
            return Err(BatchError::BadProducer {
                producer_id: self.producer_id.get(),
                producer_epoch: self.producer_epoch.get(),
                base_sequence: self.base_sequence.get(),
            });
        }
        Ok(())
    }
}

/// Length of the whole batch whose length field is `length`.
#[inline]
pub(super) fn total_len(length: i32) -> Result<u32, BatchError> {
    const PREFIX: u32 = 12;
    const LEAST: u32 = 49;
    const MOST: u32 = i32::MAX.cast_unsigned() - PREFIX;
    const { assert!(PREFIX as usize == LENGTH_PREFIX && LEAST as usize + LENGTH_PREFIX == HEADER_LEN) };
    match u32::try_from(length) {
        Ok(counted @ LEAST..=MOST) => Ok(counted + PREFIX),
        _ => Err(BatchError::BadLength { length }),
    }
}

/// Length of the whole batch that starts with these bytes; `None` if its length field is not there yet.
#[inline]
pub(super) fn announced_len(bytes: &[u8]) -> Option<Result<u32, BatchError>> {
    let raw = bytes.get(at::LENGTH..)?.first_chunk::<4>()?;
    Some(total_len(i32::from_be_bytes(*raw)))
}
