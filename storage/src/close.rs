//! Leaving a log so that the next opening reads no data.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use onrush_sys::File;

use crate::background::{Spare, discard};
use crate::checkpoint::CheckpointTicket;
use crate::error::{IoContext, Result, StorageError};
use crate::index::Point;
use crate::listing::Listing;
use crate::names::SegmentSeq;
use crate::segment::Segment;
use crate::state::{SegmentRow, State};
use crate::writer::LogWriter;

/// A clean stop to be written off the lock, together with those of other logs: with everything
/// flushed, [`CloseTicket::write`], sync [`CloseTicket::files`], [`LogWriter::complete_close`].
#[derive(Debug)]
#[must_use = "a close that is never completed leaves the log refusing appends"]
pub struct CloseTicket {
    checkpoint: CheckpointTicket,
    rows: Vec<SegmentRow>,
    end: Point,
    /// Segments with room set aside past this length.
    cut: Vec<(Arc<Segment>, u64)>,
    /// Segments that were prepared and not begun.
    unused: Vec<SegmentSeq>,
}

impl CloseTicket {
    /// Writes the last checkpoint and the closing record, and gives back the room set aside. The
    /// files are to be synced afterwards.
    ///
    /// # Errors
    /// `NotDurable` if something was not flushed; `Full` or an I/O error otherwise. The log is then
    /// opened as after a crash.
    pub fn write(&mut self) -> Result<()> {
        let attachment = self.checkpoint.attachment.take();
        self.checkpoint.write()?;
        let shared = self.checkpoint.shared.clone();
        for (segment, length) in &self.cut {
            let file = shared.open(segment)?;
            file.file().truncate(*length).in_segment("give back room of", &file)?;
            self.checkpoint.files.push(file.file().clone());
        }
        for seq in &self.unused {
            discard(&*shared.env.disk, &shared.dir, *seq)?;
        }
        let (end, rows) = (self.end.offset, std::mem::take(&mut self.rows));
        let file = self.checkpoint.slots.write(|state| {
            if let Some(bytes) = attachment {
                state.attachment = Some((end, bytes));
            }
            state.durable_end = end;
            state.segments = Some(rows);
        })?;
        self.checkpoint.files.push(file);
        self.checkpoint.wrote_state = true;
        Ok(())
    }

    /// The files to sync once it is written.
    pub fn files(&self) -> &[Arc<dyn File>] {
        self.checkpoint.files()
    }
}

impl LogWriter {
    /// Whether a clean stop has anything to write.
    pub fn needs_close(&self) -> bool {
        self.touched && self.check_health().is_ok()
    }

    /// Begins a clean stop; appends are refused until it is completed. All that is written is to be
    /// flushed before the ticket is. `attachment` is that of [`LogWriter::begin_checkpoint`].
    /// `None` if there is nothing to write, or a checkpoint or a background job is under way: that
    /// would go on changing the files that the closing record is about.
    pub fn begin_close(&mut self, attachment: Option<Vec<u8>>) -> Option<CloseTicket> {
        if !self.needs_close() || self.checkpointing || self.jobs > 0 {
            return None;
        }
        let end = self.end();
        let checkpoint = self.checkpoint_ticket(attachment);
        let mut cut: Vec<(Arc<Segment>, u64)> = std::mem::take(&mut self.oversized)
            .into_iter()
            .filter_map(|segment| segment.sealed().map(|sealed| (segment, sealed.end.position)))
            .collect();
        if self.active.allocated > end.position {
            cut.push((self.active.segment.clone(), end.position));
        }
        let segments = self.shared.look(|view| view.segments.clone());
        let mut unused = self.outrun.clone();
        unused.extend_from_slice(&self.undeleted);
        if let Spare::Ready { seq, .. } = self.spare {
            unused.push(seq);
        }
        self.closing = true;
        let rows = segments.iter().map(|segment| row(segment, end)).collect();
        Some(CloseTicket { checkpoint, rows, end, cut, unused })
    }

    /// Ends a clean stop. The log can go on being used, but is then to be closed again. Opening
    /// with [`OpenOptions::clean`](crate::OpenOptions::clean) is for the caller to justify with a
    /// durable marker of its own, written after this.
    ///
    /// # Errors
    /// `outcome` given back; the log is then opened as after a crash.
    pub fn complete_close(&mut self, ticket: CloseTicket, outcome: Result<()>) -> Result<()> {
        self.closing = false;
        self.complete_checkpoint(ticket.checkpoint, outcome)?;
        self.outrun.clear();
        self.undeleted.clear();
        if matches!(self.spare, Spare::Ready { .. }) {
            self.spare = Spare::None;
        }
        self.active.allocated = ticket.end.position;
        self.touched = false;
        let segments = self.shared.look(|view| view.segments.clone());
        for segment in segments.iter() {
            segment.close();
        }
        Ok(())
    }

    /// Flushes and stops cleanly here and now, waiting for the disk.
    ///
    /// # Errors
    /// If the disk refuses; the log is then opened as after a crash.
    pub fn close_cleanly(&mut self, attachment: Option<Vec<u8>>) -> Result<()> {
        self.check_health()?;
        if self.flushing || self.checkpointing || self.jobs > 0 {
            return Err(StorageError::Misuse(
                "complete the flush, the checkpoint and the background job, then close",
            ));
        }
        self.flush_now()?;
        let Some(mut ticket) = self.begin_close(attachment) else { return Ok(()) };
        let (disk, dir) = (self.env().disk.clone(), self.shared.dir.clone());
        let outcome = ticket.write().and_then(|()| {
            let synced: io::Result<()> = disk.sync_files(ticket.files()).into_iter().collect();
            synced.at("sync", &dir)
        });
        self.complete_close(ticket, outcome)
    }
}

/// The rows of the closing record, if there is one and the files are as it says: nothing was written
/// since.
pub(crate) fn closing_rows<'a>(state: &'a State, listing: &Listing) -> Option<&'a [SegmentRow]> {
    let rows = state.segments.as_deref()?;
    let agree = |(row, (seq, len)): (&SegmentRow, (&SegmentSeq, &u64))| {
        row.seq == *seq && row.length <= *len
    };
    let last = rows.last()?;
    let logs: Vec<_> = listing.logs.range(state.first_seq..).collect();
    let holds = rows.len() == logs.len()
        && rows.iter().zip(logs).all(agree)
        && listing.logs.get(&last.seq) == Some(&last.length);
    holds.then_some(rows)
}

fn row(segment: &Segment, active_end: Point) -> SegmentRow {
    let end = segment.sealed().map_or(active_end, |sealed| sealed.end);
    SegmentRow {
        seq: segment.seq,
        base: segment.base,
        end: end.offset,
        length: end.position,
        max_timestamp: segment.max_timestamp_for_row(),
        first_append_ms: segment.first_append_ms.load(Ordering::Relaxed),
        entries: segment.index().slots(),
    }
}
