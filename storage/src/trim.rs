//! Letting go of the oldest records: on request, by age, by size.

use std::io;
use std::sync::Arc;

use onrush_record::{Offset, TimestampMs};

use crate::error::{IoContext, Result, StorageError};
use crate::names::SegmentSeq;
use crate::segment::Segment;
use crate::slots::Slots;
use crate::view::Shared;
use crate::writer::LogWriter;

/// How long records that were expired when they came stay, at most: as long as Kafka takes between
/// two looks at what has expired. Whoever copies old records finds them there for as long.
const KEPT_AT_LEAST_MS: i64 = 5 * 60 * 1000;

/// A new log start, already in force for readers; to be made durable off the lock with
/// [`TrimTicket::persist`], before whoever asked is told, and followed by
/// [`TrimTicket::delete_files`].
#[derive(Debug)]
pub struct TrimTicket {
    shared: Arc<Shared>,
    slots: Arc<Slots>,
    start: Offset,
    first_seq: SegmentSeq,
    first_base: Offset,
    gone: Vec<Arc<Segment>>,
    persisted: bool,
}

impl TrimTicket {
    /// The log start once persisted.
    pub fn start(&self) -> Offset {
        self.start
    }

    /// How many files [`TrimTicket::delete_files`] is going to delete.
    pub fn segments(&self) -> usize {
        self.gone.len()
    }

    /// Makes the new start durable.
    ///
    /// # Errors
    /// If it cannot be written or synced; try again later with a fresh trim.
    pub fn persist(&mut self) -> Result<()> {
        self.slots.write_both(|state| {
            // Trims may be persisted in any order.
            state.log_start = state.log_start.max(self.start);
            if self.first_seq > state.first_seq {
                state.first_seq = self.first_seq;
                state.first_base = self.first_base;
            }
            state.damage.retain(|damage| damage.to > self.start);
            state.segments = None;
        })?;
        self.persisted = true;
        Ok(())
    }

    /// Deletes the files that hold nothing else. Slices handed out before stay readable.
    ///
    /// # Errors
    /// `Misuse` before [`TrimTicket::persist`] succeeded. What could not be deleted goes when the
    /// log is opened next.
    pub fn delete_files(self) -> Result<()> {
        if !self.persisted {
            return Err(StorageError::Misuse("persist a trim before deleting what it lets go"));
        }
        let disk = &*self.shared.env.disk;
        for segment in &self.gone {
            segment.close();
            for path in [segment.log_path(), segment.idx_path()] {
                match disk.remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(StorageError::io("delete", &path, error));
                    }
                    _ => {}
                }
            }
        }
        if !self.gone.is_empty() {
            disk.sync_dir(&self.shared.dir).at("sync", &self.shared.dir)?;
        }
        Ok(())
    }
}

impl LogWriter {
    /// Lets go of all records below `start`. Readers are refused them at once.
    ///
    /// # Errors
    /// `OffsetOutOfRange` above the readable end. A start below the present one changes nothing.
    pub fn trim_to(&mut self, start: Offset) -> Result<TrimTicket> {
        self.check_health()?;
        let ends = self.shared.ends();
        if start > ends.readable || start > ends.durable {
            let end = ends.readable.min(ends.durable);
            return Err(StorageError::OffsetOutOfRange { asked: start, start: ends.start, end });
        }
        let start = start.max(ends.start);
        self.touched = true;
        let mut gone = Vec::new();
        let mut first = (self.active.segment.seq, self.active.segment.base);
        let busy = self.busy_from();
        self.shared.publish(|view| {
            view.start = start;
            // A segment goes when the next one begins at or below the start.
            let keep = view
                .segments
                .windows(2)
                .take_while(|pair| pair[1].base <= start && pair[0].seq < busy)
                .count();
            gone = view.segments[..keep].to_vec();
            view.segments = view.segments[keep..].into();
            first = (view.segments[0].seq, view.segments[0].base);
            if view.damage.iter().any(|damage| damage.to <= start) {
                view.damage =
                    view.damage.iter().filter(|damage| damage.to > start).cloned().collect();
            }
        });
        self.oversized.retain(|segment| segment.seq >= first.0);
        Ok(TrimTicket {
            shared: self.shared.clone(),
            slots: self.slots.clone(),
            start,
            first_seq: first.0,
            first_base: first.1,
            gone,
            persisted: false,
        })
    }

