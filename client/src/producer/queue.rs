//! What one partition is sent, and in which order: a state machine without clock or socket.
//!
//! At most a few batches are under way at a time. When one fails, nothing new is sent until the
//! answers to all others are there; then the failed ones go again, one by one, in their first order
//! and with their first sequence numbers, so that the broker recognises what it has already. One that
//! was too large goes again in pieces.
//!
//! A broker that does not know a producer takes any first number of it. So the first batch goes alone
//! until it is appended: were it refused as too large, one behind it would be taken first.

use std::collections::VecDeque;
use std::time::Duration;

use onrush_protocol::ErrorCode;
use onrush_record::{Offset, Sequence};

use super::batch::{Batch, Identity};
use crate::error::{Error, Kind};

/// Pauses before a batch is sent again.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// How much may be under way, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Batches under way.
    pub(super) max_in_flight: usize,
    /// A batch that is not full is sent while fewer than this are under way.
    pub(super) open_window: usize,
    /// How long a batch that is not full waits for company.
    pub(super) linger: Duration,
    /// How long a record may take, all attempts together.
    pub(super) delivery_timeout: Duration,
}

/// What to do next for a partition.
#[derive(Debug)]
// Most of them are batches, and none is kept.
#[allow(clippy::large_enum_variant)]
pub(super) enum Next {
    /// Send this.
    Send(Batch),
    /// Look again at this time, or when an answer or a record comes.
    Wait(Option<Duration>),
    /// A new producer identity is needed before anything can be sent.
    Identity,
}

/// A settled batch.
pub(super) type Settled = (Batch, Result<Option<Offset>, Error>);

/// One partition's batches.
#[derive(Debug)]
pub(super) struct PartitionQueue {
    /// The batch being filled.
    pub(super) open: Option<Batch>,
    /// Full batches.
    closed: VecDeque<Batch>,
    /// Batches to be sent again, in order.
    again: VecDeque<Batch>,
    /// Batches sent and not answered.
    under_way: usize,
    again_at: Duration,
    pause: Duration,
    identity: Identity,
    next_sequence: Sequence,
    /// Which row of numbers that is: one begins with every new identity, and every new topic.
    row: u64,
    /// Batches of that row under way.
    row_under_way: usize,
    /// Whether the broker knows the producer there, and so takes its numbers in order only.
    known: bool,
    next_order: u64,
    needs_identity: bool,
    /// Why nothing can be sent any more.
    refused: Option<Error>,
    /// Whether the link's task knows that there is something to do.
    pub(super) listed: bool,
}

impl PartitionQueue {
    pub(super) fn new(identity: Identity) -> Self {
        Self {
            open: None,
            closed: VecDeque::new(),
            again: VecDeque::new(),
            under_way: 0,
            again_at: Duration::ZERO,
            pause: FIRST_PAUSE,
            identity,
            next_sequence: Sequence::new(0),
            row: 0,
            row_under_way: 0,
            known: false,
            next_order: 0,
            needs_identity: false,
            refused: None,
            listed: false,
        }
    }

    /// Why nothing more can be sent to this partition.
    #[inline]
    pub(super) fn refused(&self) -> Option<&Error> {
        self.refused.as_ref()
    }

    /// No more records go into the open batch.
    pub(super) fn close_open(&mut self) {
        self.closed.extend(self.open.take());
    }

    /// Batches that are full and were not sent yet.
    #[inline]
    pub(super) fn full_batches(&self) -> usize {
        self.closed.len()
    }

    /// Whether a record that has just come may be sent without waiting for an answer.
    #[inline]
    pub(super) fn can_progress(&self, limits: &Limits) -> bool {
        self.again.is_empty()
            && (self.under_way < limits.open_window
                || (self.under_way < limits.max_in_flight && !self.closed.is_empty()))
    }

    /// Whether anything waits to be sent.
    pub(super) fn has_work(&self) -> bool {
        self.open.is_some() || !self.closed.is_empty() || !self.again.is_empty()
    }

