//! The broker's errors in Kafka's codes, such that clients retry or fail as they would with Kafka.

use onrush_broker::Error;
use onrush_broker::group::GroupError;
use onrush_broker::share::ShareError;
use onrush_broker::transaction::TransactionError;
use onrush_kafka_protocol::ErrorCode;
use onrush_record::batch::BatchError;

/// The code of an error about a partition or its records: producing, fetching, looking offsets up.
///
/// Consumers know a small set of codes here and give up at any other, so what is to be tried again
/// is told by those that make clients ask for metadata and come back.
pub(crate) fn code(error: &Error) -> ErrorCode {
    match error {
        Error::UnknownTopic { .. } | Error::UnknownPartition { .. } => {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        }
        Error::TopicExists { .. } => ErrorCode::TOPIC_ALREADY_EXISTS,
        Error::IllegalTopicName { .. } => ErrorCode::INVALID_TOPIC_EXCEPTION,
        Error::InvalidConfig { .. } => ErrorCode::INVALID_CONFIG,
        Error::InvalidRequest { .. } => ErrorCode::INVALID_REQUEST,
        Error::OffsetOutOfRange { .. } => ErrorCode::OFFSET_OUT_OF_RANGE,
        Error::BatchInvalid(reason) => batch(reason),
        Error::NullKey { .. } => ErrorCode::INVALID_RECORD,
        Error::BatchTooLarge { .. } => ErrorCode::MESSAGE_TOO_LARGE,
        Error::InvalidTimestamp { .. } => ErrorCode::INVALID_TIMESTAMP,
        Error::OutOfOrderSequence { .. } => ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER,
        Error::FencedProducer { .. } => ErrorCode::INVALID_PRODUCER_EPOCH,
        Error::Group(error) => group(error),
        Error::Transaction(error) => transaction(error),
        Error::Share(error) => share(error),
        // A range of the log is lost: a consumer has to hear of it rather than wait for ever.
        Error::Damaged { resume_at: Some(_), .. } => ErrorCode::CORRUPT_MESSAGE,
        Error::ShuttingDown => ErrorCode::NOT_LEADER_OR_FOLLOWER,
        Error::Damaged { resume_at: None, .. }
        | Error::DiskFull { .. }
        | Error::Unknown { .. }
        | Error::PartitionOffline { .. }
        | Error::Overloaded { .. }
        | Error::DataDirLocked { .. }
        | Error::NewerFormat { .. }
        | Error::Io { .. } => ErrorCode::KAFKA_STORAGE_ERROR,
        // Only conditional appends of the native protocol meet it.
        Error::ExpectedOffsetMismatch { .. } => ErrorCode::UNKNOWN_SERVER_ERROR,
    }
}

/// The code of an error of an administrative call, which in Kafka is the controller's answer.
pub(crate) fn admin_code(error: &Error) -> ErrorCode {
    match error {
        Error::ShuttingDown => ErrorCode::NOT_CONTROLLER,
        Error::Overloaded { .. } => ErrorCode::REQUEST_TIMED_OUT,
        other => code(other),
    }
}

/// The code of an error of a call about groups or transactions, which is their coordinator's.
pub(crate) fn coordinator_code(error: &Error) -> ErrorCode {
    match error {
        Error::ShuttingDown | Error::Overloaded { .. } | Error::Unknown { .. } => {
            ErrorCode::COORDINATOR_NOT_AVAILABLE
        }
        Error::DiskFull { .. } => ErrorCode::COORDINATOR_NOT_AVAILABLE,
        Error::Damaged { .. } | Error::Io { .. } => ErrorCode::UNKNOWN_SERVER_ERROR,
        other => code(other),
    }
}

fn batch(error: &BatchError) -> ErrorCode {
    match error {
        BatchError::TooLarge { .. } => ErrorCode::MESSAGE_TOO_LARGE,
        BatchError::BadMagic(_) => ErrorCode::UNSUPPORTED_FOR_MESSAGE_FORMAT,
        BatchError::UnknownCodec { .. } => ErrorCode::UNSUPPORTED_COMPRESSION_TYPE,
        BatchError::Truncated { .. } | BatchError::BadLength { .. } | BatchError::BadCrc { .. } => {
            ErrorCode::CORRUPT_MESSAGE
        }
        _ => ErrorCode::INVALID_RECORD,
    }
}

