//! A batch on its way: being filled, waiting, sent, or to be sent again.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use onrush_record::batch::{BatchBuilder, BatchError, Codec, set_producer};
use onrush_record::{ProducerEpoch, ProducerId, Sequence};

use super::delivery::Completion;
use super::pool::Pool;
use crate::error::{Error, Kind};

/// Who an idempotent producer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) id: ProducerId,
    pub(super) epoch: ProducerEpoch,
    /// What it sends is part of a transaction.
    pub(super) transactional: bool,
}

impl Identity {
    /// A producer without idempotence.
    pub(super) const NONE: Self = Self::idempotent(ProducerId::NONE, ProducerEpoch::NONE);

    pub(super) const fn idempotent(id: ProducerId, epoch: ProducerEpoch) -> Self {
        Self { id, epoch, transactional: false }
    }

    pub(super) const fn transactional(id: ProducerId, epoch: ProducerEpoch) -> Self {
        Self { id, epoch, transactional: true }
    }
}

/// Records for one partition that share their fate.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) builder: BatchBuilder,
    pub(super) completion: Arc<Completion>,
    /// When its first record came.
    pub(super) opened: Duration,
    /// Which flush it belongs to.
    pub(super) generation: u64,
    /// Bytes of the producer's buffer that it holds.
    pub(super) reserved: usize,
    pub(super) count: u32,
    /// Number of its first record among the partition's; given, as are the sequence and identity,
    /// when it is sent first.
    pub(super) order: u64,
    pub(super) identity: Identity,
    pub(super) first_sequence: Sequence,
    /// Which of the rows of numbers that its partition has begun it stands in.
    pub(super) row: u64,
    /// As it was sent.
    wire: Bytes,
    pub(super) attempts: u32,
    /// Sent while nothing else of the partition was under way.
    pub(super) alone: bool,
    /// Some attempt ended without a word on whether it succeeded.
    pub(super) may_have_happened: bool,
    /// What went wrong last.
    pub(super) last_error: Option<Error>,
}

impl Batch {
    pub(super) fn new(builder: BatchBuilder, opened: Duration, generation: u64) -> Self {
        Self {
            builder,
            completion: Arc::default(),
            opened,
            generation,
            reserved: 0,
            count: 0,
            order: 0,
            identity: Identity::NONE,
            first_sequence: Sequence::NONE,
            row: 0,
            wire: Bytes::new(),
            attempts: 0,
            alone: false,
            may_have_happened: false,
            last_error: None,
        }
    }

    /// Whether it was never sent.
    pub(super) fn is_fresh(&self) -> bool {
        self.attempts == 0
    }

    /// Gives it a place in a producer's sequence. Of a batch that was sent before, the caller knows
    /// that it was not appended.
    pub(super) fn number(&mut self, identity: Identity, first_sequence: Sequence, row: u64) {
        self.identity = identity;
        self.first_sequence = first_sequence;
        self.row = row;
        if !self.wire.is_empty() {
            let mut copy = BytesMut::from(&self.wire[..]);
            set_producer(&mut copy, identity.id, identity.epoch, first_sequence);
            self.wire = copy.freeze();
        }
    }

    /// What to say of it when it ends with this. Once an answer was lost, no refusal tells that it was
    /// not appended before.
    pub(super) fn told(&self, error: Error) -> Error {
        match error.kind() {
            Kind::Unknown => error,
            _ if self.may_have_happened => Error::DeliveryUnknown(Arc::new(error)),
            _ => error,
        }
    }

    /// The bytes as they were sent, if they were.
    pub(super) fn as_sent(&self) -> &[u8] {
        &self.wire
    }

    /// The `count` records that begin with number `first` of this batch, as one of their own. It
    /// holds nothing of the producer's buffer.
    pub(super) fn part(
        &self,
        first: u32,
        count: u32,
        first_sequence: Sequence,
        wire: Vec<u8>,
    ) -> Self {
        let builder = BatchBuilder::new(Codec::None);
        Self {
            count,
            order: self.order + u64::from(first),
            identity: self.identity,
            first_sequence,
            row: self.row,
            wire: Bytes::from(wire),
            attempts: self.attempts,
            last_error: self.last_error.clone(),
            ..Self::new(builder, self.opened, self.generation)
        }
    }

    /// The bytes to send, encoded on the first attempt and the same on every other.
    pub(super) fn wire(&mut self, pool: &Arc<Pool>) -> Result<Bytes, BatchError> {
        if self.wire.is_empty() {
            let Identity { id, epoch, transactional } = self.identity;
            self.builder.set_producer(id, epoch, self.first_sequence);
            self.builder.set_transactional(transactional);
            let bytes = self.builder.finish()?;
            self.wire = Bytes::from_owner(pool.keep(bytes));
        }
        Ok(self.wire.clone())
    }
}
