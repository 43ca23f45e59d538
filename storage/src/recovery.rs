//! Finding out what a log holds after an unclean stop.
//!
//! The index says up to where the data was durable (the checkpoint). Below it nothing is read, and
//! whatever turns out to be missing there is damage, never a reason to cut. Above it every batch is
//! checked; the first that does not hold ends the log, and what follows is kept aside.

use std::path::Path;
use std::sync::Arc;

use onrush_record::Offset;
use onrush_sys::{File, OpenMode};

use crate::config::{Env, LogConfig};
use crate::error::{IoContext, Result, StorageError};
use crate::index::{Index, Point};
use crate::interval::Interval;
use crate::listing::Listing;
use crate::names::SegmentSeq;
use crate::open::Found;
use crate::quarantine::keep_aside;
use crate::report::{Damage, RecoveryReport, TornTail};
use crate::segment::Segment;
use crate::state::State;
use crate::summary::Summary;
use crate::tail::{Scanned, Stop, Tail};

/// One recovery under way.
pub(crate) struct Recovery<'a> {
    pub(crate) env: &'a Env,
    pub(crate) dir: &'a Arc<Path>,
    cfg: &'a LogConfig,
    state: State,
    listing: Listing,
    pub(crate) report: &'a mut RecoveryReport,
    segments: Vec<Arc<Segment>>,
    /// Where the log ends so far, in the last of `segments`.
    end: Point,
    interval: Interval,
    torn: Option<TornTail>,
    /// Files with bytes that may be in the page cache only.
    unsynced: Vec<Arc<dyn File>>,
    dir_changed: bool,
    /// Segments whose index file is to be written anew.
    rewrite: Vec<Arc<Segment>>,
    damage_before: usize,
}

impl<'a> Recovery<'a> {
    pub(crate) fn new(
        env: &'a Env,
        dir: &'a Arc<Path>,
        cfg: &'a LogConfig,
        mut state: State,
        listing: Listing,
        report: &'a mut RecoveryReport,
    ) -> Self {
        state.segments = None;
        let start = Point { offset: state.first_base, position: 0 };
        Recovery {
            env,
            dir,
            cfg,
            damage_before: state.damage.len(),
            state,
            listing,
            report,
            segments: Vec::new(),
            end: start,
            interval: Interval::at(start),
            torn: None,
            unsynced: Vec::new(),
            dir_changed: false,
            rewrite: Vec::new(),
        }
    }

    /// Recovers. Gives the log, its state, and whether that is to be written.
    pub(crate) fn run(mut self) -> Result<(Found, State, bool)> {
        let mut summaries = self.summaries()?;
        self.drop_superseded(&mut summaries)?;
        let checkpoint = summaries.iter().rposition(|(_, summary)| summary.durable().is_some());
        let below = checkpoint.map_or(0, |last| last + 1);
        for i in 0..below {
            let (seq, summary) = &summaries[i];
            let next_base = summaries.get(i + 1).filter(|_| i + 1 < below).and_then(|s| s.1.base());
            self.below(*seq, summary, next_base, i + 1 == below)?;
        }
        for (seq, _) in &summaries[below..] {
            self.above(*seq)?;
        }
        self.settle()
    }

    /// Judges every index file; the last two in full, since only there a checkpoint can be torn.
    fn summaries(&mut self) -> Result<Vec<(SegmentSeq, Summary)>> {
        let disk = &*self.env.disk;
        let first = self.state.first_seq;
        let mut seqs: Vec<SegmentSeq> =
            self.listing.logs.keys().chain(self.listing.idxs.keys()).copied().collect();
        seqs.sort_unstable();
        seqs.dedup();
        let mut summaries = Vec::with_capacity(seqs.len());
        for (i, seq) in seqs.iter().copied().enumerate() {
            if seq < first {
                // A trim was made durable, and the process died before it deleted this.
                self.remove(seq)?;
                continue;
            }
            let len = self.listing.idxs.get(&seq).copied().unwrap_or(0);
            let all = i + 2 >= seqs.len();
            let mut summary = Summary::read(disk, self.dir, seq, len, all)?;
            if !all && summary.durable().is_none() && len > 0 {
                summary = Summary::read(disk, self.dir, seq, len, true)?;
            }
            if !self.listing.logs.contains_key(&seq) && summary.durable().is_none() {
                self.remove(seq)?;
                continue;
            }
            summaries.push((seq, summary));
        }
        Ok(summaries)
    }

