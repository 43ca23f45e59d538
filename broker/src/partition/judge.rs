//! Deciding, under the partition's lock, what becomes of each part of one produce call.

use onrush_record::batch::BatchHeader;
use onrush_record::{Offset, ProducerId, Sequence, TimestampMs};

use super::check::Few;
use crate::Error;
use crate::producer::{Known, Verdict};
use crate::shared_log::{LogState, SharedLog};
use crate::transaction::TransactionError;

/// Where the batches of one part are, or will be once the append has happened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decided {
    pub(super) base_offset: Offset,
    pub(super) next_offset: Offset,
    pub(super) timestamp: TimestampMs,
    /// All of it was in the log already.
    pub(super) duplicate: bool,
}

/// Judges the parts of one call in order, each as if those before it were in the log.
pub(super) struct Judge<'a> {
    log: &'a SharedLog,
    state: &'a mut LogState,
    /// Asks the coordinator whether a batch is part of its producer's open transaction. Asked under
    /// the lock, so that a decision comes either before the batch, and refuses it, or after it is in
    /// the log, and covers it.
    admit: &'a dyn Fn(&BatchHeader) -> Result<(), Error>,
    now_ms: TimestampMs,
    /// What appended batches are answered with: the broker's time where the topic uses it.
    timestamp: TimestampMs,
    /// The log's end when the call began …
    first: Offset,
    /// … and with what was accepted so far.
    next: Offset,
    /// What was known of producers before each batch that was accepted.
    undo: Few<(ProducerId, Option<Known>)>,
    /// Producers of whom a part of this call was refused.
    refused: Few<ProducerId>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        log: &'a SharedLog,
        state: &'a mut LogState,
        admit: &'a dyn Fn(&BatchHeader) -> Result<(), Error>,
        now_ms: TimestampMs,
        timestamp: TimestampMs,
    ) -> Judge<'a> {
        let first = state.writer.written_end();
        let (undo, refused) = (Few::new(), Few::new());
        Judge { log, state, admit, now_ms, timestamp, first, next: first, undo, refused }
    }

    /// A part of `producer` was refused for what it is.
    pub(super) fn refuse(&mut self, producer: ProducerId) {
        if producer.is_some() {
            self.refused.push(producer);
        }
    }

    /// Judges one part: all of its batches are accepted, or none. For each batch, `append` is told
    /// whether it is to be appended.
    pub(super) fn decide(
        &mut self,
        headers: &[BatchHeader],
        expected_offset: Option<Offset>,
        append: &mut Few<bool>,
    ) -> Result<Decided, Error> {
        let (undo_len, append_len, next) = (self.undo.len(), append.len(), self.next);
        let mut part: Option<Decided> = None;
        for header in headers {
            match self.decide_batch(header, if part.is_none() { expected_offset } else { None }) {
                Ok(batch) => {
                    append.push(!batch.duplicate);
                    part = Some(match part {
                        None => batch,
                        Some(part) => Decided {
                            next_offset: batch.next_offset,
                            duplicate: part.duplicate && batch.duplicate,
                            ..part
                        },
                    });
                }
                Err(error) => {
                    self.take_back(undo_len);
                    self.next = next;
                    append.truncate(append_len);
                    append.extend(headers.iter().map(|_| false));
                    self.refuse(header.producer_id);
                    return Err(error);
                }
            }
        }
        Ok(part.expect("a part that was checked has a batch"))
    }

    fn decide_batch(
        &mut self,
        header: &BatchHeader,
        expected_offset: Option<Offset>,
    ) -> Result<Decided, Error> {
        if header.producer_id.is_some()
            && let Some(duplicate) = self.judge_producer(header)?
        {
            return Ok(duplicate);
        }
        let base_offset = self.next;
        if let Some(expected) = expected_offset
            && expected != base_offset
        {
            return Err(Error::ExpectedOffsetMismatch {
                expected,
                actual: base_offset,
                await_durable: self.log.mark_if_undurable(base_offset),
            });
        }
        if header.producer_id.is_some() {
            let producers = &mut self.state.producers;
            let before = producers.note(header, base_offset, self.timestamp, self.now_ms);
            self.undo.push((header.producer_id, before));
            if header.attributes.is_transactional() {
                self.log.tell_unstable(&self.state.producers);
            }
        }
        self.next = base_offset.plus(u64::from(header.last_offset_delta) + 1);
        Ok(Decided {
            base_offset,
            next_offset: self.next,
            timestamp: self.timestamp,
            duplicate: false,
        })
    }

    /// Where the batch is already, if it is.
    fn judge_producer(&self, header: &BatchHeader) -> Result<Option<Decided>, Error> {
        let producer = header.producer_id;
        let found = header.base_sequence;
        // Only what is in the log can have led to a refusal that outlives this call.
        let await_durable = || self.log.mark_if_undurable(self.first);
        match self.state.producers.judge(header) {
            Verdict::Duplicate { base_offset, next_offset, timestamp } => {
                Ok(Some(Decided { base_offset, next_offset, timestamp, duplicate: true }))
            }
            Verdict::OutOfOrder { expected } => Err(Error::OutOfOrderSequence {
                producer,
                expected,
                found,
                await_durable: await_durable(),
            }),
            Verdict::Fenced { current } => Err(Error::FencedProducer {
                producer,
                current,
                found: header.producer_epoch,
                await_durable: await_durable(),
            }),
            Verdict::OutsideTransaction => {
                let reason = "it has a transaction open here that the batch is no part of";
                Err(TransactionError::InvalidState { producer, reason }.into())
            }
            // Nothing is known of this producer, and a batch of it was refused a moment ago: were
            // this one taken, that one could never be retried in its place.
            Verdict::Append
                if self.refused.contains(&producer) && !self.state.producers.knows(producer) =>
            {
                Err(Error::OutOfOrderSequence {
                    producer,
                    expected: Sequence::ZERO,
                    found,
                    await_durable: None,
                })
            }
            Verdict::Append if header.attributes.is_transactional() => {
                (self.admit)(header).map(|()| None)
            }
            Verdict::Append => Ok(None),
        }
    }

    /// The append has failed: what was noted of producers did not happen.
    pub(super) fn undo(mut self) {
        self.take_back(0);
    }

    fn take_back(&mut self, to: usize) {
        if self.undo.len() == to {
            return;
        }
        for (producer, before) in self.undo.drain(to..).rev() {
            self.state.producers.restore(producer, before);
        }
        self.log.tell_unstable(&self.state.producers);
    }

    /// The log, for the append, with the end it has to have afterwards.
    pub(super) fn state(&mut self) -> (&mut LogState, Offset) {
        (self.state, self.next)
    }

    /// The log's end when the call began.
    pub(super) fn first(&self) -> Offset {
        self.first
    }
}
