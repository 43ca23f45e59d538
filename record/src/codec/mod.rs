//! The four compressions that a batch's records may have.
//!
//! What comes compressed comes from strangers: a few bytes may announce, or really become, gigabytes.
//! So every decompression has a cap, and no buffer is sized by a number read from the input.

mod gzip;
mod lz4;
mod snappy;
mod zstd;

use crate::batch::BatchError;

/// How the records of a batch are compressed.
#[derive(Copy, Clone, Eq, PartialEq, Hash, Debug, Default)]
pub enum Codec {
    /// Not at all.
    #[default]
    None,
    /// gzip (RFC 1952).
    Gzip,
    /// Snappy, in the block framing of Java's `snappy-java` ("xerial") or as one raw block.
    Snappy,
    /// The LZ4 frame format.
    Lz4,
    /// Zstandard.
    Zstd,
}

impl Codec {
    /// The number that stands in a batch's attributes.
    #[inline]
    pub const fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Gzip => 1,
            Self::Snappy => 2,
            Self::Lz4 => 3,
            Self::Zstd => 4,
        }
    }

    /// The codec that a number in a batch's attributes stands for.
    #[inline]
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            0 => Some(Self::None),
            1 => Some(Self::Gzip),
            2 => Some(Self::Snappy),
            3 => Some(Self::Lz4),
            4 => Some(Self::Zstd),
            _ => None,
        }
    }

    /// The name that Kafka's `compression.type` uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// Decompresses all of `input` into `out`, which is cleared first. Memory grows with what comes out,
/// never with what the input announces, and never past `cap` bytes (but for one codec's fixed tables).
///
/// # Errors
/// [`BatchError::TooLargeDecompressed`] once it would be more than `cap`, [`BatchError::Decompress`] if
/// the input is damaged or does not end where it should. `out` then holds nothing of use.
pub fn decompress(
    codec: Codec,
    input: &[u8],
    cap: usize,
    out: &mut Vec<u8>,
) -> Result<(), BatchError> {
    out.clear();
    match codec {
        Codec::None if input.len() > cap => Err(Failure::TooLarge),
        Codec::None => {
            out.extend_from_slice(input);
            Ok(())
        }
        Codec::Gzip => gzip::decompress(input, cap, out),
        Codec::Snappy => snappy::decompress(input, cap, out),
        Codec::Lz4 => lz4::decompress(input, cap, out),
        Codec::Zstd => zstd::decompress(input, cap, out),
    }
    .map_err(|failure| match failure {
        Failure::TooLarge => BatchError::TooLargeDecompressed { cap },
        Failure::Damaged(reason) => BatchError::Decompress { codec, reason },
    })
}

/// Compresses `input` and appends the result to `out`, at each codec's usual level.
///
/// # Errors
/// [`BatchError::Compress`] if the codec's library fails, which it does on no input we know of.
pub fn compress(codec: Codec, input: &[u8], out: &mut Vec<u8>) -> Result<(), BatchError> {
    match codec {
        Codec::None => {
            out.extend_from_slice(input);
            Ok(())
        }
        Codec::Gzip => gzip::compress(input, out),
        Codec::Snappy => snappy::compress(input, out),
        Codec::Lz4 => lz4::compress(input, out),
        Codec::Zstd => zstd::compress(input, out),
    }
    .map_err(|reason| BatchError::Compress { codec, reason })
}

/// Why decompression stopped.
enum Failure {
    TooLarge,
    Damaged(String),
}

impl Failure {
    fn damaged(reason: impl ToString) -> Self {
        Self::Damaged(reason.to_string())
    }
}

/// Makes room in `out` for `more` bytes, of at most `cap` in all, growing by doubling but not past the cap.
fn reserve(out: &mut Vec<u8>, more: usize, cap: usize) {
    let need = out.len().saturating_add(more);
    if need > out.capacity() {
        let target = need.max(out.capacity().saturating_mul(2)).min(cap.max(need));
        out.reserve_exact(target - out.len());
    }
}
