//! How a field becomes bytes and back: little-endian integers, length-prefixed text, counted arrays.

use bytes::{BufMut, BytesMut};
use onrush_record::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicId};
use smallvec::SmallVec;

/// Longest text a field can carry, in bytes: its length prefix is 16 bits.
pub const MAX_STR_LEN: usize = u16::MAX as usize;

/// Elements for which room is made before the first of an array has been decoded; past that, room
/// grows with what was really there.
const TRUSTED_ELEMENTS: usize = 256;

/// Why bytes are not the message they were said to be. The request was not acted upon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end inside a field.
    #[error("body ends early: {field} needs {need} more bytes, {have} are left")]
    Truncated {
        /// The wire type being read.
        field: &'static str,
        /// Bytes that field needs.
        need: usize,
        /// Bytes that are left.
        have: usize,
    },
    /// Bytes are left over after the last field.
    #[error("body has {extra} bytes after its last field; this version knows no more fields")]
    Trailing {
        /// How many.
        extra: usize,
    },
    /// An array announces more elements than the bytes left could hold.
    #[error("array announces {count} elements, but the {have} bytes left hold fewer")]
    CountTooLarge {
        /// Announced elements.
        count: u32,
        /// Bytes that are left.
        have: usize,
    },
    /// Text is not UTF-8.
    #[error("text is not valid UTF-8")]
    NotUtf8,
    /// A field holds a value its type does not have.
    #[error("{field} has no value {value}")]
    BadValue {
        /// The wire type being read.
        field: &'static str,
        /// What was found.
        value: i64,
    },
    /// A payload follows a message that has none.
    #[error("a payload of {payload} bytes follows a message that has none")]
    UnexpectedPayload {
        /// Bytes of payload.
        payload: usize,
    },
    /// The parts of a request or response claim another payload than the frame has.
    #[error("parts claim {claimed} bytes of payload, the frame has {payload}")]
    PayloadMismatch {
        /// Sum over the parts.
        claimed: u64,
        /// Bytes of payload in the frame.
        payload: usize,
    },
    /// No message has this operation code.
    #[error("operation code {0} means nothing in this protocol version")]
    UnknownOpcode(u16),
    /// The operation code is kept for something that does not exist yet.
    #[error("{name} (operation code {code}) is reserved and not available in this version")]
    Reserved {
        /// The operation code.
        code: u16,
        /// What it is kept for.
        name: &'static str,
    },
    /// The operation code exists, but not in this direction.
    #[error("{0} cannot be sent in this direction")]
    WrongDirection(&'static str),
}

/// What is left to decode of a body. Cheap to copy; borrows.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// The next `len` bytes.
    pub fn bytes(&mut self, field: &'static str, len: usize) -> Result<&'a [u8], DecodeError> {
        match self.rest.split_at_checked(len) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(DecodeError::Truncated { field, need: len, have: self.rest.len() }),
        }
    }

    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        match self.rest.split_first_chunk::<N>() {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(*taken)
            }
            None => Err(DecodeError::Truncated { field, need: N, have: self.rest.len() }),
        }
    }

    /// Text, borrowed.
    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        let len = u16::take(self)?;
        let bytes = self.bytes("str", usize::from(len))?;
        std::str::from_utf8(bytes).map_err(|_| DecodeError::NotUtf8)
    }

    /// The count of an array whose elements take at least `least` bytes each, refused when the
    /// bytes left cannot hold that many.
    fn count(&mut self, least: usize) -> Result<usize, DecodeError> {
        let count = u32::take(self)?;
        let have = self.rest.len();
        match usize::try_from(count) {
            Ok(n) if n <= have / least.max(1) => Ok(n),
            _ => Err(DecodeError::CountTooLarge { count, have }),
        }
    }

    /// Ends decoding; anything left is an error.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.rest.len() {
            0 => Ok(()),
            extra => Err(DecodeError::Trailing { extra }),
        }
    }
}

/// A type with a fixed way of being bytes.
pub trait Wire: Sized {
    /// The fewest bytes a value takes; what an array's count is checked against.
    const LEAST: usize;
    /// What the byte tables of `docs/PROTOCOL.md` call this type.
    fn type_name() -> String;
    /// Appends the value.
    fn put(&self, out: &mut BytesMut);
    /// Reads a value.
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError>;
    /// Its bytes, field by field with their names, for the examples of `docs/PROTOCOL.md`.
    #[cfg(test)]
    fn lines(&self, name: &str, out: &mut Vec<(String, BytesMut)>) {
        let mut bytes = BytesMut::new();
        self.put(&mut bytes);
        out.push((name.to_owned(), bytes));
    }
}

