//! Why bytes are not a message, or a message cannot be bytes.

/// Bytes that are not the message they were said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot decode {field}: {fault}")]
pub struct DecodeError {
    /// The innermost field that was being read, as its definition names it.
    pub field: &'static str,
    /// What is wrong with it.
    pub fault: DecodeFault,
}

/// What is wrong with the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeFault {
    /// The bytes end inside the field.
    #[error("it needs {need} more bytes, {have} are left")]
    Truncated {
        /// Bytes the field needs.
        need: usize,
        /// Bytes that are left.
        have: usize,
    },
    /// An array announces more elements than the bytes left could hold.
    #[error("{count} elements are announced, which the {have} bytes left cannot hold")]
    CountTooLarge {
        /// Announced elements.
        count: usize,
        /// Bytes that are left.
        have: usize,
    },
    /// A length that is neither a size nor the null marker.
    #[error("length {0} has no meaning")]
    BadLength(i64),
    /// Null, where this version has no null.
    #[error("it is null, which this version does not allow")]
    UnexpectedNull,
    /// A number of variable length that does not fit its type.
    #[error("a number of variable length is longer than 32 bits")]
    BadVarint,
    /// Text is not UTF-8.
    #[error("the text is not valid UTF-8")]
    NotUtf8,
    /// Bytes are left over where the message, or a tagged field, ends.
    #[error("{0} bytes are left over at its end")]
    Trailing(usize),
    /// What is announced would take far more memory than the bytes that announce it.
    #[error("decoded, it would take over {0} bytes more than this frame may")]
    TooMuchMemory(usize),
    /// The message has no such version here.
    #[error("version {0} is not known")]
    UnknownVersion(i16),
}

impl DecodeError {
    /// A fault in a field that is not named yet.
    pub(crate) fn new(fault: DecodeFault) -> Self {
        Self { field: "", fault }
    }

    /// Names the field, unless a field inside it was named already.
    pub(crate) fn of(self, field: &'static str) -> Self {
        if self.field.is_empty() { Self { field, ..self } } else { self }
    }
}

/// A message that this version cannot say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot encode {field}: {fault}")]
pub struct EncodeError {
    /// The innermost field that was being written, as its definition names it.
    pub field: &'static str,
    /// What is wrong with it.
    pub fault: EncodeFault,
}

/// What is wrong with the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeFault {
    /// A field is set that the version lacks and that the other side must not miss.
    #[error("it is set, but version {0} has no such field")]
    NotInVersion(i16),
    /// Null, where this version has no null.
    #[error("it is null, which this version does not allow")]
    UnexpectedNull,
    /// Longer than its length prefix can say.
    #[error("{0} bytes or elements are more than its length prefix can say")]
    TooLong(usize),
    /// The message has no such version here.
    #[error("version {0} is not known")]
    UnknownVersion(i16),
}

impl EncodeError {
    /// A fault in a field that is not named yet.
    pub(crate) fn new(fault: EncodeFault) -> Self {
        Self { field: "", fault }
    }

    /// Names the field, unless a field inside it was named already.
    pub(crate) fn of(self, field: &'static str) -> Self {
        if self.field.is_empty() { Self { field, ..self } } else { self }
    }
}
