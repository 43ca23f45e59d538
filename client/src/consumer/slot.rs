//! One partition that is being read.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use onrush_record::batch::{BatchError, BatchRef, Batches, Codec};
use onrush_record::{Offset, TopicId};

use crate::error::{Corrupt, Error};
use crate::metadata::TopicPartition;

/// Bytes that one poll hands out, so that they are still cached from being verified.
const PIECE_BYTES: usize = 128 << 10;

/// A partition and where its reader is.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) at: TopicPartition,
    pub(super) topic_id: TopicId,
    /// The next record to hand out.
    pub(super) position: Offset,
    /// The offset that the next batch must begin with; absent before the first of a subscription.
    pub(super) expected: Option<Offset>,
    /// What the group has committed, as far as this consumer knows.
    pub(super) committed: Option<Offset>,
    pub(super) subscription: Option<u32>,
    pub(super) paused: bool,
    /// Not to be subscribed to before this time.
    pub(super) not_before: Duration,
    pub(super) readable_end: Offset,
    /// Bytes handed out for which no credit was given back.
    pub(super) owed: u64,
}

/// What is left of a delivery.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) at: TopicPartition,
    pub(super) bytes: Bytes,
    pub(super) done: usize,
}

/// Verified batches, ready to be handed out.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) at: Option<TopicPartition>,
    pub(super) bytes: Bytes,
    /// Whether [`Scratch::plain`] has the only batch's records.
    pub(super) compressed: bool,
    pub(super) from: Offset,
    pub(super) end: Offset,
    pub(super) readable_end: Offset,
}

/// What is used again for every piece.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) plain: Vec<u8>,
    /// Where a record turned out to be malformed.
    pub(super) bad: OnceLock<(Offset, BatchError)>,
}

impl Slot {
    pub(super) fn new(at: TopicPartition, topic_id: TopicId, position: Offset) -> Self {
        Self {
            at,
            topic_id,
            position,
            expected: None,
            committed: None,
            subscription: None,
            paused: false,
            not_before: Duration::ZERO,
            readable_end: position,
            owed: 0,
        }
    }

    /// Whether a commit would change anything.
    pub(super) fn is_uncommitted(&self) -> bool {
        self.committed != Some(self.position)
    }

    /// Takes the next batches of a delivery, verified. `None`: it has no more records to hand out.
    pub(super) fn take(
        &mut self,
        current: &mut Current,
        scratch: &mut Scratch,
        cap: usize,
    ) -> Result<Option<Piece>, Error> {
        let start = current.done;
        let mut batches = Batches::new(&current.bytes[start..]);
        let mut end = start;
        let mut compressed = false;
        let mut first_wanted = start;
        let mut next = self.position;
        while end - start < PIECE_BYTES {
            let batch = match batches.next_batch() {
                Some(Ok(batch)) => batch,
                Some(Err(error)) => return Err(self.corrupt(next, &error)),
                None => break,
            };
            let packed = self.check(&batch, next)? != Codec::None;
            if packed && end > first_wanted {
                break; // It gets a piece of its own.
            }
            let len = batch.bytes().len();
            self.expected = Some(batch.header().next_offset());
            end += len;
            if batch.header().next_offset() <= self.position {
                first_wanted = end;
                continue;
            }
            // What ends a transaction holds no records of anybody's.
            if batch.header().attributes.is_control() && first_wanted == end - len {
                first_wanted = end;
                next = batch.header().next_offset();
                self.position = next;
                continue;
            }
            next = batch.header().next_offset();
            if packed {
                let plain = batch.decompress_into(&mut scratch.plain, cap);
                plain.map_err(|error| self.corrupt(batch.header().base_offset, &error))?;
                compressed = true;
                break;
            }
        }
        if end == start && batches.remaining() > 0 {
            return Err(self.corrupt_because(next, "a delivery ends within a batch"));
        }
        current.done = end;
        if first_wanted == end {
            return Ok(None);
        }
        let from = std::mem::replace(&mut self.position, next);
        Ok(Some(Piece {
            at: Some(self.at.clone()),
            bytes: current.bytes.slice(first_wanted..end),
            compressed,
            from,
            end: next,
            readable_end: self.readable_end.max(next),
        }))
    }

    /// Holds a batch against its checksum and its place.
    fn check(&self, batch: &BatchRef<'_>, next: Offset) -> Result<Codec, Error> {
        let header = batch.header();
        batch.verify().map_err(|error| self.corrupt(next, &error))?;
        let holds = |offset| header.base_offset <= offset && offset < header.next_offset();
        let fits = match self.expected {
            // Where compaction has left no record, one batch without any may by now stand for
            // several, some of which were read before.
            Some(expected) if header.record_count == 0 => holds(expected),
            Some(expected) => header.base_offset == expected,
            None => holds(next),
        };
        if !fits {
            let due = self.expected.unwrap_or(next);
            let reason = format!("a batch begins at {} where {due} was due", header.base_offset);
            return Err(self.corrupt_because(next, reason));
        }
        header.attributes.codec().map_err(|error| self.corrupt(next, &error))
    }

    pub(super) fn corrupt(&self, offset: Offset, error: &BatchError) -> Error {
        self.corrupt_because(offset, error.to_string())
    }

    fn corrupt_because(&self, offset: Offset, reason: impl Into<String>) -> Error {
        Error::Corrupt(Arc::new(Corrupt {
            topic: Arc::clone(&self.at.topic),
            partition: self.at.partition,
            offset,
            reason: reason.into(),
        }))
    }
}
