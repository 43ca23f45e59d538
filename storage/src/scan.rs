//! Walking batch headers in a data file, without trusting any of them.

use std::path::Path;

use onrush_record::Offset;
use onrush_record::batch::{BatchHeader, HEADER_LEN};
use onrush_sys::File;

use crate::error::{IoContext, Result};
use crate::index::Point;

/// Bytes read at a time while walking.
const WINDOW: usize = 4096;

/// Reads headers at growing positions through a small window.
pub(crate) struct Headers<'a> {
    file: &'a dyn File,
    path: &'a Path,
    /// Nothing at or past this position is looked at.
    end: u64,
    window: Vec<u8>,
    window_at: u64,
    /// Bytes read from the file so far.
    pub(crate) bytes_read: u64,
}

/// What stands at a position.
#[derive(Debug)]
pub(crate) enum Seen {
    /// A header that parses, continues at the expected offset and fits below the end.
    Batch(BatchHeader),
    /// Anything else; the reason for a message.
    Bad(String),
}

impl<'a> Headers<'a> {
    pub(crate) fn new(file: &'a dyn File, path: &'a Path, end: u64) -> Self {
        Headers { file, path, end, window: Vec::new(), window_at: 0, bytes_read: 0 }
    }

    /// The bytes at `position`, as many as a header has, fewer at the end.
    pub(crate) fn raw(&mut self, position: u64) -> Result<&[u8]> {
        let inside = position.checked_sub(self.window_at).and_then(|at| usize::try_from(at).ok());
        let have = match inside {
            Some(at) if at + HEADER_LEN <= self.window.len() => at,
            _ => {
                let want = usize::try_from(self.end.saturating_sub(position))
                    .unwrap_or(usize::MAX)
                    .min(WINDOW);
                self.window.resize(want, 0);
                let got = self.file.read_at(&mut self.window, position).at("read", self.path)?;
                self.window.truncate(got);
                self.window_at = position;
                self.bytes_read += got as u64;
                0
            }
        };
        let end = self.window.len().min(have + HEADER_LEN);
        Ok(&self.window[have..end])
    }

    /// The batch that should begin at `at`.
    pub(crate) fn at(&mut self, at: Point) -> Result<Seen> {
        let end = self.end;
        let raw = self.raw(at.position)?;
        Ok(match BatchHeader::parse(raw) {
            Err(error) => Seen::Bad(error.to_string()),
            Ok(header) if header.base_offset != at.offset => Seen::Bad(format!(
                "the batch at position {} has base offset {} where {} continues the log",
                at.position, header.base_offset, at.offset
            )),
            Ok(header) if at.position + u64::from(header.total_len) > end => Seen::Bad(format!(
                "the batch at position {} is {} bytes long and would pass position {end}",
                at.position, header.total_len
            )),
            Ok(header) => Seen::Batch(header),
        })
    }
}

/// The boundary after a batch.
pub(crate) fn after(at: Point, header: &BatchHeader) -> Point {
    Point { offset: header.next_offset(), position: at.position + u64::from(header.total_len) }
}

/// Whether a batch at `at` holds `offset`.
pub(crate) fn holds(header: &BatchHeader, offset: Offset) -> bool {
    header.base_offset <= offset && offset < header.next_offset()
}
