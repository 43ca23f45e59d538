//! Appending to one log.
//!
//! The writer lives under its partition's lock and never waits for the disk: an append is one write
//! into the page cache. Whatever may wait is handed out as a ticket or a job, done off the lock,
//! and completed here. The exceptions (a poisoned log that is reopened, a segment that is needed
//! before it was prepared, an epoch that is not durable yet) are named where they happen.

use std::io::IoSlice;
use std::sync::Arc;

use onrush_record::batch::{self, BatchHeader};
use onrush_record::{LeaderEpoch, Offset, TimestampMs};
use smallvec::SmallVec;

use crate::background::Spare;
use crate::config::{Env, LogConfig};
use crate::error::{Result, StorageError};
use crate::index::Point;
use crate::interval::Interval;
use crate::room::Pace;
use crate::segment::{Segment, SegmentFile};
use crate::slots::Slots;
use crate::view::{Mark, Shared};

/// Whether the log can be written to.
#[derive(Clone, Debug)]
pub(crate) enum Health {
    Sound,
    /// A sync failed; see [`LogWriter::reopen_after_failure`].
    Poisoned(String),
    Offline(String),
}

/// The segment that is appended to.
#[derive(Debug)]
pub(crate) struct Active {
    pub segment: Arc<Segment>,
    /// Held while it has unsynced bytes: only a handle that was open when write-back failed is told.
    pub file: Option<Arc<SegmentFile>>,
    /// Up to where the file has room set aside.
    pub allocated: u64,
    pub interval: Interval,
}

/// Appends to one log. There is exactly one per log.
#[derive(Debug)]
pub struct LogWriter {
    pub(crate) shared: Arc<Shared>,
    pub(crate) cfg: LogConfig,
    pub(crate) slots: Arc<Slots>,
    pub(crate) active: Active,
    pub(crate) epoch: LeaderEpoch,
    /// The epoch is in both state slots, durably, and so may be stamped.
    pub(crate) epoch_settled: bool,
    /// Rolled segments with bytes that are not durable.
    pub(crate) dirty: Vec<Arc<SegmentFile>>,
    /// Rolled segments with intervals that are not in their index file.
    pub(crate) unstored: Vec<Arc<Segment>>,
    /// Rolled segments that still have room set aside past their end.
    pub(crate) oversized: Vec<Arc<Segment>>,
    pub(crate) spare: Spare,
    /// Prepared segments that are never to be begun, to be deleted.
    pub(crate) outrun: Vec<crate::SegmentSeq>,
    /// Those that could not be deleted: the clean stop tries once more.
    pub(crate) undeleted: Vec<crate::SegmentSeq>,
    /// Background jobs that were given out and are not completed.
    pub(crate) jobs: u32,
    pub(crate) next_seq: crate::SegmentSeq,
    pub(crate) unsynced_bytes: u64,
    pub(crate) flushing: bool,
    pub(crate) checkpointing: bool,
    pub(crate) preallocating: bool,
    pub(crate) pace: Pace,
    pub(crate) giving_back: bool,
    /// The next append, or the caller, is to roll as soon as that waits for nothing.
    pub(crate) roll_wanted: bool,
    /// The disk was full: room is reserved before the next write is tried.
    pub(crate) full: bool,
    /// Something was appended or trimmed since the last closing record.
    pub(crate) touched: bool,
    /// A clean stop is being written.
    pub(crate) closing: bool,
    pub(crate) health: Health,
    pub(crate) failures: u32,
    /// Counts reopenings; a ticket or job of an earlier era is void.
    pub(crate) era: u32,
    pub(crate) raising: bool,
    /// A cleaning is under way, and this far.
    pub(crate) cleaning: Option<Arc<crate::compact::Floor>>,
}

/// Where appended batches went.
#[derive(Clone, Debug)]
pub struct Appended {
    /// Offset of the first record.
    pub first: Offset,
    /// Base offset of each batch.
    pub base_offsets: SmallVec<[Offset; 8]>,
    /// The offset after the last record.
    pub end: Offset,
}

impl LogWriter {
    pub(crate) fn env(&self) -> &Env {
        &self.shared.env
    }

    pub(crate) fn here(&self) -> String {
        self.shared.dir.display().to_string()
    }

    pub(crate) fn check_health(&self) -> Result<()> {
        match &self.health {
            Health::Sound => Ok(()),
            Health::Poisoned(reason) => {
                Err(StorageError::Poisoned { path: self.here(), reason: reason.clone() })
            }
            Health::Offline(reason) => {
                Err(StorageError::Offline { path: self.here(), reason: reason.clone() })
            }
        }
    }

    pub(crate) fn end(&self) -> Point {
        self.active.interval.end()
    }

    pub(crate) fn written_mark(&self) -> Mark {
        let end = self.end();
        Mark { offset: end.offset, seq: self.active.segment.seq, position: end.position }
    }

    /// The offset that the next record gets.
    pub fn written_end(&self) -> Offset {
        self.end().offset
    }

    /// The epoch that appends carry.
    pub fn epoch(&self) -> LeaderEpoch {
        self.epoch
    }

    /// Bytes written and not known to be durable.
    pub fn unsynced_bytes(&self) -> u64 {
        self.unsynced_bytes
    }

    /// The settings in force.
    pub fn config(&self) -> &LogConfig {
        &self.cfg
    }

