//! Handing records out: what to read next, and what of that a member gets.

use onrush_record::Offset;

use super::order::KeyOrder;
use super::partition::{DeadLetter, GivenUp, Limits, MemberId, SharePartition};
use super::ranges::{Piece, RecordState};

/// How closely the number of records asked for is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum AcquireMode {
    /// Whole record batches, as long as there are fewer records than asked for.
    #[default]
    BatchOptimized,
    /// Never more records than asked for.
    RecordLimit,
}

/// A run of records that a member has now, all handed out equally often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcquiredRange {
    /// The first record.
    pub first: Offset,
    /// The last record.
    pub last: Offset,
    /// How often they were handed out, this time included.
    pub delivery_count: u16,
}

impl AcquiredRange {
    /// How many records.
    pub fn records(&self) -> u64 {
        self.last.since(self.first) + 1
    }
}

/// What to read before records can be handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) from: u64,
    /// Further on nothing would be handed out, as far as is known.
    pub(crate) upto: u64,
    /// The records' keys are wanted, too.
    pub(crate) keys: bool,
}

/// What a read has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) from: u64,
    /// It has looked at everything before this.
    pub(crate) end: u64,
    /// Where there are records: first, end (exclusive), in order. Between them is nothing.
    pub(crate) runs: Vec<(u64, u64)>,
    /// The records' keys, if they were looked at.
    pub(crate) keys: Option<Vec<(u64, Option<u64>)>>,
}

/// What a member gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct HandedOut {
    pub(crate) ranges: Vec<AcquiredRange>,
    pub(crate) dead: Vec<DeadLetter>,
}

impl SharePartition {
    /// What to read to hand out so many records; None when there is nothing to be had now.
    pub(crate) fn plan(
        &mut self,
        limits: &Limits,
        max_records: u64,
        log_start: u64,
        readable_end: u64,
    ) -> Option<Plan> {
        self.trim(log_start);
        match (limits.by_key, &self.order) {
            (true, None) => self.order = Some(KeyOrder::new(self.start())),
            (false, Some(_)) => self.order = None,
            _ => {}
        }
        let plan = match &self.order {
            Some(order) => self.plan_by_key(order, limits, max_records),
            None => self.plan_by_offset(limits, max_records),
        };
        let upto = plan.upto.min(readable_end);
        (plan.from < upto).then_some(Plan { upto, ..plan })
    }

    fn plan_by_offset(&self, limits: &Limits, max_records: u64) -> Plan {
        let first = self.ranges.next_available(self.start());
        let from = first.map_or(self.end(), |piece| piece.first);
        let (mut left, mut upto) = (max_records, from);
        for piece in self.ranges.pieces(from, self.end()) {
            if left > 0 && piece.state == RecordState::Available {
                upto = piece.first + left.min(piece.end - piece.first);
                left -= upto - piece.first;
            }
        }
        let room = left.min(limits.window.saturating_sub(self.ranges.span()));
        if room > 0 {
            upto = self.end() + room;
        }
        Plan { from, upto, keys: false }
    }

    fn plan_by_key(&self, order: &KeyOrder, limits: &Limits, max_records: u64) -> Plan {
        if let Some(from) = order.next_ready(0) {
            let (mut last, mut left) = (from, max_records);
            while left > 1
                && let Some(next) = order.next_ready(last + 1)
            {
                (last, left) = (next, left - 1);
            }
            let upto = if max_records == 0 { from } else { last + 1 };
            return Plan { from, upto, keys: false };
        }
        let from = order.known();
        let window_end = self.start().saturating_add(limits.window).max(self.end());
        // What is held back is looked at once, so look at more than was asked for.
        let upto = window_end.min(from.saturating_add(max_records.saturating_mul(4)));
        Plan { from, upto, keys: true }
    }

    /// The next record to take in; None while no more may be under way.
    pub(crate) fn next_new(&self, limits: &Limits) -> Option<u64> {
        let open = self.ranges.span() < limits.window;
        match &self.order {
            Some(order) => (open || order.known() < self.end()).then(|| order.known()),
            None => open.then(|| self.end()),
        }
    }

    /// Hands out what was found, as much of it as is still free.
    pub(crate) fn acquire(
        &mut self,
        now_ms: i64,
        member: &MemberId,
        limits: &Limits,
        asked: (u64, AcquireMode),
        found: &Found,
    ) -> HandedOut {
        self.take_in(limits, found);
        self.learn_keys(found);
        let mut out = HandedOut::default();
        let due_ms = now_ms.saturating_add(limits.lock_ms);
        let held = RecordState::Acquired { member: MemberId::clone(member), due_ms };
        if self.order.is_some() {
            self.take_by_key(limits, asked.0, found, &held, &mut out);
        } else {
            self.take_by_offset(limits, asked, found, &held, &mut out);
        }
        self.ranges.settle();
        out
    }

