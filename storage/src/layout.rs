//! Bytes of the index file: a header, then one fixed-size entry per interval.
//!
//! Everything is little-endian. An entry is written only once the bytes it covers are durable, so
//! the end of the last valid entry is the persisted durable end: the index is the checkpoint.

use onrush_record::{Offset, TimestampMs, crc32c, crc32c_append};

use crate::names::SegmentSeq;

/// Newest format version of index and state files this build reads and writes.
pub(crate) const FORMAT_VERSION: u32 = 2;
/// What a log without cleaned segments is written in: an older version can read it.
pub(crate) const PLAIN_VERSION: u32 = 1;
/// Bytes of the index header.
pub(crate) const IDX_HEADER_LEN: usize = 64;
/// Bytes of one index entry.
pub(crate) const ENTRY_LEN: usize = 48;
const IDX_MAGIC: [u8; 8] = *b"ONRUSHIX";

/// Little-endian fields out of a byte slice; the caller has checked the length.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

pub(crate) fn i64_at(bytes: &[u8], at: usize) -> i64 {
    u64_at(bytes, at).cast_signed()
}

/// Head of an index file.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct IdxHeader {
    pub seq: SegmentSeq,
    /// Offset of the segment's first record.
    pub base: Offset,
    /// When its first append came, for rolling by time.
    pub first_append_ms: TimestampMs,
    /// This segment stands in for the segments from this number up to its own.
    pub replaces: Option<SegmentSeq>,
    /// Of a cleaned segment: up to where no key has a newer record below this offset.
    pub clean_to: Option<Offset>,
}

/// Why a header could not be read.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum HeaderFault {
    Damaged,
    Newer(u32),
}

const NO_SEGMENT: u64 = u64::MAX;

impl IdxHeader {
    pub(crate) fn encode(&self) -> [u8; IDX_HEADER_LEN] {
        let mut out = [0; IDX_HEADER_LEN];
        out[..8].copy_from_slice(&IDX_MAGIC);
        let version = if self.seq.is_cleaned() { FORMAT_VERSION } else { PLAIN_VERSION };
        out[8..12].copy_from_slice(&version.to_le_bytes());
        out[16..24].copy_from_slice(&self.seq.get().to_le_bytes());
        out[24..32].copy_from_slice(&self.base.get().to_le_bytes());
        out[32..40].copy_from_slice(&self.first_append_ms.to_le_bytes());
        let replaces = self.replaces.map_or(NO_SEGMENT, SegmentSeq::get);
        out[40..48].copy_from_slice(&replaces.to_le_bytes());
        let clean_to = self.clean_to.map_or(0, Offset::get);
        out[48..56].copy_from_slice(&clean_to.to_le_bytes());
        let crc = crc32c(&out[..60]);
        out[60..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn decode(bytes: &[u8], seq: SegmentSeq) -> Result<IdxHeader, HeaderFault> {
        if bytes.len() < IDX_HEADER_LEN
            || bytes[..8] != IDX_MAGIC
            || crc32c(&bytes[..60]) != u32_at(bytes, 60)
        {
            return Err(HeaderFault::Damaged);
        }
        let version = u32_at(bytes, 8);
        if version > FORMAT_VERSION {
            return Err(HeaderFault::Newer(version));
        }
        if u64_at(bytes, 16) != seq.get() {
            return Err(HeaderFault::Damaged);
        }
        let replaces = u64_at(bytes, 40);
        let clean_to = u64_at(bytes, 48);
        Ok(IdxHeader {
            seq,
            base: Offset::new(u64_at(bytes, 24)),
            first_append_ms: i64_at(bytes, 32),
            replaces: (replaces != NO_SEGMENT).then(|| SegmentSeq::new(replaces)),
            clean_to: (clean_to != 0).then(|| Offset::new(clean_to)),
        })
    }
}

/// One interval: a run of whole batches.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct Entry {
    pub first: Offset,
    pub next: Offset,
    pub position: u64,
    pub length: u32,
    pub batches: u32,
    pub max_timestamp: TimestampMs,
    /// CRC-32C of the interval's bytes, base offsets and epochs included.
    pub crc: u32,
}

impl Entry {
    /// Position just past the interval.
    pub(crate) fn end(&self) -> u64 {
        self.position + u64::from(self.length)
    }

    pub(crate) fn encode(&self, seq: SegmentSeq, slot: u64) -> [u8; ENTRY_LEN] {
        let mut out = [0; ENTRY_LEN];
        out[..8].copy_from_slice(&self.first.get().to_le_bytes());
        out[8..16].copy_from_slice(&self.next.get().to_le_bytes());
        out[16..24].copy_from_slice(&self.position.to_le_bytes());
        out[24..32].copy_from_slice(&self.max_timestamp.to_le_bytes());
        out[32..36].copy_from_slice(&self.length.to_le_bytes());
        out[36..40].copy_from_slice(&self.batches.to_le_bytes());
        out[40..44].copy_from_slice(&self.crc.to_le_bytes());
        let crc = entry_crc(&out[..44], seq, slot);
        out[44..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// `None` unless the bytes are this segment's entry number `slot`, unharmed.
    pub(crate) fn decode(bytes: &[u8], seq: SegmentSeq, slot: u64) -> Option<Entry> {
        if bytes.len() < ENTRY_LEN || entry_crc(&bytes[..44], seq, slot) != u32_at(bytes, 44) {
            return None;
        }
        let entry = Entry {
            first: Offset::new(u64_at(bytes, 0)),
            next: Offset::new(u64_at(bytes, 8)),
            position: u64_at(bytes, 16),
            max_timestamp: i64_at(bytes, 24),
            length: u32_at(bytes, 32),
            batches: u32_at(bytes, 36),
            crc: u32_at(bytes, 40),
        };
        (entry.next > entry.first && entry.length > 0).then_some(entry)
    }
}

/// The entry's CRC also covers where it belongs, so that a block from elsewhere is not taken for it.
fn entry_crc(body: &[u8], seq: SegmentSeq, slot: u64) -> u32 {
    let place = crc32c_append(crc32c(&seq.get().to_le_bytes()), &slot.to_le_bytes());
    crc32c_append(place, body)
}

/// Position of entry number `slot` in its index file.
pub(crate) fn entry_position(slot: u64) -> u64 {
    IDX_HEADER_LEN as u64 + slot * ENTRY_LEN as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_of_header_and_entry_is_vouched_for() {
        let seq = SegmentSeq::new(3);
        let header = IdxHeader {
            seq,
            base: Offset::new(9),
            first_append_ms: 77,
            replaces: Some(SegmentSeq::new(1)),
            clean_to: Some(Offset::new(5)),
        };
        let bytes = header.encode();
        assert_eq!(IdxHeader::decode(&bytes, seq), Ok(header));
        let entry = Entry {
            first: Offset::new(9),
            next: Offset::new(12),
            position: 0,
            length: 300,
            batches: 2,
            max_timestamp: -1,
            crc: 5,
        };
        let stored = entry.encode(seq, 4);
        assert_eq!(Entry::decode(&stored, seq, 4), Some(entry));
        assert_eq!(Entry::decode(&stored, seq, 5), None);
        for bit in 0..IDX_HEADER_LEN * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(IdxHeader::decode(&flipped, seq), Err(HeaderFault::Damaged));
        }
        for bit in 0..ENTRY_LEN * 8 {
            let mut flipped = stored;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Entry::decode(&flipped, seq, 4), None);
        }
    }
}
