//! Why a transaction does not do what it was asked.

use onrush_record::{ProducerEpoch, ProducerId, TopicId};

/// Why a transaction did not do what it was asked. Nothing has happened in any of these cases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// Not a legal transactional id.
    #[error("transactional ids are 1 to {max} bytes, this one has {len}; choose another")]
    InvalidId {
        /// Its length in bytes.
        len: usize,
        /// The most.
        max: usize,
    },
    /// The time a transaction may take is out of bounds.
    #[error("a transaction may take 1 to {max} ms (transaction.max.timeout.ms), not {timeout_ms}")]
    InvalidTimeout {
        /// What was asked for.
        timeout_ms: i32,
        /// The most.
        max: i32,
    },
    /// No such transactional id.
    #[error("there is no transactional id {id}; it may have expired")]
    UnknownId {
        /// The id.
        id: String,
    },
    /// The producer id is not that of the transactional id, or of none.
    #[error(
        "producer {producer} is not that of transactional id {id:?}, which may have expired; \
         initialise the producer again"
    )]
    ProducerIdMapping {
        /// The transactional id, as far as known.
        id: String,
        /// The producer id that came.
        producer: ProducerId,
    },
    /// A newer instance of this producer is at work, or its transaction took too long.
    #[error(
        "producer {producer} of epoch {found} is fenced, its epoch is {current}: a newer one has \
         taken over, or its transaction took too long; initialise the producer again"
    )]
    Fenced {
        /// The producer.
        producer: ProducerId,
        /// The epoch at work.
        current: ProducerEpoch,
        /// The epoch that came.
        found: ProducerEpoch,
    },
    /// The request does not fit how far the transaction has come.
    #[error("the transaction of producer {producer} cannot do that: {reason}")]
    InvalidState {
        /// The producer.
        producer: ProducerId,
        /// What does not fit.
        reason: &'static str,
    },
    /// The one before is still being brought to its end.
    #[error("the last transaction of {id} is still being ended; try again shortly")]
    Concurrent {
        /// The transactional id.
        id: String,
    },
    /// The partition is not part of the transaction, which may have ended or not have begun.
    #[error(
        "partition {partition} of topic {topic} is not part of an open transaction of producer \
         {producer}; add it first, or abort the transaction"
    )]
    NotAdded {
        /// The producer.
        producer: ProducerId,
        /// The topic.
        topic: TopicId,
        /// The partition.
        partition: u32,
    },
    /// The group is not part of the transaction.
    #[error(
        "group {group} is not part of an open transaction of producer {producer}; add it first"
    )]
    GroupNotAdded {
        /// The producer.
        producer: ProducerId,
        /// The group.
        group: String,
    },
}
