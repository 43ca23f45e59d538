//! What one thread saw; merged once all are done.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

/// The part of a run that is measured.
#[derive(Copy, Clone, Debug)]
pub(super) struct Window {
    /// When the run began.
    pub(super) start_ns: u64,
    /// When measuring begins: the warm-up is over.
    pub(super) from_ns: u64,
    /// When it ends: no message is due from here on.
    pub(super) until_ns: u64,
}

impl Window {
    /// Whether a message that was due then counts.
    #[must_use]
    pub(super) fn holds(&self, due_ns: u64) -> bool {
        (self.from_ns..self.until_ns).contains(&due_ns)
    }
}

/// Counters and histograms of one thread.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    /// The part that is measured.
    pub(super) window: Window,
    /// Nanoseconds from when a message was due until it was acknowledged.
    pub(super) ack: Histogram<u64>,
    /// Nanoseconds from when a message was due until a consumer had it.
    pub(super) end_to_end: Histogram<u64>,
    /// Messages that were due within the window.
    pub(super) offered: u64,
    /// Of those, the ones that were acknowledged.
    pub(super) produced: u64,
    /// Messages due within the window that a consumer received.
    pub(super) consumed: u64,
    /// Acknowledgements over time, whatever they were for.
    pub(super) acknowledgements: Events,
    /// Arrivals at consumers over time, whenever the messages were due.
    pub(super) arrivals: Events,
    /// Messages of a backlog that were read beside the load, within the window.
    pub(super) drained: u64,
    /// Their values' bytes.
    pub(super) drained_bytes: u64,
    /// What went wrong, and how often.
    pub(super) errors: BTreeMap<String, u64>,
}

impl Recorder {
    /// An empty one.
    #[must_use]
    pub(super) fn new(window: Window) -> Recorder {
        let histogram = || {
            Histogram::new_with_bounds(1, 100_000_000_000, 3)
                .expect("the bounds are valid constants")
        };
        Recorder {
            window,
            ack: histogram(),
            end_to_end: histogram(),
            offered: 0,
            produced: 0,
            consumed: 0,
            acknowledgements: Events::default(),
            arrivals: Events::default(),
            drained: 0,
            drained_bytes: 0,
            errors: BTreeMap::new(),
        }
    }

    /// `count` messages, due at `due_ns`, were acknowledged at `now_ns`.
    pub(super) fn acknowledged(&mut self, due_ns: u64, now_ns: u64, count: u64) {
        if self.window.holds(due_ns) {
            self.produced += count;
            self.ack.saturating_record_n(now_ns.saturating_sub(due_ns).max(1), count);
        }
        self.acknowledgements.add(&self.window, now_ns, count);
    }

    /// A message that was due at `due_ns` reached a consumer at `now_ns`.
    pub(super) fn received(&mut self, due_ns: u64, now_ns: u64) {
        if self.window.holds(due_ns) {
            self.consumed += 1;
            self.end_to_end.saturating_record(now_ns.saturating_sub(due_ns).max(1));
        }
    }

    /// `count` messages arrived at `now_ns`, whenever they were due.
    pub(super) fn arrived(&mut self, now_ns: u64, count: u64) {
        self.arrivals.add(&self.window, now_ns, count);
    }

    /// `count` messages of a backlog were read at `now_ns`.
    pub(super) fn drained(&mut self, now_ns: u64, count: u64, bytes: u64) {
        if self.window.holds(now_ns) {
            self.drained += count;
            self.drained_bytes += bytes;
        }
    }

    /// Something went wrong, `count` times.
    pub(super) fn failed(&mut self, error: impl ToString, count: u64) {
        *self.errors.entry(error.to_string()).or_default() += count;
    }

    /// Adds what another thread saw.
    pub(super) fn merge(&mut self, other: &Recorder) {
        // Same bounds, so adding cannot fail.
        let _ = self.ack.add(&other.ack);
        let _ = self.end_to_end.add(&other.end_to_end);
        self.offered += other.offered;
        self.produced += other.produced;
        self.consumed += other.consumed;
        self.acknowledgements.merge(&other.acknowledgements);
        self.arrivals.merge(&other.arrivals);
        self.drained += other.drained;
        self.drained_bytes += other.drained_bytes;
        for (error, count) in &other.errors {
            *self.errors.entry(error.clone()).or_default() += count;
        }
    }
}

/// How many of something happened, and when.
#[derive(Clone, Debug, Default)]
pub(super) struct Events {
    /// In all.
    pub(super) total: u64,
    /// Within the window.
    pub(super) in_window: u64,
    /// When the last of those happened.
    pub(super) last_ns: u64,
    /// In each second since the start.
    pub(super) by_second: Vec<u64>,
}

impl Events {
    fn add(&mut self, window: &Window, now_ns: u64, count: u64) {
        /// Longer runs put the rest into the last second.
        const SECONDS_MAX: usize = 1 << 20;
        self.total += count;
        if window.holds(now_ns) {
            self.in_window += count;
            self.last_ns = self.last_ns.max(now_ns);
        }
        let second = now_ns.saturating_sub(window.start_ns) / 1_000_000_000;
        let second = usize::try_from(second).unwrap_or(usize::MAX).min(SECONDS_MAX);
        if second >= self.by_second.len() {
            self.by_second.resize(second + 1, 0);
        }
        self.by_second[second] += count;
    }

    fn merge(&mut self, other: &Events) {
        self.total += other.total;
        self.in_window += other.in_window;
        self.last_ns = self.last_ns.max(other.last_ns);
        self.by_second.resize(self.by_second.len().max(other.by_second.len()), 0);
        for (into, from) in self.by_second.iter_mut().zip(&other.by_second) {
            *into += from;
        }
    }

    /// How many a second, from the window's begin to the last within it.
    #[must_use]
    pub(super) fn per_second(&self, window: &Window) -> f64 {
        let seconds = self.last_ns.saturating_sub(window.from_ns) as f64 / 1e9;
        if seconds > 0.0 { self.in_window as f64 / seconds } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn only_what_was_due_in_the_window_counts() {
        let window = Window { start_ns: 0, from_ns: SECOND, until_ns: 2 * SECOND };
        let mut recorder = Recorder::new(window);
        recorder.acknowledged(SECOND - 1, SECOND + 5, 1);
        recorder.acknowledged(SECOND, SECOND + 500, 2);
        recorder.acknowledged(2 * SECOND - 1, 3 * SECOND, 1);
        recorder.acknowledged(2 * SECOND, 3 * SECOND, 1);
        assert_eq!((recorder.produced, recorder.ack.len()), (3, 3));
        assert_eq!(recorder.acknowledgements.by_second, [0, 3, 0, 2]);
        assert_eq!(recorder.acknowledgements.in_window, 3);
        let mut both = recorder.clone();
        both.merge(&recorder);
        assert_eq!((both.produced, both.ack.len()), (6, 6));
        assert_eq!(both.acknowledgements.by_second, [0, 6, 0, 4]);
    }
}
