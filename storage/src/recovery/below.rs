//! The part of a log that was durable: believed, and where it is not all there, damage.

use std::sync::Arc;

use onrush_record::Offset;

use super::{Recovery, tail};
use crate::error::{Result, StorageError};
use crate::index::{Index, Point};
use crate::interval::Interval;
use crate::names::SegmentSeq;
use crate::report::Damage;
use crate::segment::Segment;
use crate::summary::Summary;
use crate::tail::Stop;

impl Recovery<'_> {
    /// A segment whose bytes were durable, all of them or (the last one) up to the checkpoint.
    pub(super) fn below(
        &mut self,
        seq: SegmentSeq,
        summary: &Summary,
        next_base: Option<Offset>,
        last: bool,
    ) -> Result<()> {
        let expected = self.end.offset;
        let base = summary.base().unwrap_or(expected);
        if base > expected {
            self.damaged(Damage {
                from: expected,
                to: base,
                seq,
                position: 0,
                length: 0,
                reason: "the segment that held this range is missing".into(),
            });
        } else if base < expected {
            let reason =
                format!("it begins at offset {base}, but the one before ends at {expected}");
            return Err(StorageError::corrupt(&seq.idx_path(self.dir), reason));
        }
        let covered = summary.covered.unwrap_or(Point { offset: base, position: 0 });
        let index = Index::new(summary.slots, covered);
        let segment = Arc::new(Segment::new(self.dir.clone(), seq, base, index));
        // What no valid entry is about is read below, and raises it.
        segment.raise_max_timestamp(summary.max_timestamp, true);
        if let Some(header) = summary.header {
            segment.set_first_append_ms(header.first_append_ms);
        }
        self.begin(segment.clone());
        self.end = covered;
        self.interval = Interval::at(covered);
        let len = self.listing.logs.get(&seq).copied().unwrap_or(0);
        if len < covered.position {
            self.cut_short(&segment, len, covered)?;
        }
        // Durable, though the index has no entry for it: entries are damaged, or the process died
        // after the next segment's index was synced and before this one's.
        let durable = summary.durable().filter(|durable| durable.offset > covered.offset);
        if let Some(to) = next_base.or(durable.map(|durable| durable.offset))
            && to > self.end.offset
        {
            self.fill_in(&segment, len, to, summary)?;
            self.steps.rewrite.push(segment.clone());
        }
        if summary.damaged {
            self.report.indexes_rebuilt.push(segment.idx_path().display().to_string());
            if !self.steps.rewrite.iter().any(|other| other.seq == seq) {
                self.steps.rewrite.push(segment.clone());
            }
        }
        if last { self.scan_above(&segment, len) } else { Ok(()) }
    }

    /// A data file that is shorter than its index says.
    fn cut_short(&mut self, segment: &Arc<Segment>, len: u64, covered: Point) -> Result<()> {
        let index = segment.index_with(self.env, Index::must_load)?;
        let at = index
            .entries()
            .find(|entry| entry.end() > len)
            .map_or(covered, |entry| Point { offset: entry.first, position: entry.position });
        drop(index);
        self.damaged(Damage {
            from: at.offset,
            to: covered.offset,
            seq: segment.seq,
            position: at.position,
            length: covered.position - at.position,
            reason: format!(
                "the file is {len} bytes long, {} of them were durable",
                covered.position
            ),
        });
        Ok(())
    }

    /// Reads a durable part that no index entry covers; what does not hold there is damage.
    fn fill_in(
        &mut self,
        segment: &Arc<Segment>,
        len: u64,
        to: Offset,
        summary: &Summary,
    ) -> Result<()> {
        let path = segment.log_path();
        let file = self.open_log(segment)?;
        while self.end.offset < to {
            let state = &self.state;
            let mut tail = tail(&*file, &path, len, state, self.cfg);
            let scanned = tail.scan(self.end, Some(to))?;
            let stop = scanned.stop.clone();
            let mut resume = None;
            if let Stop::Bad(_) | Stop::Clean = stop {
                let at = scanned.end;
                let known = summary.beyond.iter().find(|entry| entry.first > at.offset);
                resume = known.map(|entry| Point { offset: entry.first, position: entry.position });
                if resume.is_none() {
                    let from = Offset::new(at.offset.get() + 1);
                    resume = tail.search(at.position + 1, len, from, to)?.0;
                }
            }
            let read = tail.bytes_read;
            self.report.bytes_scanned += read;
            self.take_in(segment, scanned);
            if stop == Stop::Limit {
                break;
            }
            if let Some(entry) = self.interval.close() {
                segment.index().push(entry);
            }
            let resume = resume.unwrap_or(Point {
                offset: to,
                position: len.max(summary.durable().map_or(0, |durable| durable.position)),
            });
            self.damaged(Damage {
                from: self.end.offset,
                to: resume.offset,
                seq: segment.seq,
                position: self.end.position,
                length: resume.position - self.end.position,
                reason: match stop {
                    Stop::Bad(reason) => reason,
                    _ => "the file has only zeros where data was durable".into(),
                },
            });
            self.end = resume;
            self.interval = Interval::at(resume);
        }
        Ok(())
    }
}
