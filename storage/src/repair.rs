//! The operator's decision: giving damaged ranges up, so that the log reads through again.
//!
//! A segment with damage is written anew from its valid batches. Each range that is given up is
//! filled by batches without records, so that offsets go on without a gap. The old file is kept
//! aside whole. Nothing here runs while the log is open.

use std::io::IoSlice;
use std::path::Path;

use onrush_record::batch::filler;
use onrush_record::{LeaderEpoch, Offset};
use onrush_sys::{Disk, File, OpenMode};

use crate::check::{CheckReport, check};
use crate::error::{IoContext, Result, StorageError};
use crate::index::Point;
use crate::layout::{IDX_HEADER_LEN, IdxHeader};
use crate::listing::Listing;
use crate::names::{Named, SegmentSeq, parse, state_path};
use crate::salvage::{Piece, take_apart};
use crate::slots::{Slots, slot_of};
use crate::state::State;
use crate::summary::Summary;
use crate::superseded::superseded_in;
use crate::tail::Tail;

/// Whether to do it, or only to say what would be done.
#[derive(Copy, Clone, Eq, PartialEq, Debug, Default)]
pub enum RepairMode {
    /// Change nothing.
    #[default]
    DryRun,
    /// Do it.
    Apply,
}

/// Records that no repair brings back.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct GivenUp {
    /// First offset given up.
    pub from: Offset,
    /// First good offset after it.
    pub to: Offset,
    /// The file they should be in.
    pub file: String,
    /// What is wrong there.
    pub reason: String,
}

/// What a repair does, or did.
#[derive(Clone, Debug, Default)]
pub struct RepairReport {
    /// What was found beforehand.
    pub check: CheckReport,
    /// What is given up.
    pub given_up: Vec<GivenUp>,
    /// Data files written anew.
    pub rewritten: Vec<String>,
    /// Where the old files are kept.
    pub kept_aside: Vec<String>,
    /// The state is made anew from the data.
    pub state_rebuilt: bool,
    /// Whether it was done.
    pub applied: bool,
}

impl RepairReport {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.rewritten.is_empty() && !self.state_rebuilt
    }
}

/// Repairs the log in `dir`, offline. `clean` is that of [`check`].
///
/// # Errors
/// As [`check`]; or if the disk refuses, in which case it is to be run again.
pub fn repair(disk: &dyn Disk, dir: &Path, clean: bool, mode: RepairMode) -> Result<RepairReport> {
    let listing = Listing::of(disk, dir)?;
    let mut report = RepairReport { check: check(disk, dir, clean)?, ..RepairReport::default() };
    let found = Slots::load(disk, dir, listing.states)?;
    let (generation, mut state) = match found.valid.into_iter().next() {
        Some(found) => found,
        None => {
            report.state_rebuilt = true;
            (1, rebuild_state(disk, dir, &listing)?)
        }
    };
    let seqs = counting(disk, dir, &listing, state.first_seq)?;
    let mut at = state.first_base;
    for (i, seq) in seqs.iter().copied().enumerate() {
        let old = Old::read(disk, dir, &listing, seq, at, seqs.get(i + 1).copied())?;
        let damaged = report.state_rebuilt || old.is_damaged(&report.check, &state);
        let pieces = if damaged { old.pieces(&state)? } else { Vec::new() };
        at = old.end(at);
        if !pieces.is_empty() {
            old.rewrite(mode, pieces, &state, &mut report)?;
        }
    }
    report.given_up.retain(|lost| lost.from < lost.to);
    if mode == RepairMode::Apply && !report.is_empty() {
        state.damage.clear();
        state.segments = None;
        write_both(disk, dir, &state, generation)?;
        report.applied = true;
    }
    Ok(report)
}

/// The segments from `first` on that count.
fn counting(
    disk: &dyn Disk,
    dir: &Path,
    listing: &Listing,
    first: SegmentSeq,
) -> Result<Vec<SegmentSeq>> {
    let gone = superseded_in(disk, dir, listing, first)?;
    let all = listing.logs.range(first..).map(|(seq, _)| *seq);
    Ok(all.filter(|seq| !gone.contains(seq)).collect())
}

