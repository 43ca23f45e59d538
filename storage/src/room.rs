//! How much room is made ahead of the appends, and of which kind.
//!
//! Writing into room that is only reserved makes each sync change extents, which file systems leave to
//! worker threads: a sync then takes half as long again, and waits for a core where all are busy
//! (docs/performance.md). So a log is given zeros that are written; one that fills too quickly
//! for everything to be written twice is given reserved room, in large steps.

use std::time::Duration;

use crate::config::LogConfig;

/// From so many bytes a second on, room is only reserved.
const FAST: u64 = 32 << 20;
/// The most that is written as zeros in one go: a sync that comes meanwhile takes it along.
const ZEROS_MAX: u64 = 512 << 10;
/// The least that is reserved in one go.
const RESERVE_MIN: u64 = 16 << 20;
/// The speed is taken over so much time, or so many bytes if they come sooner.
const WINDOW: Duration = Duration::from_millis(250);
const WINDOW_BYTES: u64 = 4 << 20;

/// Room to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// So many bytes of zeros, written where the file ends.
    Zeros(u64),
    /// So many bytes, reserved.
    Reserve(u64),
}

impl Room {
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Room::Zeros(bytes) | Room::Reserve(bytes) => bytes,
        }
    }
}

/// How quickly the active segment fills.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    since: Duration,
    position: u64,
    per_second: u64,
}

impl Pace {
    /// The segment has come to `position` by now.
    pub(crate) fn note(&mut self, now: Duration, position: u64) {
        let elapsed = now.saturating_sub(self.since);
        let bytes = position.saturating_sub(self.position);
        if elapsed.is_zero() || (elapsed < WINDOW && bytes < WINDOW_BYTES) {
            return;
        }
        let per_second = u128::from(bytes) * 1_000_000_000 / elapsed.as_nanos();
        *self = Pace {
            since: now,
            position,
            per_second: u64::try_from(per_second).unwrap_or(u64::MAX),
        };
    }

    /// Another segment has begun.
    pub(crate) fn rolled(&mut self) {
        self.position = 0;
    }

    /// The next step for a segment that has come to `position`.
    pub(crate) fn room(&self, position: u64, cfg: &LogConfig) -> Room {
        let max = cfg.preallocate_max_bytes;
        if self.per_second >= FAST && max >= RESERVE_MIN {
            return Room::Reserve((self.per_second / 4).clamp(RESERVE_MIN, max));
        }
        let wanted = match self.per_second {
            0 => position,
            speed => speed.saturating_mul(2),
        };
        Room::Zeros(wanted.min(ZEROS_MAX).max(cfg.preallocate_min_bytes).min(max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_slow_log_gets_zeros_and_a_fast_one_large_steps() {
        let cfg = LogConfig::default();
        let mut pace = Pace::default();
        assert_eq!(pace.room(1, &cfg), Room::Zeros(cfg.preallocate_min_bytes));
        assert_eq!(pace.room(100 << 10, &cfg), Room::Zeros(100 << 10));
        pace.note(at(1_000), 0);
        pace.note(at(2_000), 20_000);
        assert_eq!(pace.room(20_000, &cfg), Room::Zeros(40_000));
        pace.note(at(2_010), 10_020_000);
        assert_eq!(pace.room(10_020_000, &cfg), Room::Reserve(250_000_000));
        pace.rolled();
        pace.note(at(3_010), 1_000_000);
        assert_eq!(pace.room(1_000_000, &cfg), Room::Zeros(ZEROS_MAX));
        pace.note(at(4_010), 41_000_000);
        assert_eq!(pace.room(41_000_000, &cfg), Room::Reserve(RESERVE_MIN));
    }

    #[test]
    fn none_is_made_when_it_is_turned_off() {
        let cfg = LogConfig { preallocate_max_bytes: 0, ..LogConfig::default() };
        assert_eq!(Pace::default().room(1 << 20, &cfg), Room::Zeros(0));
    }
}
