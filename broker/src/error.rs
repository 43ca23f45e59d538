//! What can go wrong, sorted by what the caller does about it.

use std::fmt;

use onrush_record::batch::BatchError;
use onrush_record::{Offset, ProducerEpoch, ProducerId, Sequence};
use onrush_storage::StorageError;

use crate::DurableMark;
use crate::group::GroupError;
use crate::share::ShareError;
use crate::transaction::TransactionError;

/// The result of the broker's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What the caller does about an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Nothing happened; the same request may succeed later.
    Retry,
    /// Nothing happened; the same request will be refused again.
    Refused,
    /// It may have happened or not; an idempotent producer makes the retry safe.
    Unknown,
    /// The broker cannot go on with this until an operator has helped.
    Fatal,
}

/// Why the broker did not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// No topic of that name or id.
    #[error("there is no topic {topic}; create it first, or check the name")]
    UnknownTopic {
        /// The name or id that was asked for.
        topic: String,
    },
    /// The topic has no partition of that number.
    #[error(
        "topic {topic} has {partitions} partitions, numbered from 0; there is no partition {partition}"
    )]
    UnknownPartition {
        /// The topic's name.
        topic: String,
        /// The number that was asked for.
        partition: u32,
        /// How many there are.
        partitions: u32,
    },
    /// A topic of that name exists.
    #[error("topic {topic} exists already; delete it first, or choose another name")]
    TopicExists {
        /// The name.
        topic: String,
    },
    /// The name is not one a topic may have.
    #[error("{name:?} is no legal topic name: {reason}")]
    IllegalTopicName {
        /// The name.
        name: String,
        /// Which rule it breaks, and what is allowed.
        reason: String,
    },
    /// A configuration key or value that is not allowed.
    #[error("configuration {key}: {reason}")]
    InvalidConfig {
        /// The key.
        key: String,
        /// What is wrong with it, and what is allowed.
        reason: String,
    },
    /// The request contradicts itself or the broker's limits.
    #[error("{reason}")]
    InvalidRequest {
        /// What is wrong, and what is allowed.
        reason: String,
    },
    /// A read outside of what the log holds.
    #[error(
        "offset {asked} is out of range: the log holds {start} to {end} (exclusive); start from one of these"
    )]
    OffsetOutOfRange {
        /// The offset asked for.
        asked: Offset,
        /// The log's first offset.
        start: Offset,
        /// The log's end.
        end: Offset,
    },
    /// The record batch is not a sound one.
    #[error("the record batch is not valid: {0}")]
    BatchInvalid(BatchError),
    /// A record without a key, for a topic that keeps the newest record of each.
    #[error(
        "record {index} of the batch has no key, which the topic's cleanup.policy=compact needs; give every record a key"
    )]
    NullKey {
        /// Which of the batch's records, from 0.
        index: u32,
    },
    /// The record batch is larger than the topic allows.
    #[error(
        "a record batch of {bytes} bytes is larger than the topic's max.message.bytes={max}; send smaller batches or raise it"
    )]
    BatchTooLarge {
        /// Its size.
        bytes: u64,
        /// What the topic allows.
        max: u64,
    },
    /// A record's timestamp is further from the broker's clock than the topic allows.
    #[error(
        "timestamp {timestamp} is out of the topic's bounds ({key}); the broker's clock says {now}"
    )]
    InvalidTimestamp {
        /// The offending timestamp.
        timestamp: i64,
        /// The broker's clock.
        now: i64,
        /// The configuration that refuses it.
        key: &'static str,
    },
    /// A gap in a producer's sequence numbers, or one too old to be recognised.
    #[error(
        "producer {producer:?} sent sequence {found:?} where {expected:?} comes next: a batch before it is missing, or it is too old to be recognised"
    )]
    OutOfOrderSequence {
        /// The producer.
        producer: ProducerId,
        /// What would have been accepted.
        expected: Sequence,
        /// What came.
        found: Sequence,
        /// The refusal holds once this is durable.
        await_durable: Option<DurableMark>,
    },
    /// A newer instance of this producer is at work.
    #[error("producer {producer:?} of epoch {found:?} is fenced: epoch {current:?} is at work")]
    FencedProducer {
        /// The producer.
        producer: ProducerId,
        /// The epoch at work.
        current: ProducerEpoch,
        /// The epoch that came.
        found: ProducerEpoch,
        /// The refusal holds once this is durable.
        await_durable: Option<DurableMark>,
    },
    /// A conditional append named another end than the log's.
    #[error("the append expected offset {expected}, but the log ends at {actual}")]
    ExpectedOffsetMismatch {
        /// What the append named.
        expected: Offset,
        /// The log's end.
        actual: Offset,
        /// The refusal holds once this is durable.
        await_durable: Option<DurableMark>,
    },
    /// A group does not do what it was asked.
    #[error(transparent)]
    Group(GroupError),
    /// A transaction does not do what it was asked.
    #[error(transparent)]
    Transaction(TransactionError),
    /// A share group does not do what it was asked.
    #[error(transparent)]
    Share(#[from] ShareError),
    /// The disk has no room; reads, commits and deletes still work.
    #[error(
        "the disk of {path} is full: produce requests are refused until there is room; delete topics or records, shorten retention, or add space"
    )]
    DiskFull {
        /// The data directory.
        path: String,
    },
    /// Some stored bytes are damaged; the rest is served.
    #[error("{what} is damaged: {reason}; run `onrush check` on the data directory")]
    Damaged {
        /// What is damaged.
        what: String,
        /// How it shows.
        reason: String,
        /// Where reading can go on after the damage, if it is known.
        resume_at: Option<Offset>,
    },
    /// It may have happened or not.
    #[error("the outcome is unknown, it may have happened or not: {reason}")]
    Unknown {
        /// Why nobody can tell.
        reason: String,
    },
    /// The partition takes no writes until an operator has helped.
    #[error("{what} is offline: {reason}")]
    PartitionOffline {
        /// Which partition.
        what: String,
        /// Why.
        reason: String,
    },
    /// The broker is stopping.
    #[error("the broker is shutting down; try again once it is back")]
    ShuttingDown,
    /// Too much is waiting already.
    #[error("{what} is overloaded; try again shortly")]
    Overloaded {
        /// What is.
        what: &'static str,
    },
    /// Another process uses the data directory.
    #[error(
        "the data directory {path} is in use by another process; stop that one, or choose another directory"
    )]
    DataDirLocked {
        /// The directory.
        path: String,
    },
    /// The data was written by a newer version.
    #[error(
        "{path} has format {found}; this version knows up to {known}: run the newer version that wrote it"
    )]
    NewerFormat {
        /// The file or directory.
        path: String,
        /// Its format.
        found: u32,
        /// The newest this version knows.
        known: u32,
    },
    /// The operating system refused something.
    #[error("cannot {op} {path}: {reason}")]
    Io {
        /// What was tried.
        op: String,
        /// On which file.
        path: String,
        /// What the system said.
        reason: String,
    },
}

