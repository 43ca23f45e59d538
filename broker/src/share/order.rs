//! Order by key: of the records with one key, only the first that is not settled may be acquired.
//!
//! One at a time, not several to one member: if it accepted the second and released the first, the
//! first would come after the second. What is kept of a key is a hash; two keys that share one hold
//! each other back now and then, and nothing worse.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hasher;

/// The keys of the records in a window that are not settled.
#[derive(Clone, Debug, Default)]
pub(crate) struct KeyOrder {
    /// The keys of all records of the window before this are known.
    known: u64,
    /// By offset; None for a record without a key, which nothing holds back.
    keys: BTreeMap<u64, Option<u64>>,
    /// The offsets of each key.
    queues: HashMap<u64, BTreeSet<u64>>,
    /// What may be acquired now.
    ready: BTreeSet<u64>,
}

/// What is kept of a record's key.
pub(crate) fn hash(key: &[u8]) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    hasher.write(key);
    hasher.finish()
}

impl KeyOrder {
    /// Nothing is known of a window that begins here.
    pub(crate) fn new(start: u64) -> KeyOrder {
        KeyOrder { known: start, ..KeyOrder::default() }
    }

    pub(crate) fn known(&self) -> u64 {
        self.known
    }

    /// The first record from `from` on that may be acquired.
    pub(crate) fn next_ready(&self, from: u64) -> Option<u64> {
        self.ready.range(from..).next().copied()
    }

    /// Learns of a record that is not settled; they come in order.
    pub(crate) fn learn(&mut self, offset: u64, key: Option<u64>, available: bool) {
        self.keys.insert(offset, key);
        let first = match key {
            Some(key) => {
                let queue = self.queues.entry(key).or_default();
                queue.insert(offset);
                queue.first() == Some(&offset)
            }
            None => true,
        };
        if first && available {
            self.ready.insert(offset);
        }
    }

    /// The keys of all records before `offset` are known now.
    pub(crate) fn learnt(&mut self, offset: u64) {
        self.known = self.known.max(offset);
    }

    /// A member has it now.
    pub(crate) fn acquired(&mut self, offset: u64) {
        self.ready.remove(&offset);
    }

    /// No member has these any longer.
    pub(crate) fn released(&mut self, first: u64, end: u64) {
        for (&offset, key) in self.keys.range(first..end) {
            let heads = |key: &u64| {
                self.queues.get(key).is_some_and(|queue| queue.first() == Some(&offset))
            };
            if key.as_ref().is_none_or(heads) {
                self.ready.insert(offset);
            }
        }
    }

    /// These are settled: what they held back may flow, if it is `available`.
    pub(crate) fn settled(&mut self, first: u64, end: u64, available: impl Fn(u64) -> bool) {
        let offsets: Vec<u64> = self.keys.range(first..end).map(|(&offset, _)| offset).collect();
        for offset in offsets {
            self.ready.remove(&offset);
            let Some(Some(key)) = self.keys.remove(&offset) else { continue };
            let Some(queue) = self.queues.get_mut(&key) else { continue };
            queue.remove(&offset);
            match queue.first() {
                Some(&next) if available(next) => {
                    self.ready.insert(next);
                }
                Some(_) => {}
                None => {
                    self.queues.remove(&key);
                }
            }
        }
    }

    /// The records from `end` on are gone.
    pub(crate) fn truncate(&mut self, end: u64) {
        self.settled(end, u64::MAX, |_| false);
        self.known = self.known.min(end);
    }
}
