//! The LZ4 frame format, as Kafka's batches of version 2 carry it.
//!
//! The frame is walked here rather than by the library's reader, since that one allocates the block
//! size which the frame announces (up to 4 MiB) before it has seen a block; here a block's room is
//! bounded by the compressed bytes that are really there.

use super::Failure;
use lz4_flex::block::{DecompressError, decompress_into_with_dict};
use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};
use std::io::Write;
use twox_hash::XxHash32;

const MAGIC: [u8; 4] = 0x184d_2204_u32.to_le_bytes();
/// How far back a block may refer.
const WINDOW: usize = 64 * 1024;
/// No LZ4 sequence yields more bytes for each it takes (the first takes a token and an offset as well).
const MOST_PER_BYTE: usize = 255;
const STORED: u32 = 1 << 31;

pub(super) fn decompress(input: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
    let mut rest = input;
    let frame = Descriptor::take(&mut rest)?;
    loop {
        let size = u32::from_le_bytes(*take(&mut rest)?);
        if size == 0 {
            break;
        }
        let block = take_slice(&mut rest, (size & !STORED) as usize)?;
        if frame.block_checksums && hash(block) != u32::from_le_bytes(*take(&mut rest)?) {
            return Err(Failure::damaged("block checksum differs"));
        }
        if block.len() > frame.block_max {
            return Err(Failure::damaged("block longer than the frame allows"));
        }
        if size & STORED == 0 {
            frame.decompress_block(block, cap, out)?;
        } else if block.len() > cap - out.len() {
            return Err(Failure::TooLarge);
        } else {
            super::reserve(out, block.len(), cap);
            out.extend_from_slice(block);
        }
    }
    if frame.content_checksum && hash(out) != u32::from_le_bytes(*take(&mut rest)?) {
        return Err(Failure::damaged("content checksum differs"));
    }
    if frame.content_len.is_some_and(|len| len != out.len() as u64) {
        return Err(Failure::damaged("content is not as long as announced"));
    }
    if rest.is_empty() { Ok(()) } else { Err(Failure::damaged("bytes after the end of the frame")) }
}

/// What the start of a frame says about the rest.
struct Descriptor {
    linked: bool,
    block_checksums: bool,
    content_checksum: bool,
    content_len: Option<u64>,
    block_max: usize,
}

impl Descriptor {
    fn take(rest: &mut &[u8]) -> Result<Self, Failure> {
        if *take(rest)? != MAGIC {
            return Err(Failure::damaged("no LZ4 frame (its magic number is missing)"));
        }
        let descriptor = *rest;
        let [flags, sizes] = *take(rest)?;
        if flags >> 6 != 1 || flags & 0b10 != 0 || sizes & 0b1000_1111 != 0 {
            return Err(Failure::damaged("unknown version or reserved bits of the frame"));
        }
        if flags & 1 != 0 {
            return Err(Failure::damaged("needs a dictionary"));
        }
        let block_max = match sizes >> 4 {
            4 => 64 << 10,
            5 => 256 << 10,
            6 => 1 << 20,
            7 => 4 << 20,
            _ => return Err(Failure::damaged("unknown block size")),
        };
        let content_len =
            if flags & 8 == 0 { None } else { Some(u64::from_le_bytes(*take(rest)?)) };
        let hashed = &descriptor[..descriptor.len() - rest.len()];
        let [checksum] = *take(rest)?;
        if hash(hashed).to_le_bytes()[1] != checksum {
            return Err(Failure::damaged("header checksum differs"));
        }
        Ok(Self {
            linked: flags & 0x20 == 0,
            block_checksums: flags & 0x10 != 0,
            content_checksum: flags & 4 != 0,
            content_len,
            block_max,
        })
    }

    fn decompress_block(&self, block: &[u8], cap: usize, out: &mut Vec<u8>) -> Result<(), Failure> {
        let start = out.len();
        let room = self.block_max.min(cap - start).min(block.len() * MOST_PER_BYTE);
        super::reserve(out, room, cap);
        out.resize(start + room, 0);
        let (before, target) = out.split_at_mut(start);
        let window =
            if self.linked { &before[before.len().saturating_sub(WINDOW)..] } else { &[][..] };
        match decompress_into_with_dict(block, target, window) {
            Ok(written) => {
                out.truncate(start + written);
                Ok(())
            }
            Err(DecompressError::OutputTooSmall { .. }) if room == cap - start => {
                Err(Failure::TooLarge)
            }
            Err(error) => Err(Failure::damaged(error)),
        }
    }
}

fn hash(bytes: &[u8]) -> u32 {
    XxHash32::oneshot(0, bytes)
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], Failure> {
    let (taken, after) = rest.split_first_chunk().ok_or(Failure::damaged("frame cut short"))?;
    *rest = after;
    Ok(taken)
}

fn take_slice<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], Failure> {
    let (taken, after) = rest.split_at_checked(len).ok_or(Failure::damaged("frame cut short"))?;
    *rest = after;
    Ok(taken)
}

/// As Kafka's Java client writes it: independent blocks of 64 KiB, no checksums (the batch has its own).
pub(super) fn compress(input: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
    let info = FrameInfo::new().block_size(BlockSize::Max64KB).block_mode(BlockMode::Independent);
    let mut encoder = FrameEncoder::with_frame_info(info, out);
    encoder.write_all(input).map_err(|e| e.to_string())?;
    encoder.finish().map(drop).map_err(|e| e.to_string())
}
