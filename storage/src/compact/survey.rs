//! Which transactions were aborted: known only from the marks that end them, so that these are looked
//! for before any record is judged.

use std::collections::HashMap;

use onrush_record::batch::{BatchHeader, BatchRef, Marker};
use onrush_record::{Offset, ProducerId};

/// What a control batch says of its producer's transaction.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(super) enum End {
    Abort,
    Commit,
}

/// Reads a control batch; none if it is no end of a transaction.
pub(super) fn end_of(batch: &BatchRef<'_>) -> Option<End> {
    let marker = Marker::parse(batch.bytes())?;
    Some(if marker.commits { End::Commit } else { End::Abort })
}

/// The transactions of a part of the log.
#[derive(Debug)]
pub(super) struct Survey {
    /// Where those began that have no end yet.
    open: HashMap<ProducerId, Offset>,
    /// From where up to which mark; each producer's in order.
    aborted: HashMap<ProducerId, Vec<(Offset, Offset)>>,
    count: usize,
    most: usize,
}

impl Survey {
    /// One that remembers at most so many transactions.
    pub(super) fn new(most: usize) -> Survey {
        Survey { open: HashMap::new(), aborted: HashMap::new(), count: 0, most: most.max(1) }
    }

    /// Takes in a batch that begins a transaction, goes on with it or ends it; `end` is what a control
    /// batch says. False if that is one transaction too many.
    pub(super) fn note(&mut self, header: &BatchHeader, end: Option<End>) -> bool {
        let producer = header.producer_id;
        if header.attributes.is_control() {
            let Some(end) = end else { return true };
            let Some(first) = self.open.remove(&producer) else { return true };
            match end {
                End::Commit => self.count -= 1,
                End::Abort => {
                    let range = (first, header.base_offset);
                    self.aborted.entry(producer).or_default().push(range);
                }
            }
            return true;
        }
        if !header.attributes.is_transactional() || self.open.contains_key(&producer) {
            return true;
        }
        if self.count >= self.most {
            return false;
        }
        self.count += 1;
        self.open.insert(producer, header.base_offset);
        true
    }

    /// The beginning of the earliest transaction whose end was not found.
    pub(super) fn first_open(&self) -> Option<Offset> {
        self.open.values().min().copied()
    }

    /// Whether the records of this batch do not count.
    pub(super) fn is_aborted(&self, header: &BatchHeader) -> bool {
        if !header.attributes.is_transactional() || header.attributes.is_control() {
            return false;
        }
        let Some(ranges) = self.aborted.get(&header.producer_id) else { return false };
        let after = ranges.partition_point(|(first, _)| *first <= header.base_offset);
        after.checked_sub(1).is_some_and(|at| header.base_offset < ranges[at].1)
    }
}
