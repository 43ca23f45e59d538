//! Reading a segment batch by batch, each one checked.

use std::sync::Arc;

use onrush_record::batch::{BatchHeader, HEADER_LEN, verify_crc};
use onrush_sys::File;

use crate::error::{IoContext, Result};
use crate::index::Point;
use crate::segment::{Segment, damaged};
use crate::view::{Epochs, Shared};

/// Bytes read at a time.
const CHUNK: usize = 256 * 1024;

/// A rolled segment being read from somewhere to its end.
pub(super) struct Source {
    segment: Arc<Segment>,
    file: Arc<dyn File>,
    epochs: Epochs,
    at: Point,
    end: Point,
    buffer: Vec<u8>,
    /// Where in the file the buffer begins.
    buffer_at: u64,
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("segment", &self.segment.seq).field("at", &self.at).finish()
    }
}

impl Source {
    /// From `at`, the beginning of a batch, up to `end`.
    pub(super) fn open(
        shared: &Shared,
        segment: &Arc<Segment>,
        epochs: &Epochs,
        at: Point,
        end: Point,
    ) -> Result<Source> {
        let file = shared.open(segment)?.file().clone();
        Ok(Source {
            segment: segment.clone(),
            file,
            epochs: epochs.clone(),
            at,
            end,
            buffer: Vec::new(),
            buffer_at: at.position,
        })
    }

    /// The next batch.
    ///
    /// # Errors
    /// `Damaged` if it is not what the log holds there: what is damaged is never copied.
    pub(super) fn next_batch(&mut self) -> Result<Option<(BatchHeader, &[u8])>> {
        if self.at.position >= self.end.position {
            return Ok(None);
        }
        let head = self.fill(HEADER_LEN)?;
        let parsed = BatchHeader::parse(&self.buffer[head..]);
        let header = parsed.map_err(|error| self.damaged(error.to_string()))?;
        if header.base_offset != self.at.offset {
            let reason = format!("the batch there has base offset {}", header.base_offset);
            return Err(self.damaged(reason));
        }
        let after = self.epochs.partition_point(|(_, start)| *start <= self.at.offset);
        let epoch =
            after.checked_sub(1).and_then(|at| self.epochs.get(at)).map(|(epoch, _)| *epoch);
        if epoch != Some(header.leader_epoch) {
            let reason = format!("the batch there has epoch {}", header.leader_epoch);
            return Err(self.damaged(reason));
        }
        let length = header.total_len as usize;
        if self.at.position + length as u64 > self.end.position {
            return Err(self.damaged("the batch there passes the segment's end".into()));
        }
        let begin = self.fill(length)?;
        if !verify_crc(&self.buffer[begin..begin + length], &header) {
            return Err(self.damaged("the batch there does not match its checksum".into()));
        }
        self.at = crate::scan::after(self.at, &header);
        Ok(Some((header, &self.buffer[begin..begin + length])))
    }

    fn damaged(&self, reason: String) -> crate::StorageError {
        let known = self.end.offset;
        damaged(&self.segment, self.at.offset, known, reason)
    }

    /// Sees to it that `want` bytes from where it stands are in the buffer; says where they begin.
    fn fill(&mut self, want: usize) -> Result<usize> {
        let inside = usize::try_from(self.at.position - self.buffer_at).unwrap_or(usize::MAX);
        if inside.saturating_add(want) <= self.buffer.len() {
            return Ok(inside);
        }
        let left = usize::try_from(self.end.position - self.at.position).unwrap_or(usize::MAX);
        if want > left {
            return Err(self.damaged("the segment ends within the batch there".into()));
        }
        let most = want.max(CHUNK).min(left);
        self.buffer.resize(most, 0);
        self.buffer_at = self.at.position;
        let path = self.segment.log_path();
        let got = self.file.read_at(&mut self.buffer, self.buffer_at).at("read", &path)?;
        self.buffer.truncate(got);
        if got < want {
            return Err(self.damaged("the file ends within the batch there".into()));
        }
        Ok(0)
    }
}
