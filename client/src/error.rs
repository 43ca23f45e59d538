//! What goes wrong, sorted by what the caller can conclude.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use onrush_protocol::{DecodeError, ErrorCode, ErrorKind, WireError};
use onrush_record::Offset;

/// A result of this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller may conclude from an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nothing happened, and the same call may succeed later.
    Retry,
    /// Nothing happened, and the same call would be refused again.
    Refused,
    /// It may have happened.
    Unknown,
    /// The producer, consumer or client was closed, or the broker is gone for good.
    Closed,
}

/// Everything that can go wrong. [`Error::kind`] says what to make of it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The broker refused, or could not say.
    #[error(transparent)]
    Broker(Arc<Answered>),
    /// No connection could be made.
    #[error("cannot reach a broker at {}: {}; check the address and that it runs", .0.address, .0.reason)]
    Unreachable(Arc<Transport>),
    /// The connection ended before the answer came.
    #[error("lost the connection to {} before the answer came: {}", .0.address, .0.reason)]
    Lost(Arc<Transport>),
    /// The answer did not come in time.
    #[error("{} did not answer in time: {}", .0.address, .0.reason)]
    Unanswered(Arc<Transport>),
    /// The delivery timeout of a record ran out.
    #[error(transparent)]
    Expired(Arc<Expired>),
    /// What the broker sent is not what it should be: a checksum or an offset that does not fit.
    #[error(transparent)]
    Corrupt(Arc<Corrupt>),
    /// The broker's message cannot be understood.
    #[error("the broker's answer makes no sense: {0}")]
    Garbled(Arc<str>),
    /// The call itself makes no sense.
    #[error("{0}")]
    Invalid(Arc<str>),
    /// The broker is gone for good, as an embedded one that was stopped is.
    #[error("the broker ({}) is gone: {}", .0.address, .0.reason)]
    Gone(Arc<Transport>),
    /// Another producer has taken over the transactional id. This one is of no use any more.
    #[error(transparent)]
    Fenced(Arc<Fenced>),
    /// Something in the transaction has failed, or it took too long: it can only be aborted.
    #[error("the transaction cannot be committed, abort it: {0}")]
    MustAbort(Arc<Error>),
    /// Whether the transaction was committed is not known, and the broker does not say now.
    #[error("whether the transaction was committed is not known: {0}")]
    CommitUnknown(Arc<Error>),
    /// Whether the record was appended is not known: an answer was lost, and what came of sending it
    /// again is no word on what the broker did before.
    #[error("whether the record was appended is not known: {0}")]
    DeliveryUnknown(Arc<Error>),
    /// The record was not sent: its transaction was aborted before.
    #[error("the transaction was aborted before the record was sent")]
    Aborted,
    /// The producer, consumer or client was closed.
    #[error("closed")]
    Closed,
}

/// That a newer producer has fenced this one. See [`Error::Fenced`].
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "another producer has taken over the transactional id {transactional_id}{}; end this one: {reason}",
    if *.may_have_happened { ", and whether the last transaction was committed is not known" } else { "" }
)]
pub struct Fenced {
    /// The transactional id that both have.
    pub transactional_id: Arc<str>,
    /// Whether a commit that was asked for before may have happened: nobody has said.
    pub may_have_happened: bool,
    /// The broker's words.
    pub reason: String,
}

/// What the broker said. See [`Error::Broker`].
#[derive(Clone, Debug, thiserror::Error)]
#[error("{doing}: {error}")]
pub struct Answered {
    /// What was being done.
    pub doing: String,
    /// The broker's words.
    pub error: WireError,
}

/// What happened to a connection. See [`Error::Unreachable`] and those after it.
#[derive(Clone, Debug)]
pub struct Transport {
    /// Where to.
    pub address: String,
    /// What happened, or which request was not answered.
    pub reason: String,
}

/// A record that could not be delivered in time. See [`Error::Expired`].
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "no acknowledgement from partition {partition} of {topic} within {timeout:?}; last seen: {reason}"
)]
pub struct Expired {
    /// The record's topic.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: u32,
    /// The producer's delivery timeout.
    pub timeout: Duration,
    /// Whether the broker may have appended it all the same.
    pub may_have_happened: bool,
    /// The last thing that went wrong.
    pub reason: String,
}

/// Damage that a consumer has noticed. See [`Error::Corrupt`].
#[derive(Clone, Debug, thiserror::Error)]
#[error("partition {partition} of {topic} is damaged at offset {offset}: {reason}")]
pub struct Corrupt {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: u32,
    /// First offset in doubt.
    pub offset: Offset,
    /// What does not fit.
    pub reason: String,
}

impl Error {
    /// What to conclude.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Broker(answered) => match answered.error.kind() {
                ErrorKind::Retriable => Kind::Retry,
                ErrorKind::Refused => Kind::Refused,
                ErrorKind::Unknown => Kind::Unknown,
            },
            Self::Unreachable(_) => Kind::Retry,
            Self::Lost(_) | Self::Unanswered(_) | Self::Garbled(_) => Kind::Unknown,
            Self::Expired(expired) if expired.may_have_happened => Kind::Unknown,
            Self::Expired(_) => Kind::Retry,
            Self::CommitUnknown(_) | Self::DeliveryUnknown(_) => Kind::Unknown,
            Self::Fenced(fenced) if fenced.may_have_happened => Kind::Unknown,
            Self::Corrupt(_)
            | Self::Invalid(_)
            | Self::Fenced(_)
            | Self::MustAbort(_)
            | Self::Aborted => Kind::Refused,
            Self::Gone(_) | Self::Closed => Kind::Closed,
        }
    }

    /// The broker's code, if it was the broker that said no, whatever it may have done before.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Broker(answered) => Some(answered.error.code),
            Self::DeliveryUnknown(last) => last.code(),
            _ => None,
        }
    }

    pub(crate) fn broker(doing: impl Display, error: WireError) -> Self {
        Self::Broker(Arc::new(Answered { doing: doing.to_string(), error }))
    }

    pub(crate) fn unreachable(address: impl Into<String>, reason: impl Display) -> Self {
        Self::Unreachable(transport(address, reason))
    }

    pub(crate) fn not_connected(address: impl Into<String>, error: &std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::NotConnected => Self::Gone(transport(address, error)),
            _ => Self::unreachable(address, error),
        }
    }

    pub(crate) fn lost(address: impl Into<String>, reason: impl Display) -> Self {
        Self::Lost(transport(address, reason))
    }

    pub(crate) fn unanswered(request: &'static str, address: &str) -> Self {
        Self::Unanswered(transport(address, request))
    }

    pub(crate) fn garbled(request: &'static str, reason: &DecodeError) -> Self {
        Self::Garbled(format!("{request}: {reason}").into())
    }

    pub(crate) fn short_answer(request: &'static str) -> Self {
        Self::Garbled(format!("{request}: it has not as many parts as the request").into())
    }

    pub(crate) fn invalid(what: impl Display) -> Self {
        Self::Invalid(what.to_string().into())
    }

    /// Whether the answer is missing only because the connection failed.
    pub(crate) fn is_transport(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Lost(_) | Self::Unanswered(_))
    }

    /// How long the broker asks to wait before trying again.
    pub(crate) fn retry_after(&self) -> Duration {
        match self {
            Self::Broker(answered) => Duration::from_millis(answered.error.retry_after_ms.into()),
            _ => Duration::ZERO,
        }
    }
}

fn transport(address: impl Into<String>, reason: impl Display) -> Arc<Transport> {
    Arc::new(Transport { address: address.into(), reason: reason.to_string() })
}
