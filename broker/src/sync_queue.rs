//! Which logs have been written to, and how soon they have to be synced.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::Signal;
use crate::shared_log::SharedLog;

/// What producers leave for the sync loop: each dirty log once, so that nobody has to look at all
/// of them, and never more entries than there are logs.
#[derive(Debug)]
pub(crate) struct SyncQueue {
    dirty: Mutex<Vec<Arc<SharedLog>>>,
    bytes: AtomicU64,
    /// Somebody waits for durability.
    urgent: AtomicBool,
    /// From so many bytes on it is urgent even though nobody waits.
    bytes_max: u64,
    pub(crate) signal: Arc<Signal>,
}

impl SyncQueue {
    pub(crate) fn new(bytes_max: u64) -> SyncQueue {
        SyncQueue {
            dirty: Mutex::new(Vec::new()),
            bytes: AtomicU64::new(0),
            urgent: AtomicBool::new(false),
            bytes_max,
            signal: Signal::new(),
        }
    }

    /// `log` was written to. With `urgent`, somebody waits for it.
    pub(crate) fn wrote(&self, log: &Arc<SharedLog>, bytes: u64, urgent: bool) {
        if !log.dirty.swap(true, Ordering::SeqCst) {
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
    pub(crate) fn urge_for(&self, log: &SharedLog) {
        // Not in the queue: a flush that covers it is under way, or has been.
        if log.dirty.load(Ordering::SeqCst) {
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
    pub(crate) fn take(&self, into: &mut Vec<Arc<SharedLog>>) {
        into.clear();
        std::mem::swap(&mut *self.dirty.lock(), into);
        self.bytes.store(0, Ordering::SeqCst);
    }

    /// The dirty logs, left where they are.
    pub(crate) fn peek(&self) -> Vec<Arc<SharedLog>> {
        self.dirty.lock().clone()
    }
}
