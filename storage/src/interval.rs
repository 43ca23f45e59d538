//! The index interval that is being filled.

use onrush_record::batch::BatchHeader;
use onrush_record::{TimestampMs, crc32c_append};

use crate::index::Point;
use crate::layout::Entry;
use crate::segment::NO_TIMESTAMP;

/// Batches since the last closed interval.
#[derive(Debug)]
pub(crate) struct Interval {
    start: Point,
    end: Point,
    batches: u32,
    max_timestamp: TimestampMs,
    crc: u32,
}

impl Interval {
    pub(crate) fn at(start: Point) -> Interval {
        Interval { start, end: start, batches: 0, max_timestamp: NO_TIMESTAMP, crc: 0 }
    }

    pub(crate) fn end(&self) -> Point {
        self.end
    }

    pub(crate) fn max_timestamp(&self) -> TimestampMs {
        self.max_timestamp
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batches == 0
    }

    /// Whether a batch of `length` bytes should begin a new interval of at most `limit` bytes.
    pub(crate) fn is_full(&self, length: u32, limit: u32) -> bool {
        let filled = self.end.position - self.start.position;
        !self.is_empty() && filled + u64::from(length) > u64::from(limit)
    }

    /// Takes in the next batch, as it stands in the file.
    pub(crate) fn add(&mut self, bytes: &[u8], header: &BatchHeader) {
        self.end = Point {
            offset: self.end.offset.plus(u64::from(header.last_offset_delta) + 1),
            position: self.end.position + bytes.len() as u64,
        };
        self.batches += 1;
        // What compaction emptied keeps its timestamp, which is no record's any more.
        if header.record_count > 0 {
            self.max_timestamp = self.max_timestamp.max(header.max_timestamp);
        }
        self.crc = crc32c_append(self.crc, bytes);
    }

    /// Ends the interval here and begins the next one; `None` if there is nothing in it.
    pub(crate) fn close(&mut self) -> Option<Entry> {
        if self.is_empty() {
            return None;
        }
        let entry = Entry {
            first: self.start.offset,
            next: self.end.offset,
            position: self.start.position,
            length: u32::try_from(self.end.position - self.start.position).unwrap_or(u32::MAX),
            batches: self.batches,
            max_timestamp: self.max_timestamp,
            crc: self.crc,
        };
        *self = Interval::at(self.end);
        Some(entry)
    }
}
