//! Reading data that no index vouches for: every batch is checked before it counts.

use std::path::Path;

use onrush_record::Offset;
use onrush_record::batch::{self, BatchHeader, HEADER_LEN};
use onrush_sys::File;

use crate::error::{IoContext, Result};
use crate::index::Point;
use crate::interval::Interval;
use crate::layout::Entry;
use crate::scan::{Headers, Seen, after};
use crate::state::State;

/// Bytes read at a time when looking for zeros or copying.
const CHUNK: usize = 256 * 1024;
/// A search for batches in garbage gives up after checking this many bytes of candidates.
const SEARCH_BYTES: u64 = 256 << 20;

/// Why a scan of one file stopped.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Stop {
    /// Nothing but zeros, or nothing at all, from here on.
    Clean,
    /// At the position it was told to stop at.
    Limit,
    /// Something that does not belong to the log.
    Bad(String),
}

/// One data file under scrutiny.
pub(crate) struct Tail<'a> {
    pub file: &'a dyn File,
    pub path: &'a Path,
    pub len: u64,
    /// Where the epochs stand; none to take any.
    pub state: Option<&'a State>,
    pub interval_bytes: u32,
    pub bytes_read: u64,
    pub batches: u64,
}

/// What a scan found.
pub(crate) struct Scanned {
    pub end: Point,
    pub entries: Vec<Entry>,
    pub open: Interval,
    pub stop: Stop,
}

