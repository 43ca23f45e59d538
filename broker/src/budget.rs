//! One byte budget a broker: what its gateways hold, and what is written but not yet durable.

use std::sync::Arc;

use crate::Signal;
use crate::sync::{AtomicBool, AtomicU64, AtomicUsize, Mutex, Ordering, fence};

/// The broker's byte budget.
///
/// Gateways ask it before they read from a producer's socket; when it is spent they stop reading,
/// so that the producer feels it, and nothing is dropped. Taking what has already been received
/// never fails: the budget may be overdrawn by what was in flight, never by what was announced.
#[derive(Debug)]
pub struct Budget {
    held_max: u64,
    unsynced_max: u64,
    held: AtomicU64,
    unsynced: AtomicU64,
    /// Counts what stands in `queue`, so that giving back costs one load while nobody waits.
    waiting: AtomicUsize,
    queue: Mutex<Vec<Arc<Signal>>>,
    /// Somebody reads on though it is spent.
    overdrawn: AtomicBool,
}

impl Budget {
    pub(crate) fn new(held_max: u64, unsynced_max: u64) -> Arc<Budget> {
        Arc::new(Budget {
            held_max,
            unsynced_max,
            held: AtomicU64::new(0),
            unsynced: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            queue: Mutex::new(Vec::new()),
            overdrawn: AtomicBool::new(false),
        })
    }

    /// May a gateway read more from producers? When not, `signal` fires once there is room.
    pub fn admit(&self, signal: &Arc<Signal>) -> bool {
        if self.has_room() {
            return true;
        }
        let mut queue = self.queue.lock();
        if !queue.iter().any(|waiting| Arc::ptr_eq(waiting, signal)) {
            queue.push(Arc::clone(signal));
        }
        self.waiting.store(queue.len(), Ordering::SeqCst);
        // Room made between the first look and the registration has woken nobody: look again. The
        // fence goes with that in `wake`: whoever makes room sees us, or we see the room.
        fence(Ordering::SeqCst);
        self.has_room()
    }

    /// Lets one at a time read on though the budget is spent, until the guard is dropped: for frames
    /// that have begun. They hold what is spent, and give it back only once they are whole. Ask after
    /// [`Budget::admit`] has refused: its signal fires when this may be asked again.
    pub fn overdraw(self: &Arc<Budget>) -> Option<Overdraft> {
        let before = self.overdrawn.swap(true, Ordering::SeqCst);
        (!before).then(|| Overdraft(Arc::clone(self)))
    }

    /// Is there room now?
    pub fn has_room(&self) -> bool {
        self.held.load(Ordering::SeqCst) < self.held_max
            && self.unsynced.load(Ordering::SeqCst) < self.unsynced_max
    }

    /// Counts `bytes` as held until the returned guard is dropped.
    pub fn hold(self: &Arc<Budget>, bytes: u64) -> Held {
        self.held.fetch_add(bytes, Ordering::SeqCst);
        Held { budget: Arc::clone(self), bytes }
    }

    /// Bytes that gateways hold.
    pub fn held_bytes(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    /// What gateways may hold.
    pub fn held_max_bytes(&self) -> u64 {
        self.held_max
    }

    /// Bytes written to logs that no sync has covered yet.
    pub fn unsynced_bytes(&self) -> u64 {
        self.unsynced.load(Ordering::Relaxed)
    }

    pub(crate) fn wrote(&self, bytes: u64) {
        self.unsynced.fetch_add(bytes, Ordering::SeqCst);
    }

    pub(crate) fn synced(&self, bytes: u64) {
        self.unsynced.fetch_sub(bytes, Ordering::SeqCst);
        self.wake();
    }

    fn wake(&self) {
        fence(Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 && self.has_room() {
            self.wake_all();
        }
    }

    fn wake_all(&self) {
        let waiting = {
            let mut queue = self.queue.lock();
            self.waiting.store(0, Ordering::SeqCst);
            std::mem::take(&mut *queue)
        };
        for signal in waiting {
            signal.notify();
        }
    }
}

/// Bytes counted against the [`Budget`] until dropped.
#[derive(Debug)]
pub struct Held {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Held {
    /// How much is held.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Changes how much is held.
    pub fn resize(&mut self, bytes: u64) {
        if bytes > self.bytes {
            self.budget.held.fetch_add(bytes - self.bytes, Ordering::SeqCst);
        } else if bytes < self.bytes {
            self.budget.held.fetch_sub(self.bytes - bytes, Ordering::SeqCst);
            self.budget.wake();
        }
        self.bytes = bytes;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.resize(0);
    }
}

/// Leave to read on though the [`Budget`] is spent, until dropped.
#[derive(Debug)]
pub struct Overdraft(Arc<Budget>);

impl Drop for Overdraft {
    fn drop(&mut self) {
        self.0.overdrawn.store(false, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if self.0.waiting.load(Ordering::SeqCst) > 0 {
            // The next of those that are within a frame takes over.
            self.0.wake_all();
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_spent_budget_admits_nobody_until_something_is_given_back() {
        let budget = Budget::new(100, 100);
        let signal = Signal::new();
        let mut held = budget.hold(100);
        assert!(!budget.admit(&signal));
        held.resize(99);
        assert!(signal.take());
        assert!(budget.admit(&signal));
        drop(held);
        assert_eq!(budget.held_bytes(), 0);
    }

    #[test]
    fn one_at_a_time_reads_on_though_the_budget_is_spent() {
        let budget = Budget::new(100, 100);
        let _held = budget.hold(100);
        let signals = [Signal::new(), Signal::new()];
        assert!(signals.iter().all(|signal| !budget.admit(signal)));
        let overdraft = budget.overdraw().unwrap();
        assert!(budget.overdraw().is_none());
        drop(overdraft);
        assert!(signals.iter().all(|signal| signal.take()), "the others may try");
        assert!(budget.overdraw().is_some());
    }

    #[test]
    fn written_bytes_count_until_synced() {
        let budget = Budget::new(100, 100);
        let signal = Signal::new();
        budget.wrote(150);
        assert!(!budget.admit(&signal));
        budget.synced(100);
        assert!(signal.take());
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;

    #[test]
    fn loom_who_was_not_admitted_is_woken_by_room() {
        loom::model(|| {
            let budget = Budget::new(10, 10);
            let held = budget.hold(10);
            budget.wrote(10);
            let syncing = Arc::clone(&budget);
            let thread = loom::thread::spawn(move || {
                drop(held);
                syncing.synced(10);
            });
            let signal = Signal::new();
            while !budget.admit(&signal) {
                loom::future::block_on(signal.notified());
            }
            thread.join().unwrap();
        });
    }
}