/// The lines of an array: its count, then its elements by number.
#[cfg(test)]
fn array_lines<T: Wire>(elements: &[T], name: &str, out: &mut Vec<(String, BytesMut)>) {
    let mut count = BytesMut::new();
    put_count(elements.len(), &mut count);
    out.push((format!("{name}: count"), count));
    for (index, element) in elements.iter().enumerate() {
        element.lines(&format!("{name}[{index}]"), out);
    }
}

/// A whole body: fields in their order, nothing after them.
pub trait Message: Wire {
    /// Appends the body to `out`.
    fn encode(&self, out: &mut BytesMut) {
        self.put(out);
    }

    /// Decodes a body that must end where the message ends.
    fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut input = Reader::new(body);
        let message = Self::take(&mut input)?;
        input.finish()?;
        Ok(message)
    }
}

macro_rules! integers {
    ($($ty:ty: $put:ident),+ $(,)?) => {$(
        impl Wire for $ty {
            const LEAST: usize = size_of::<$ty>();
            fn type_name() -> String {
                stringify!($ty).to_owned()
            }
            #[inline]
            fn put(&self, out: &mut BytesMut) {
                out.$put(*self);
            }
            #[inline]
            fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(<$ty>::from_le_bytes(input.array(stringify!($ty))?))
            }
        }
    )+};
}

integers!(u8: put_u8, u16: put_u16_le, u32: put_u32_le, u64: put_u64_le, i16: put_i16_le, i32: put_i32_le, i64: put_i64_le);

impl Wire for bool {
    const LEAST: usize = 1;
    fn type_name() -> String {
        "bool".to_owned()
    }
    fn put(&self, out: &mut BytesMut) {
        out.put_u8(u8::from(*self));
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::take(input)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(DecodeError::BadValue { field: "bool", value: i64::from(other) }),
        }
    }
}

/// Text longer than [`MAX_STR_LEN`] is cut at a character: every name and setting has a far lower
/// limit in the broker, so what was cut is still refused there, and a cut message still reads.
impl Wire for String {
    const LEAST: usize = 2;
    fn type_name() -> String {
        "str".to_owned()
    }
    fn put(&self, out: &mut BytesMut) {
        let text = &self[..self.floor_char_boundary(MAX_STR_LEN)];
        out.put_u16_le(u16::try_from(text.len()).unwrap_or(u16::MAX));
        out.put_slice(text.as_bytes());
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.text().map(str::to_owned)
    }
}

impl<T: Wire> Wire for Option<T> {
    const LEAST: usize = 1;
    fn type_name() -> String {
        format!("option {}", T::type_name())
    }
    fn put(&self, out: &mut BytesMut) {
        out.put_u8(u8::from(self.is_some()));
        if let Some(value) = self {
            value.put(out);
        }
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::take(input)? {
            0 => Ok(None),
            1 => T::take(input).map(Some),
            other => Err(DecodeError::BadValue { field: "option", value: i64::from(other) }),
        }
    }
    #[cfg(test)]
    fn lines(&self, name: &str, out: &mut Vec<(String, BytesMut)>) {
        let mut tag = BytesMut::new();
        tag.put_u8(u8::from(self.is_some()));
        let word = if self.is_some() { "present" } else { "absent" };
        out.push((format!("{name}: {word}"), tag));
        if let Some(value) = self {
            value.lines(name, out);
        }
    }
}

fn put_count(len: usize, out: &mut BytesMut) {
    // An array of more than 2^32 elements cannot be in a frame of at most 2^32 bytes.
    out.put_u32_le(u32::try_from(len).unwrap_or(u32::MAX));
}

impl<T: Wire> Wire for Vec<T> {
    const LEAST: usize = 4;
    fn type_name() -> String {
        format!("array of {}", T::type_name())
    }
    fn put(&self, out: &mut BytesMut) {
        put_count(self.len(), out);
        self.iter().for_each(|element| element.put(out));
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = input.count(T::LEAST)?;
        let mut elements = Vec::with_capacity(count.min(TRUSTED_ELEMENTS));
        for _ in 0..count {
            elements.push(T::take(input)?);
        }
        Ok(elements)
    }
    #[cfg(test)]
    fn lines(&self, name: &str, out: &mut Vec<(String, BytesMut)>) {
        array_lines(self, name, out);
    }
}