    /// The next batch to send, if one may be sent now.
    pub(super) fn next(&mut self, now: Duration, limits: &Limits, hurry: bool) -> Next {
        if !self.again.is_empty() {
            if self.under_way > 0 {
                return Next::Wait(None);
            }
            if self.needs_identity {
                return Next::Identity;
            }
            if now < self.again_at {
                return Next::Wait(Some(self.again_at));
            }
            if let Some(batch) = self.again.pop_front() {
                return self.sent(batch);
            }
        }
        if self.under_way >= limits.max_in_flight || self.waits_to_be_known() {
            return Next::Wait(None);
        }
        if let Some(batch) = self.closed.pop_front() {
            return self.sent_first(batch);
        }
        let Some(open) = &self.open else { return Next::Wait(None) };
        if self.under_way >= limits.open_window {
            return Next::Wait(None);
        }
        let due = open.opened.saturating_add(limits.linger);
        if now < due && !hurry {
            return Next::Wait(Some(due));
        }
        match self.open.take() {
            Some(batch) => self.sent_first(batch),
            None => Next::Wait(None),
        }
    }

    fn waits_to_be_known(&self) -> bool {
        !self.known && self.row_under_way > 0 && self.identity != Identity::NONE
    }

    fn sent_first(&mut self, mut batch: Batch) -> Next {
        batch.order = self.next_order;
        self.next_order += u64::from(batch.count);
        if self.identity != Identity::NONE {
            batch.number(self.identity, self.next_sequence, self.row);
            self.next_sequence = self.next_sequence.plus(batch.count);
        }
        self.sent(batch)
    }

    fn sent(&mut self, mut batch: Batch) -> Next {
        batch.alone = self.under_way == 0;
        batch.attempts += 1;
        self.under_way += 1;
        self.row_under_way += usize::from(batch.row == self.row);
        Next::Send(batch)
    }

    /// A batch of that row is no longer under way.
    fn returned(&mut self, row: u64) {
        self.under_way -= 1;
        self.row_under_way -= usize::from(row == self.row);
    }

    /// Takes back a batch with what became of it; answers with it once that is final, as it is at
    /// once when giving up.
    pub(super) fn settle(
        &mut self,
        mut batch: Batch,
        outcome: Result<Option<Offset>, Error>,
        now: Duration,
        giving_up: bool,
    ) -> Option<Settled> {
        self.returned(batch.row);
        let error = match outcome {
            Ok(first) => {
                self.pause = FIRST_PAUSE;
                self.known |= batch.row == self.row;
                return Some((batch, Ok(first)));
            }
            Err(error) => error,
        };
        if giving_up {
            let error = batch.told(error);
            return Some((batch, Err(error)));
        }
        let numbered = batch.identity != Identity::NONE;
        // Who it is, is decided by its transaction; a row that is broken ends that.
        let renewable = numbered && !batch.identity.transactional;
        match error.code() {
            Some(ErrorCode::DUPLICATE_SEQUENCE) if numbered => return Some((batch, Ok(None))),
            Some(ErrorCode::OUT_OF_ORDER_SEQUENCE) if renewable || (numbered && !batch.alone) => {
                // Behind another that failed, it only waits for that one. Alone, it shows that the
                // row is broken for good; and it was not appended, nor was any later one.
                self.needs_identity |= batch.alone;
                self.put_back(batch, error, now, Duration::ZERO);
                return None;
            }
            Some(ErrorCode::UNKNOWN_PRODUCER) if renewable && !batch.may_have_happened => {
                self.needs_identity |= batch.alone;
                self.put_back(batch, error, now, Duration::ZERO);
                return None;
            }
            Some(ErrorCode::FENCED_PRODUCER) if numbered => self.refused = Some(error.clone()),
            _ => {}
        }
        match error.kind() {
            Kind::Retry => {
                let pause = self.pause.max(error.retry_after());
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                self.put_back(batch, error, now, pause);
                None
            }
            Kind::Unknown if numbered => {
                batch.may_have_happened = true;
                // After a lost connection, reconnecting was pause enough.
                let pause = if error.is_transport() { Duration::ZERO } else { self.pause };
                self.put_back(batch, error, now, pause);
                None
            }
            _ => {
                self.give_back_sequence(&batch);
                let error = batch.told(error);
                Some((batch, Err(error)))
            }
        }
    }

