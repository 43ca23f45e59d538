//! What holds for every message and version, and the two hot forms against the plain ones.

mod hot;
mod round_trip;
mod strict;

/// xorshift64*: all the randomness these tests need, the same on every machine.
pub(crate) struct Dice {
    state: u64,
    /// Array elements that may still be made, so that nested arrays do not explode.
    elements: usize,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            elements: if cfg!(miri) { 8 } else { 200 },
        }
    }

    fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).expect("a bound fits");
        usize::try_from((self.next() >> 16) % bound).expect("less than the bound")
    }

    /// A length below `usual`, now and then one below `long`: lengths in more bytes than one.
    pub(crate) fn length(&mut self, usual: usize, long: usize) -> usize {
        let bound = if self.below(24) == 0 { long } else { usual };
        self.below(bound)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.next().to_be_bytes()[0])
    }

    /// As many elements as are wanted and left.
    pub(crate) fn afford(&mut self, wanted: usize) -> usize {
        let count = wanted.min(self.elements);
        self.elements -= count;
        count
    }
}
