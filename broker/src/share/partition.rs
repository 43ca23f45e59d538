//! One partition as one share group reads it: which records are open, with whom, and how often.

use std::sync::Arc;

use super::ack::{AckType, ShareAcknowledgement};
use super::order::KeyOrder;
use super::ranges::{Piece, Ranges, RecordState};

/// What the group's configuration says of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// How often a record is handed out before it is archived.
    pub(crate) deliveries: u16,
    /// How many records the window may span.
    pub(crate) window: u64,
    /// How long a member may keep a record without a word.
    pub(crate) lock_ms: i64,
    /// One record of a key at a time.
    pub(crate) by_key: bool,
}

/// What journals remember of a record. That it was acquired is not remembered: after a crash it is
/// available again, as often delivered as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Available,
    Acknowledged,
    Archived,
}

/// What becomes of a run of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) first: u64,
    pub(crate) end: u64,
    pub(crate) fate: Fate,
    pub(crate) deliveries: u16,
}

/// Why records are given up: what a dead-letter target would be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GivenUp {
    /// A member has rejected them.
    Rejected,
    /// They were handed out as often as they may be.
    TriedTooOften,
}

/// Records that nobody gets any more, though nobody has dealt with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DeadLetter {
    pub(crate) first: u64,
    pub(crate) end: u64,
    pub(crate) why: GivenUp,
}

/// What an input comes to. Nothing has happened yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) changes: Vec<Change>,
    /// Locks that begin anew: first, end.
    pub(crate) renewed: Vec<(u64, u64)>,
    pub(crate) dead: Vec<DeadLetter>,
}

/// Why an acknowledgement is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Malformed(&'static str),
    /// The member does not have this record.
    NotAcquired(u64),
}

/// The state of a share partition.
#[derive(Clone, Debug)]
pub(crate) struct SharePartition {
    /// Rises whenever the start is set anew.
    pub(crate) epoch: i32,
    pub(super) ranges: Ranges,
    pub(super) order: Option<KeyOrder>,
    /// When its timer fires; may be earlier than any lock times out.
    pub(crate) armed_ms: Option<i64>,
}

impl SharePartition {
    pub(crate) fn new(start: u64, epoch: i32) -> SharePartition {
        SharePartition { epoch, ranges: Ranges::new(start), order: None, armed_ms: None }
    }

    /// The first record that is not settled.
    pub(crate) fn start(&self) -> u64 {
        self.ranges.start()
    }

    /// The first record that nobody has looked at.
    pub(crate) fn end(&self) -> u64 {
        self.ranges.end()
    }

    /// Records within the window that are settled.
    pub(crate) fn settled_within(&self) -> u64 {
        let settled = self.ranges.all().filter(|piece| piece.state.is_settled());
        settled.map(|piece| piece.end - piece.first).sum()
    }

    /// Judges acknowledgements of one member: all or none of them hold.
    pub(crate) fn judge(
        &self,
        member: &str,
        acks: &[ShareAcknowledgement],
        limits: &Limits,
    ) -> Result<Judged, Refusal> {
        let mut judged = Judged::default();
        let mut at = 0;
        for ack in acks {
            let malformed =
                "a batch ends before it begins, or has neither one type nor one a record";
            for (first, end, kind) in ack.runs().ok_or(Refusal::Malformed(malformed))? {
                if first < at {
                    let reason = "batches must come in the order of their offsets, without overlap";
                    return Err(Refusal::Malformed(reason));
                }
                at = end;
                // What the start has moved past is settled, one way or another.
                let first = first.max(self.start());
                if first >= end {
                    continue;
                }
                if end > self.end() {
                    return Err(Refusal::NotAcquired(first.max(self.end())));
                }
                for piece in self.ranges.pieces(first, end) {
                    if !is_with(&piece, member) {
                        return Err(Refusal::NotAcquired(piece.first));
                    }
                    judged.settle(&piece, kind, limits);
                }
            }
        }
        Ok(judged)
    }

    /// Which locks time out by now.
    pub(crate) fn timed_out(&self, now_ms: i64, limits: &Limits) -> Judged {
        self.release_where(
            limits,
            |state| matches!(state, RecordState::Acquired { due_ms, .. } if *due_ms <= now_ms),
        )
    }

    /// What becomes free when a member goes.
    pub(crate) fn left_by(&self, member: &str, limits: &Limits) -> Judged {
        self.release_where(limits, |state| {
            matches!(state, RecordState::Acquired { member: holder, .. } if **holder == *member)
        })
    }

