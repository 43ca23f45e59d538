//! The randomness of a run, all of it from one number.

use std::hash::{BuildHasher as _, RandomState};

/// What a whole run follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// That of `ONRUSH_SEED`, else a new one; printed with the name of the run.
    #[must_use]
    pub fn take(run: &str) -> Seed {
        let asked = std::env::var("ONRUSH_SEED").ok().and_then(|text| text.parse().ok());
        let seed = asked.unwrap_or_else(|| RandomState::new().hash_one(run));
        println!("{run}: ONRUSH_SEED={seed}");
        Seed(seed)
    }

    /// The dice of one part of the run: the same whatever the other parts do.
    #[must_use]
    pub fn dice(self, part: u64) -> Dice {
        Dice((self.0 ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1)
    }
}

/// xorshift64*: the same on every machine.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`; 0 where there is none.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 16).map_or(0, |number| number % bound.max(1))
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }

    /// One of several.
    ///
    /// # Panics
    /// When there are none.
    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}