impl Tail<'_> {
    /// Takes in valid batches from `at` on, until `limit` or the first thing that is none.
    pub(crate) fn scan(&mut self, at: Point, limit: Option<Offset>) -> Result<Scanned> {
        let mut interval = Interval::at(at);
        let mut entries = Vec::new();
        let mut at = at;
        let mut buffer = Vec::new();
        let mut headers = Headers::new(self.file, self.path, self.len);
        let stop = loop {
            if limit.is_some_and(|limit| at.offset >= limit) {
                break Stop::Limit;
            }
            let raw = headers.raw(at.position)?;
            if raw.iter().all(|byte| *byte == 0) {
                break Stop::Clean;
            }
            let header = match headers.at(at)? {
                Seen::Batch(header) => header,
                Seen::Bad(reason) => break Stop::Bad(reason),
            };
            let bytes = self.batch(at, &header, &mut buffer)?;
            if let Some(reason) = self.wrong_with(&header, bytes) {
                break Stop::Bad(reason);
            }
            if interval.is_full(header.total_len, self.interval_bytes) {
                entries.extend(interval.close());
            }
            interval.add(bytes, &header);
            self.batches += 1;
            at = after(at, &header);
        };
        self.bytes_read += headers.bytes_read;
        Ok(Scanned { end: at, entries, open: interval, stop })
    }

    /// The base offset of the batch at the very beginning, if that is a valid one.
    pub(crate) fn first_batch(&mut self) -> Result<Option<Offset>> {
        let mut headers = Headers::new(self.file, self.path, self.len);
        let Ok(header) = BatchHeader::parse(headers.raw(0)?) else { return Ok(None) };
        if u64::from(header.total_len) > self.len {
            return Ok(None);
        }
        let at = Point { offset: header.base_offset, position: 0 };
        let mut buffer = Vec::new();
        let bytes = self.batch(at, &header, &mut buffer)?;
        Ok(self.wrong_with(&header, bytes).is_none().then_some(header.base_offset))
    }

    fn batch<'b>(
        &mut self,
        at: Point,
        header: &BatchHeader,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8]> {
        let len = header.total_len as usize;
        if buffer.len() < len {
            buffer.resize(len, 0);
        }
        let bytes = &mut buffer[..len];
        self.file.read_exact_at(bytes, at.position).at("read", self.path)?;
        self.bytes_read += len as u64;
        Ok(bytes)
    }

    fn wrong_with(&self, header: &BatchHeader, bytes: &[u8]) -> Option<String> {
        let offset = header.base_offset;
        let known = self.state.map(|state| state.epoch_at(offset));
        if let Some(known) = known
            && known != Some(header.leader_epoch)
        {
            let epoch = header.leader_epoch;
            return Some(match known {
                Some(known) => {
                    format!(
                        "the batch at offset {offset} has epoch {epoch}, appends there had {known}"
                    )
                }
                None => format!("the batch at offset {offset} has the unknown epoch {epoch}"),
            });
        }
        (!batch::verify_crc(bytes, header))
            .then(|| format!("the batch at offset {offset} does not match its checksum"))
    }

    /// Whether any byte is not zero. Looks no further than the first.
    pub(crate) fn is_begun(&mut self) -> Result<bool> {
        let mut buffer = vec![0; CHUNK];
        let mut at = 0;
        while at < self.len {
            let want = usize::try_from(self.len - at).unwrap_or(CHUNK).min(CHUNK);
            let got = self.file.read_at(&mut buffer[..want], at).at("read", self.path)?;
            self.bytes_read += got as u64;
            if got == 0 || buffer[..got].iter().any(|byte| *byte != 0) {
                return Ok(got > 0);
            }
            at += got as u64;
        }
        Ok(false)
    }

    /// The end of the last byte that is not zero, from `position` on.
    pub(crate) fn last_byte(&mut self, position: u64) -> Result<Option<u64>> {
        let mut buffer = vec![0; CHUNK];
        let mut at = position;
        let mut last = None;
        while at < self.len {
            let want = usize::try_from(self.len - at).unwrap_or(CHUNK).min(CHUNK);
            let got = self.file.read_at(&mut buffer[..want], at).at("read", self.path)?;
            if got == 0 {
                break;
            }
            // Blocks of zeros are the common case, and comparing them is fast.
            if let Some(found) = buffer[..got].iter().rposition(|byte| *byte != 0) {
                last = Some(at + found as u64 + 1);
            }
            at += got as u64;
            self.bytes_read += got as u64;
        }
        Ok(last)
    }

    /// Looks for the next valid batch of an offset from `from` up to (not including) `below`, at or
    /// after `position`. Also says how many valid batches there are from there on.
    pub(crate) fn search(
        &mut self,
        position: u64,
        end: u64,
        from: Offset,
        below: Offset,
    ) -> Result<(Option<Point>, u64)> {
        let mut first = None;
        let mut count = 0;
        let mut spent = 0;
        let mut at = position;
        let mut window = Vec::new();
        let mut window_at = position;
        while at + HEADER_LEN as u64 <= end && spent < SEARCH_BYTES {
            let inside = usize::try_from(at - window_at).unwrap_or(usize::MAX);
            if inside + HEADER_LEN > window.len() {
                let want = usize::try_from(end - at).unwrap_or(CHUNK).min(CHUNK);
                window.resize(want, 0);
                let got = self.file.read_at(&mut window, at).at("read", self.path)?;
                window.truncate(got);
                window_at = at;
                self.bytes_read += got as u64;
                if got < HEADER_LEN {
                    break;
                }
                continue;
            }
            match plausible(&window[inside..], from, below) {
                Some(header) if at + u64::from(header.total_len) <= end => {
                    spent += u64::from(header.total_len);
                    let here = Point { offset: header.base_offset, position: at };
                    let mut buffer = Vec::new();
                    let bytes = self.batch(here, &header, &mut buffer)?;
                    if batch::verify_crc(bytes, &header) {
                        first = first.or(Some(here));
                        count += 1;
                        at += u64::from(header.total_len);
                        continue;
                    }
                    at += 1;
                }
                _ => at += 1,
            }
        }
        Ok((first, count))
    }
}

/// The header at the start of `bytes`, if it could be one of the log's.
fn plausible(bytes: &[u8], from: Offset, below: Offset) -> Option<BatchHeader> {
    const MAGIC_AT: usize = 16;
    if bytes[MAGIC_AT] != 2 {
        return None;
    }
    let header = BatchHeader::parse(bytes).ok()?;
    (header.base_offset >= from && header.base_offset < below).then_some(header)
}