fn write_both(disk: &dyn Disk, dir: &Path, state: &State, generation: u64) -> Result<()> {
    for generation in [generation + 1, generation + 2] {
        let path = state_path(dir, slot_of(generation));
        let file = disk.open(&path, OpenMode::Create).at("open", &path)?;
        let bytes = state.encode(generation);
        file.write_all_at(&mut [IoSlice::new(&bytes)], 0).at("write", &path)?;
        file.sync_data().at("sync", &path)?;
    }
    disk.sync_dir(dir).at("sync", dir)
}

/// The epochs and the beginning, from what the batches say.
fn rebuild_state(disk: &dyn Disk, dir: &Path, listing: &Listing) -> Result<State> {
    let mut state = State::default();
    let mut at: Option<Offset> = None;
    let seqs = counting(disk, dir, listing, SegmentSeq::default())?;
    state.is_cleaned = seqs.iter().any(|seq| seq.is_cleaned());
    for (i, seq) in seqs.iter().copied().enumerate() {
        let next = seqs.get(i + 1).copied();
        let old = Old::read(disk, dir, listing, seq, at.unwrap_or_default(), next)?;
        if i == 0 {
            (state.first_seq, state.first_base, state.log_start) = (seq, old.base, old.base);
        }
        for piece in old.pieces_of_any_epoch()? {
            let Piece::Good { from, to } = piece else { continue };
            let mut headers = crate::scan::Headers::new(&*old.file, &old.path, to.position);
            let mut here = from;
            while here.position < to.position {
                let crate::scan::Seen::Batch(header) = headers.at(here)? else { break };
                let last = state.epochs.last().map(|(epoch, _)| *epoch);
                if last.is_none_or(|last| header.leader_epoch > last) {
                    state.epochs.push((header.leader_epoch, header.base_offset));
                }
                here = crate::scan::after(here, &header);
            }
            at = Some(to.offset);
        }
    }
    Ok(state)
}

/// A segment as it is.
struct Old<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    seq: SegmentSeq,
    path: std::path::PathBuf,
    file: std::sync::Arc<dyn File>,
    len: u64,
    /// Where the log should go on.
    expected: Offset,
    base: Offset,
    /// Where it is known to end: the next segment's base, or its own checkpoint.
    known_end: Option<Offset>,
    is_last: bool,
    summary: Summary,
    last_good: std::cell::Cell<Option<Offset>>,
}

