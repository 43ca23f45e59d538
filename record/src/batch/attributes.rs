//! The 16 bits that say how a batch is to be read.

use super::{BatchError, Codec};

/// What a batch's timestamps mean.
#[derive(Copy, Clone, Eq, PartialEq, Hash, Debug)]
pub enum TimestampType {
    /// Each record carries the time its producer gave it.
    CreateTime,
    /// All records carry the batch's max timestamp: when the broker appended it.
    LogAppendTime,
}

/// A batch's attributes. Bits that nobody has given a meaning are kept as they are.
#[derive(Copy, Clone, Eq, PartialEq, Hash, Debug, Default)]
pub struct Attributes(u16);

impl Attributes {
    const CODEC: u16 = 0b111;
    pub(super) const APPEND_TIME: u16 = 1 << 3;
    const TRANSACTIONAL: u16 = 1 << 4;
    const CONTROL: u16 = 1 << 5;
    const DELETE_HORIZON: u16 = 1 << 6;

    /// Wraps the bits of a header.
    #[inline]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// Attributes of a batch with records compressed by `codec`, and nothing else set.
    #[inline]
    pub const fn with_codec(codec: Codec) -> Self {
        Self(codec.id() as u16)
    }

    /// The same, marked (or not) as part of a transaction.
    #[inline]
    #[must_use]
    pub const fn transactional(self, on: bool) -> Self {
        self.with(Self::TRANSACTIONAL, on)
    }

    /// The same, marked (or not) as a control batch: a transaction's end, never shown to users.
    #[inline]
    #[must_use]
    pub const fn control(self, on: bool) -> Self {
        self.with(Self::CONTROL, on)
    }

    /// The same, with or without the mark that the base timestamp is the time from which tombstones
    /// may go.
    #[inline]
    #[must_use]
    pub(super) const fn delete_horizon(self, on: bool) -> Self {
        self.with(Self::DELETE_HORIZON, on)
    }

    /// The same, for records that are not compressed.
    #[inline]
    #[must_use]
    pub(super) const fn without_codec(self) -> Self {
        self.with(Self::CODEC, false)
    }

    /// The same, for records that are compressed by `codec`.
    #[inline]
    #[must_use]
    pub(super) const fn recoded(self, codec: Codec) -> Self {
        Self(self.without_codec().0 | Self::with_codec(codec).0)
    }

    const fn with(self, bit: u16, on: bool) -> Self {
        Self(if on { self.0 | bit } else { self.0 & !bit })
    }

    /// The bits as they stand in a header.
    #[inline]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// How the records are compressed.
    ///
    /// # Errors
    /// [`BatchError::UnknownCodec`] for a number without a meaning.
    #[inline]
    pub fn codec(self) -> Result<Codec, BatchError> {
        let id = (self.0 & Self::CODEC).to_le_bytes()[0];
        Codec::from_id(id).ok_or(BatchError::UnknownCodec { id })
    }

    /// Whether the batch is part of a transaction.
    #[inline]
    pub const fn is_transactional(self) -> bool {
        self.0 & Self::TRANSACTIONAL != 0
    }

    /// Whether the batch is a control batch.
    #[inline]
    pub const fn is_control(self) -> bool {
        self.0 & Self::CONTROL != 0
    }

    /// Whether compaction left the time in the base timestamp from which tombstones may go.
    #[inline]
    pub const fn has_delete_horizon(self) -> bool {
        self.0 & Self::DELETE_HORIZON != 0
    }

    /// What the batch's timestamps mean.
    #[inline]
    pub const fn timestamp_type(self) -> TimestampType {
        if self.0 & Self::APPEND_TIME == 0 {
            TimestampType::CreateTime
        } else {
            TimestampType::LogAppendTime
        }
    }
}
