//! One byte budget a broker: what its gateways hold, and what is written but not yet durable.

use std::sync::Arc;

use crate::Signal;
use crate::sync::{AtomicU64, AtomicUsize, Mutex, Ordering, fence};

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
        if self.waiting.load(Ordering::SeqCst) == 0 || !self.has_room() {
            return;
        }
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
