//! When each message of an open loop is due.

use crate::time::whole;

/// The due times of one producer: evenly apart, and staggered among the producers.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Schedule {
    start_ns: u64,
    apart_ns: f64,
    phase_ns: f64,
}

impl Schedule {
    /// That of producer `index` of `producers`, which together are due `rate` messages a second.
    #[must_use]
    pub(crate) fn new(start_ns: u64, rate: f64, index: usize, producers: usize) -> Schedule {
        let all_apart_ns = 1e9 / rate;
        Schedule {
            start_ns,
            apart_ns: all_apart_ns * producers as f64,
            phase_ns: all_apart_ns * index as f64,
        }
    }

    /// When message `number` is due (the first is number 0).
    #[must_use]
    pub(crate) fn due_ns(&self, number: u64) -> u64 {
        self.start_ns + whole(self.phase_ns + number as f64 * self.apart_ns)
    }

    /// How many messages are due at `now_ns`, that moment included.
    #[must_use]
    pub(crate) fn due_by(&self, now_ns: u64) -> u64 {
        let since = now_ns.saturating_sub(self.start_ns) as f64 - self.phase_ns;
        if since < 0.0 { 0 } else { whole(since / self.apart_ns) + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn producers_take_turns() {
        let schedules: Vec<Schedule> =
            (0..4).map(|index| Schedule::new(1_000, 1e6, index, 4)).collect();
        assert_eq!(schedules[0].due_ns(0), 1_000);
        assert_eq!(schedules[3].due_ns(0), 4_000);
        assert_eq!(schedules[1].due_ns(2), 10_000);
    }

    #[test]
    fn a_message_counts_as_due_from_its_due_time_on() {
        let schedule = Schedule::new(1_000_000, 3e5, 1, 7);
        assert_eq!(schedule.due_by(0), 0);
        for number in [0, 1, 2, 1_000, 123_456] {
            let due_ns = schedule.due_ns(number);
            assert_eq!(schedule.due_by(due_ns + 2), number + 1);
            assert_eq!(schedule.due_by(due_ns - 2), number);
        }
    }
}
