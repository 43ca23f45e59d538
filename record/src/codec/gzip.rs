//! gzip: what every client can do, slowly.

use super::Failure;
use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use std::io::{Read, Write};

/// Bytes decompressed at a time.
const STEP: usize = 16 * 1024;

pub(super) fn decompress(input: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    // `MultiGzDecoder` takes the end of its input for the end of the last member.
    if input.is_empty() {
        return Err(Failure::damaged("no bytes"));
    }
    let mut decoder = MultiGzDecoder::new(input);
    loop {
        // One byte more than allowed, to tell "exactly the cap" from "too much".
        let step = (cap - out.len()).saturating_add(1).min(STEP.max(out.len()));
        super::reserve(out, step, cap.saturating_add(1));
        let read = decoder.by_ref().take(step as u64).read_to_end(out).map_err(Failure::damaged)?;
        if out.len() > cap {
            return Err(Failure::TooLarge);
        }
        if read < step {
            return Ok(());
        }
    }
}

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let mut encoder = GzEncoder::new(out, Compression::default());
    encoder.write_all(input).and_then(|()| encoder.finish().map(drop)).map_err(|e| e.to_string())
}