impl<T: Wire, const N: usize> Wire for SmallVec<[T; N]> {
    const LEAST: usize = 4;
    fn type_name() -> String {
        format!("array of {}", T::type_name())
    }
    fn put(&self, out: &mut BytesMut) {
        put_count(self.len(), out);
        self.iter().for_each(|element| element.put(out));
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = input.count(T::LEAST)?;
        let mut elements = SmallVec::with_capacity(count.min(TRUSTED_ELEMENTS));
        for _ in 0..count {
            elements.push(T::take(input)?);
        }
        Ok(elements)
    }
    #[cfg(test)]
    fn lines(&self, name: &str, out: &mut Vec<(String, BytesMut)>) {
        array_lines(self, name, out);
    }
}

impl Wire for TopicId {
    const LEAST: usize = 16;
    fn type_name() -> String {
        "uuid".to_owned()
    }
    #[inline]
    fn put(&self, out: &mut BytesMut) {
        out.put_slice(&self.bytes());
    }
    #[inline]
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(TopicId::new(input.array("uuid")?))
    }
}

/// Offsets fit 63 bits, so that -1 can stand for "none" where one may be absent.
impl Wire for Offset {
    const LEAST: usize = 8;
    fn type_name() -> String {
        "offset".to_owned()
    }
    #[inline]
    fn put(&self, out: &mut BytesMut) {
        out.put_u64_le(self.get());
    }
    #[inline]
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let value = i64::take(input)?;
        match u64::try_from(value) {
            Ok(offset) => Ok(Offset::new(offset)),
            Err(_) => Err(DecodeError::BadValue { field: "offset", value }),
        }
    }
}

impl Wire for ProducerId {
    const LEAST: usize = 8;
    fn type_name() -> String {
        "i64".to_owned()
    }
    fn put(&self, out: &mut BytesMut) {
        out.put_i64_le(self.get());
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        i64::take(input).map(ProducerId::new)
    }
}

impl Wire for ProducerEpoch {
    const LEAST: usize = 2;
    fn type_name() -> String {
        "i16".to_owned()
    }
    fn put(&self, out: &mut BytesMut) {
        out.put_i16_le(self.get());
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        i16::take(input).map(ProducerEpoch::new)
    }
}

/// A value that is absent as -1 on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Maybe<T>(pub Option<T>);

impl<T> Maybe<T> {
    /// Absent.
    pub const NONE: Self = Self(None);

    /// Present.
    pub const fn some(value: T) -> Self {
        Self(Some(value))
    }
}

impl<T> From<Option<T>> for Maybe<T> {
    fn from(value: Option<T>) -> Self {
        Self(value)
    }
}

impl<T> From<T> for Maybe<T> {
    fn from(value: T) -> Self {
        Self(Some(value))
    }
}

impl Wire for Maybe<Offset> {
    const LEAST: usize = 8;
    fn type_name() -> String {
        "offset or -1".to_owned()
    }
    #[inline]
    fn put(&self, out: &mut BytesMut) {
        out.put_u64_le(self.0.map_or(u64::MAX, Offset::get));
    }
    #[inline]
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let value = i64::take(input)?;
        match u64::try_from(value) {
            Ok(offset) => Ok(Self(Some(Offset::new(offset)))),
            Err(_) if value == -1 => Ok(Self(None)),
            Err(_) => Err(DecodeError::BadValue { field: "offset", value }),
        }
    }
}

impl Wire for Maybe<LeaderEpoch> {
    const LEAST: usize = 4;
    fn type_name() -> String {
        "i32 or -1".to_owned()
    }
    #[inline]
    fn put(&self, out: &mut BytesMut) {
        let epoch = self.0.and_then(|epoch| i32::try_from(epoch.get()).ok());
        out.put_i32_le(epoch.unwrap_or(-1));
    }
    #[inline]
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let value = i32::take(input)?;
        match u32::try_from(value) {
            Ok(epoch) => Ok(Self(Some(LeaderEpoch::new(epoch)))),
            Err(_) if value == -1 => Ok(Self(None)),
            Err(_) => Err(DecodeError::BadValue { field: "leader epoch", value: i64::from(value) }),
        }
    }
}