    /// A reopening after a failed sync left copies that stand in for the segments before them.
    fn drop_superseded(&mut self, summaries: &mut Vec<(SegmentSeq, Summary)>) -> Result<()> {
        let ranges: Vec<(SegmentSeq, SegmentSeq)> = summaries
            .iter()
            .filter_map(|(seq, summary)| Some((summary.header?.replaces?, *seq)))
            .collect();
        let gone = |seq: SegmentSeq| ranges.iter().any(|(from, to)| *from <= seq && seq < *to);
        for (seq, _) in summaries.iter().filter(|(seq, _)| gone(*seq)) {
            self.remove(*seq)?;
        }
        summaries.retain(|(seq, _)| !gone(*seq));
        Ok(())
    }

    fn remove(&mut self, seq: SegmentSeq) -> Result<()> {
        for path in [seq.log_path(self.dir), seq.idx_path(self.dir)] {
            match self.env.disk.remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(StorageError::io("delete", &path, error));
                }
                _ => {}
            }
        }
        self.listing.logs.remove(&seq);
        self.listing.idxs.remove(&seq);
        self.dir_changed = true;
        Ok(())
    }

    fn damaged(&mut self, damage: Damage) {
        if !self.state.damage.contains(&damage) {
            tracing::error!(log = %self.dir.display(), ?damage, "damaged range");
            self.state.damage.push(damage);
        }
    }

    /// Ends the segment that was last so far, and begins the next one.
    fn begin(&mut self, segment: Arc<Segment>) {
        if let Some(last) = self.segments.last() {
            if let Some(entry) = self.interval.close() {
                last.index().push(entry);
            }
            last.seal(self.end);
        }
        self.end = segment.base_point();
        self.interval = Interval::at(self.end);
        self.segments.push(segment);
    }

    /// A segment whose bytes were durable, all of them or (the last one) up to the checkpoint.
    fn below(
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
        match summary.max_timestamp {
            Some(max) if summary.beyond.is_empty() => segment.raise_max_timestamp(max, true),
            _ if summary.slots == 0 => {}
            _ => segment.forget_max_timestamp(),
        }
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
            self.rewrite.push(segment.clone());
        }
        if summary.damaged {
            self.report.indexes_rebuilt.push(segment.idx_path().display().to_string());
            if !self.rewrite.iter().any(|other| other.seq == seq) {
                self.rewrite.push(segment.clone());
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

    fn take_in(&mut self, segment: &Arc<Segment>, scanned: Scanned) {
        let mut index = segment.index();
        for entry in scanned.entries {
            segment.raise_max_timestamp(entry.max_timestamp, false);
            index.push(entry);
        }
        segment.raise_max_timestamp(scanned.open.max_timestamp(), false);
        self.interval = scanned.open;
        self.end = scanned.end;
    }

    fn open_log(&mut self, segment: &Segment) -> Result<Arc<dyn File>> {
        let path = segment.log_path();
        let mode = if self.listing.logs.contains_key(&segment.seq) {
            OpenMode::ReadWrite
        } else {
            self.dir_changed = true;
            OpenMode::Create
        };
        self.env.disk.open(&path, mode).at("open", &path)
    }

    /// A segment above the checkpoint.
    fn above(&mut self, seq: SegmentSeq) -> Result<()> {
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
            self.unsynced.push(file.clone());
            let stop = scanned.stop.clone();
            self.take_in(&segment, scanned);
            return self.check_rest(&segment, &file, len, stop);
        }
        let Some(bytes) = tail.last_byte(0)? else {
            self.report.bytes_scanned += tail.bytes_read;
            // Nothing in it: a segment that was prepared and not begun.
            return self.remove(seq);
        };
        let (_, valid) = tail.search(0, bytes, Offset::ZERO, Offset::new(u64::MAX))?;
        self.report.bytes_scanned += tail.bytes_read;
        self.set_aside(&segment, bytes, valid)
    }

    /// The part of the checkpoint's own segment above it.
    fn scan_above(&mut self, segment: &Arc<Segment>, len: u64) -> Result<()> {
        let file = self.open_log(segment)?;
        let path = segment.log_path();
        let mut tail = tail(&*file, &path, len, &self.state, self.cfg);
        let scanned = tail.scan(self.end, None)?;
        self.report.bytes_scanned += tail.bytes_read;
        self.report.batches_recovered += tail.batches;
        if scanned.end != self.end {
            self.unsynced.push(file.clone());
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
            Some(end) => tail.search(at.position + 1, end, at.offset, Offset::new(u64::MAX))?.1,
            None => 0,
        };
        self.report.bytes_scanned += tail.bytes_read;
        let Some(end) = rest else { return Ok(()) };
        let disk = &*self.env.disk;
        let name = keep_aside(disk, self.dir, segment.seq, &**file, at.position, end)?;
        // The copy's name is durable before the original goes.
        disk.sync_dir(self.dir).at("sync", self.dir)?;
        file.truncate(at.position).at("truncate", &path)?;
        self.listing.logs.insert(segment.seq, at.position);
        self.unsynced.push(file.clone());
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

    /// Makes what was found durable, before anyone reads it.
    fn settle(mut self) -> Result<(Found, State, bool)> {
        let known = self.state.durable_end.max(self.state.log_start);
        if self.segments.is_empty() || self.end.offset < known {
            self.begin_anew(known)?;
        }
        let disk = &*self.env.disk;
        let synced: std::io::Result<()> = disk.sync_files(&self.unsynced).into_iter().collect();
        synced.at("sync", self.dir)?;
        if self.dir_changed || !self.unsynced.is_empty() {
            disk.sync_dir(self.dir).at("sync", self.dir)?;
        }
        for segment in std::mem::take(&mut self.rewrite) {
            crate::checkpoint::rewrite_index(self.env, &segment)?;
        }
        self.report.torn = self.torn;
        let changed = self.state.damage.len() != self.damage_before;
        let active = self.segments[self.segments.len() - 1].clone();
        let allocated = self.listing.logs.get(&active.seq).copied().unwrap_or(0);
        let found = Found {
            segments: self.segments,
            end: self.end,
            interval: self.interval,
            allocated: allocated.max(self.end.position),
            next_seq: self.listing.next_seq,
        };
        Ok((found, self.state, changed))
    }

    /// The log ends before what is known to have been durable: that range is damage, and what comes
    /// next goes after it, into a segment of its own.
    fn begin_anew(&mut self, known: Offset) -> Result<()> {
        let seq = self.listing.next_seq;
        self.listing.next_seq = seq.next();
        if self.end.offset < known {
            self.damaged(Damage {
                from: self.end.offset,
                to: known,
                seq: self.segments.last().map_or(seq, |last| last.seq),
                position: self.end.position,
                length: 0,
                reason: "this range was durable and is no longer there".into(),
            });
        }
        crate::background::prepare(&*self.env.disk, self.dir, seq, 0)?;
        self.begin(Arc::new(Segment::empty(self.dir.clone(), seq, known.max(self.end.offset))));
        self.listing.logs.insert(seq, 0);
        let segment = self.segments[self.segments.len() - 1].clone();
        self.rewrite.push(segment);
        Ok(())
    }
}

fn tail<'t>(
    file: &'t dyn File,
    path: &'t Path,
    len: u64,
    state: &'t State,
    cfg: &LogConfig,
) -> Tail<'t> {
    let interval_bytes = cfg.index_interval_bytes;
    Tail { file, path, len, state, interval_bytes, bytes_read: 0, batches: 0 }
}
