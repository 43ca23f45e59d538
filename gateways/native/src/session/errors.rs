//! The broker's errors as the protocol's codes.

use bytes::BytesMut;
use onrush_broker::group::GroupError;
use onrush_broker::transaction::TransactionError;
use onrush_broker::{Error, Kind, Partition};
use onrush_protocol::wire::Maybe;
use onrush_protocol::{ErrorCode, Message as _, WireError};
use onrush_record::{LeaderEpoch, Offset};

/// Advice on when to try again after a refusal that passes.
const RETRY_AFTER_MS: u32 = 100;

fn detail(offset: Offset) -> i64 {
    i64::try_from(offset.get()).unwrap_or(i64::MAX)
}

/// The code, text and number for an error of the broker.
pub(crate) fn wire_error(error: &Error) -> WireError {
    let (code, number) = match error {
        Error::UnknownTopic { .. } => (ErrorCode::UNKNOWN_TOPIC, None),
        Error::UnknownPartition { partitions, .. } => {
            (ErrorCode::UNKNOWN_PARTITION, Some(i64::from(*partitions)))
        }
        Error::TopicExists { .. } => (ErrorCode::TOPIC_EXISTS, None),
        Error::IllegalTopicName { .. } => (ErrorCode::ILLEGAL_TOPIC_NAME, None),
        Error::InvalidConfig { .. } => (ErrorCode::INVALID_CONFIG, None),
        Error::InvalidRequest { .. } => (ErrorCode::INVALID_REQUEST, None),
        Error::OffsetOutOfRange { asked, start, end } => {
            let bound = if asked < start { start } else { end };
            (ErrorCode::OFFSET_OUT_OF_RANGE, Some(detail(*bound)))
        }
        Error::BatchInvalid(_) | Error::NullKey { .. } | Error::InvalidTimestamp { .. } => {
            (ErrorCode::BATCH_INVALID, None)
        }
        Error::BatchTooLarge { max, .. } => {
            (ErrorCode::BATCH_TOO_LARGE, Some(i64::try_from(*max).unwrap_or(i64::MAX)))
        }
        Error::OutOfOrderSequence { expected, .. } => {
            (ErrorCode::OUT_OF_ORDER_SEQUENCE, Some(i64::from(expected.get())))
        }
        Error::FencedProducer { current, .. } => {
            (ErrorCode::FENCED_PRODUCER, Some(i64::from(current.get())))
        }
        Error::ExpectedOffsetMismatch { actual, .. } => {
            (ErrorCode::EXPECTED_OFFSET_MISMATCH, Some(detail(*actual)))
        }
        Error::Group(error) => (group_code(error), None),
        Error::Transaction(error) => transaction_code(error),
        // Nothing that this protocol serves asks share groups.
        Error::Share(_) => (ErrorCode::INVALID_REQUEST, None),
        Error::DiskFull { .. } => (ErrorCode::DISK_FULL, None),
        Error::Damaged { .. } => (ErrorCode::DAMAGED, None),
        Error::Unknown { .. } => (ErrorCode::OUTCOME_UNKNOWN, None),
        Error::PartitionOffline { .. } => (ErrorCode::PARTITION_OFFLINE, None),
        Error::ShuttingDown => (ErrorCode::SHUTTING_DOWN, None),
        Error::Overloaded { .. } => (ErrorCode::OVERLOADED, None),
        Error::DataDirLocked { .. } | Error::NewerFormat { .. } | Error::Io { .. } => {
            (ErrorCode::STORAGE_FAILED, None)
        }
    };
    let wire = WireError::new(code, error.to_string());
    let wire = match number {
        Some(number) => wire.with_detail(number),
        None => wire,
    };
    if error.kind() == Kind::Retry { wire.with_retry_after_ms(RETRY_AFTER_MS) } else { wire }
}

