//! Transactions as an operator sees them.

use onrush_record::{Offset, ProducerEpoch, ProducerId};

use super::TransactionState;
use super::state::Transaction;
use crate::group::{GroupCommit, TopicPartition};
use crate::{Error, Result};

/// Which transactional ids to list. The default is all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionFilter {
    /// Only those in one of these states; none: in any.
    pub states: Vec<TransactionState>,
    /// Only those with one of these producer ids; none: with any.
    pub producers: Vec<ProducerId>,
    /// Only those whose open transaction is older than this.
    pub longer_than_ms: Option<i64>,
    /// Only those whose id matches this regular expression as a whole.
    pub pattern: Option<String>,
}

/// One line of a list of transactional ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionListing {
    /// The transactional id.
    pub id: String,
    /// Its producer id.
    pub producer: ProducerId,
    /// How far its transaction has come.
    pub state: TransactionState,
}

/// One transactional id in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionDescription {
    /// The transactional id.
    pub id: String,
    /// Its producer id.
    pub producer: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// How far its transaction has come.
    pub state: TransactionState,
    /// How long a transaction of it may take.
    pub timeout_ms: i32,
    /// When its transaction began, unless it is over.
    pub started_at_ms: Option<i64>,
    /// The partitions that take part.
    pub partitions: Vec<TopicPartition>,
    /// The groups that take part.
    pub groups: Vec<String>,
}

/// A transaction that is open in a partition though the coordinator knows nothing of it: nothing
/// will end it, and readers that want only what is decided wait for it, until an operator aborts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HangingTransaction {
    /// Where.
    pub partition: TopicPartition,
    /// Whose it is.
    pub producer: ProducerId,
    /// Of which epoch.
    pub epoch: ProducerEpoch,
    /// Its first record.
    pub first_offset: Offset,
}

/// Offsets to be committed if and when a transaction is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionalCommit {
    /// The transactional id.
    pub id: String,
    /// Its producer id.
    pub producer: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// The group and its offsets. If a member is named, it has to be one.
    pub commit: GroupCommit,
}

impl TransactionFilter {
    /// What tells whether a transaction is asked for.
    pub(super) fn test(&self, now_ms: i64) -> Result<impl Fn(&Transaction) -> bool> {
        let pattern = self.pattern.as_deref().filter(|pattern| !pattern.is_empty());
        let pattern = pattern.map(|pattern| {
            regex::RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(1 << 20).build()
        });
        let pattern = pattern.transpose().map_err(|error| Error::InvalidRequest {
            reason: format!("the pattern of transactional ids cannot be used: {error}"),
        })?;
        Ok(move |known: &Transaction| {
            let open = known.state == TransactionState::Ongoing || known.state.is_prepared();
            (self.states.is_empty() || self.states.contains(&known.state))
                && (self.producers.is_empty() || self.producers.contains(&known.current.producer))
                && self
                    .longer_than_ms
                    .is_none_or(|least| open && now_ms.saturating_sub(known.started_at_ms) > least)
                && pattern.as_ref().is_none_or(|pattern| pattern.is_match(&known.id))
        })
    }
}

impl Transaction {
    pub(super) fn listing(&self) -> TransactionListing {
        let (id, producer) = (self.id.to_string(), self.current.producer);
        TransactionListing { id, producer, state: self.state }
    }

    pub(super) fn describe(&self) -> TransactionDescription {
        let open = self.state == TransactionState::Ongoing || self.state.is_prepared();
        let (partitions, groups) = self.participants();
        TransactionDescription {
            id: self.id.to_string(),
            producer: self.current.producer,
            epoch: self.current.epoch,
            state: self.state,
            timeout_ms: self.timeout_ms,
            started_at_ms: open.then_some(self.started_at_ms),
            partitions,
            groups: groups.into_iter().collect(),
        }
    }
}
