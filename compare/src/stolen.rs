//! Time that the host of a virtual machine kept for itself: what no broker can help, and what a tail shows.

use std::fs;

/// The processors' time so far, in ticks, as `/proc/stat` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticks {
    stolen: u64,
    all: u64,
}

impl Ticks {
    /// Of this machine, since it was started; nothing where the system does not tell.
    pub(crate) fn now() -> Option<Ticks> {
        Ticks::of(&fs::read_to_string("/proc/stat").ok()?)
    }

    fn of(stat: &str) -> Option<Ticks> {
        let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let fields: Option<Vec<u64>> =
            line.split_ascii_whitespace().map(|field| field.parse().ok()).collect();
        // User, nice, system, idle, waiting for the disk, interrupts, soft interrupts, stolen; what
        // follows is part of the first two.
        let fields: [u64; 8] = fields?.get(..8)?.try_into().ok()?;
        Some(Ticks { stolen: fields[7], all: fields.iter().sum() })
    }

    /// What the host has taken since `before`, as a percentage of the time of all cores.
    pub(crate) fn stolen_since(self, before: Ticks) -> Option<f64> {
        let all = self.all.checked_sub(before.all).filter(|all| *all > 0)?;
        Some(self.stolen.saturating_sub(before.stolen) as f64 / all as f64 * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stolen_is_a_part_of_all_time() {
        let before = Ticks::of("cpu  100 0 50 800 20 0 10 20 7 0\ncpu0 1 1 1 1 1 1 1 1\n").unwrap();
        let after = Ticks::of("cpu  200 0 90 830 20 0 20 40 9 0\n").unwrap();
        assert_eq!(after.stolen_since(before), Some(10.0));
        assert_eq!(before.stolen_since(before), None);
    }

    #[test]
    fn a_system_that_does_not_tell_is_not_asked_again() {
        assert_eq!(Ticks::of("cpu  1 2 3\n"), None);
        assert_eq!(Ticks::of("nothing of the kind"), None);
    }
}
