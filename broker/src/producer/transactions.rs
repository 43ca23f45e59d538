//! Which transactions of a partition are open, and which were aborted.

use std::collections::{BTreeSet, HashSet, VecDeque};

use onrush_record::{Offset, ProducerId};

/// A transaction none of whose records counts: from its first offset up to the marker that ends it,
/// a reader skips what this producer wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose it was.
    pub producer: ProducerId,
    /// Its first record.
    pub first_offset: Offset,
}

/// One entry of the index of aborted transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Aborted {
    pub(super) producer: ProducerId,
    pub(super) first: Offset,
    /// Its marker.
    pub(super) last: Offset,
    /// The last stable offset right after the marker: no later entry begins below it.
    pub(super) last_stable: Offset,
}

/// A transaction whose marker may not be durable yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ended {
    producer: ProducerId,
    first: Offset,
    marker: Offset,
}

/// The transactions of one partition.
#[derive(Clone, Debug, Default)]
pub(super) struct Transactions {
    /// First offsets of those that are open.
    open: BTreeSet<Offset>,
    /// In order of their markers.
    aborted: VecDeque<Aborted>,
    /// In order of their markers. A crash or a failed sync may take these markers back, so their
    /// transactions do not count as ended yet.
    ended: VecDeque<Ended>,
    /// Whose open transaction is no longer whole. It can only be aborted.
    lost: HashSet<ProducerId>,
}

impl Transactions {
    pub(super) fn begun(&mut self, first: Offset) {
        self.open.insert(first);
    }

    pub(super) fn not_begun(&mut self, first: Offset) {
        self.open.remove(&first);
    }

    pub(super) fn ended(
        &mut self,
        producer: ProducerId,
        first: Offset,
        marker: Offset,
        commits: bool,
    ) {
        self.open.remove(&first);
        self.lost.remove(&producer);
        self.ended.push_back(Ended { producer, first, marker });
        if !commits {
            let last_stable = self.open.first().copied().unwrap_or(marker.plus(1));
            self.aborted.push_back(Aborted { producer, first, last: marker, last_stable });
        }
    }

    pub(super) fn first_unstable(&self) -> Option<Offset> {
        let ended = self.ended.iter().map(|ended| ended.first);
        self.open.first().copied().into_iter().chain(ended).min()
    }

    pub(super) fn settle(&mut self, durable: Offset) -> bool {
        let before = self.ended.len();
        while self.ended.front().is_some_and(|ended| ended.marker < durable) {
            self.ended.pop_front();
        }
        self.ended.len() != before
    }

    pub(super) fn has_lost(&self, producer: ProducerId) -> bool {
        self.lost.contains(&producer)
    }

    pub(super) fn aborted(&self, from: Offset, to: Offset) -> Vec<AbortedTransaction> {
        let begin = self.aborted.partition_point(|aborted| aborted.last < from);
        let mut found = Vec::new();
        for aborted in self.aborted.range(begin..) {
            if aborted.first < to {
                let Aborted { producer, first: first_offset, .. } = *aborted;
                found.push(AbortedTransaction { producer, first_offset });
            }
            if aborted.last_stable >= to {
                break;
            }
        }
        found
    }

    pub(super) fn trim(&mut self, start: Offset) {
        while self.aborted.front().is_some_and(|aborted| aborted.last < start) {
            self.aborted.pop_front();
        }
    }

    /// Those with these markers, which are in order.
    pub(super) fn forget_aborted(&mut self, markers: &[Offset]) {
        self.aborted.retain(|aborted| markers.binary_search(&aborted.last).is_err());
    }

    pub(super) fn is_blank(&self) -> bool {
        self.open.is_empty()
            && self.aborted.is_empty()
            && self.ended.is_empty()
            && self.lost.is_empty()
    }

    /// Takes back the ends whose markers lie at `end` or later; gives those that began before.
    pub(super) fn reopen_from(&mut self, end: Offset) -> Vec<(ProducerId, Offset)> {
        let kept = self.ended.partition_point(|ended| ended.marker < end);
        let taken_back = self.ended.split_off(kept);
        self.aborted.retain(|aborted| aborted.last < end);
        let reopened: Vec<_> = taken_back
            .into_iter()
            .filter(|ended| ended.first < end)
            .map(|ended| (ended.producer, ended.first))
            .collect();
        self.open.extend(reopened.iter().map(|(_, first)| *first));
        reopened
    }

    /// The log lost records of this producer's open transaction.
    pub(super) fn lost(&mut self, producer: ProducerId) {
        self.lost.insert(producer);
    }

    /// Transactions that began at `end` or later never did.
    pub(super) fn forget_open_from(&mut self, end: Offset) {
        self.open.retain(|first| *first < end);
    }

    pub(super) fn index(&self) -> &VecDeque<Aborted> {
        &self.aborted
    }

    /// What recovery found in a checkpoint.
    pub(super) fn restored(
        open: impl Iterator<Item = Offset>,
        aborted: VecDeque<Aborted>,
    ) -> Transactions {
        Transactions { open: open.collect(), aborted, ..Transactions::default() }
    }
}
