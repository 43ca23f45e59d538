//! What can go wrong with a broker as a whole.

use std::io;
use std::time::Duration;

/// Why a broker could not be opened, reached or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The broker refused.
    #[error(transparent)]
    Broker(#[from] onrush_broker::Error),
    /// The client could not do what it was asked.
    #[error(transparent)]
    Client(#[from] onrush_client::Error),
    /// The address is not one to listen on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address asked for.
        address: String,
        /// Why not, and what to do.
        reason: String,
    },
    /// The address can be reached from other machines.
    #[error(
        "refused to listen on {address}: it can be reached from other machines, and there is \
         neither authentication nor encryption yet; listen on 127.0.0.1, or allow it with \
         --insecure-listen (`Config::insecure_listen`)"
    )]
    NotLoopback {
        /// The address asked for.
        address: String,
    },
    /// The operating system refused something.
    #[error("cannot {op} {what}: {source}")]
    Io {
        /// What was tried.
        op: &'static str,
        /// With what.
        what: String,
        /// What the system said.
        source: io::Error,
    },
    /// Only a broker with a manual clock can be told to let time pass.
    #[error(
        "this broker goes by the system's clock; open it with Config::manual_clock to move time"
    )]
    NoManualClock,
    /// Time is moved step by step, from one thing that is due to the next, and not so far at once.
    #[error("time can be moved by {most:?} at once, not by {by:?}; move it in several steps")]
    TooFar {
        /// What was asked for.
        by: Duration,
        /// The most.
        most: Duration,
    },
    /// The broker's thread is gone.
    #[error("the broker has stopped")]
    Stopped,
}

/// The result of this crate's calls.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn io(op: &'static str, what: impl Into<String>, source: io::Error) -> Self {
        Self::Io { op, what: what.into(), source }
    }
}
