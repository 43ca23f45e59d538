//! What an answer waits for.

use onrush_record::Offset;

use crate::Error;

/// A point of a partition's log that has to be durable before an answer may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurableMark {
    /// The durable end has to reach this.
    pub upto: Offset,
    /// Which life of the log the offset is of: a log that was opened anew after a failed sync may
    /// give the same offset to another record.
    pub incarnation: u32,
}

/// How it stands with a [`DurableMark`].
#[derive(Clone, Debug, PartialEq)]
pub enum Settled {
    /// Not durable yet.
    Pending,
    /// Durable: answer.
    Durable,
    /// Nobody can tell whether it is: answer with this error, whose kind is unknown.
    Failed(Error),
}
