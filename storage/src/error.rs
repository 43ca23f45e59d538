//! What can go wrong with one log, sorted by what the caller can do about it.

use std::io;
use std::path::{Path, PathBuf};

use onrush_record::Offset;

use crate::segment::SegmentFile;

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, StorageError>;

/// Why a log refused or failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The asked offset is not in the log. Ask again within the range.
    #[error("offset {asked} is outside the log, which holds {start} up to {end}; ask within it")]
    OffsetOutOfRange {
        /// The offset asked for.
        asked: Offset,
        /// First offset the log holds.
        start: Offset,
        /// End of the log (exclusive).
        end: Offset,
    },
    /// The asked range is damaged on disk; what lies around it is served.
    #[error(
        "{file}: offsets {from} up to {to} are damaged ({reason}); read on from {to}, or run \
         `onrush check` on the data directory and decide with `onrush repair`"
    )]
    Damaged {
        /// First damaged offset.
        from: Offset,
        /// First good offset after the damage.
        to: Offset,
        /// File the damage is in.
        file: String,
        /// What is wrong there.
        reason: String,
    },
    /// A sync failed: what was written and not yet durable has an unknown outcome. Reopen.
    #[error("a sync of {path} failed ({reason}); unacknowledged appends have an unknown outcome")]
    Poisoned {
        /// Log directory.
        path: String,
        /// The sync's error.
        reason: String,
    },
    /// The log failed twice and stays offline until the operator restarts on a sound disk.
    #[error("the log in {path} is offline: {reason}; check the disk, then restart")]
    Offline {
        /// Log directory.
        path: String,
        /// Why it went offline.
        reason: String,
    },
    /// The disk is full; nothing was appended. Retry once there is room.
    #[error(
        "no room left on the disk under {path}; nothing was appended, retry once there is room"
    )]
    Full {
        /// File that could not grow.
        path: String,
    },
    /// The directory was written by a newer version.
    #[error(
        "{file} has format version {found}, this build reads up to {supported}; upgrade onrush"
    )]
    NewerFormat {
        /// The file.
        file: String,
        /// Its version.
        found: u32,
        /// The newest version this build reads.
        supported: u32,
    },
    /// The operating system refused an operation.
    #[error("{op} {path} failed: {source}")]
    Io {
        /// What was attempted.
        op: &'static str,
        /// On which file.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// A batch is larger than the log accepts; nothing was appended.
    #[error(
        "a batch of {size} bytes exceeds this log's limit of {max} bytes; send smaller batches"
    )]
    BatchTooLarge {
        /// Its size.
        size: u64,
        /// The limit.
        max: u32,
    },
    /// A file that nothing can stand in for is unreadable.
    #[error("{file} is damaged: {reason}; run `onrush check`, then decide with `onrush repair`")]
    Corrupt {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// There is no log here, or its creation never finished.
    #[error("there is no log in {path}; create it first")]
    Missing {
        /// Log directory.
        path: String,
    },
    /// There is a log here already.
    #[error("there is a log in {path} already; open it instead")]
    Exists {
        /// Log directory.
        path: String,
    },
    /// A checkpoint was written before what it covers is durable. Flush first.
    #[error("the checkpoint covers offsets up to {covers}, durable are {durable}; flush first")]
    NotDurable {
        /// End of what the checkpoint covers.
        covers: Offset,
        /// The durable end.
        durable: Offset,
    },
    /// The caller broke a rule of this interface.
    #[error("misuse: {0}")]
    Misuse(&'static str),
}

impl StorageError {
    /// Names the operation and file of an I/O error; a full disk gets its own kind.
    pub(crate) fn io(op: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                StorageError::Full { path: path.display().to_string() }
            }
            _ => StorageError::Io { op, path: path.display().to_string(), source },
        }
    }

    pub(crate) fn corrupt(path: &Path, reason: impl Into<String>) -> Self {
        StorageError::Corrupt { file: path.display().to_string(), reason: reason.into() }
    }
}

/// Adds the operation and the file to an `io::Result`.
pub(crate) trait IoContext<T> {
    fn at(self, op: &'static str, path: &Path) -> Result<T>;

    /// As [`IoContext::at`] of a segment's file, whose path is only made when there is something to say.
    fn in_segment(self, op: &'static str, segment: &SegmentFile) -> Result<T>;
}

impl<T> IoContext<T> for io::Result<T> {
    fn at(self, op: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| StorageError::io(op, path, source))
    }

    fn in_segment(self, op: &'static str, segment: &SegmentFile) -> Result<T> {
        self.map_err(|source| StorageError::io(op, &segment.path(), source))
    }
}

/// The path of a file in a log's directory, for messages.
pub(crate) fn shown(dir: &Path, name: &str) -> String {
    let path: PathBuf = dir.join(name);
    path.display().to_string()
}
