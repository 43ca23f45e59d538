//! What is known of each record of a share partition's window, kept as ranges.
//!
//! The ranges cover the window without a gap and without overlap; equal neighbours are one. A
//! thousand records that share a fate cost as much as one. Offsets are plain numbers in here, and
//! every end is exclusive.

use std::collections::BTreeMap;
use std::sync::Arc;

/// What may happen to a record next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RecordState {
    /// Any member may acquire it.
    Available,
    /// A member works on it, until its lock times out.
    Acquired {
        /// Who.
        member: Arc<str>,
        /// When the lock times out.
        due_ms: i64,
    },
    /// Settled: it was dealt with.
    Acknowledged,
    /// Settled: it was rejected, or tried too often, or there is no such record.
    Archived,
}

impl RecordState {
    pub(crate) fn is_settled(&self) -> bool {
        matches!(self, RecordState::Acknowledged | RecordState::Archived)
    }
}

/// One run of records that share a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) first: u64,
    pub(crate) end: u64,
    pub(crate) state: RecordState,
    /// How often they were handed out.
    pub(crate) deliveries: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Range {
    end: u64,
    state: RecordState,
    deliveries: u16,
}

/// The window: every record before its start is settled, every one from its end on is untouched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ranges {
    start: u64,
    end: u64,
    map: BTreeMap<u64, Range>,
}

impl Ranges {
    /// An empty window.
    pub(crate) fn new(start: u64) -> Ranges {
        Ranges { start, end: start, map: BTreeMap::new() }
    }

    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Records the window spans.
    pub(crate) fn span(&self) -> u64 {
        self.end - self.start
    }

    /// The pieces of the window that lie between two offsets, cut to them, in order.
    pub(crate) fn pieces(&self, from: u64, end: u64) -> impl Iterator<Item = Piece> {
        let begin = self.map.range(..=from).next_back().map_or(from, |(first, _)| *first);
        let found = self.map.range(begin..end.max(begin));
        found.filter(move |(_, range)| range.end > from).map(move |(&first, range)| Piece {
            first: first.max(from),
            end: range.end.min(end),
            state: range.state.clone(),
            deliveries: range.deliveries,
        })
    }

    /// All of the window.
    pub(crate) fn all(&self) -> impl Iterator<Item = Piece> {
        self.pieces(self.start, self.end)
    }

    /// Whether anybody may acquire the record.
    pub(crate) fn is_available(&self, offset: u64) -> bool {
        let found = self.map.range(..=offset).next_back();
        found.is_some_and(|(_, range)| range.end > offset && range.state == RecordState::Available)
    }

    /// The first piece at or after `from` that anybody may acquire.
    pub(crate) fn next_available(&self, from: u64) -> Option<Piece> {
        self.pieces(from, self.end).find(|piece| piece.state == RecordState::Available)
    }

    /// Takes in records up to `end`, all available.
    pub(crate) fn extend(&mut self, end: u64) {
        if end > self.end {
            let from = self.end;
            self.end = end;
            self.map.insert(from, Range { end, state: RecordState::Available, deliveries: 0 });
            self.merge(from, end);
        }
    }

    /// Says what is so of the records of a piece; what of it lies outside the window is left out.
    pub(crate) fn set(&mut self, piece: &Piece) {
        let (first, end) = (piece.first.max(self.start), piece.end.min(self.end));
        if first >= end {
            return;
        }
        self.split(first);
        self.split(end);
        let inside: Vec<u64> = self.map.range(first..end).map(|(&first, _)| first).collect();
        for at in inside {
            self.map.remove(&at);
        }
        let range = Range { end, state: piece.state.clone(), deliveries: piece.deliveries };
        self.map.insert(first, range);
        self.merge(first, end);
    }

    /// Moves the start up over what is settled; true if it has moved.
    pub(crate) fn settle(&mut self) -> bool {
        let before = self.start;
        while let Some(first) = self.map.first_entry()
            && first.get().state.is_settled()
        {
            self.start = first.remove().end;
        }
        self.start != before
    }

    /// Forgets everything before `start`.
    pub(crate) fn trim(&mut self, start: u64) {
        if start <= self.start {
            return;
        }
        self.split(start);
        self.map = self.map.split_off(&start);
        self.start = start;
        self.end = self.end.max(start);
        self.settle();
    }

    /// Forgets everything from `end` on.
    pub(crate) fn truncate(&mut self, end: u64) {
        if end >= self.end {
            return;
        }
        self.split(end);
        self.map.split_off(&end);
        self.end = end;
        self.start = self.start.min(end);
    }

    /// Makes `at` a boundary.
    fn split(&mut self, at: u64) {
        let Some((_, range)) = self.map.range_mut(..at).next_back() else { return };
        if range.end > at {
            let after = range.clone();
            range.end = at;
            self.map.insert(at, after);
        }
    }

    /// Joins equal neighbours from just before `first` to just after `end`.
    fn merge(&mut self, first: u64, end: u64) {
        let begin = self.map.range(..first).next_back().map_or(first, |(&before, _)| before);
        let keys: Vec<u64> = self.map.range(begin..=end).map(|(&first, _)| first).collect();
        let mut left = begin;
        for at in keys.into_iter().skip(1) {
            let same = match (self.map.get(&left), self.map.get(&at)) {
                (Some(one), Some(other)) => {
                    one.end == at && one.state == other.state && one.deliveries == other.deliveries
                }
                _ => false,
            };
            if same && let Some(gone) = self.map.remove(&at) {
                if let Some(one) = self.map.get_mut(&left) {
                    one.end = gone.end;
                }
            } else {
                left = at;
            }
        }
    }

    /// Panics unless the ranges are what they should be.
    #[cfg(test)]
    pub(crate) fn check(&self) {
        let mut at = self.start;
        let mut before: Option<&Range> = None;
        for (&first, range) in &self.map {
            assert_eq!(first, at, "no gap, no overlap");
            assert!(range.end > first, "nothing empty");
            if let Some(before) = before {
                let same = before.state == range.state && before.deliveries == range.deliveries;
                assert!(!same, "equal neighbours are one");
            }
            at = range.end;
            before = Some(range);
        }
        assert_eq!(at, self.end);
        let first = self.map.first_key_value();
        assert!(first.is_none_or(|(_, range)| !range.state.is_settled()), "the start has moved up");
    }
}
