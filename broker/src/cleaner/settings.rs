//! How the cleaner works, for all topics.

use std::time::Duration;

/// How compaction goes about its work.
#[derive(Clone, Debug)]
pub struct CleanerSettings {
    /// Whether compacted topics are cleaned at all.
    pub enabled: bool,
    /// How often to look for logs to clean while there are none.
    pub interval: Duration,
    /// The most memory that the map of a log's keys may take; what does not fit is cleaned later.
    pub map_bytes: usize,
    /// Bytes read and written in a second, at most; 0: as many as it can.
    pub bytes_per_second: u64,
    /// Bytes read and written at a time, between the I/O loop's other work.
    pub step_bytes: u64,
    /// Most that a batch's records may decompress to; one of more is left as it is.
    pub batch_bytes_max: usize,
}

impl Default for CleanerSettings {
    fn default() -> CleanerSettings {
        CleanerSettings {
            enabled: true,
            interval: Duration::from_secs(15),
            map_bytes: 128 << 20,
            bytes_per_second: 32 << 20,
            step_bytes: 256 << 10,
            batch_bytes_max: 64 << 20,
        }
    }
}

impl CleanerSettings {
    /// How long to wait after so many bytes were read and written.
    pub(super) fn pause_after(&self, bytes: u64) -> Duration {
        if self.bytes_per_second == 0 {
            return Duration::ZERO;
        }
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_holds_the_rate() {
        let settings = CleanerSettings { bytes_per_second: 1 << 20, ..CleanerSettings::default() };
        assert_eq!(settings.pause_after(1 << 19), Duration::from_millis(500));
        let unbound = CleanerSettings { bytes_per_second: 0, ..settings };
        assert_eq!(unbound.pause_after(u64::MAX), Duration::ZERO);
    }
}