impl Error {
    /// What to do about it.
    pub fn kind(&self) -> Kind {
        match self {
            Error::DiskFull { .. } | Error::ShuttingDown | Error::Overloaded { .. } => Kind::Retry,
            Error::Group(
                GroupError::StaleEpoch { .. }
                | GroupError::UnstableOffset { .. }
                | GroupError::RebalanceInProgress { .. }
                | GroupError::MemberIdRequired { .. },
            ) => Kind::Retry,
            Error::Transaction(TransactionError::Concurrent { .. }) => Kind::Retry,
            Error::Unknown { .. } => Kind::Unknown,
            Error::Damaged { .. }
            | Error::PartitionOffline { .. }
            | Error::DataDirLocked { .. }
            | Error::NewerFormat { .. }
            | Error::Io { .. } => Kind::Fatal,
            _ => Kind::Refused,
        }
    }

    /// A refusal judged by state that is not durable yet is given to the client only once this
    /// mark is: otherwise a crash could take back what the client was told.
    pub fn await_durable(&self) -> Option<DurableMark> {
        match self {
            Error::OutOfOrderSequence { await_durable, .. }
            | Error::FencedProducer { await_durable, .. }
            | Error::ExpectedOffsetMismatch { await_durable, .. } => *await_durable,
            _ => None,
        }
    }

    pub(crate) fn io(
        op: impl Into<String>,
        path: impl Into<String>,
        error: &std::io::Error,
    ) -> Error {
        Error::Io { op: op.into(), path: path.into(), reason: error.to_string() }
    }

    pub(crate) fn invalid_config(key: impl Into<String>, reason: impl Into<String>) -> Error {
        Error::InvalidConfig { key: key.into(), reason: reason.into() }
    }

    /// An error of the log `name`, in the broker's words.
    pub(crate) fn storage(name: &dyn fmt::Display, error: StorageError) -> Error {
        match error {
            StorageError::OffsetOutOfRange { asked, start, end } => {
                Error::OffsetOutOfRange { asked, start, end }
            }
            StorageError::Damaged { from, to, file, reason } => Error::Damaged {
                what: format!("partition {name}, offsets {from} up to {to}"),
                reason: format!("{file}: {reason}"),
                resume_at: Some(to),
            },
            StorageError::Corrupt { file, reason } => {
                let what = format!("partition {name}");
                Error::Damaged { what, reason: format!("{file}: {reason}"), resume_at: None }
            }
            StorageError::Missing { path } => Error::Damaged {
                what: format!("partition {name}"),
                reason: format!("its log in {path} is missing"),
                resume_at: None,
            },
            StorageError::Full { path } => Error::DiskFull { path },
            StorageError::NewerFormat { file, found, supported } => {
                Error::NewerFormat { path: file, found, known: supported }
            }
            StorageError::BatchTooLarge { size, max } => {
                Error::BatchTooLarge { bytes: size, max: u64::from(max) }
            }
            StorageError::Io { op, path, source } => Error::io(op, path, &source),
            StorageError::Poisoned { .. } => {
                Error::Overloaded { what: "the partition, recovering from a failed sync," }
            }
            other => Error::PartitionOffline {
                what: format!("partition {name}"),
                reason: other.to_string(),
            },
        }
    }
}
