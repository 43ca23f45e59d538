//! Zstandard, by the reference library.
//!
//! A frame is decompressed in one go into a buffer that is tried larger and larger. The streaming
//! decoder would allocate the window that the frame announces (up to 128 MiB); this needs none.

use super::Failure;
use zstd::zstd_safe::{self, CompressionLevel, ErrorCode};

/// The level that Kafka's clients use unless told otherwise.
const LEVEL: CompressionLevel = 3;
/// How much larger than its input the output is first taken to be, and then from try to try.
const GROWTH: usize = 8;
const LEAST: usize = 4 * 1024;
/// `ZSTD_error_dstSize_tooSmall`; the library promises that its codes below 100 stay as they are.
const TOO_SMALL: ErrorCode = 0usize.wrapping_sub(70);

pub(super) fn decompress(input: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    // Zero frames decompress to nothing; a batch's records are at least one.
    if input.is_empty() {
        return Err(Failure::damaged("no bytes"));
    }
    let mut room = input.len().saturating_mul(GROWTH).max(LEAST).max(out.capacity()).min(cap);
    loop {
        out.clear();
        out.reserve_exact(room);
        match zstd_safe::decompress(out, input) {
            Ok(_) if out.len() > cap => return Err(Failure::TooLarge),
            Ok(_) => return Ok(()),
            Err(TOO_SMALL) if room >= cap => return Err(Failure::TooLarge),
            Err(TOO_SMALL) => room = room.saturating_mul(GROWTH).min(cap),
            Err(code) => return Err(Failure::damaged(zstd_safe::get_error_name(code))),
        }
    }
}

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let mut compressed = Vec::with_capacity(zstd_safe::compress_bound(input.len()));
    zstd_safe::compress(&mut compressed, input, LEVEL)
        .map_err(|code| zstd_safe::get_error_name(code).to_owned())?;
    out.extend_from_slice(&compressed);
    Ok(())
}
