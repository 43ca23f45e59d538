//! Transactions: which there are, and ending those that nobody ends.

use std::collections::BTreeSet;

use onrush_protocol::ErrorCode;
use onrush_protocol::request::{
    TransactionAbortRequest, TransactionDescribeRequest, TransactionHangingRequest,
    TransactionListRequest, TransactionOpenRequest,
};
pub use onrush_protocol::response::TransactionListing;
use onrush_protocol::response::TransactionState;
use onrush_record::{Offset, ProducerEpoch, ProducerId, TopicId};

use super::groups::name;
use super::{Admin, only};
use crate::error::{Error, Result};
use crate::metadata::TopicPartition;

/// A transactional id in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionDescription {
    /// The id.
    pub transactional_id: String,
    /// How far its transaction has come.
    pub state: TransactionState,
    /// Its producer's id.
    pub producer_id: i64,
    /// Its producer's epoch.
    pub producer_epoch: i16,
    /// How long a transaction of it may take, in milliseconds.
    pub timeout_ms: u32,
    /// When its transaction began, in milliseconds since 1970, if one is under way.
    pub started_at_ms: Option<i64>,
    /// The partitions that take part.
    pub partitions: Vec<TopicPartition>,
    /// The groups that take part.
    pub groups: Vec<String>,
}

/// A transaction that is open in a partition though the broker's coordinator knows nothing of it:
/// nothing will end it, and readers of committed records wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HangingTransaction {
    /// Where.
    pub partition: TopicPartition,
    /// Whose it is.
    pub producer_id: i64,
    /// Of which epoch.
    pub producer_epoch: i16,
    /// Its first record.
    pub first_offset: Offset,
    topic_id: TopicId,
}

impl Admin {
    /// Every transactional id, in order.
    ///
    /// # Errors
    /// When the broker cannot be reached.
    pub async fn transactions(&self) -> Result<Vec<TransactionListing>> {
        let all = TransactionListRequest { states: Vec::new(), older_than_ms: None, regex: None };
        Ok(self.look(&all).await?.transactions)
    }

    /// One transactional id in full.
    ///
    /// # Errors
    /// When there is none.
    pub async fn describe_transaction(&self, id: &str) -> Result<TransactionDescription> {
        let request = TransactionDescribeRequest { transactional_ids: vec![id.to_owned()] };
        let found = only("TransactionDescribe", self.look(&request).await?.transactions)?;
        if let Some(error) = found.error.0 {
            return Err(Error::broker(format_args!("transactional id {id}"), error));
        }
        let names = self.names(found.partitions.iter().map(|part| part.topic_id).collect()).await?;
        let partitions = found.partitions.iter();
        Ok(TransactionDescription {
            transactional_id: found.transactional_id,
            state: found.state,
            producer_id: found.producer_id.get(),
            producer_epoch: found.producer_epoch.get(),
            timeout_ms: found.timeout_ms,
            started_at_ms: (found.started_at_ms >= 0).then_some(found.started_at_ms),
            partitions: partitions.map(|at| name(&names, at.topic_id, at.partition)).collect(),
            groups: found.groups,
        })
    }

    /// Fences the producer of a transactional id: what it has open is aborted when this returns, and
    /// whatever it sends from then on is refused. A producer that is built anew goes on.
    ///
    /// # Errors
    /// When there is no such id.
    pub async fn abort_transaction(&self, id: &str) -> Result<()> {
        // Opening one that does not exist would make it.
        let known = self.describe_transaction(id).await?;
        let request = TransactionOpenRequest {
            transactional_id: id.to_owned(),
            timeout_ms: known.timeout_ms,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
        };
        self.look(&request).await.map(drop)
    }

    /// Transactions that nothing will end by itself.
    ///
    /// # Errors
    /// When the broker cannot be reached.
    pub async fn hanging_transactions(&self) -> Result<Vec<HangingTransaction>> {
        let found = self.look(&TransactionHangingRequest {}).await?.transactions;
        let ids: BTreeSet<TopicId> = found.iter().map(|one| one.topic_id).collect();
        let names = self.names(ids).await?;
        let hanging = found.into_iter().map(|one| HangingTransaction {
            partition: name(&names, one.topic_id, one.partition),
            producer_id: one.producer_id.get(),
            producer_epoch: one.producer_epoch.get(),
            first_offset: one.first_offset,
            topic_id: one.topic_id,
        });
        Ok(hanging.collect())
    }

    /// Aborts one of them.
    ///
    /// # Errors
    /// When the coordinator does know it.
    pub async fn abort_hanging(&self, hanging: &HangingTransaction) -> Result<()> {
        let request = TransactionAbortRequest {
            topic_id: hanging.topic_id,
            partition: hanging.partition.partition,
            producer_id: ProducerId::new(hanging.producer_id),
            producer_epoch: ProducerEpoch::new(hanging.producer_epoch),
        };
        match self.look(&request).await {
            // Gone with its topic: nobody waits for it.
            Err(error) if error.code() == Some(ErrorCode::UNKNOWN_TOPIC) => Ok(()),
            aborted => aborted.map(drop),
        }
    }
}
