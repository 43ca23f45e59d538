//! What compaction makes of a batch: fewer records, or none, in the same place of the log.
//!
//! Whatever says where and whose a batch is stays as it was: base offset, last offset delta, leader
//! epoch, producer, sequence. So offsets go on without a gap, and a producer's last batch still tells
//! its last sequence.

use super::header::{MAGIC, at};
use super::stamp::{put, stamp_crc};
use super::{
    Attributes, BatchError, BatchHeader, BatchRef, HEADER_LEN, LENGTH_PREFIX, TimestampType, stamp,
};
use crate::{LeaderEpoch, Offset, TimestampMs, codec, varint};

/// Appends to `out` the batch with those records only that `keep` names by their number in it, and
/// says how many those are. With a `horizon` the base timestamp becomes that and is marked as the
/// time from which the batch's tombstones may go; the records' timestamps stay what they were.
///
/// `plain` are the batch's records, decompressed. They are compressed again by the batch's codec.
///
/// # Errors
/// If a record is malformed, or the codec fails; `out` then ends in bytes of no use.
pub fn rewrite(
    batch: &BatchRef<'_>,
    plain: &[u8],
    mut keep: impl FnMut(u32) -> bool,
    horizon: Option<TimestampMs>,
    out: &mut Vec<u8>,
) -> Result<u32, BatchError> {
    let header = batch.header();
    let codec = header.attributes.codec()?;
    let base = horizon.unwrap_or(header.base_timestamp);
    let moved = header.base_timestamp.wrapping_sub(base);
    let mut records = Vec::with_capacity(plain.len());
    let mut kept = 0u32;
    let mut newest = None;
    let mut rest = plain;
    for index in 0..header.record_count {
        let record = split(&mut rest).ok_or(BatchError::BadRecord { index, reason: SHORT })?;
        if !keep(index) {
            continue;
        }
        let delta = record.timestamp_delta.wrapping_add(moved);
        newest = newest.max(Some(base.wrapping_add(delta)));
        kept += 1;
        if moved == 0 {
            records.extend_from_slice(record.whole);
        } else {
            put_record(&mut records, &record, delta);
        }
    }
    let start = out.len();
    out.extend_from_slice(&batch.bytes()[..HEADER_LEN]);
    if kept > 0 {
        codec::compress(codec, &records, out)?;
    }
    let Ok(length) = i32::try_from(out.len() - start - LENGTH_PREFIX) else {
        let length = (out.len() - start) as u64;
        return Err(BatchError::TooLarge { length, max: i32::MAX.unsigned_abs().into() });
    };
    let made = &mut out[start..];
    put(made, at::LENGTH, length.to_be_bytes());
    put(made, at::BASE_TIMESTAMP, base.to_be_bytes());
    if let Some(newest) = newest
        && header.attributes.timestamp_type() == TimestampType::CreateTime
    {
        put(made, at::MAX_TIMESTAMP, newest.to_be_bytes());
    }
    let attributes = header
        .attributes
        .delete_horizon(horizon.is_some() || (kept > 0 && header.attributes.has_delete_horizon()));
    let attributes =
        if kept == 0 { attributes.without_codec().delete_horizon(false) } else { attributes };
    put(made, at::ATTRIBUTES, attributes.bits().to_be_bytes());
    put(made, at::COUNT, kept.to_be_bytes());
    stamp_crc(made);
    Ok(kept)
}

/// The batch without any of its records: it still takes up its offsets, and says whose it was, up to
/// which sequence, and when.
pub fn emptied(batch: &BatchRef<'_>) -> [u8; HEADER_LEN] {
    let header = batch.header();
    let mut made = [0; HEADER_LEN];
    made.copy_from_slice(&batch.bytes()[..HEADER_LEN]);
    put(&mut made, at::LENGTH, NOTHING.to_be_bytes());
    let attributes = header.attributes.without_codec().delete_horizon(false);
    put(&mut made, at::ATTRIBUTES, attributes.bits().to_be_bytes());
    if header.attributes.has_delete_horizon() {
        // The base timestamp was no record's.
        put(&mut made, at::BASE_TIMESTAMP, header.max_timestamp.to_be_bytes());
    }
    put(&mut made, at::COUNT, 0u32.to_be_bytes());
    stamp_crc(&mut made);
    made
}

/// A batch of nobody without records, which takes up `count` offsets from `base` on: at least one, and
/// no more than the header's 31 bits can say.
pub fn filler(base: Offset, count: u64, epoch: LeaderEpoch) -> [u8; HEADER_LEN] {
    let mut made = [0; HEADER_LEN];
    let delta = i32::try_from(count.saturating_sub(1)).unwrap_or(i32::MAX);
    put(&mut made, at::LENGTH, NOTHING.to_be_bytes());
    put(&mut made, at::MAGIC, [MAGIC]);
    put(&mut made, at::ATTRIBUTES, Attributes::default().bits().to_be_bytes());
    put(&mut made, at::LAST_OFFSET_DELTA, delta.to_be_bytes());
    put(&mut made, at::BASE_TIMESTAMP, (-1i64).to_be_bytes());
    put(&mut made, at::MAX_TIMESTAMP, (-1i64).to_be_bytes());
    put(&mut made, at::PRODUCER_ID, (-1i64).to_be_bytes());
    put(&mut made, at::PRODUCER_EPOCH, (-1i16).to_be_bytes());
    put(&mut made, at::BASE_SEQUENCE, (-1i32).to_be_bytes());
    stamp_crc(&mut made);
    stamp(&mut made, base, epoch);
    made
}

impl BatchHeader {
    /// Whether this is what [`filler`] makes: no records, and nobody's.
    pub const fn is_filler(&self) -> bool {
        self.record_count == 0 && !self.producer_id.is_some() && !self.attributes.is_control()
    }
}

/// The length field of a batch without records.
const NOTHING: i32 = 49;
const _: () = assert!(NOTHING.unsigned_abs() as usize + LENGTH_PREFIX == HEADER_LEN);
const SHORT: &str = "it is cut short";

/// One record, as far as it has to be taken apart to be written again.
struct Split<'a> {
    whole: &'a [u8],
    attributes: u8,
    timestamp_delta: i64,
    /// From its offset on.
    rest: &'a [u8],
}

fn split<'a>(input: &mut &'a [u8]) -> Option<Split<'a>> {
    let before = *input;
    let len = usize::try_from(varint::take(input)?).ok()?;
    let (body, after) = input.split_at_checked(len)?;
    *input = after;
    let whole = &before[..before.len() - after.len()];
    let (attributes, mut rest) = body.split_first()?;
    let timestamp_delta = varint::take_long(&mut rest)?;
    Some(Split { whole, attributes: *attributes, timestamp_delta, rest })
}

fn put_record(out: &mut Vec<u8>, record: &Split<'_>, timestamp_delta: i64) {
    let body = 1 + varint::len(timestamp_delta) + record.rest.len();
    put_number(out, body.cast_signed() as i64);
    out.push(record.attributes);
    put_number(out, timestamp_delta);
    out.extend_from_slice(record.rest);
}

fn put_number(out: &mut Vec<u8>, value: i64) {
    let mut bytes = [0; 10];
    let len = varint::put(&mut bytes, 0, value);
    out.extend_from_slice(&bytes[..len]);
}