    /// From this segment on none can be deleted now: its bytes or its index are still being written,
    /// or it is being cleaned. It has to wait for the next trim.
    fn busy_from(&self) -> SegmentSeq {
        let unstored = self.unstored.first().map(|segment| segment.seq);
        let floor = self.cleaning.as_ref().map(|floor| floor.get());
        let durable = self.shared.look(|view| view.durable.seq);
        [unstored, floor].into_iter().flatten().fold(durable, SegmentSeq::min)
    }

    /// The offset to trim to by the configured retention, if anything is due: whole segments, never
    /// the active one. Also where the log begins already, if files wait to be deleted that no earlier
    /// trim could.
    pub fn retention_due(&self, now_ms: TimestampMs) -> Option<Offset> {
        let (start, segments, durable) =
            self.shared.look(|view| (view.start, view.segments.clone(), view.durable));
        let sizes = |segment: &Arc<Segment>| segment.sealed().map_or(0, |at| at.end.position);
        let mut size: u64 = segments.iter().map(sizes).sum::<u64>() + self.end().position;
        let mut due = None;
        for segment in segments.iter() {
            let Some(sealed) = segment.sealed() else { break };
            if segment.seq >= durable.seq {
                break;
            }
            let too_much = self
                .cfg
                .retention_bytes
                .is_some_and(|most| size.saturating_sub(sealed.end.position) >= most);
            if !too_much && !self.is_expired(segment, now_ms) {
                break;
            }
            size -= sealed.end.position;
            due = Some(sealed.end.offset);
        }
        // As it is trimmed: what the next one begins with, for there may be a gap before that.
        let next = segments.get(1).filter(|_| segments[0].seq < self.busy_from());
        let waits = next.is_some_and(|next| next.base <= start);
        due.filter(|due| *due > start).or(waits.then_some(start))
    }

    /// Whether all that a segment holds has expired.
    pub(crate) fn is_expired(&self, segment: &Arc<Segment>, now_ms: TimestampMs) -> bool {
        self.expires_ms(segment).is_some_and(|at| at <= now_ms)
    }

    /// When the newest record of a segment expires. Records that were old when they came stay for
    /// a while all the same, for somebody to read them.
    fn expires_ms(&self, segment: &Arc<Segment>) -> Option<TimestampMs> {
        let keep = i64::try_from(self.cfg.retention_ms?).unwrap_or(i64::MAX);
        let newest = match self.shared.max_timestamp(segment) {
            // Compaction has left no record in it.
            Ok(None) if segment.seq.is_cleaned() => return Some(TimestampMs::MIN),
            newest => newest.ok().flatten()?,
        };
        let expires = (newest >= 0).then(|| newest.saturating_add(keep))?;
        let came = segment.first_append_ms();
        let read = came.map_or(i64::MIN, |came| came.saturating_add(keep.min(KEPT_AT_LEAST_MS)));
        Some(expires.max(read))
    }

    /// When time alone will next make a roll or a retention due.
    pub fn next_due_ms(&self) -> Option<TimestampMs> {
        let (start, segments) = self.shared.look(|view| (view.start, view.segments.clone()));
        // Those before are gone already, but for their files: time changes nothing about these.
        let is_left =
            |segment: &&Arc<Segment>| segment.sealed().is_none_or(|at| at.end.offset > start);
        let retention = segments.iter().find(is_left).and_then(|oldest| self.expires_ms(oldest));
        let roll = self.active.segment.first_append_ms().zip(self.cfg.segment_ms);
        let roll =
            roll.map(|(first, ms)| first.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)));
        let roll = roll.filter(|_| self.end().position > 0);
        [retention, roll].into_iter().flatten().min()
    }
}
