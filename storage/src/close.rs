//! Leaving a log so that the next opening reads no data.

use std::io;
use std::sync::atomic::Ordering;

use crate::background::Spare;
use crate::error::{IoContext, Result, StorageError};
use crate::segment::Segment;
use crate::state::SegmentRow;
use crate::writer::LogWriter;

impl LogWriter {
    /// Whether a clean stop has anything to write.
    pub fn needs_close(&self) -> bool {
        self.touched && self.check_health().is_ok()
    }

    /// Flushes, writes a last checkpoint and the closing record, and gives back the room set aside.
    /// Waits for the disk. The log can go on being used afterwards, but is then to be closed again.
    /// `attachment` is that of [`LogWriter::begin_checkpoint`]. Opening with
    /// [`OpenOptions::clean`](crate::OpenOptions::clean) is for the caller to justify with a durable
    /// marker of its own, written after this.
    ///
    /// # Errors
    /// If the disk refuses; the log is then opened as after a crash.
    pub fn close_cleanly(&mut self, attachment: Option<Vec<u8>>) -> Result<()> {
        self.check_health()?;
        if self.flushing || self.checkpointing {
            return Err(StorageError::Misuse("complete the flush and the checkpoint, then close"));
        }
        if !self.touched {
            return Ok(());
        }
        self.checkpoint_now(attachment)?;
        self.give_back_all()?;
        let segments = self.shared.look(|view| view.segments.clone());
        let end = self.end();
        let rows = segments.iter().map(|segment| row(segment, end)).collect();
        self.slots.write_durably(|state| {
            state.durable_end = end.offset;
            state.segments = Some(rows);
        })?;
        self.touched = false;
        for segment in segments.iter() {
            segment.close();
        }
        Ok(())
    }

    fn give_back_all(&mut self) -> Result<()> {
        for segment in std::mem::take(&mut self.oversized) {
            if let Some(sealed) = segment.sealed() {
                let file = self.shared.open(&segment)?;
                file.file().truncate(sealed.end.position).at("give back room of", &file.path())?;
            }
        }
        let position = self.end().position;
        if self.active.allocated > position {
            let file = self.shared.open(&self.active.segment)?;
            let path = file.path();
            file.file().truncate(position).at("give back room of", &path)?;
            file.file().sync_data().at("sync", &path)?;
            self.active.allocated = position;
        }
        if let Spare::Ready { seq, .. } = self.spare {
            let path = seq.log_path(&self.shared.dir);
            match self.env().disk.remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StorageError::io("delete", &path, error));
                }
                _ => {}
            }
            let dir = self.shared.dir.clone();
            self.env().disk.sync_dir(&dir).at("sync", &dir)?;
            self.spare = Spare::None;
        }
        Ok(())
    }
}

fn row(segment: &Segment, active_end: crate::index::Point) -> SegmentRow {
    let end = segment.sealed().map_or(active_end, |sealed| sealed.end);
    SegmentRow {
        seq: segment.seq,
        base: segment.base,
        end: end.offset,
        length: end.position,
        max_timestamp: segment.known_max_timestamp(),
        first_append_ms: segment.first_append_ms.load(Ordering::Relaxed),
        entries: segment.index().stored(),
    }
}
