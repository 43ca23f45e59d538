//! How a log is set up and what it is given to work with.

use std::sync::Arc;

use onrush_record::LeaderEpoch;
use onrush_sys::{Clock, Disk};

use crate::files::OpenFiles;

/// Up to where readers see.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub enum Visibility {
    /// Only what is on stable storage: what a consumer acted on is never taken back.
    #[default]
    Durable,
    /// Everything written: sooner, and a power cut may take it back.
    Written,
}

/// One log's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A segment is rolled before it grows beyond this.
    pub segment_bytes: u64,
    /// A segment is rolled when its first append is older than this.
    pub segment_ms: Option<u64>,
    /// Segments whose newest record is older than this may go.
    pub retention_ms: Option<u64>,
    /// The oldest segments go while the log is larger than this without them.
    pub retention_bytes: Option<u64>,
    /// Bytes between two index entries.
    pub index_interval_bytes: u32,
    /// The least room that is made ahead of the appends; it grows with how quickly a segment fills,
    /// up to `preallocate_max_bytes`.
    pub preallocate_min_bytes: u64,
    /// The most room that is made in one step; 0 turns it off.
    pub preallocate_max_bytes: u64,
    /// Largest batch accepted.
    pub max_batch_bytes: u32,
    /// Up to where readers see.
    pub visibility: Visibility,
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig {
            segment_bytes: 1 << 30,
            segment_ms: Some(7 * 24 * 3600 * 1000),
            retention_ms: Some(7 * 24 * 3600 * 1000),
            retention_bytes: None,
            index_interval_bytes: 64 * 1024,
            preallocate_min_bytes: 32 * 1024,
            preallocate_max_bytes: 256 << 20,
            max_batch_bytes: 1024 * 1024 + 12,
            visibility: Visibility::Durable,
        }
    }
}

impl LogConfig {
    /// The position past which appends stop waiting for the prepared segment and make their own:
    /// until then a segment may overshoot a little rather than have the appender wait for the disk.
    pub(crate) fn hard_segment_bytes(&self) -> u64 {
        self.segment_bytes.saturating_add(self.segment_bytes / 4)
    }

    /// Address range to map per segment: nothing but one oversized batch can lie beyond it, and
    /// such a slice is copied instead.
    pub(crate) fn map_bytes(&self) -> u64 {
        self.hard_segment_bytes()
            .saturating_add(u64::from(self.max_batch_bytes))
            .next_multiple_of(4096)
    }
}

/// What every log of a process shares.
#[derive(Clone, Debug)]
pub struct Env {
    /// Where files are.
    pub disk: Arc<dyn Disk>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The open segments, bounded by the process's limits.
    pub files: Arc<OpenFiles>,
}

/// How to open a log.
#[derive(Copy, Clone, Debug)]
pub struct OpenOptions {
    /// Epoch of the appends to come; one lower than the log's own is lifted to it.
    pub leader_epoch: LeaderEpoch,
    /// The last stop was clean, as the caller's own durable marker says: no data is read.
    pub clean: bool,
}
