//! Snappy in its two guises: the block framing of Java's `snappy-java` ("xerial": a 16-byte header,
//! then blocks with a big-endian length each), and one raw block as librdkafka sends it.

use super::Failure;
use snap::raw::{Decoder, Encoder, decompress_len, max_compress_len};

const MAGIC: [u8; 8] = *b"\x82SNAPPY\0";
const HEADER_LEN: usize = 16;
/// Version 1, readable from version 1 on.
const VERSIONS: [u8; 8] = [0, 0, 0, 1, 0, 0, 0, 1];
/// The block size of Kafka's Java client.
const BLOCK: usize = 32 * 1024;
/// No snappy element yields more bytes for each it takes: a copy has two bytes for up to 11, three for
/// up to 64, a literal less than its own length.
const MOST_PER_BYTE: usize = 22;

pub(super) fn decompress(input: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    if !input.starts_with(&MAGIC) {
        return block(input, cap, out);
    }
    let mut rest = input.get(HEADER_LEN..).ok_or(Failure::damaged("header cut short"))?;
    while !rest.is_empty() {
        // Two streams of snappy-java one after the other are one stream to its reader.
        if rest.starts_with(&MAGIC) {
            rest = rest.get(HEADER_LEN..).ok_or(Failure::damaged("header cut short"))?;
            continue;
        }
        let (len, after) =
            rest.split_first_chunk::<4>().ok_or(Failure::damaged("block length cut short"))?;
        let (compressed, after) = usize::try_from(u32::from_be_bytes(*len))
            .ok()
            .and_then(|len| after.split_at_checked(len))
            .ok_or(Failure::damaged("block cut short"))?;
        block(compressed, cap, out)?;
        rest = after;
    }
    Ok(())
}

/// Decompresses one raw block and appends it to `out`.
fn block(input: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    let announced = decompress_len(input).map_err(Failure::damaged)?;
    if announced > input.len().saturating_mul(MOST_PER_BYTE) {
        return Err(Failure::damaged("announces more bytes than its length can hold"));
    }
    if announced > cap - out.len() {
        return Err(Failure::TooLarge);
    }
    let start = out.len();
    super::reserve(out, announced, cap);
    out.resize(start + announced, 0);
    let written = Decoder::new().decompress(input, &mut out[start..]).map_err(Failure::damaged)?;
    out.truncate(start + written);
    Ok(())
}

pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&VERSIONS);
    let mut encoder = Encoder::new();
    for piece in input.chunks(BLOCK) {
        let start = out.len() + 4;
        out.resize(start + max_compress_len(piece.len()), 0);
        let written = encoder.compress(piece, &mut out[start..]).map_err(|e| e.to_string())?;
        let len = u32::try_from(written).map_err(|e| e.to_string())?;
        out[start - 4..start].copy_from_slice(&len.to_be_bytes());
        out.truncate(start + written);
    }
    Ok(())
}
