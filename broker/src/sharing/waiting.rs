//! Who waits for a share group's records to come free.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::Signal;
use crate::share::{ShareEvent, TopicPartition, What};

/// Those who wait for one partition.
type Waiters = Vec<(String, Weak<Signal>)>;

/// Signals to fire when records of a group's partition come free: one-shot. Who has gone away is
/// forgotten when the next one comes.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<HashMap<TopicPartition, Waiters>>);

impl Waiting {
    pub(super) fn register(&self, group: &str, partition: TopicPartition, signal: &Arc<Signal>) {
        let mut all = self.0.lock();
        let waiters = all.entry(partition).or_default();
        let mut there = false;
        waiters.retain(|(of, waiter)| {
            there |= of == group && std::ptr::eq(waiter.as_ptr(), Arc::as_ptr(signal));
            waiter.strong_count() > 0
        });
        if !there {
            waiters.push((group.to_owned(), Arc::downgrade(signal)));
        }
    }

    /// Something has become of records: who waits for them looks again.
    pub(super) fn wake(&self, events: &[ShareEvent]) {
        for event in events {
            match &event.what {
                What::Settled { partition, .. }
                | What::Started { partition, .. }
                | What::Truncated { partition, .. } => self.fire(&event.group, *partition),
                What::Forgotten { partitions } => {
                    partitions.iter().for_each(|partition| self.fire(&event.group, *partition));
                }
                _ => {}
            }
        }
    }

    fn fire(&self, group: &str, partition: TopicPartition) {
        let mut all = self.0.lock();
        let Some(waiters) = all.get_mut(&partition) else { return };
        waiters.retain(|(of, waiter)| {
            if of != group {
                return true;
            }
            if let Some(signal) = waiter.upgrade() {
                signal.notify();
            }
            false
        });
        if waiters.is_empty() {
            all.remove(&partition);
        }
    }
}
