//! Whether bytes are one sound batch, as far as its header and checksum tell.

use super::header::at;
use super::{BatchError, BatchHeader, Codec, HEADER_LEN};
use crate::crc32c;

/// A record of nothing: length, attributes, timestamp delta, offset delta, no key, no value, no headers.
const LEAST_RECORD_LEN: usize = 7;

/// Checks that `bytes` are exactly one whole batch as a producer makes it: length, version, checksum,
/// as many records as offsets, a known codec, possible timestamps. The records themselves are not
/// looked at.
///
/// # Errors
/// What is wrong, the cheapest finding first.
#[inline]
pub fn validate(bytes: &[u8], max_bytes: u32) -> Result<BatchHeader, BatchError> {
    let header = BatchHeader::parse(bytes)?;
    let need = header.total_len as usize;
    if header.total_len > max_bytes {
        let (length, max) = (u64::from(header.total_len), u64::from(max_bytes));
        return Err(BatchError::TooLarge { length, max });
    }
    if bytes.len() != need {
        return Err(if bytes.len() < need {
            BatchError::Truncated { have: bytes.len(), need }
        } else {
            BatchError::TrailingBytes { extra: bytes.len() - need }
        });
    }
    if header.record_count != header.last_offset_delta + 1 {
        return Err(bad_count(&header));
    }
    if header.attributes.codec()? == Codec::None {
        // Else a small batch could claim, and burn, two thousand million offsets.
        let most = (need - HEADER_LEN) / LEAST_RECORD_LEN;
        if header.record_count as usize > most {
            return Err(bad_count(&header));
        }
    }
    for timestamp in [header.base_timestamp, header.max_timestamp] {
        if timestamp < -1 {
            return Err(BatchError::BadTimestamp { timestamp });
        }
    }
    check_crc(bytes, &header)?;
    Ok(header)
}

fn bad_count(header: &BatchHeader) -> BatchError {
    BatchError::BadCount {
        count: header.record_count.cast_signed(),
        last_offset_delta: header.last_offset_delta.cast_signed(),
    }
}

/// Whether the batch at the start of `bytes` is whole and has the checksum that its `header` says.
#[inline]
pub fn verify_crc(bytes: &[u8], header: &BatchHeader) -> bool {
    check_crc(bytes, header).is_ok()
}

#[inline]
pub(super) fn check_crc(bytes: &[u8], header: &BatchHeader) -> Result<(), BatchError> {
    let need = header.total_len as usize;
    let covered =
        bytes.get(at::ATTRIBUTES..need).ok_or(BatchError::Truncated { have: bytes.len(), need })?;
    let computed = crc32c(covered);
    if computed == header.crc {
        Ok(())
    } else {
        Err(BatchError::BadCrc { stored: header.crc, computed })
    }
}