impl<'a> Old<'a> {
    fn read(
        disk: &'a dyn Disk,
        dir: &'a Path,
        listing: &Listing,
        seq: SegmentSeq,
        expected: Offset,
        next: Option<SegmentSeq>,
    ) -> Result<Old<'a>> {
        let path = seq.log_path(dir);
        let file = disk.open(&path, OpenMode::Read).at("open", &path)?;
        let len = listing.logs[&seq];
        let of = |seq: SegmentSeq| -> Result<Summary> {
            let len = listing.idxs.get(&seq).copied().unwrap_or(0);
            Summary::read(disk, dir, seq, len, &[])
        };
        let first_of = |seq: SegmentSeq, len: u64| -> Result<Option<Offset>> {
            let path = seq.log_path(dir);
            let file = disk.open(&path, OpenMode::Read).at("open", &path)?;
            any_epoch(&*file, &path, len).first_batch()
        };
        let summary = of(seq)?;
        let base = match summary.base() {
            Some(base) => base,
            None => first_of(seq, len)?.filter(|first| *first >= expected).unwrap_or(expected),
        };
        let next_base = match next {
            Some(next) => match of(next)?.base() {
                Some(base) => Some(base),
                None => first_of(next, listing.logs[&next])?,
            },
            None => None,
        };
        // What follows may be a segment that was only prepared: then this one is the last.
        let is_last = next_base.is_none();
        let known_end = next_base.or(summary.durable().map(|durable| durable.offset));
        let last_good = std::cell::Cell::new(None);
        Ok(Old {
            disk,
            dir,
            seq,
            path,
            file,
            len,
            expected,
            base,
            known_end,
            is_last,
            summary,
            last_good,
        })
    }

    fn is_damaged(&self, check: &CheckReport, state: &State) -> bool {
        let log = self.path.display().to_string();
        let idx = self.seq.idx_path(self.dir).display().to_string();
        let hit = |file: &str| file == log || file == idx;
        check
            .findings
            .iter()
            .any(|finding| finding.severity == crate::check::Severity::Damage && hit(&finding.file))
            || state.damage.iter().any(|damage| damage.seq == self.seq)
            || self.base > self.expected
    }

    fn pieces(&self, state: &State) -> Result<Vec<Piece>> {
        let mut tail = Tail { state: Some(state), ..any_epoch(&*self.file, &self.path, self.len) };
        self.take_apart(&mut tail)
    }

    fn pieces_of_any_epoch(&self) -> Result<Vec<Piece>> {
        self.take_apart(&mut any_epoch(&*self.file, &self.path, self.len))
    }

    fn take_apart(&self, tail: &mut Tail<'_>) -> Result<Vec<Piece>> {
        let start = Point { offset: self.base, position: 0 };
        // The last one may go on past its checkpoint, and valid batches there are worth keeping.
        let mut pieces = take_apart(tail, start, if self.is_last { None } else { self.known_end })?;
        let reached = pieces.last().map_or(start, Piece::end);
        if let Some(to) = self.known_end.filter(|to| *to > reached.offset) {
            let to = Point { offset: to, position: self.len.max(reached.position) };
            let reason = "this range was durable and is not there".to_owned();
            pieces.push(Piece::Lost { from: reached, to, reason });
        }
        if self.base > self.expected {
            let from = Point { offset: self.expected, position: 0 };
            let reason = "the segment that held this range is missing".to_owned();
            pieces.insert(0, Piece::Lost { from, to: start, reason });
        }
        self.last_good.set(pieces.last().map(|piece| piece.end().offset));
        Ok(pieces)
    }

    /// Where the next segment should begin.
    fn end(&self, before: Offset) -> Offset {
        self.known_end.or(self.last_good.get()).unwrap_or(self.base.max(before))
    }

    fn rewrite(
        &self,
        mode: RepairMode,
        pieces: Vec<Piece>,
        state: &State,
        report: &mut RepairReport,
    ) -> Result<()> {
        for piece in &pieces {
            if let Piece::Lost { from, to, reason } = piece {
                let (from, to, reason) = (from.offset, to.offset, reason.clone());
                report.given_up.push(GivenUp {
                    from,
                    to,
                    file: self.path.display().to_string(),
                    reason,
                });
            }
        }
        report.rewritten.push(self.path.display().to_string());
        if mode == RepairMode::DryRun {
            return Ok(());
        }
        let fresh = self.dir.join(format!("{}.repaired", self.seq.log_name()));
        let made = self.disk.open(&fresh, OpenMode::Create).at("create", &fresh)?;
        made.truncate(0).at("truncate", &fresh)?;
        let mut at = 0;
        for piece in pieces {
            match piece {
                Piece::Good { from, to } => self.copy(&*made, &fresh, from, to, &mut at)?,
                Piece::Lost { from, to, .. } => {
                    for filler in fillers(from.offset, to.offset, state) {
                        made.write_all_at(&mut [IoSlice::new(&filler)], at).at("write", &fresh)?;
                        at += filler.len() as u64;
                    }
                }
            }
        }
        made.sync_data().at("sync", &fresh)?;
        self.put_in_place(&fresh, report)
    }

    fn copy(
        &self,
        made: &dyn File,
        fresh: &Path,
        from: Point,
        to: Point,
        at: &mut u64,
    ) -> Result<()> {
        const CHUNK: u64 = 1 << 20;
        let mut buffer = Vec::new();
        let mut position = from.position;
        while position < to.position {
            let want = (to.position - position).min(CHUNK);
            buffer.resize(usize::try_from(want).unwrap_or(0), 0);
            self.file.read_exact_at(&mut buffer, position).at("read", &self.path)?;
            made.write_all_at(&mut [IoSlice::new(&buffer)], *at).at("write", fresh)?;
            position += want;
            *at += want;
        }
        Ok(())
    }

    /// The old file is kept aside first; then the index goes: without one, whichever data file a crash leaves is read through.
    fn put_in_place(&self, fresh: &Path, report: &mut RepairReport) -> Result<()> {
        let name = self.spare_torn_name()?;
        let aside = self.dir.join(&name);
        let idx = self.seq.idx_path(self.dir);
        keep_copy(self.disk, &*self.file, self.len, &aside)?;
        self.disk.sync_dir(self.dir).at("sync", self.dir)?;
        let header = IdxHeader {
            seq: self.seq,
            base: self.expected.min(self.base),
            first_append_ms: self.summary.header.map_or(i64::MIN, |header| header.first_append_ms),
            // What it stands in for may still be there.
            replaces: self.summary.header.and_then(|header| header.replaces),
            clean_to: None,
        };
        let file = self.disk.open(&idx, OpenMode::Create).at("create", &idx)?;
        file.truncate(0).at("truncate", &idx)?;
        file.write_all_at(&mut [IoSlice::new(&header.encode())], 0).at("write", &idx)?;
        file.truncate(IDX_HEADER_LEN as u64).at("truncate", &idx)?;
        file.sync_data().at("sync", &idx)?;
        self.disk.rename(fresh, &self.path).at("rename", fresh)?;
        self.disk.sync_dir(self.dir).at("sync", self.dir)?;
        report.kept_aside.push(aside.display().to_string());
        Ok(())
    }

    fn spare_torn_name(&self) -> Result<String> {
        let taken: Vec<String> = self
            .disk
            .list(self.dir)
            .at("list", self.dir)?
            .into_iter()
            .filter(|entry| matches!(parse(&entry.name), Named::Torn(_)))
            .map(|entry| entry.name)
            .collect();
        let free = (0..=taken.len() as u64)
            .map(|n| self.seq.torn_name(n))
            .find(|name| !taken.contains(name));
        free.ok_or(StorageError::Misuse("no free name for a quarantine file"))
    }
}

