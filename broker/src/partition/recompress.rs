//! Batches of a topic that has a compression of its own (`compression.type`).

use onrush_record::batch::{self, BatchError, BatchRef, Codec};

use super::check::{DECOMPRESSED_MAX, invalid};
use crate::{Error, ProduceBatch};

/// Bytes that one call may make anew, all parts together: small batches may become large ones.
const MADE_MAX: usize = 256 << 20;

/// What is appended instead of what was sent, part by part; `None` where that is compressed so already.
pub(super) fn recompressed(
    parts: &[ProduceBatch<'_>],
    codec: Codec,
    max_bytes: u32,
) -> Vec<Result<Option<Vec<u8>>, Error>> {
    let mut left = MADE_MAX;
    let made = parts.iter().map(|part| {
        let made = recompress(part.bytes, codec, max_bytes, left).map_err(invalid)?;
        left -= made.as_ref().map_or(0, Vec::len);
        Ok(made)
    });
    made.collect()
}

/// Makes no more than `left` bytes, and no batch larger than `max_bytes`.
fn recompress(
    bytes: &[u8],
    codec: Codec,
    max_bytes: u32,
    left: usize,
) -> Result<Option<Vec<u8>>, BatchError> {
    let mut made = Vec::new();
    let mut rest = bytes;
    let mut differs = false;
    while !rest.is_empty() {
        let batch = BatchRef::parse(rest)?;
        // What was sent has to be sound and no larger than allowed, whatever becomes of it.
        let header = batch::validate(batch.bytes(), max_bytes)?;
        let before = made.len();
        if header.attributes.codec()? == codec {
            made.extend_from_slice(batch.bytes());
        } else {
            batch::recompress(&batch, codec, DECOMPRESSED_MAX, &mut made)?;
            differs = true;
        }
        let length = made.len() - before;
        if length > max_bytes as usize {
            return Err(BatchError::TooLarge { length: length as u64, max: max_bytes.into() });
        }
        if made.len() > left {
            return Err(BatchError::TooLargeDecompressed { cap: MADE_MAX });
        }
        rest = &rest[batch.bytes().len()..];
    }
    Ok(differs.then_some(made))
}