    /// Changes the settings; they hold from the next append on.
    pub fn set_config(&mut self, cfg: LogConfig) {
        self.shared.set_map_bytes(cfg.map_bytes());
        self.shared.publish(|view| view.set_visibility(cfg.visibility));
        self.cfg = cfg;
    }

    /// Appends validated batches, all or none, in one write: stamps offsets and epoch into each.
    /// `headers` are theirs, as validation gave them.
    ///
    /// # Errors
    /// Nothing was appended. `Full` may be tried again; `Poisoned` and `Offline` not.
    pub fn append(
        &mut self,
        batches: &mut [&mut [u8]],
        headers: &[BatchHeader],
        now_ms: TimestampMs,
    ) -> Result<Appended> {
        self.check_health()?;
        if self.closing {
            return Err(StorageError::Misuse("the log is being closed"));
        }
        let total = self.check_batches(batches, headers)?;
        self.settle_epoch()?;
        self.roll_if_due(total, now_ms)?;
        let file = self.pin_active()?;
        let start = self.end();
        if self.full {
            let room = file.file().preallocate(start.position, total);
            room.map_err(|source| StorageError::io("reserve room in", &file.path(), source))?;
            self.active.allocated = self.active.allocated.max(start.position + total);
            self.full = false;
        }

        let mut offset = start.offset;
        let mut base_offsets = SmallVec::new();
        for (bytes, header) in batches.iter_mut().zip(headers) {
            batch::stamp(bytes, offset, self.epoch);
            base_offsets.push(offset);
            offset = offset.plus(u64::from(header.last_offset_delta) + 1);
        }
        let mut slices: SmallVec<[IoSlice<'_>; 8]> =
            batches.iter().map(|bytes| IoSlice::new(bytes)).collect();
        if let Err(error) = file.file().write_all_at(&mut slices, start.position) {
            return Err(self.neutralise(&file, start, error));
        }
        drop(slices);
        self.take_in(batches, headers, now_ms);
        self.unsynced_bytes += total;
        self.touched = true;
        let written = self.written_mark();
        self.shared.publish(|view| view.written = written);
        Ok(Appended { first: start.offset, base_offsets, end: offset })
    }

    fn check_batches(&self, batches: &[&mut [u8]], headers: &[BatchHeader]) -> Result<u64> {
        if batches.is_empty() || batches.len() != headers.len() {
            return Err(StorageError::Misuse("an append needs batches, and one header for each"));
        }
        let mut total = 0;
        for (bytes, header) in batches.iter().zip(headers) {
            let size = bytes.len() as u64;
            if size > u64::from(self.cfg.max_batch_bytes) {
                return Err(StorageError::BatchTooLarge { size, max: self.cfg.max_batch_bytes });
            }
            if size != u64::from(header.total_len) {
                return Err(StorageError::Misuse("a header does not belong to its batch"));
            }
            total += size;
        }
        Ok(total)
    }

    /// Counts what was just written into the interval and the index.
    fn take_in(&mut self, batches: &[&mut [u8]], headers: &[BatchHeader], now_ms: TimestampMs) {
        let active = &mut self.active;
        if active.segment.first_append_ms().is_none() {
            active.segment.set_first_append_ms(now_ms);
        }
        for (bytes, header) in batches.iter().zip(headers) {
            if active.interval.is_full(header.total_len, self.cfg.index_interval_bytes)
                && let Some(entry) = active.interval.close()
            {
                active.segment.index().push(entry);
            }
            active.interval.add(bytes, header);
            // Each time, since the next batch may begin another interval.
            active.segment.raise_max_timestamp(active.interval.max_timestamp(), false);
        }
    }

    /// The open active file, held until what is written to it is durable.
    fn pin_active(&mut self) -> Result<Arc<SegmentFile>> {
        if let Some(file) = &self.active.file {
            return Ok(file.clone());
        }
        let file = self.shared.open(&self.active.segment)?;
        self.active.file = Some(file.clone());
        Ok(file)
    }

    /// A write failed part way. Whatever part is in the file must never be taken for an append, now
    /// or after a crash, since the caller says "refused": it is cut off, and that durably. A disk
    /// that does not even do this is not to be trusted with more.
    fn neutralise(
        &mut self,
        file: &Arc<SegmentFile>,
        start: Point,
        error: std::io::Error,
    ) -> StorageError {
        let path = file.path();
        let refused = StorageError::io("append to", &path, error);
        let cut = file.file().truncate(start.position).and_then(|()| file.file().sync_data());
        self.active.allocated = start.position;
        if let Err(cause) = cut {
            self.poison(format!("{refused}, and cutting off the rest failed: {cause}"));
        } else if matches!(refused, StorageError::Full { .. }) {
            self.full = true;
        }
        refused
    }

    pub(crate) fn poison(&mut self, reason: String) {
        tracing::error!(log = %self.shared.dir.display(), reason, "log poisoned");
        self.health = Health::Poisoned(reason);
    }

    pub(crate) fn take_offline(&mut self, reason: String) {
        tracing::error!(log = %self.shared.dir.display(), reason, "log offline");
        let shown: Arc<str> = reason.as_str().into();
        self.shared.publish(|view| view.offline = Some(shown));
        self.health = Health::Offline(reason);
    }
}
