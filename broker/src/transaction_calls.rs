//! What callers ask of transactions. Each call may be dropped at any time: what it has begun is
//! seen through, or has no effect.

use onrush_record::{ProducerEpoch, ProducerId};

use crate::group::{CommittedOffset, TopicPartition};
use crate::transaction::{
    HangingTransaction, TransactionDescription, TransactionFilter, TransactionListing,
    TransactionalCommit,
};
use crate::{Broker, Result};

impl Broker {
    /// The identity of a transactional producer. It fences who had the transactional id before, and
    /// aborts the transaction that one has left open. A producer that only wants a new epoch says
    /// with `expected` who it is: it is refused if it was fenced meanwhile.
    ///
    /// # Errors
    /// An illegal id or time, a fenced producer, or that the last transaction is still being ended.
    pub async fn init_transactional(
        &self,
        id: &str,
        timeout_ms: i32,
        expected: Option<(ProducerId, ProducerEpoch)>,
    ) -> Result<(ProducerId, ProducerEpoch)> {
        self.inner.transactions.init(id, timeout_ms, expected).await
    }

    /// Lets partitions take part in the producer's transaction, which begins with them if none is
    /// open; all of them or none. Durable when this returns. Those that do already cost nothing.
    ///
    /// # Errors
    /// A partition that does not exist, a fenced producer, or that its last transaction is still
    /// being ended.
    pub async fn transaction_add_partitions(
        &self,
        id: &str,
        producer: ProducerId,
        epoch: ProducerEpoch,
        partitions: &[TopicPartition],
    ) -> Result<()> {
        self.inner.transactions.add(id, producer, epoch, partitions, &[]).await
    }

    /// The same for a producer whose transactional id is known by its producer id alone, as when its
    /// partitions join by what is appended to them.
    ///
    /// # Errors
    /// As [`Broker::transaction_add_partitions`]; also a producer that is not transactional.
    pub async fn transaction_join(
        &self,
        producer: ProducerId,
        epoch: ProducerEpoch,
        partitions: &[TopicPartition],
    ) -> Result<()> {
        self.inner.transactions.join(producer, epoch, partitions).await
    }

    /// The same for a group whose offsets the producer is going to commit.
    ///
    /// # Errors
    /// As [`Broker::transaction_add_partitions`].
    pub async fn transaction_add_group(
        &self,
        id: &str,
        producer: ProducerId,
        epoch: ProducerEpoch,
        group: &str,
    ) -> Result<()> {
        self.inner.transactions.add(id, producer, epoch, &[], &[group]).await
    }

    /// Commits offsets of a group as part of a transaction: they count if and when it is committed.
    /// One result for each; they are durable when this returns.
    ///
    /// # Errors
    /// A fenced producer, a group that is not part of its open transaction, or what the group says
    /// of the whole commit.
    pub async fn transaction_commit_offsets(
        &self,
        commit: TransactionalCommit,
    ) -> Result<Vec<Result<()>>> {
        self.inner.transactions.commit_offsets(commit).await
    }

    /// Ends a transaction: all of it counts from here on, or none of it ever does. The decision is
    /// durable when this returns, and as a rule carried out. With `bump` the producer is given a new
    /// epoch; it is told who it is afterwards.
    ///
    /// # Errors
    /// When there is none to be ended so, a fenced producer; or that nobody can tell: ask again then.
    pub async fn transaction_end(
        &self,
        id: &str,
        producer: ProducerId,
        epoch: ProducerEpoch,
        commit: bool,
        bump: bool,
    ) -> Result<(ProducerId, ProducerEpoch)> {
        self.inner.transactions.end(id, (producer, epoch), commit, bump).await
    }

    /// The transactional ids that a filter asks for, in order.
    ///
    /// # Errors
    /// A pattern that is none, or that transactions are disabled.
    pub fn transactions(&self, filter: &TransactionFilter) -> Result<Vec<TransactionListing>> {
        self.inner.transactions.list(filter)
    }

    /// One transactional id in full.
    ///
    /// # Errors
    /// When there is none, or transactions are disabled.
    pub fn transaction(&self, id: &str) -> Result<TransactionDescription> {
        self.inner.transactions.describe(id)
    }

    /// Transactions that are open in a partition though the coordinator knows nothing of them.
    ///
    /// # Errors
    /// When transactions are disabled.
    pub fn hanging_transactions(&self) -> Result<Vec<HangingTransaction>> {
        self.inner.transactions.hanging()
    }

    /// Ends a hanging transaction in one partition, as a rule by aborting it. Durable when this
    /// returns. Where none is open nothing happens.
    ///
    /// # Errors
    /// When the coordinator knows it, an older epoch than the partition has seen, no such partition.
    pub async fn transaction_abort_hanging(
        &self,
        partition: TopicPartition,
        producer: ProducerId,
        epoch: ProducerEpoch,
        commit: bool,
    ) -> Result<()> {
        self.inner.transactions.end_hanging(partition, producer, epoch, commit).await
    }

    /// As [`Broker::group_offsets`], with an error for each partition of which an open transaction
    /// is still to decide.
    ///
    /// # Errors
    /// When groups are disabled.
    pub async fn group_offsets_stable(
        &self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<Vec<(TopicPartition, Result<Option<CommittedOffset>>)>> {
        self.inner.coordinator.stable_offsets(group, partitions).await
    }
}
