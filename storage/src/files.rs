//! The open segments of a process: a bounded set, the least recently used goes first.
//!
//! An idle partition holds no descriptor and no mapping. A segment marks itself used with one
//! atomic store per read, so that the hot path takes no lock of this set; the clock algorithm
//! looks for one that was not used since the hand last passed.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::segment::Segment;

/// Bytes of index entries kept for segments that are no longer appended to.
const INDEX_BUDGET_BYTES: usize = 16 << 20;

/// The open segments, at most about `capacity` of them. Those that are being written or read right
/// now stay open whatever the capacity.
#[derive(Debug)]
pub struct OpenFiles {
    capacity: usize,
    ring: Mutex<Ring>,
    indexes: Mutex<Indexes>,
}

#[derive(Debug, Default)]
struct Ring {
    slots: Vec<Weak<Segment>>,
    hand: usize,
}

#[derive(Debug, Default)]
struct Indexes {
    queue: VecDeque<(Weak<Segment>, usize)>,
    bytes: usize,
}

impl OpenFiles {
    /// Keeps up to `capacity` segments open.
    pub fn new(capacity: usize) -> Arc<OpenFiles> {
        Arc::new(OpenFiles {
            capacity: capacity.max(1),
            ring: Mutex::default(),
            indexes: Mutex::default(),
        })
    }

    /// Takes half of the descriptors the process may have, and a quarter of its mappings.
    pub fn from_limits() -> Arc<OpenFiles> {
        let half = onrush_sys::process::descriptor_limit() / 2;
        let quarter = onrush_sys::process::mapping_limit() / 4;
        OpenFiles::new(usize::try_from(half.min(quarter)).unwrap_or(1024))
    }

    /// How many segments are open or remembered.
    pub fn len(&self) -> usize {
        self.ring.lock().slots.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes in a segment that just opened its file, and closes another one if there are too many.
    pub(crate) fn admit(&self, segment: &Arc<Segment>) {
        let mut ring = self.ring.lock();
        if ring.slots.len() == ring.slots.capacity() {
            ring.slots.retain(|slot| slot.strong_count() > 0);
            ring.hand = 0;
        }
        if ring.slots.len() >= self.capacity
            && let Some(slot) = ring.free_one()
        {
            ring.slots[slot] = Arc::downgrade(segment);
            return;
        }
        ring.slots.push(Arc::downgrade(segment));
    }

    /// Takes in a segment that just loaded `bytes` of index, and drops the oldest ones over budget.
    pub(crate) fn admit_index(&self, segment: &Arc<Segment>, bytes: usize) {
        let mut dropped = Vec::new();
        {
            let mut indexes = self.indexes.lock();
            indexes.queue.push_back((Arc::downgrade(segment), bytes));
            indexes.bytes += bytes;
            while indexes.bytes > INDEX_BUDGET_BYTES && indexes.queue.len() > 1 {
                let Some((oldest, size)) = indexes.queue.pop_front() else { break };
                indexes.bytes -= size;
                dropped.push(oldest);
            }
        }
        for segment in dropped.iter().filter_map(Weak::upgrade) {
            segment.drop_loaded_index();
        }
    }
}

impl Ring {
    /// The slot of a segment that is gone or could be closed.
    fn free_one(&mut self) -> Option<usize> {
        for _ in 0..self.slots.len() * 2 {
            let slot = self.hand % self.slots.len();
            self.hand = slot + 1;
            match self.slots[slot].upgrade() {
                None => return Some(slot),
                Some(segment) if segment.close_if_idle() => return Some(slot),
                Some(_) => {}
            }
        }
        None
    }
}
