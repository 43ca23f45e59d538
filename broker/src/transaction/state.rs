//! One transactional id, and how far its transaction has come.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use onrush_record::{Offset, ProducerEpoch, ProducerId};

use super::TransactionError;
use crate::group::TopicPartition;

/// The last epoch that a producer is given. The one after it is kept for fencing.
pub(crate) const LAST_EPOCH: i16 = i16::MAX - 1;

/// How far a transaction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransactionState {
    /// The producer has begun none yet.
    Empty,
    /// It is open.
    Ongoing,
    /// It is decided that it counts; not everyone concerned knows yet.
    PrepareCommit,
    /// It is decided that it does not count; not everyone concerned knows yet.
    PrepareAbort,
    /// It counts, and everyone concerned knows.
    CompleteCommit,
    /// It does not count, and everyone concerned knows.
    CompleteAbort,
}

impl TransactionState {
    /// Every state.
    pub const ALL: [TransactionState; 6] = [
        TransactionState::Empty,
        TransactionState::Ongoing,
        TransactionState::PrepareCommit,
        TransactionState::PrepareAbort,
        TransactionState::CompleteCommit,
        TransactionState::CompleteAbort,
    ];

    /// Its name, as Kafka's tools show it.
    pub fn name(self) -> &'static str {
        match self {
            TransactionState::Empty => "Empty",
            TransactionState::Ongoing => "Ongoing",
            TransactionState::PrepareCommit => "PrepareCommit",
            TransactionState::PrepareAbort => "PrepareAbort",
            TransactionState::CompleteCommit => "CompleteCommit",
            TransactionState::CompleteAbort => "CompleteAbort",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<TransactionState> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Is it decided, but not carried out?
    pub(crate) fn is_prepared(self) -> bool {
        matches!(self, TransactionState::PrepareCommit | TransactionState::PrepareAbort)
    }

    fn completed(self) -> TransactionState {
        match self {
            TransactionState::PrepareCommit => TransactionState::CompleteCommit,
            TransactionState::PrepareAbort => TransactionState::CompleteAbort,
            other => other,
        }
    }
}

/// Who a producer is: its id and epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity {
    pub(crate) producer: ProducerId,
    pub(crate) epoch: ProducerEpoch,
}

impl Identity {
    pub(crate) fn first(producer: ProducerId) -> Identity {
        Identity { producer, epoch: ProducerEpoch::new(0) }
    }

    /// No further epoch of this id may be given out.
    pub(crate) fn is_exhausted(self) -> bool {
        self.epoch.get() >= LAST_EPOCH
    }

    /// The epoch that fences this one; at the very end, the same.
    pub(crate) fn fencing(self) -> Identity {
        let epoch = ProducerEpoch::new(self.epoch.get().saturating_add(1));
        Identity { epoch, ..self }
    }
}

/// What a client has asked for, and what waits for data to become durable before it is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) commits: bool,
    /// Who the producer is afterwards.
    pub(crate) next: Identity,
    /// What the markers carry.
    pub(crate) marker: Identity,
}

/// One transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transaction {
    pub(crate) id: Arc<str>,
    /// Who may act for it.
    pub(crate) current: Identity,
    /// Who could before the last change, so that a request sent again is recognised.
    pub(crate) previous: Option<Identity>,
    /// What the markers of a decision carry; that of the last one, once it is carried out.
    pub(crate) marker: Identity,
    pub(crate) timeout_ms: i32,
    pub(crate) state: TransactionState,
    /// What takes part, each with the journal's end that has to be durable before it may be written
    /// to: else a crash could leave records of a transaction that nobody knows to end.
    pub(crate) partitions: BTreeMap<TopicPartition, Offset>,
    pub(crate) groups: BTreeMap<String, Offset>,
    pub(crate) started_at_ms: i64,
    pub(crate) changed_at_ms: i64,
    /// Not journalled: a restart forgets it, and the transaction is still open.
    pub(crate) ending: Option<Ending>,
}

impl Transaction {
    /// Is this who may act for it?
    pub(crate) fn check(&self, who: Identity) -> Result<(), TransactionError> {
        if who.producer != self.current.producer {
            let (id, producer) = (self.id.to_string(), who.producer);
            return Err(TransactionError::ProducerIdMapping { id, producer });
        }
        if who.epoch != self.current.epoch {
            let (producer, current) = (who.producer, self.current.epoch);
            return Err(TransactionError::Fenced { producer, current, found: who.epoch });
        }
        Ok(())
    }

    /// Refuses while the last transaction is being ended.
    pub(crate) fn check_settled(&self) -> Result<(), TransactionError> {
        if self.ending.is_some() || self.state.is_prepared() {
            return Err(TransactionError::Concurrent { id: self.id.to_string() });
        }
        Ok(())
    }

    pub(crate) fn invalid(&self, reason: &'static str) -> TransactionError {
        TransactionError::InvalidState { producer: self.current.producer, reason }
    }

    /// When it is aborted for taking too long.
    pub(crate) fn times_out_at(&self) -> Option<i64> {
        (self.state == TransactionState::Ongoing && self.ending.is_none())
            .then(|| self.started_at_ms.saturating_add(i64::from(self.timeout_ms)))
    }

    /// When it is forgotten for not being used.
    pub(crate) fn expires_at(&self, after_ms: i64) -> Option<i64> {
        let idle = match self.state {
            TransactionState::Ongoing => false,
            state => !state.is_prepared(),
        };
        idle.then(|| self.changed_at_ms.saturating_add(after_ms))
    }

    /// Everyone concerned knows the decision.
    pub(crate) fn complete(&mut self, now_ms: i64) {
        self.state = self.state.completed();
        self.changed_at_ms = now_ms;
        self.partitions.clear();
        self.groups.clear();
    }

    /// What takes part.
    pub(crate) fn participants(&self) -> (Vec<TopicPartition>, BTreeSet<String>) {
        (self.partitions.keys().copied().collect(), self.groups.keys().cloned().collect())
    }
}
