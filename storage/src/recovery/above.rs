//! The part of a log above the checkpoint: checked batch by batch, and cut at the first that fails.

use std::sync::Arc;

use onrush_record::Offset;
use onrush_sys::File;

use super::unsettled::Cut;
use super::{KEEP_MULTIPLE, Recovery, tail};
use crate::again::write_again;
use crate::error::{IoContext, Result};
use crate::names::SegmentSeq;
use crate::quarantine::keep_aside;
use crate::report::TornTail;
use crate::segment::Segment;
use crate::tail::Stop;

impl Recovery<'_> {
    /// A segment above the checkpoint.
    pub(super) fn above(&mut self, seq: SegmentSeq) -> Result<()> {
        let len = self.listing.logs.get(&seq).copied().unwrap_or(0);
        if self.segments.is_empty() && self.torn.is_none() {
            let base = self.end.offset;
            self.begin(Arc::new(Segment::empty(self.dir.clone(), seq, base)));
            let segment = self.segments[0].clone();
            return self.scan_above(&segment, len);
        }
        let segment = Arc::new(Segment::empty(self.dir.clone(), seq, self.end.offset));
        let path = segment.log_path();
        let file = self.open_log(&segment)?;
        let mut tail = tail(&*file, &path, len, &self.state, self.cfg);
        let start = segment.base_point();
        let found = if self.torn.is_some() {
            None
        } else {
            Some(tail.scan(start, None)?).filter(|scanned| scanned.end != start)
        };
        self.report.batches_recovered += tail.batches;
        if let Some(scanned) = found {
            let read = tail.bytes_read;
            self.report.bytes_scanned += read;
            self.begin(segment.clone());
            write_again(&*file, 0, scanned.end.position).at("write", &path)?;
            self.steps.unsynced.push(file.clone());
            let stop = scanned.stop.clone();
            self.take_in(&segment, scanned);
            return self.check_rest(&segment, &file, len, stop);
        }
        let Some(bytes) = tail.last_byte(0)? else {
            self.report.bytes_scanned += tail.bytes_read;
            // Nothing in it: a segment that was prepared and not begun.
            return self.remove(seq);
        };
        let (_, valid) = tail.search(0, len, Offset::ZERO, Offset::new(u64::MAX))?;
        self.report.bytes_scanned += tail.bytes_read;
        self.set_aside(&segment, bytes, valid)
    }

    /// The part of the checkpoint's own segment above it.
    pub(super) fn scan_above(&mut self, segment: &Arc<Segment>, len: u64) -> Result<()> {
        let file = self.open_log(segment)?;
        let path = segment.log_path();
        let mut tail = tail(&*file, &path, len, &self.state, self.cfg);
        let scanned = tail.scan(self.end, None)?;
        self.report.bytes_scanned += tail.bytes_read;
        self.report.batches_recovered += tail.batches;
        if scanned.end != self.end {
            let (from, to) = (self.end.position, scanned.end.position);
            write_again(&*file, from, to).at("write", &path)?;
            self.steps.unsynced.push(file.clone());
        }
        let stop = scanned.stop.clone();
        // An interval may be open from `fill_in`.
        if let Some(entry) = self.interval.close() {
            segment.index().push(entry);
        }
        self.take_in(segment, scanned);
        self.check_rest(segment, &file, len, stop)
    }

    /// Beyond the last good batch there must be zeros only. Anything else is cut off.
    fn check_rest(
        &mut self,
        segment: &Arc<Segment>,
        file: &Arc<dyn File>,
        len: u64,
        stop: Stop,
    ) -> Result<()> {
        let path = segment.log_path();
        let at = self.end;
        let mut tail = tail(&**file, &path, len, &self.state, self.cfg);
        let rest = tail.last_byte(at.position)?;
        let valid = match rest {
            Some(_) => tail.search(at.position + 1, len, at.offset, Offset::new(u64::MAX))?.1,
            None => 0,
        };
        self.report.bytes_scanned += tail.bytes_read;
        let Some(end) = rest else { return Ok(()) };
        // A batch may end in zeros, so a little more than the last other byte is kept.
        let end = end.next_multiple_of(KEEP_MULTIPLE).min(len);
        let disk = &*self.env.disk;
        let (name, kept) = keep_aside(disk, self.dir, segment.seq, &**file, at.position, end)?;
        // The copy and its name are durable before the original goes.
        self.steps.unsynced.push(kept);
        self.steps.dir_changed = true;
        self.steps.cuts.push(Cut {
            segment: segment.clone(),
            file: file.clone(),
            length: at.position,
        });
        self.listing.logs.insert(segment.seq, at.position);
        let reason = match stop {
            Stop::Bad(reason) => reason,
            _ => "there are bytes after a stretch of zeros".into(),
        };
        tracing::warn!(file = %path.display(), position = at.position, offset = %at.offset, reason, "torn tail cut off and kept aside");
        self.torn = Some(TornTail {
            offset: at.offset,
            seq: segment.seq,
            position: at.position,
            bytes: end - at.position,
            valid_batches_after: valid,
            quarantine: vec![name],
            reason,
        });
        Ok(())
    }

    /// A whole segment after a gap.
    fn set_aside(&mut self, segment: &Segment, bytes: u64, valid: u64) -> Result<()> {
        let seq = segment.seq;
        let (from, name) = (segment.log_path(), seq.torn_name(0));
        let to = self.dir.join(&name);
        self.env.disk.rename(&from, &to).at("set aside", &from)?;
        self.listing.logs.remove(&seq);
        self.remove(seq)?;
        let end = self.end;
        let last = self.segments.last().map_or(seq, |last| last.seq);
        let torn = self.torn.get_or_insert_with(|| TornTail {
            offset: end.offset,
            seq: last,
            position: end.position,
            bytes: 0,
            valid_batches_after: 0,
            quarantine: Vec::new(),
            reason: format!("segment {seq} does not continue the log at offset {}", end.offset),
        });
        torn.bytes += bytes;
        torn.valid_batches_after += valid;
        torn.quarantine.push(name);
        Ok(())
    }
}
