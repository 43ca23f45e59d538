//! What opening a log found.

use std::path::Path;

use onrush_record::Offset;

use crate::error::{StorageError, shown};
use crate::names::SegmentSeq;

/// A range that was durable and is no longer readable. It stays refused until the operator repairs
/// the log; what lies around it is served.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Damage {
    /// First damaged offset.
    pub from: Offset,
    /// First good offset after it.
    pub to: Offset,
    /// The segment it is in.
    pub seq: SegmentSeq,
    /// Where the damaged bytes begin in the segment's data file.
    pub position: u64,
    /// How many bytes are damaged; 0 where the file does not have them at all.
    pub length: u64,
    /// What is wrong.
    pub reason: String,
}

impl Damage {
    pub(crate) fn error(&self, dir: &Path) -> StorageError {
        StorageError::Damaged {
            from: self.from,
            to: self.to,
            file: shown(dir, &self.seq.log_name()),
            reason: self.reason.clone(),
        }
    }
}

/// Bytes above the last checkpoint that recovery cut off the log.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct TornTail {
    /// Offset at which the log now ends.
    pub offset: Offset,
    /// Segment that was cut.
    pub seq: SegmentSeq,
    /// Where it was cut.
    pub position: u64,
    /// Bytes cut off, those of later segments included.
    pub bytes: u64,
    /// Whole batches with a valid checksum among the bytes cut off. If there are any, this was no
    /// interrupted append: something between them and the log was damaged.
    pub valid_batches_after: u64,
    /// Files in which the bytes are kept.
    pub quarantine: Vec<String>,
    /// Why the log ends here.
    pub reason: String,
}

/// What opening a log read and found.
#[derive(Clone, Debug, Default)]
pub struct RecoveryReport {
    /// The log was opened from its closing record; no data was read.
    pub clean: bool,
    /// Bytes of data read.
    pub bytes_scanned: u64,
    /// Batches found above the last checkpoint.
    pub batches_recovered: u64,
    /// What was cut off, if anything.
    pub torn: Option<TornTail>,
    /// What is damaged below the last checkpoint.
    pub damage: Vec<Damage>,
    /// Ranges that the caller's replay had to step over, because their headers are damaged.
    pub replay_skipped: Vec<(Offset, Offset)>,
    /// Index files that had to be made anew from the data, in whole or in part.
    pub indexes_rebuilt: Vec<String>,
    /// Files that could not be read and that another one stood in for.
    pub files_unreadable: Vec<String>,
}

impl RecoveryReport {
    /// Whether there is anything an operator should know.
    pub fn is_sound(&self) -> bool {
        self.torn.is_none()
            && self.damage.is_empty()
            && self.replay_skipped.is_empty()
            && self.indexes_rebuilt.is_empty()
            && self.files_unreadable.is_empty()
    }
}
