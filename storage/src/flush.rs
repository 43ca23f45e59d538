//! Making what was written durable, off the lock.

use std::io;
use std::sync::Arc;

use onrush_record::Offset;
use onrush_sys::{Disk, File};

use crate::error::{Result, StorageError};
use crate::segment::SegmentFile;
use crate::view::Mark;
use crate::writer::LogWriter;

/// Files to sync, and what is durable once all of them are. Sync the files off the lock, then hand
/// the ticket to [`LogWriter::complete_flush`] with the outcome.
#[derive(Debug)]
#[must_use = "a flush that is never completed stops all later ones"]
pub struct FlushTicket {
    /// The files, oldest segment first.
    pub files: Vec<Arc<dyn File>>,
    /// The durable end once they are synced.
    pub up_to: Offset,
    /// Bytes that become durable.
    pub bytes: u64,
    mark: Mark,
    rolled: usize,
    era: u32,
    _held: Vec<Arc<SegmentFile>>,
}

impl FlushTicket {
    /// Syncs the files.
    ///
    /// # Errors
    /// The first error of a file.
    pub fn sync(&self, disk: &dyn Disk) -> io::Result<()> {
        disk.sync_files(&self.files).into_iter().collect()
    }
}

impl LogWriter {
    /// Whether a flush would make anything durable.
    pub fn needs_flush(&self) -> bool {
        self.unsynced_bytes > 0 && self.check_health().is_ok()
    }

    /// Begins a flush of all that is written, rolled segments included: the durable end cannot pass
    /// a segment that is not. `None` if there is nothing to flush, or a flush is under way.
    pub fn begin_flush(&mut self) -> Option<FlushTicket> {
        if self.flushing || !self.needs_flush() {
            return None;
        }
        self.flushing = true;
        let mut held = self.dirty.clone();
        held.extend(self.active.file.clone());
        let mark = self.written_mark();
        Some(FlushTicket {
            files: held.iter().map(|file| file.file().clone()).collect(),
            up_to: mark.offset,
            bytes: self.unsynced_bytes,
            mark,
            rolled: self.dirty.len(),
            era: self.era,
            _held: held,
        })
    }

    /// Ends a flush: the durable end advances.
    ///
    /// # Errors
    /// `Poisoned` if the sync failed. It is never tried again: the kernel has forgotten which pages
    /// did not make it. What was not durable has an unknown outcome; see
    /// [`LogWriter::reopen_after_failure`].
    pub fn complete_flush(
        &mut self,
        ticket: FlushTicket,
        outcome: io::Result<()>,
    ) -> Result<Offset> {
        if ticket.era != self.era {
            // The log was reopened meanwhile, which made all of it durable.
            return self.check_health().map(|()| self.shared.ends().durable);
        }
        self.flushing = false;
        if let Err(error) = outcome {
            self.poison(error.to_string());
        }
        self.check_health()?;
        self.dirty.drain(..ticket.rolled.min(self.dirty.len()));
        self.unsynced_bytes = self.unsynced_bytes.saturating_sub(ticket.bytes);
        if self.unsynced_bytes == 0 {
            self.active.file = None;
        }
        self.shared.publish(|view| view.set_durable(ticket.mark));
        Ok(ticket.mark.offset)
    }

    /// Flushes here and now, waiting for the disk.
    ///
    /// # Errors
    /// As [`LogWriter::complete_flush`].
    pub fn flush_now(&mut self) -> Result<Offset> {
        if let Some(ticket) = self.begin_flush() {
            let disk = self.env().disk.clone();
            let outcome = ticket.sync(&*disk);
            return self.complete_flush(ticket, outcome);
        }
        self.check_health()?;
        if self.unsynced_bytes > 0 {
            return Err(StorageError::Misuse("another flush is under way"));
        }
        Ok(self.written_end())
    }
}
