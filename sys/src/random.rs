//! Random numbers, as something that a test can fix.

use std::sync::atomic::{AtomicU64, Ordering};

/// Where random numbers come from.
pub trait Random: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, bytes: &mut [u8]);

    /// Any number.
    fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    /// A number below `bound`, or 0 if that is 0; as good as even for bounds far below 2^64.
    fn below(&self, bound: u64) -> u64 {
        let wide = u128::from(self.next_u64()) * u128::from(bound);
        (wide >> 64) as u64
    }
}

/// The operating system's, fit for secrets.
#[derive(Copy, Clone, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("every supported system has a source of random numbers");
    }
}

/// The same numbers for the same seed (SplitMix64); not for secrets.
#[derive(Debug)]
pub struct SeededRandom(AtomicU64);

impl SeededRandom {
    /// Starts the sequence of this seed.
    pub fn new(seed: u64) -> SeededRandom {
        SeededRandom(AtomicU64::new(seed))
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next_u64().to_le_bytes()[..chunk.len()]);
        }
    }

    fn next_u64(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_known_sequence() {
        // The reference values of SplitMix64 for seed 1234567.
        let random = SeededRandom::new(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
        let mut bytes = [0; 11];
        SeededRandom::new(1_234_567).fill(&mut bytes);
        assert_eq!(bytes[..8], 6_457_827_717_110_365_317u64.to_le_bytes());
        assert_eq!(bytes[8..], 3_203_168_211_198_807_973u64.to_le_bytes()[..3]);
    }

    #[test]
    fn below_stays_below() {
        let random = SeededRandom::new(1);
        assert_eq!(random.below(0), 0);
        let mut seen = [false; 5];
        for _ in 0..200 {
            let n = usize::try_from(random.below(5)).expect("small");
            seen[n] = true;
        }
        assert_eq!(seen, [true; 5]);
    }

    #[test]
    fn the_systems_numbers_differ() {
        assert_ne!(SystemRandom.next_u64(), SystemRandom.next_u64());
    }
}
