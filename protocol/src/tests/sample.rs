//! Values of any message, made up from a string of bytes: so that proptest can shrink them, and a
//! new field needs no strategy of its own.

use onrush_record::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicId};
use smallvec::SmallVec;

use crate::error::{ErrorCode, WireError};
use crate::messages::offsets::OffsetSpec;
use crate::messages::topics::TopicRef;
use crate::wire::Maybe;

/// Where choices come from: the bytes, then the bytes again, a little changed on each lap. No bytes
/// at all make the least of everything, so that proptest has something to shrink to.
pub(crate) struct Source<'a> {
    bytes: &'a [u8],
    taken: usize,
}

impl<'a> Source<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, taken: 0 }
    }

    fn next(&mut self) -> u8 {
        if self.bytes.is_empty() {
            return 0;
        }
        let lap = self.taken / self.bytes.len();
        let byte = self.bytes[self.taken % self.bytes.len()];
        self.taken += 1;
        byte.wrapping_add(lap.wrapping_mul(0x9d).to_le_bytes()[0])
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next())
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::from(self.array::<1>()[0]) % bound
    }
}

/// A type of which a value can be made up.
pub(crate) trait Sample {
    fn sample(source: &mut Source<'_>) -> Self;
}

macro_rules! numbers {
    ($($ty:ty),+) => {$(
        impl Sample for $ty {
            fn sample(source: &mut Source<'_>) -> Self {
                match source.below(4) {
                    0 => 0,
                    1 => <$ty>::MAX,
                    2 => <$ty>::MIN,
                    _ => <$ty>::from_le_bytes(source.array()),
                }
            }
        }
    )+};
}

numbers!(u8, u16, u32, u64, i16, i32, i64);

impl Sample for bool {
    fn sample(source: &mut Source<'_>) -> Self {
        source.below(2) == 1
    }
}

impl Sample for String {
    fn sample(source: &mut Source<'_>) -> Self {
        let len = source.below(6);
        (0..len).map(|_| ['a', '.', 'é', '漢', '🦀', '\0'][source.below(6)]).collect()
    }
}

impl<T: Sample> Sample for Option<T> {
    fn sample(source: &mut Source<'_>) -> Self {
        bool::sample(source).then(|| T::sample(source))
    }
}

impl<T: Sample> Sample for Vec<T> {
    fn sample(source: &mut Source<'_>) -> Self {
        (0..source.below(4)).map(|_| T::sample(source)).collect()
    }
}

impl<T: Sample, const N: usize> Sample for SmallVec<[T; N]> {
    fn sample(source: &mut Source<'_>) -> Self {
        (0..source.below(7)).map(|_| T::sample(source)).collect()
    }
}

impl Sample for TopicId {
    fn sample(source: &mut Source<'_>) -> Self {
        TopicId::new(source.array())
    }
}

impl Sample for Offset {
    fn sample(source: &mut Source<'_>) -> Self {
        Offset::new(u64::sample(source) >> 1)
    }
}

impl Sample for LeaderEpoch {
    fn sample(source: &mut Source<'_>) -> Self {
        LeaderEpoch::new(u32::sample(source) >> 1)
    }
}

impl Sample for ProducerId {
    fn sample(source: &mut Source<'_>) -> Self {
        ProducerId::new(i64::sample(source))
    }
}

impl Sample for ProducerEpoch {
    fn sample(source: &mut Source<'_>) -> Self {
        ProducerEpoch::new(i16::sample(source))
    }
}

impl<T: Sample> Sample for Maybe<T> {
    fn sample(source: &mut Source<'_>) -> Self {
        Self(Option::sample(source))
    }
}

impl Sample for WireError {
    fn sample(source: &mut Source<'_>) -> Self {
        WireError {
            code: ErrorCode(u16::sample(source).max(1)),
            message: String::sample(source),
            retry_after_ms: u32::sample(source),
            detail: i64::sample(source),
        }
    }
}

impl Sample for OffsetSpec {
    fn sample(source: &mut Source<'_>) -> Self {
        match source.below(5) {
            0 => Self::Earliest,
            1 => Self::Latest,
            2 => Self::MaxTimestamp,
            3 => Self::LastStable,
            _ => Self::Timestamp(i64::sample(source)),
        }
    }
}

impl Sample for TopicRef {
    fn sample(source: &mut Source<'_>) -> Self {
        match source.below(2) {
            0 => Self::Name(String::sample(source)),
            _ => Self::Id(TopicId::sample(source)),
        }
    }
}
