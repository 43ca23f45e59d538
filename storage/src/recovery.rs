//! Finding out what a log holds after an unclean stop.
//!
//! The index says up to where the data was durable (the checkpoint). Below it nothing is read, and
//! whatever turns out to be missing there is damage, never a reason to cut. Above it every batch is
//! checked; the first that does not hold ends the log, and what follows is kept aside.

mod above;
mod below;
mod unsettled;

pub(crate) use unsettled::{Rewritten, Steps, Unsettled};

use std::path::Path;
use std::sync::Arc;

use onrush_record::Offset;
use onrush_sys::{File, OpenMode};

use crate::again::make_durable;
use crate::config::{Env, LogConfig};
use crate::error::{IoContext, Result, StorageError};
use crate::index::Point;
use crate::interval::Interval;
use crate::listing::Listing;
use crate::names::{SegmentSeq, state_path};
use crate::open::Found;
use crate::report::{Damage, RecoveryReport, TornTail};
use crate::segment::Segment;
use crate::slots::slot_of;
use crate::state::State;
use crate::summary::Summary;
use crate::superseded::superseded;
use crate::tail::{Scanned, Tail};

/// Quarantined ranges end at a multiple of this, or with their file.
const KEEP_MULTIPLE: u64 = 4096;

/// One recovery under way.
pub(crate) struct Recovery<'a> {
    pub(crate) env: &'a Env,
    pub(crate) dir: &'a Arc<Path>,
    cfg: &'a LogConfig,
    state: State,
    /// The slot that `state` was read from.
    slot: usize,
    listing: Listing,
    pub(crate) report: &'a mut RecoveryReport,
    segments: Vec<Arc<Segment>>,
    /// Where the log ends so far, in the last of `segments`.
    end: Point,
    interval: Interval,
    torn: Option<TornTail>,
    steps: Steps,
    damage_before: usize,
}

impl<'a> Recovery<'a> {
    pub(crate) fn new(
        env: &'a Env,
        dir: &'a Arc<Path>,
        cfg: &'a LogConfig,
        (generation, mut state): (u64, State),
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
            slot: slot_of(generation),
            listing,
            report,
            segments: Vec::new(),
            end: start,
            interval: Interval::at(start),
            torn: None,
            steps: Steps::default(),
        }
    }

    /// Recovers, but for what is to be made durable before anyone reads the log.
    pub(crate) fn run(mut self) -> Result<Unsettled> {
        let mut summaries = self.summaries()?;
        self.drop_superseded(&mut summaries)?;
        let checkpoint = summaries.iter().rposition(|(_, summary)| summary.durable().is_some());
        let below = checkpoint.map_or(0, |last| last + 1);
        for i in 0..below {
            let (seq, summary) = &summaries[i];
            let next_base = match summaries.get(i + 1).filter(|_| i + 1 < below) {
                Some((next, summary)) => {
                    summary.base().map_or_else(|| self.peek(*next), |b| Ok(Some(b)))?
                }
                None => None,
            };
            self.below(*seq, summary, next_base, i + 1 == below)?;
        }
        for (seq, _) in &summaries[below..] {
            self.above(*seq)?;
        }
        self.end()
    }

    /// Judges every index file: a checkpoint writes to those of all segments that were rolled since
    /// the last one, and may be torn in each. It is less than a thousandth of the data.
    fn summaries(&mut self) -> Result<Vec<(SegmentSeq, Summary)>> {
        let disk = &*self.env.disk;
        let first = self.state.first_seq;
        let mut seqs: Vec<SegmentSeq> =
            self.listing.logs.keys().chain(self.listing.idxs.keys()).copied().collect();
        seqs.sort_unstable();
        seqs.dedup();
        if seqs.first().is_some_and(|seq| *seq < first) {
            // After a kill the slot that lets these files go may be in the page cache only.
            self.sync_newest_state()?;
        }
        let mut summaries = Vec::with_capacity(seqs.len());
        for seq in seqs {
            if seq < first {
                // A trim was made durable, and the process died before it deleted this.
                self.remove(seq)?;
                continue;
            }
            let len = self.listing.idxs.get(&seq).copied().unwrap_or(0);
            let summary = Summary::read(disk, self.dir, seq, len, &self.state.damage)?;
            let known = summary.durable().is_some();
            if !known && (!self.listing.logs.contains_key(&seq) || self.is_blank(seq)?) {
                // It was prepared and never begun.
                self.remove(seq)?;
                continue;
            }
            summaries.push((seq, summary));
        }
        Ok(summaries)
    }

    fn sync_newest_state(&self) -> Result<()> {
        make_durable(&*self.env.disk, &state_path(self.dir, self.slot))
    }

    /// Whether a data file holds zeros only.
    fn is_blank(&mut self, seq: SegmentSeq) -> Result<bool> {
        let len = self.listing.logs.get(&seq).copied().unwrap_or(0);
        let path = seq.log_path(self.dir);
        let file = self.env.disk.open(&path, OpenMode::Read).at("open", &path)?;
        let mut tail = tail(&*file, &path, len, &self.state, self.cfg);
        let begun = tail.is_begun()?;
        self.report.bytes_scanned += tail.bytes_read;
        Ok(!begun)
    }

    /// A reopening after a failed sync, or a cleaning, left copies that stand in for other segments;
    /// and a cleaning that was cut off left one that does not count.
    fn drop_superseded(&mut self, summaries: &mut Vec<(SegmentSeq, Summary)>) -> Result<()> {
        let heads: Vec<_> = summaries.iter().map(|(seq, summary)| (*seq, summary.header)).collect();
        let gone = superseded(&heads);
        for (by, head) in heads.iter().filter(|(seq, _)| !gone.contains(seq)) {
            let from = head.and_then(|head| head.replaces);
            if from.is_some_and(|from| gone.iter().any(|gone| from <= *gone && gone < by)) {
                make_durable(&*self.env.disk, &by.idx_path(self.dir))?;
            }
        }
        for seq in &gone {
            self.remove(*seq)?;
        }
        summaries.retain(|(seq, _)| !gone.contains(seq));
        Ok(())
    }

    /// The base offset of a segment whose index does not tell, by its first batch.
    fn peek(&mut self, seq: SegmentSeq) -> Result<Option<Offset>> {
        let Some(len) = self.listing.logs.get(&seq).copied() else { return Ok(None) };
        let path = seq.log_path(self.dir);
        let file = self.env.disk.open(&path, OpenMode::Read).at("open", &path)?;
        let mut tail = tail(&*file, &path, len, &self.state, self.cfg);
        let first = tail.first_batch()?;
        self.report.bytes_scanned += tail.bytes_read;
        Ok(first)
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
        self.steps.dir_changed = true;
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
            self.steps.dir_changed = true;
            OpenMode::Create
        };
        self.env.disk.open(&path, mode).at("open", &path)
    }

    fn end(mut self) -> Result<Unsettled> {
        let known = self.state.durable_end.max(self.state.log_start);
        if self.segments.is_empty() || self.end.offset < known {
            self.begin_anew(known)?;
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
        Ok(Unsettled { found, state: self.state, changed, steps: self.steps })
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
        crate::background::make(&*self.env.disk, self.dir, seq, crate::room::Room::Zeros(0))?;
        self.steps.dir_changed = true;
        self.begin(Arc::new(Segment::empty(self.dir.clone(), seq, known.max(self.end.offset))));
        self.listing.logs.insert(seq, 0);
        let segment = self.segments[self.segments.len() - 1].clone();
        self.steps.rewrite.push(segment);
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
    Tail { file, path, len, state: Some(state), interval_bytes, bytes_read: 0, batches: 0 }
}
