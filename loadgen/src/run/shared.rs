//! What the threads of a run tell each other: a few counters, nothing per message.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Totals since the start, warm-up included.
#[derive(Debug, Default)]
pub(super) struct Shared {
    sent: AtomicU64,
    acknowledged: AtomicU64,
    failed: AtomicU64,
    consumed: AtomicU64,
    producers_done: AtomicU64,
    stop: AtomicBool,
}

/// The totals at one moment.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Handed to producers.
    pub(super) sent: u64,
    /// Acknowledged.
    pub(super) acknowledged: u64,
    /// Refused, or of unknown outcome.
    pub(super) failed: u64,
    /// Received by consumers.
    pub(super) consumed: u64,
    /// Producers that have sent all and heard of all.
    pub(super) producers_done: u64,
}

impl Shared {
    pub(super) fn add_sent(&self, count: u64) {
        add(&self.sent, count);
    }

    pub(super) fn add_acknowledged(&self, count: u64) {
        add(&self.acknowledged, count);
    }

    pub(super) fn add_failed(&self, count: u64) {
        add(&self.failed, count);
    }

    pub(super) fn add_consumed(&self, count: u64) {
        add(&self.consumed, count);
    }

    pub(super) fn producer_is_done(&self) {
        add(&self.producers_done, 1);
    }

    /// Tells consumers to end.
    pub(super) fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// The totals now. They are for progress and for the end; nothing is ordered by them.
    pub(super) fn totals(&self) -> Totals {
        Totals {
            sent: self.sent.load(Relaxed),
            acknowledged: self.acknowledged.load(Relaxed),
            failed: self.failed.load(Relaxed),
            consumed: self.consumed.load(Relaxed),
            producers_done: self.producers_done.load(Relaxed),
        }
    }
}

fn add(counter: &AtomicU64, count: u64) {
    if count > 0 {
        counter.fetch_add(count, Relaxed);
    }
}
