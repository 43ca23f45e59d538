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
    /// The producer, consumer or client was closed.
    Closed,
}

/// Everything that can go wrong. [`Error::kind`] says what to make of it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The broker refused, or could not say.
    #[error("{doing}: {error}")]
    Broker {
        /// What was being done.
        doing: Arc<str>,
        /// What the broker said.
        error: Arc<WireError>,
    },
    /// No connection could be made.
    #[error("cannot reach a broker at {address}: {reason}; check the address and that it runs")]
    Unreachable {
        /// Where.
        address: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// The connection ended before the answer came.
    #[error("lost the connection to {address} before the answer came: {reason}")]
    Lost {
        /// Where to.
        address: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// The answer did not come in time.
    #[error("{address} did not answer {request} in time")]
    Unanswered {
        /// Who.
        address: Arc<str>,
        /// To what.
        request: &'static str,
    },
    /// The delivery timeout of a record ran out.
    #[error(
        "no acknowledgement from partition {partition} of {topic} within {timeout:?}; last seen: {reason}"
    )]
    Expired {
        /// The record's topic.
        topic: Arc<str>,
        /// Its partition.
        partition: u32,
        /// The producer's delivery timeout.
        timeout: Duration,
        /// Whether the broker may have appended it all the same.
        may_have_happened: bool,
        /// The last thing that went wrong.
        reason: Arc<str>,
    },
    /// What the broker sent is not what it should be: a checksum or an offset that does not fit.
    #[error("partition {partition} of {topic} is damaged at offset {offset}: {reason}")]
    Corrupt {
        /// The topic.
        topic: Arc<str>,
        /// The partition.
        partition: u32,
        /// First offset in doubt.
        offset: Offset,
        /// What does not fit.
        reason: Arc<str>,
    },
    /// The broker's message cannot be understood.
    #[error("{request}: the broker's answer makes no sense: {reason}")]
    Garbled {
        /// The request that was answered.
        request: &'static str,
        /// What is wrong with the answer.
        reason: Arc<str>,
    },
    /// The call itself makes no sense.
    #[error("{0}")]
    Invalid(Arc<str>),
    /// The producer, consumer or client was closed.
    #[error("closed")]
    Closed,
}

impl Error {
    /// What to conclude.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Broker { error, .. } => match error.kind() {
                ErrorKind::Retriable => Kind::Retry,
                ErrorKind::Refused => Kind::Refused,
                ErrorKind::Unknown => Kind::Unknown,
            },
            Self::Unreachable { .. } => Kind::Retry,
            Self::Lost { .. } | Self::Unanswered { .. } | Self::Garbled { .. } => Kind::Unknown,
            Self::Expired { may_have_happened: true, .. } => Kind::Unknown,
            Self::Expired { .. } => Kind::Retry,
            Self::Corrupt { .. } | Self::Invalid(_) => Kind::Refused,
            Self::Closed => Kind::Closed,
        }
    }

    /// The broker's code, if it was the broker that said no.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Broker { error, .. } => Some(error.code),
            _ => None,
        }
    }

    pub(crate) fn broker(doing: impl Display, error: WireError) -> Self {
        Self::Broker { doing: doing.to_string().into(), error: Arc::new(error) }
    }

    pub(crate) fn unreachable(address: impl Into<Arc<str>>, reason: impl Display) -> Self {
        Self::Unreachable { address: address.into(), reason: reason.to_string().into() }
    }

    pub(crate) fn lost(address: impl Into<Arc<str>>, reason: impl Display) -> Self {
        Self::Lost { address: address.into(), reason: reason.to_string().into() }
    }

    pub(crate) fn unanswered(request: &'static str, address: &str) -> Self {
        Self::Unanswered { address: address.into(), request }
    }

    pub(crate) fn garbled(request: &'static str, reason: &DecodeError) -> Self {
        Self::Garbled { request, reason: reason.to_string().into() }
    }

    pub(crate) fn short_answer(request: &'static str) -> Self {
        Self::Garbled { request, reason: "it has fewer parts than the request".into() }
    }

    pub(crate) fn invalid(what: impl Display) -> Self {
        Self::Invalid(what.to_string().into())
    }

    /// Whether the answer is missing only because the connection failed.
    pub(crate) fn is_transport(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Lost { .. } | Self::Unanswered { .. })
    }

    /// How long the broker asks to wait before trying again.
    pub(crate) fn retry_after(&self) -> Duration {
        match self {
            Self::Broker { error, .. } => Duration::from_millis(error.retry_after_ms.into()),
            _ => Duration::ZERO,
        }
    }
}
