//! Newtypes for the numbers that must not be mixed up.

use std::fmt;

/// Milliseconds since the Unix epoch, as Kafka stores them; -1 means "no timestamp".
pub type TimestampMs = i64;

macro_rules! distance {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug, Default)]
        pub struct $name(u64);

        impl $name {
            /// The first one.
            pub const ZERO: Self = Self(0);

            /// Wraps a plain number.
            #[inline]
            pub const fn new(value: u64) -> Self {
                Self(value)
            }

            /// The plain number.
            #[inline]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The one `n` further on; stays at the largest one rather than wrap.
            #[inline]
            #[must_use]
            pub const fn plus(self, n: u64) -> Self {
                Self(self.0.saturating_add(n))
            }

            /// How far this one lies past `other`; 0 if it does not.
            #[inline]
            pub const fn since(self, other: Self) -> u64 {
                self.0.saturating_sub(other.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

distance! {
    /// The number of a record within its partition, dense from 0.
    Offset
}

distance! {
    /// A place in a segment's file, in bytes.
    Position
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
        pub struct $name($inner);

        impl $name {
            /// Wraps a plain number.
            #[inline]
            pub const fn new(value: $inner) -> Self {
                Self(value)
            }

            /// The plain number.
            #[inline]
            pub const fn get(self) -> $inner {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// Which reign of a partition's leader wrote a batch; grows with each change and each unclean start.
    #[derive(Default)]
    LeaderEpoch(u32)
}

number! {
    /// Who an idempotent producer is, as given by the broker.
    ProducerId(i64)
}

number! {
    /// Which incarnation of a producer id wrote a batch; a higher one fences the lower.
    ProducerEpoch(i16)
}

number! {
    /// The number of a record within what one producer sent to one partition.
    Sequence(i32)
}

impl ProducerId {
    /// What a producer without idempotence writes.
    pub const NONE: Self = Self(-1);

    /// Whether a producer stands behind this id.
    #[inline]
    pub const fn is_some(self) -> bool {
        self.0 >= 0
    }
}

impl Default for ProducerId {
    fn default() -> Self {
        Self::NONE
    }
}

impl ProducerEpoch {
    /// What a producer without idempotence writes.
    pub const NONE: Self = Self(-1);
}

impl Default for ProducerEpoch {
    fn default() -> Self {
        Self::NONE
    }
}

impl Sequence {
    /// What a producer without idempotence writes.
    pub const NONE: Self = Self(-1);
    /// Where every producer begins with a partition.
    pub const ZERO: Self = Self(0);

    /// The sequence `n` records further on. After 2^31-1 comes 0, as Kafka's clients count.
    #[inline]
    #[must_use]
    pub const fn plus(self, n: u32) -> Self {
        Self(((self.0 as i64 + n as i64) & 0x7fff_ffff) as i32)
    }
}

impl Default for Sequence {
    fn default() -> Self {
        Self::NONE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_saturate_instead_of_wrapping() {
        assert_eq!(Offset::new(u64::MAX - 1).plus(5), Offset::new(u64::MAX));
        assert_eq!(Offset::new(3).since(Offset::new(7)), 0);
        assert_eq!(Offset::new(7).since(Offset::new(3)), 4);
        assert_eq!(format!("{:>4}", Position::new(12)), "  12");
    }

    #[test]
    fn sequences_wrap_to_zero_as_kafka_does() {
        assert_eq!(Sequence::new(i32::MAX).plus(1), Sequence::ZERO);
        assert_eq!(Sequence::new(i32::MAX - 1).plus(3), Sequence::new(1));
        assert_eq!(Sequence::ZERO.plus(10), Sequence::new(10));
    }

    #[test]
    fn absent_producers_are_recognised() {
        assert!(!ProducerId::NONE.is_some());
        assert!(ProducerId::new(0).is_some());
        assert_eq!(ProducerId::default(), ProducerId::NONE);
    }
}