fn keep_copy(disk: &dyn Disk, from: &dyn File, len: u64, to: &Path) -> Result<()> {
    const CHUNK: u64 = 1 << 20;
    let kept = disk.open(to, OpenMode::Create).at("create", to)?;
    let mut buffer = Vec::new();
    let mut at = 0;
    while at < len {
        buffer.resize(usize::try_from((len - at).min(CHUNK)).unwrap_or(0), 0);
        let got = from.read_at(&mut buffer, at).at("read", to)?;
        if got == 0 {
            break;
        }
        kept.write_all_at(&mut [IoSlice::new(&buffer[..got])], at).at("write", to)?;
        at += got as u64;
    }
    kept.sync_data().at("sync", to)
}

fn any_epoch<'t>(file: &'t dyn File, path: &'t Path, len: u64) -> Tail<'t> {
    Tail { file, path, len, state: None, interval_bytes: u32::MAX, bytes_read: 0, batches: 0 }
}

/// Batches without records that take up the offsets `from..to`, each within one epoch.
fn fillers(from: Offset, to: Offset, state: &State) -> Vec<[u8; 61]> {
    const MOST: u64 = i32::MAX as u64;
    let mut fillers = Vec::new();
    let mut at = from;
    while at < to {
        let epoch = state.epoch_at(at).unwrap_or(LeaderEpoch::new(0));
        let boundary = state.epochs.iter().map(|(_, start)| *start).find(|start| *start > at);
        let end = boundary.map_or(to, |boundary| boundary.min(to)).min(at.plus(MOST));
        fillers.push(filler(at, end.since(at), epoch));
        at = end;
    }
    fillers
}