    /// Extends the window over what was found; where nothing was, there is nothing to wait for.
    fn take_in(&mut self, limits: &Limits, found: &Found) {
        let mut at = found.from.max(self.start());
        for &(first, end) in found.runs.iter().chain(&[(found.end, found.end)]) {
            if at > self.end() {
                return;
            }
            if at < first {
                if self.ranges.span() < limits.window {
                    self.ranges.extend(first);
                }
                self.archive_gap(at, first);
                at = first;
            }
            if first <= self.end() && end > self.end() {
                let room = limits.window.saturating_sub(self.ranges.span());
                let most = self.end().saturating_add(room);
                self.ranges.extend(end.min(most));
            }
            at = at.max(end);
        }
    }

    fn archive_gap(&mut self, first: u64, end: u64) {
        let gaps: Vec<Piece> = self.ranges.pieces(first, end).collect();
        for mut gap in gaps.into_iter().filter(|gap| gap.state == RecordState::Available) {
            gap.state = RecordState::Archived;
            self.ranges.set(&gap);
            if let Some(order) = &mut self.order {
                order.settled(gap.first, gap.end, |next| self.ranges.is_available(next));
            }
        }
        self.ranges.settle();
    }

    fn learn_keys(&mut self, found: &Found) {
        let (Some(order), Some(keys)) = (&mut self.order, &found.keys) else { return };
        let known = order.known();
        if found.from > known {
            return;
        }
        let upto = found.end.min(self.ranges.end());
        let fresh = keys.iter().filter(|(offset, _)| (known..upto).contains(offset));
        for &(offset, key) in fresh {
            let state = self.ranges.pieces(offset, offset + 1).next().map(|piece| piece.state);
            if let Some(state) = state.filter(|state| !state.is_settled()) {
                order.learn(offset, key, state == RecordState::Available);
            }
        }
        order.learnt(upto);
    }

    fn take_by_offset(
        &mut self,
        limits: &Limits,
        (max_records, mode): (u64, AcquireMode),
        found: &Found,
        held: &RecordState,
        out: &mut HandedOut,
    ) {
        let (from, end) = (found.from.max(self.start()), found.end.min(self.end()));
        let free: Vec<Piece> = if from < end {
            let pieces = self.ranges.pieces(from, end);
            pieces.filter(|piece| piece.state == RecordState::Available).collect()
        } else {
            Vec::new()
        };
        let mut left = max_records;
        for mut piece in free {
            if left == 0 {
                break;
            }
            let mut end = piece.end.min(piece.first.saturating_add(left));
            if mode == AcquireMode::BatchOptimized {
                let run = found.runs.partition_point(|run| run.1 < end);
                end = found.runs.get(run).map_or(end, |run| run.1.max(end)).min(piece.end);
            }
            piece.end = end;
            left = left.saturating_sub(end - piece.first);
            self.hand_out(piece, limits, held, out);
        }
    }

    fn take_by_key(
        &mut self,
        limits: &Limits,
        max_records: u64,
        found: &Found,
        held: &RecordState,
        out: &mut HandedOut,
    ) {
        let (mut at, mut left) = (found.from, max_records);
        while left > 0
            && let Some(offset) = self.order.as_ref().and_then(|order| order.next_ready(at))
            && offset < found.end
        {
            at = offset + 1;
            let Some(piece) = self.ranges.pieces(offset, at).next() else { break };
            self.hand_out(piece, limits, held, out);
            left -= 1;
        }
    }

    fn hand_out(
        &mut self,
        mut piece: Piece,
        limits: &Limits,
        held: &RecordState,
        out: &mut HandedOut,
    ) {
        let (first, end) = (piece.first, piece.end);
        if piece.deliveries >= limits.deliveries {
            // The limit was lowered meanwhile.
            piece.state = RecordState::Archived;
            self.ranges.set(&piece);
            out.dead.push(DeadLetter { first, end, why: GivenUp::TriedTooOften });
            if let Some(order) = &mut self.order {
                order.settled(first, end, |next| self.ranges.is_available(next));
            }
            return;
        }
        piece.deliveries += 1;
        piece.state = held.clone();
        self.ranges.set(&piece);
        if let Some(order) = &mut self.order {
            // By key, records are handed out one by one.
            order.acquired(first);
        }
        out.push(first, end, piece.deliveries);
    }
}

impl HandedOut {
    fn push(&mut self, first: u64, end: u64, delivery_count: u16) {
        let last = Offset::new(end - 1);
        match self.ranges.last_mut() {
            Some(before)
                if before.last.get() + 1 == first && before.delivery_count == delivery_count =>
            {
                before.last = last;
            }
            _ => {
                let first = Offset::new(first);
                self.ranges.push(AcquiredRange { first, last, delivery_count });
            }
        }
    }
}