fn group(error: &GroupError) -> ErrorCode {
    match error {
        GroupError::InvalidGroupId { .. } => ErrorCode::INVALID_GROUP_ID,
        GroupError::InvalidRequest { .. } => ErrorCode::INVALID_REQUEST,
        GroupError::UnknownMember { .. } => ErrorCode::UNKNOWN_MEMBER_ID,
        GroupError::FencedMember { .. } => ErrorCode::FENCED_MEMBER_EPOCH,
        GroupError::StaleEpoch { .. } | GroupError::HeldByAnother { .. } => {
            ErrorCode::STALE_MEMBER_EPOCH
        }
        GroupError::FencedInstance { .. } => ErrorCode::FENCED_INSTANCE_ID,
        GroupError::InvalidRegex { .. } => ErrorCode::INVALID_REGULAR_EXPRESSION,
        GroupError::UnknownAssignor { .. } => ErrorCode::UNSUPPORTED_ASSIGNOR,
        GroupError::GroupFull { .. } => ErrorCode::GROUP_MAX_SIZE_REACHED,
        GroupError::UnknownGroup { .. } => ErrorCode::GROUP_ID_NOT_FOUND,
        GroupError::GroupNotEmpty { .. } => ErrorCode::NON_EMPTY_GROUP,
        GroupError::IllegalGeneration { .. } => ErrorCode::ILLEGAL_GENERATION,
        GroupError::RebalanceInProgress { .. } => ErrorCode::REBALANCE_IN_PROGRESS,
        GroupError::MemberIdRequired { .. } => ErrorCode::MEMBER_ID_REQUIRED,
        GroupError::InconsistentProtocol { .. } => ErrorCode::INCONSISTENT_GROUP_PROTOCOL,
        GroupError::InvalidSessionTimeout { .. } => ErrorCode::INVALID_SESSION_TIMEOUT,
        GroupError::SubscribedToTopic { .. } => ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC,
        GroupError::UnreleasedInstance { .. } => ErrorCode::UNRELEASED_INSTANCE_ID,
        GroupError::MetadataTooLarge { .. } => ErrorCode::OFFSET_METADATA_TOO_LARGE,
        GroupError::UnstableOffset { .. } => ErrorCode::UNSTABLE_OFFSET_COMMIT,
        GroupError::UnknownTopic { .. } | GroupError::UnknownPartition { .. } => {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        }
    }
}

fn share(error: &ShareError) -> ErrorCode {
    match error {
        ShareError::InvalidRequest { .. } => ErrorCode::INVALID_REQUEST,
        ShareError::UnknownGroup { .. } | ShareError::OtherKind { .. } => {
            ErrorCode::GROUP_ID_NOT_FOUND
        }
        ShareError::UnknownMember { .. } => ErrorCode::UNKNOWN_MEMBER_ID,
        ShareError::FencedMember { .. } => ErrorCode::FENCED_MEMBER_EPOCH,
        ShareError::GroupFull { .. } => ErrorCode::GROUP_MAX_SIZE_REACHED,
        ShareError::GroupNotEmpty { .. } => ErrorCode::NON_EMPTY_GROUP,
        ShareError::InvalidRecordState { .. } => ErrorCode::INVALID_RECORD_STATE,
        ShareError::SessionNotFound { .. } => ErrorCode::SHARE_SESSION_NOT_FOUND,
        ShareError::InvalidSessionEpoch { .. } => ErrorCode::INVALID_SHARE_SESSION_EPOCH,
        ShareError::SessionLimit { .. } => ErrorCode::SHARE_SESSION_LIMIT_REACHED,
    }
}

fn transaction(error: &TransactionError) -> ErrorCode {
    match error {
        TransactionError::InvalidId { .. } => ErrorCode::INVALID_REQUEST,
        TransactionError::InvalidTimeout { .. } => ErrorCode::INVALID_TRANSACTION_TIMEOUT,
        TransactionError::UnknownId { .. } => ErrorCode::TRANSACTIONAL_ID_NOT_FOUND,
        TransactionError::ProducerIdMapping { .. } => ErrorCode::INVALID_PRODUCER_ID_MAPPING,
        TransactionError::Fenced { .. } => ErrorCode::PRODUCER_FENCED,
        TransactionError::Concurrent { .. } => ErrorCode::CONCURRENT_TRANSACTIONS,
        TransactionError::InvalidState { .. }
        | TransactionError::NotAdded { .. }
        | TransactionError::GroupNotAdded { .. } => ErrorCode::INVALID_TXN_STATE,
    }
}
