//! Reading fields out of a frame, never more than is there.

use super::error::{DecodeError, DecodeFault};
use crate::Uuid;

/// Memory any message may take once decoded, however short its frame.
const SMALL: usize = 1 << 20;

/// Bytes of memory that each byte of a long frame may become. A structure in memory is larger than
/// its shortest form on the wire (an empty text takes one byte there and 24 here), so a frame made
/// of nothing else is refused; the frames of real clients stay far below.
const SPREAD: usize = 8;

/// What is left to decode of a frame. Borrows; allocates only what the bytes left can back.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Memory that may still be allocated for what is decoded.
    memory: usize,
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, memory: Self::memory_bound(bytes.len()) }
    }

    /// The most memory that a decoded message of `len` bytes takes.
    pub const fn memory_bound(len: usize) -> usize {
        SMALL.saturating_add(len.saturating_mul(SPREAD))
    }

    /// Bytes not read yet.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Bytes read so far: the position of the next one from where this reader began.
    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Ends decoding; anything left is an error.
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            extra => Err(DecodeError { field: "the frame", fault: DecodeFault::Trailing(extra) }),
        }
    }

    /// The next `len` bytes.
    #[inline]
    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let have = self.remaining();
        if len > have {
            return Err(DecodeError::new(DecodeFault::Truncated { need: len, have }));
        }
        let taken = &self.bytes[self.at..self.at + len];
        self.at += len;
        Ok(taken)
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.bytes[self.at..].first_chunk::<N>() {
            Some(chunk) => {
                self.at += N;
                Ok(*chunk)
            }
            None => {
                let have = self.remaining();
                Err(DecodeError::new(DecodeFault::Truncated { need: N, have }))
            }
        }
    }

    /// A signed byte.
    #[inline]
    pub fn i8(&mut self) -> Result<i8, DecodeError> {
        self.array().map(i8::from_be_bytes)
    }

    /// Two bytes, signed.
    #[inline]
    pub fn i16(&mut self) -> Result<i16, DecodeError> {
        self.array().map(i16::from_be_bytes)
    }

    /// Two bytes, unsigned.
    #[inline]
    pub fn u16(&mut self) -> Result<u16, DecodeError> {
        self.array().map(u16::from_be_bytes)
    }

    /// Four bytes, signed.
    #[inline]
    pub fn i32(&mut self) -> Result<i32, DecodeError> {
        self.array().map(i32::from_be_bytes)
    }

    /// Eight bytes, signed.
    #[inline]
    pub fn i64(&mut self) -> Result<i64, DecodeError> {
        self.array().map(i64::from_be_bytes)
    }

    /// Eight bytes, a floating-point number.
    #[inline]
    pub fn f64(&mut self) -> Result<f64, DecodeError> {
        self.array().map(f64::from_be_bytes)
    }

    /// One byte; everything but zero is true.
    #[inline]
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.i8()? != 0)
    }

    /// Sixteen bytes.
    #[inline]
    pub fn uuid(&mut self) -> Result<Uuid, DecodeError> {
        self.array().map(Uuid)
    }

    /// A number in one to five bytes of seven bits each, lowest first.
    #[inline]
    pub fn uvarint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21] {
            let [byte] = self.array()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        let [last] = self.array()?;
        if last > 0x0f {
            return Err(DecodeError::new(DecodeFault::BadVarint));
        }
        Ok(value | u32::from(last) << 28)
    }

    /// The length of a text: `None` is null.
    #[inline]
    pub fn text_len(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        if flexible { self.compact_len() } else { len(i64::from(self.i16()?)) }
    }

    /// The length of bytes or the count of an array: `None` is null.
    #[inline]
    pub fn long_len(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        if flexible { self.compact_len() } else { len(i64::from(self.i32()?)) }
    }

    /// A length plus one; zero is null.
    #[inline]
    fn compact_len(&mut self) -> Result<Option<usize>, DecodeError> {
        len(i64::from(self.uvarint()?) - 1)
    }

    /// Text, borrowed.
    #[inline]
    pub fn text(&mut self, flexible: bool) -> Result<Option<&'a str>, DecodeError> {
        let Some(len) = self.text_len(flexible)? else { return Ok(None) };
        let bytes = self.bytes(len)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(DecodeError::new(DecodeFault::NotUtf8)),
        }
    }

    /// The count of an array whose elements take at least `least` bytes each, refused when the
    /// bytes left cannot hold that many.
    #[inline]
    pub fn count(&mut self, flexible: bool, least: usize) -> Result<Option<usize>, DecodeError> {
        let count = self.long_len(flexible)?;
        let have = self.remaining();
        match count {
            Some(count) if count > have / least.max(1) => {
                Err(DecodeError::new(DecodeFault::CountTooLarge { count, have }))
            }
            fits => Ok(fits),
        }
    }

    /// Asks for memory before it is allocated.
    #[inline]
    pub fn charge(&mut self, bytes: usize) -> Result<(), DecodeError> {
        match self.memory.checked_sub(bytes) {
            Some(left) => {
                self.memory = left;
                Ok(())
            }
            None => Err(DecodeError::new(DecodeFault::TooMuchMemory(bytes - self.memory))),
        }
    }

    /// The tagged fields at the end of a structure: each is handed to `field` with its tag, which
    /// reads it whole and says so, or leaves it to be skipped by answering `false`.
    #[inline]
    pub fn tagged(
        &mut self,
        mut field: impl FnMut(u32, &mut Self) -> Result<bool, DecodeError>,
    ) -> Result<(), DecodeError> {
        for _ in 0..self.uvarint()? {
            let tag = self.uvarint()?;
            let size = usize::try_from(self.uvarint()?).unwrap_or(usize::MAX);
            let have = self.remaining();
            if size > have {
                return Err(DecodeError::new(DecodeFault::Truncated { need: size, have }));
            }
            let end = self.at + size;
            let whole = self.bytes;
            self.bytes = &whole[..end];
            if field(tag, self)? {
                if self.at != end {
                    return Err(DecodeError::new(DecodeFault::Trailing(end - self.at)));
                }
            } else {
                self.at = end;
            }
            self.bytes = whole;
        }
        Ok(())
    }

    /// Skips the tagged fields at the end of a structure.
    #[inline]
    pub fn skip_tagged(&mut self) -> Result<(), DecodeError> {
        self.tagged(|_, _| Ok(false))
    }
}

/// A length as it was written: -1 is null, anything below it nonsense.
#[inline]
fn len(written: i64) -> Result<Option<usize>, DecodeError> {
    match usize::try_from(written) {
        Ok(len) => Ok(Some(len)),
        Err(_) if written == -1 => Ok(None),
        Err(_) => Err(DecodeError::new(DecodeFault::BadLength(written))),
    }
}