fn transaction_code(error: &TransactionError) -> (ErrorCode, Option<i64>) {
    match error {
        TransactionError::InvalidId { .. } => (ErrorCode::INVALID_TRANSACTIONAL_ID, None),
        TransactionError::InvalidTimeout { max, .. } => {
            (ErrorCode::INVALID_TRANSACTION_TIMEOUT, Some(i64::from(*max)))
        }
        TransactionError::UnknownId { .. } | TransactionError::ProducerIdMapping { .. } => {
            (ErrorCode::UNKNOWN_TRANSACTIONAL_ID, None)
        }
        TransactionError::Fenced { current, .. } => {
            (ErrorCode::FENCED_PRODUCER, Some(i64::from(current.get())))
        }
        TransactionError::InvalidState { .. } => (ErrorCode::INVALID_TRANSACTION_STATE, None),
        TransactionError::Concurrent { .. } => (ErrorCode::TRANSACTION_ENDING, None),
        TransactionError::NotAdded { .. } | TransactionError::GroupNotAdded { .. } => {
            (ErrorCode::NOT_IN_TRANSACTION, None)
        }
    }
}

fn group_code(error: &GroupError) -> ErrorCode {
    match error {
        GroupError::InvalidGroupId { .. } => ErrorCode::INVALID_GROUP_ID,
        GroupError::InvalidRequest { .. }
        | GroupError::InconsistentProtocol { .. }
        | GroupError::InvalidSessionTimeout { .. }
        | GroupError::MemberIdRequired { .. } => ErrorCode::INVALID_REQUEST,
        GroupError::UnknownMember { .. } => ErrorCode::UNKNOWN_MEMBER,
        GroupError::FencedMember { .. }
        | GroupError::HeldByAnother { .. }
        | GroupError::IllegalGeneration { .. } => ErrorCode::FENCED_MEMBER,
        GroupError::StaleEpoch { .. } | GroupError::RebalanceInProgress { .. } => {
            ErrorCode::STALE_MEMBER_EPOCH
        }
        GroupError::FencedInstance { .. } | GroupError::UnreleasedInstance { .. } => {
            ErrorCode::FENCED_INSTANCE
        }
        GroupError::UnstableOffset { .. } => ErrorCode::UNSTABLE_OFFSET,
        GroupError::InvalidRegex { .. } => ErrorCode::INVALID_REGEX,
        GroupError::UnknownAssignor { .. } => ErrorCode::UNKNOWN_ASSIGNOR,
        GroupError::GroupFull { .. } => ErrorCode::GROUP_FULL,
        GroupError::UnknownGroup { .. } => ErrorCode::UNKNOWN_GROUP,
        GroupError::GroupNotEmpty { .. } | GroupError::SubscribedToTopic { .. } => {
            ErrorCode::GROUP_NOT_EMPTY
        }
        GroupError::MetadataTooLarge { .. } => ErrorCode::COMMIT_METADATA_TOO_LARGE,
        GroupError::UnknownTopic { .. } => ErrorCode::UNKNOWN_TOPIC,
        GroupError::UnknownPartition { .. } => ErrorCode::UNKNOWN_PARTITION,
    }
}

/// What is wrong with the leader epoch that a request names, if it names one.
pub(crate) fn epoch_error(named: Maybe<LeaderEpoch>, partition: &Partition) -> Option<WireError> {
    let named = named.0?;
    let current = partition.leader_epoch();
    let (code, text) = match named.cmp(&current) {
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Less => (
            ErrorCode::FENCED_LEADER_EPOCH,
            "the broker has been restarted since; refresh the metadata",
        ),
        std::cmp::Ordering::Greater => {
            (ErrorCode::UNKNOWN_LEADER_EPOCH, "this broker does not know it; refresh the metadata")
        }
    };
    let text = format!("leader epoch {} is not {}: {text}", named.get(), current.get());
    Some(WireError::new(code, text).with_detail(i64::from(current.get())))
}

/// A response body that is an error: its layout does not depend on what was asked.
pub(crate) fn encode(error: &WireError, body: &mut BytesMut) {
    let reply: Result<onrush_protocol::response::PingResponse, WireError> = Err(error.clone());
    reply.encode(body);
}
