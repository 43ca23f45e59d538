//! How a command ends: a message for a person and a status for a script.

use std::fmt;
use std::process::ExitCode;

/// A command that did not do what was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    status: u8,
    message: String,
}

impl Failure {
    /// The broker or the disk said no (status 1).
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self { status: 1, message: message.into() }
    }

    /// What was typed or configured is wrong, or there was nothing to look at (status 2).
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { status: 2, message: message.into() }
    }

    /// No broker answers (status 3).
    pub(crate) fn unreachable(message: impl Into<String>) -> Self {
        Self { status: 3, message: message.into() }
    }

    /// Says it on standard error.
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("onrush: {}", self.message);
        ExitCode::from(self.status)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl From<onrush_client::Error> for Failure {
    fn from(error: onrush_client::Error) -> Self {
        match error {
            onrush_client::Error::Unreachable { .. } => Self::unreachable(error.to_string()),
            _ => Self::refused(error.to_string()),
        }
    }
}

impl From<onrush::Error> for Failure {
    fn from(error: onrush::Error) -> Self {
        Self::refused(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::refused(error.to_string())
    }
}
