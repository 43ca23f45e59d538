//! Which logs have been written to, and how soon they have to be synced.

use std::sync::Arc;

use crate::Signal;
use crate::sync::{AtomicBool, AtomicU64, Mutex, Ordering};

/// What can stand in the queue.
pub(crate) trait Queued {
    /// Whether it stands there.
    fn queued(&self) -> &AtomicBool;
}

/// What producers leave for the sync loop: each dirty log once, so that nobody has to look at all
/// of them, and never more entries than there are logs.
#[derive(Debug)]
pub(crate) struct SyncQueue<T> {
    dirty: Mutex<Vec<Arc<T>>>,
    bytes: AtomicU64,
    /// Somebody waits for durability.
    urgent: AtomicBool,
    /// From so many bytes on it is urgent even though nobody waits.
    bytes_max: u64,
    pub(crate) signal: Arc<Signal>,
}

impl<T: Queued> SyncQueue<T> {
    pub(crate) fn new(bytes_max: u64) -> SyncQueue<T> {
        SyncQueue {
            dirty: Mutex::new(Vec::new()),
            bytes: AtomicU64::new(0),
            urgent: AtomicBool::new(false),
            bytes_max,
            signal: Signal::new(),
        }
    }

    /// `log` was written to. With `urgent`, somebody waits for it.
    pub(crate) fn wrote(&self, log: &Arc<T>, bytes: u64, urgent: bool) {
        if !log.queued().swap(true, Ordering::SeqCst) {
            let mut dirty = self.dirty.lock();
            dirty.push(Arc::clone(log));
            let first = dirty.len() == 1;
            drop(dirty);
            if first && !urgent {
                // The loop has to learn of it once, to start its timer.
                self.signal.notify();
            }
        }
        let before = self.bytes.fetch_add(bytes, Ordering::SeqCst);
        if urgent || (before < self.bytes_max && before + bytes >= self.bytes_max) {
            self.urge();
        }
    }

    /// Somebody waits for what `log` holds.
    pub(crate) fn urge_for(&self, log: &T) {
        // Not in the queue: a flush that covers it is under way, or has been.
        if log.queued().load(Ordering::SeqCst) {
            self.urge();
        }
    }

    /// Sync at once, whatever is dirty.
    pub(crate) fn urge(&self) {
        if !self.urgent.swap(true, Ordering::SeqCst) {
            self.signal.notify();
        }
    }

    /// Takes the word that somebody waits. Take it before looking at the logs.
    pub(crate) fn take_urgent(&self) -> bool {
        self.urgent.swap(false, Ordering::SeqCst)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.dirty.lock().is_empty()
    }

    /// Takes the dirty logs, leaving the emptied `into` as the new queue so that no memory is
    /// allocated in the steady state.
    pub(crate) fn take(&self, into: &mut Vec<Arc<T>>) {
        into.clear();
        std::mem::swap(&mut *self.dirty.lock(), into);
        self.bytes.store(0, Ordering::SeqCst);
    }

    /// The dirty logs, left where they are.
    pub(crate) fn peek(&self) -> Vec<Arc<T>> {
        self.dirty.lock().clone()
    }
}

#[cfg(all(test, loom))]
mod loom_tests {
    use super::*;

    #[derive(Debug)]
    struct Log {
        queued: AtomicBool,
        written: AtomicU64,
    }

    impl Queued for Log {
        fn queued(&self) -> &AtomicBool {
            &self.queued
        }
    }

    #[test]
    fn loom_what_somebody_waits_for_is_synced() {
        loom::model(|| {
            let queue = Arc::new(SyncQueue::new(1000));
            let log = Arc::new(Log { queued: AtomicBool::new(false), written: AtomicU64::new(0) });
            let (to, writing) = (Arc::clone(&queue), Arc::clone(&log));
            let producer = loom::thread::spawn(move || {
                for urgent in [false, true] {
                    writing.written.fetch_add(1, Ordering::SeqCst);
                    to.wrote(&writing, 1, urgent);
                }
            });
            // As the sync loop does, with a timer that never fires.
            let (mut durable, mut round) = (0, Vec::new());
            while durable < 2 {
                if queue.take_urgent() && !queue.is_empty() {
                    queue.take(&mut round);
                    for log in round.drain(..) {
                        log.queued.store(false, Ordering::SeqCst);
                        durable = log.written.load(Ordering::SeqCst);
                    }
                } else {
                    loom::future::block_on(queue.signal.notified());
                }
            }
            producer.join().unwrap();
        });
    }
}
