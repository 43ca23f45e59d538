//! Writing fields behind what a buffer already holds.

use super::error::{EncodeError, EncodeFault};
use crate::Uuid;

/// Appends fields to a buffer.
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Appends to `out`.
    pub fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Bytes as they are.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// A signed byte.
    #[inline]
    pub fn i8(&mut self, value: i8) {
        self.raw(&value.to_be_bytes());
    }

    /// Two bytes, signed.
    #[inline]
    pub fn i16(&mut self, value: i16) {
        self.raw(&value.to_be_bytes());
    }

    /// Two bytes, unsigned.
    #[inline]
    pub fn u16(&mut self, value: u16) {
        self.raw(&value.to_be_bytes());
    }

    /// Four bytes, signed.
    #[inline]
    pub fn i32(&mut self, value: i32) {
        self.raw(&value.to_be_bytes());
    }

    /// Eight bytes, signed.
    #[inline]
    pub fn i64(&mut self, value: i64) {
        self.raw(&value.to_be_bytes());
    }

    /// Eight bytes, a floating-point number.
    #[inline]
    pub fn f64(&mut self, value: f64) {
        self.raw(&value.to_be_bytes());
    }

    /// One byte.
    #[inline]
    pub fn bool(&mut self, value: bool) {
        self.raw(&[u8::from(value)]);
    }

    /// Sixteen bytes.
    #[inline]
    pub fn uuid(&mut self, value: Uuid) {
        self.raw(&value.0);
    }

    /// A number in one to five bytes of seven bits each, lowest first.
    #[inline]
    pub fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.raw(&[(value & 0x7f) as u8 | 0x80]);
            value >>= 7;
        }
        self.raw(&[(value & 0x7f) as u8]);
    }

    /// The length of a text; `None` is null.
    #[inline]
    pub fn text_len(&mut self, flexible: bool, len: Option<usize>) -> Result<(), EncodeError> {
        if flexible {
            return self.compact_len(len);
        }
        match len {
            None => self.i16(-1),
            Some(len) => self.i16(i16::try_from(len).map_err(|_| too_long(len))?),
        }
        Ok(())
    }

    /// The length of bytes or the count of an array; `None` is null.
    #[inline]
    pub fn long_len(&mut self, flexible: bool, len: Option<usize>) -> Result<(), EncodeError> {
        if flexible {
            return self.compact_len(len);
        }
        match len {
            None => self.i32(-1),
            Some(len) => self.i32(i32::try_from(len).map_err(|_| too_long(len))?),
        }
        Ok(())
    }

    /// A length plus one; zero is null.
    #[inline]
    fn compact_len(&mut self, len: Option<usize>) -> Result<(), EncodeError> {
        let written = match len {
            None => 0,
            Some(len) => i32::try_from(len).map_err(|_| too_long(len))?.unsigned_abs() + 1,
        };
        self.uvarint(written);
        Ok(())
    }

    /// Text, or null.
    #[inline]
    pub fn text(&mut self, flexible: bool, text: Option<&str>) -> Result<(), EncodeError> {
        self.text_len(flexible, text.map(str::len))?;
        self.raw(text.unwrap_or("").as_bytes());
        Ok(())
    }

    /// A tagged field: its tag, its size, then what `field` writes.
    pub fn tagged(
        &mut self,
        tag: u32,
        field: impl FnOnce(&mut Writer<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        // The size comes first and has as many bytes as it needs, so the field is written aside.
        let mut aside = Vec::new();
        field(&mut Writer::new(&mut aside))?;
        self.uvarint(tag);
        self.uvarint(u32::try_from(aside.len()).map_err(|_| too_long(aside.len()))?);
        self.raw(&aside);
        Ok(())
    }
}

fn too_long(len: usize) -> EncodeError {
    EncodeError::new(EncodeFault::TooLong(len))
}