    /// Takes back a batch that was refused as too large, as pieces to be sent instead.
    pub(super) fn take_pieces(&mut self, pieces: Vec<Batch>) {
        self.returned(pieces.first().map_or(self.row, |piece| piece.row));
        for piece in pieces {
            self.put_in_order(piece);
        }
    }

    fn put_back(&mut self, mut batch: Batch, error: Error, now: Duration, pause: Duration) {
        batch.last_error = Some(error);
        self.again_at = self.again_at.max(now.saturating_add(pause));
        self.put_in_order(batch);
    }

    fn put_in_order(&mut self, batch: Batch) {
        let at = self.again.partition_point(|other| other.order < batch.order);
        self.again.insert(at, batch);
    }

    /// A refused batch leaves no gap if nothing was numbered after it.
    fn give_back_sequence(&mut self, batch: &Batch) {
        if self.under_way == 0
            && self.again.is_empty()
            && batch.identity != Identity::NONE
            && batch.row == self.row
            && !batch.may_have_happened
            && batch.first_sequence.plus(batch.count) == self.next_sequence
        {
            self.next_sequence = batch.first_sequence;
        }
    }

    /// Goes on as another producer. What is to be sent again was not appended.
    pub(super) fn become_new(&mut self, identity: Identity) {
        if !self.needs_identity {
            return;
        }
        self.needs_identity = false;
        self.restart(identity);
    }

    #[cfg(test)]
    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    /// Numbers from 0 again. What is to be sent again was not appended.
    pub(super) fn restart(&mut self, identity: Identity) {
        self.identity = identity;
        self.next_sequence = Sequence::new(0);
        self.row += 1;
        self.row_under_way = 0;
        self.known = false;
        for batch in &mut self.again {
            batch.number(identity, self.next_sequence, self.row);
            self.next_sequence = self.next_sequence.plus(batch.count);
        }
    }

    /// Goes on in another transaction. Nothing of the last is left.
    pub(super) fn renew(&mut self, identity: Identity) {
        // A newer epoch of a producer that is known begins at 0, and nowhere else.
        let known = self.known && identity.id == self.identity.id;
        self.needs_identity = false;
        self.refused = None;
        self.pause = FIRST_PAUSE;
        self.again_at = Duration::ZERO;
        self.restart(identity);
        self.known = known;
    }

    /// Waits before the next attempt.
    pub(super) fn hold_until(&mut self, at: Duration) {
        self.again_at = self.again_at.max(at);
    }

    /// Takes out what has waited for too long. What is under way comes back by itself.
    pub(super) fn expired(&mut self, now: Duration, limits: &Limits) -> Vec<Batch> {
        let late = |batch: &Batch| now.saturating_sub(batch.opened) >= limits.delivery_timeout;
        let (late_ones, again): (VecDeque<_>, _) =
            std::mem::take(&mut self.again).into_iter().partition(&late);
        self.again = again;
        let mut expired = Vec::from(late_ones);
        while let Some(batch) = self.closed.pop_front_if(|batch| late(batch)) {
            expired.push(batch);
        }
        if self.closed.is_empty() {
            expired.extend(self.open.take_if(|batch| late(batch)));
        }
        expired
    }

    /// Takes out everything that is not under way.
    pub(super) fn drain(&mut self) -> Vec<Batch> {
        let mut all: Vec<Batch> = self.again.drain(..).collect();
        all.extend(self.closed.drain(..));
        all.extend(self.open.take());
        all
    }
}
