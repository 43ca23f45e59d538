//! Nanoseconds since the epoch that never step back: comparable between processes, exact within one.

use onrush_sys::{Clock, SystemClock};

/// A monotonic clock whose zero is the epoch, as the wall clock had it when it was made.
#[derive(Copy, Clone, Debug)]
pub struct Timeline {
    epoch_offset_ns: u64,
}

impl Timeline {
    /// One that starts from the wall clock's word.
    #[must_use]
    pub fn new() -> Timeline {
        let wall_ns = u64::try_from(SystemClock.now_ms()).unwrap_or(0).saturating_mul(1_000_000);
        Timeline { epoch_offset_ns: wall_ns.saturating_sub(monotonic_ns()) }
    }

    /// Now.
    #[must_use]
    pub fn now_ns(self) -> u64 {
        self.epoch_offset_ns + monotonic_ns()
    }
}

impl Default for Timeline {
    fn default() -> Timeline {
        Timeline::new()
    }
}

fn monotonic_ns() -> u64 {
    let now = SystemClock.monotonic();
    // 64 bits of nanoseconds last for 584 years.
    now.as_secs() * 1_000_000_000 + u64::from(now.subsec_nanos())
}

/// The whole part of a figure that is neither negative nor near 2⁶⁴.
#[must_use]
#[allow(clippy::cast_possible_truncation, reason = "casts saturate, and cutting is its job")]
pub fn whole(value: f64) -> u64 {
    value as u64
}