    fn release_where(&self, limits: &Limits, which: impl Fn(&RecordState) -> bool) -> Judged {
        let mut judged = Judged::default();
        for piece in self.ranges.all().filter(|piece| which(&piece.state)) {
            judged.settle(&piece, AckType::Release, limits);
        }
        judged
    }

    /// Makes it so: what was judged, or what is replayed from the journal.
    pub(crate) fn apply(&mut self, changes: &[Change]) {
        for change in changes {
            let (first, end) = (change.first, change.end);
            if first >= end || end <= self.start() {
                continue;
            }
            // Replayed, it may lie beyond what was heard of so far.
            self.ranges.extend(end);
            let state = match change.fate {
                Fate::Available => RecordState::Available,
                Fate::Acknowledged => RecordState::Acknowledged,
                Fate::Archived => RecordState::Archived,
            };
            self.ranges.set(&Piece { first, end, state, deliveries: change.deliveries });
            if let Some(order) = &mut self.order {
                match change.fate {
                    Fate::Available => order.released(first, end),
                    _ => order.settled(first, end, |next| self.ranges.is_available(next)),
                }
            }
        }
        self.ranges.settle();
    }

    /// Begins locks anew.
    pub(crate) fn renew(&mut self, runs: &[(u64, u64)], due: i64) {
        for &(first, end) in runs {
            let pieces: Vec<Piece> = self.ranges.pieces(first, end).collect();
            for mut piece in pieces {
                if let RecordState::Acquired { due_ms, .. } = &mut piece.state {
                    *due_ms = due;
                    self.ranges.set(&piece);
                }
            }
        }
    }

    /// When the first lock times out.
    pub(crate) fn due_ms(&self) -> Option<i64> {
        let due = self.ranges.all().filter_map(|piece| match piece.state {
            RecordState::Acquired { due_ms, .. } => Some(due_ms),
            _ => None,
        });
        due.min()
    }

    /// The log begins later now.
    pub(crate) fn trim(&mut self, start: u64) {
        if start > self.start() {
            self.ranges.trim(start);
            if let Some(order) = &mut self.order {
                order.settled(0, start, |next| self.ranges.is_available(next));
                order.learnt(start);
            }
        }
    }

    /// The log ends earlier now: what comes in its place are other records.
    pub(crate) fn truncate(&mut self, end: u64) {
        self.ranges.truncate(end);
        if let Some(order) = &mut self.order {
            order.truncate(end);
        }
    }

    /// The state as changes to an empty one with the same start.
    pub(crate) fn changes(&self) -> Vec<Change> {
        let mut judged = Judged::default();
        for piece in self.ranges.all() {
            let (fate, deliveries) = match piece.state {
                RecordState::Available => (Fate::Available, piece.deliveries),
                RecordState::Acquired { .. } => (Fate::Available, piece.deliveries.max(1) - 1),
                RecordState::Acknowledged => (Fate::Acknowledged, piece.deliveries),
                RecordState::Archived => (Fate::Archived, piece.deliveries),
            };
            if (fate, deliveries) != (Fate::Available, 0) {
                judged.push(Change { first: piece.first, end: piece.end, fate, deliveries });
            }
        }
        judged.changes
    }
}

fn is_with(piece: &Piece, member: &str) -> bool {
    matches!(&piece.state, RecordState::Acquired { member: holder, .. } if **holder == *member)
}

impl Judged {
    /// Adds what an acknowledgement makes of acquired records.
    fn settle(&mut self, piece: &Piece, kind: AckType, limits: &Limits) {
        let (first, end, deliveries) = (piece.first, piece.end, piece.deliveries);
        let fate = match kind {
            AckType::Renew => {
                self.renewed.push((first, end));
                return;
            }
            AckType::Accept => Fate::Acknowledged,
            AckType::Release if deliveries < limits.deliveries => Fate::Available,
            AckType::Gap | AckType::Release | AckType::Reject => Fate::Archived,
        };
        match kind {
            AckType::Reject => self.dead.push(DeadLetter { first, end, why: GivenUp::Rejected }),
            AckType::Release if fate == Fate::Archived => {
                self.dead.push(DeadLetter { first, end, why: GivenUp::TriedTooOften });
            }
            _ => {}
        }
        self.push(Change { first, end, fate, deliveries });
    }

    fn push(&mut self, change: Change) {
        match self.changes.last_mut() {
            Some(last)
                if last.end == change.first
                    && last.fate == change.fate
                    && last.deliveries == change.deliveries =>
            {
                last.end = change.end;
            }
            _ => self.changes.push(change),
        }
    }
}

/// One name for a member, shared by all records it has.
pub(crate) type MemberId = Arc<str>;
