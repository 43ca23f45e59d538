//! Looking at a log without opening it: nothing is changed, everything is read.

use std::path::Path;

use onrush_record::{Offset, crc32c};
use onrush_sys::{Disk, File, OpenMode};

use crate::close::closing_rows;
use crate::error::{IoContext, Result, StorageError, shown};
use crate::index::Point;
use crate::layout::{ENTRY_LEN, Entry, IDX_HEADER_LEN, IdxHeader, entry_position};
use crate::listing::Listing;
use crate::names::{SegmentSeq, state_path};
use crate::slots::Slots;
use crate::state::State;
use crate::superseded::superseded_in;
use crate::tail::{Stop, Tail};

/// How much a finding matters.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Debug)]
pub enum Severity {
    /// What an unclean stop leaves behind, and what is kept aside: worth knowing, mended by itself.
    Note,
    /// Something that was durable is not as it was.
    Damage,
}

/// One thing that a check found.
#[derive(Clone, Eq, PartialEq, Debug)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// Which file.
    pub file: String,
    /// Which bytes of it, from and up to.
    pub bytes: Option<(u64, u64)>,
    /// Which offsets, from and up to.
    pub offsets: Option<(Offset, Offset)>,
    /// What is wrong.
    pub what: String,
}

/// What a check of one log read and found.
#[derive(Clone, Debug, Default)]
pub struct CheckReport {
    /// First offset of the log.
    pub start: Offset,
    /// Its end, as far as the data goes.
    pub end: Offset,
    /// Segments with data.
    pub segments: u64,
    /// Bytes of data that are sound.
    pub bytes: u64,
    /// Batches that are sound.
    pub batches: u64,
    /// The last stop was clean, and nothing was written since.
    pub clean: bool,
    /// What was found.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    /// Whether nothing is damaged.
    pub fn is_sound(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity < Severity::Damage)
    }
}

/// Checks the log in `dir`, offline: every checksum, every offset, every epoch. `clean` is that of
/// [`OpenOptions`](crate::OpenOptions): what opening the log then mends by itself is no damage.
///
/// # Errors
/// If it cannot be looked at: there is none, its format is newer, or the disk fails.
pub fn check(disk: &dyn Disk, dir: &Path, clean: bool) -> Result<CheckReport> {
    let listing = Listing::of(disk, dir)?;
    let mut report = CheckReport::default();
    let state = check_slots(disk, dir, &listing, &mut report)?;
    for name in &listing.torn {
        report.note(shown(dir, name), None, "bytes that were cut off the log are kept here");
    }
    let Some(state) = state else { return Ok(report) };
    report.start = state.log_start;
    report.clean = clean && closing_rows(&state, &listing).is_some();
    for damage in &state.damage {
        report.findings.push(Finding {
            severity: Severity::Damage,
            file: shown(dir, &damage.seq.log_name()),
            bytes: Some((damage.position, damage.position + damage.length)),
            offsets: Some((damage.from, damage.to)),
            what: format!("known damage: {}", damage.reason),
        });
    }
    let mut at = state.first_base;
    let gone = superseded_in(disk, dir, &listing, state.first_seq)?;
    for seq in gone.iter().filter(|seq| listing.logs.contains_key(seq)) {
        let what = "a copy stands in for it, or it is one that was not finished; it goes when the log is opened";
        report.note(shown(dir, &seq.log_name()), None, what);
    }
    let counts = |seq: &SegmentSeq| !gone.contains(seq);
    let seqs: Vec<SegmentSeq> =
        listing.logs.range(state.first_seq..).map(|(seq, _)| *seq).filter(counts).collect();
    for (i, seq) in seqs.iter().enumerate() {
        let segment = Checked { disk, dir, state: &state, listing: &listing, seq: *seq };
        at = segment.check(at, i + 1 == seqs.len(), &mut report)?;
    }
    for seq in listing.idxs.range(state.first_seq..).map(|(seq, _)| *seq).filter(counts) {
        if !listing.logs.contains_key(&seq) && listing.idxs[&seq] > IDX_HEADER_LEN as u64 {
            report.damage(shown(dir, &seq.log_name()), None, None, "the data file is missing");
        }
    }
    report.end = at;
    let known = state.durable_end.max(state.log_start);
    if at < known && !state.damage.iter().any(|damage| damage.to >= known) {
        let file = dir.display().to_string();
        report.damage(file, None, Some((at, known)), "this range was durable and is not there");
    }
    Ok(report)
}

fn check_slots(
    disk: &dyn Disk,
    dir: &Path,
    listing: &Listing,
    report: &mut CheckReport,
) -> Result<Option<State>> {
    let found = Slots::load(disk, dir, listing.states)?;
    let alone = found.valid.is_empty();
    if alone && listing.is_blank() {
        return Err(StorageError::Missing { path: dir.display().to_string() });
    }
    for path in &found.unreadable {
        let file = path.display().to_string();
        if alone {
            report.damage(file, None, None, "the state slot is unreadable, and so is the other");
        } else {
            report.note(file, None, "the state slot is unreadable; the other one stands in for it");
        }
    }
    for (slot, len) in listing.states.iter().enumerate() {
        if len.is_none() {
            let file = state_path(dir, slot).display().to_string();
            report.note(file, None, "the state slot is missing; the other one stands in for it");
        }
    }
    Ok(found.valid.into_iter().next().map(|(_, state)| state))
}

impl CheckReport {
    fn note(&mut self, file: String, bytes: Option<(u64, u64)>, what: impl Into<String>) {
        let what = what.into();
        self.findings.push(Finding { severity: Severity::Note, file, bytes, offsets: None, what });
    }

    /// After an unclean stop the index is made anew from the data when the log is opened, and what is
    /// damaged may only have been on its way to the disk. After a clean one nobody reads it then.
    fn index(&mut self, file: &str, bytes: Option<(u64, u64)>, what: &str) {
        if self.clean {
            self.damage(file.to_owned(), bytes, None, what);
        } else {
            let what = format!(
                "{what}, or was being written; the index is made anew from the data when the log is opened"
            );
            self.note(file.to_owned(), bytes, what);
        }
    }

    fn damage(
        &mut self,
        file: String,
        bytes: Option<(u64, u64)>,
        offsets: Option<(Offset, Offset)>,
        what: impl Into<String>,
    ) {
        let what = what.into();
        self.findings.push(Finding { severity: Severity::Damage, file, bytes, offsets, what });
    }
}

/// One segment being checked.
struct Checked<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    state: &'a State,
    listing: &'a Listing,
    seq: SegmentSeq,
}

impl Checked<'_> {
    /// Checks the segment, which should begin at `expected`; gives the offset at which it ends.
    fn check(&self, expected: Offset, last: bool, report: &mut CheckReport) -> Result<Offset> {
        let path = self.seq.log_path(self.dir);
        let log = path.display().to_string();
        let len = self.listing.logs[&self.seq];
        let file = self.disk.open(&path, OpenMode::Read).at("open", &path)?;
        let (base, entries) = self.entries(report)?;
        let base = base.unwrap_or(expected);
        if base != expected {
            let range = Some((expected.min(base), expected.max(base)));
            let what = format!("the log should go on at offset {expected}, this begins at {base}");
            report.damage(log.clone(), None, range, what);
        }
        let mut at = Point { offset: base, position: 0 };
        for entry in &entries {
            let start = Point { offset: entry.first, position: entry.position };
            if at != start {
                self.uncovered(&*file, &path, at, Some(start), report)?;
            }
            self.interval(&*file, &path, entry, report)?;
            at = Point { offset: entry.next, position: entry.end() };
        }
        if at.position < len || !last {
            at = self.uncovered(&*file, &path, at, None, report)?;
        }
        report.segments += u64::from(at.position > 0);
        Ok(at.offset)
    }

    /// The index header's base offset and the valid entries.
    fn entries(&self, report: &mut CheckReport) -> Result<(Option<Offset>, Vec<Entry>)> {
        let Some(len) = self.listing.idxs.get(&self.seq).copied().filter(|len| *len > 0) else {
            return Ok((None, Vec::new()));
        };
        let path = self.seq.idx_path(self.dir);
        let name = path.display().to_string();
        let file = self.disk.open(&path, OpenMode::Read).at("open", &path)?;
        let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
        let have = file.read_at(&mut bytes, 0).at("read", &path)?;
        let bytes = &bytes[..have];
        let header = IdxHeader::decode(bytes, self.seq).ok();
        let raw = bytes.get(IDX_HEADER_LEN..).unwrap_or(&[]);
        let mut entries: Vec<Entry> = Vec::new();
        let mut bad = None;
        for (slot, raw) in (0u64..).zip(raw.chunks_exact(ENTRY_LEN)) {
            match Entry::decode(raw, self.seq, slot) {
                Some(entry) if entries.last().is_none_or(|last| last.next <= entry.first) => {
                    if let Some(slot) = bad.take() {
                        let at = entry_position(slot);
                        let range = Some((at, at + ENTRY_LEN as u64));
                        report.index(&name, range, "an index entry is damaged");
                    }
                    entries.push(entry);
                }
                _ => bad = bad.or(Some(slot)),
            }
        }
        if let Some(slot) = bad {
            let range = Some((entry_position(slot), len));
            report.index(&name, range, "the last index entries are damaged");
        }
        if header.is_none() && !entries.is_empty() {
            report.index(&name, Some((0, IDX_HEADER_LEN as u64)), "the header is damaged");
        }
        let first = entries.first().filter(|entry| entry.position == 0).map(|entry| entry.first);
        Ok((header.map(|header| header.base).or(first), entries))
    }

    fn tail<'t>(&'t self, file: &'t dyn File, path: &'t Path) -> Tail<'t> {
        let len = self.listing.logs[&self.seq];
        let state = Some(self.state);
        Tail { file, path, len, state, interval_bytes: u32::MAX, bytes_read: 0, batches: 0 }
    }

    /// One interval: its own checksum first, then every batch in it.
    fn interval(
        &self,
        file: &dyn File,
        path: &Path,
        entry: &Entry,
        report: &mut CheckReport,
    ) -> Result<()> {
        if self.is_known(entry.first) {
            return Ok(());
        }
        let mut bytes = vec![0; entry.length as usize];
        let have = file.read_at(&mut bytes, entry.position).at("read", path)?;
        let whole = have == bytes.len() && crc32c(&bytes) == entry.crc;
        let mut tail = self.tail(file, path);
        let start = Point { offset: entry.first, position: entry.position };
        let scanned = tail.scan(start, Some(entry.next))?;
        let end = Point { offset: entry.next, position: entry.end() };
        if whole && scanned.stop == Stop::Limit && scanned.end == end {
            report.bytes += u64::from(entry.length);
            report.batches += tail.batches;
            return Ok(());
        }
        let (from, what) = match scanned.stop {
            Stop::Bad(reason) => (scanned.end, reason),
            Stop::Clean => (scanned.end, "there are zeros, or the file ends".to_owned()),
            Stop::Limit => {
                (start, "the interval does not match its checksum; its batches do".to_owned())
            }
        };
        let name = path.display().to_string();
        report.damage(
            name,
            Some((from.position, end.position)),
            Some((from.offset, end.offset)),
            what,
        );
        Ok(())
    }

    fn is_known(&self, offset: Offset) -> bool {
        self.state.damage.iter().any(|damage| damage.from <= offset && offset < damage.to)
    }

    /// A part that no index entry covers: above the checkpoint, or where entries are damaged.
    fn uncovered(
        &self,
        file: &dyn File,
        path: &Path,
        at: Point,
        to: Option<Point>,
        report: &mut CheckReport,
    ) -> Result<Point> {
        if self.is_known(at.offset) {
            return Ok(to.unwrap_or(at));
        }
        let mut tail = self.tail(file, path);
        let scanned = tail.scan(at, to.map(|to| to.offset))?;
        report.batches += tail.batches;
        report.bytes += scanned.end.position - at.position;
        let from = scanned.end;
        let name = path.display().to_string();
        if let Some(to) = to {
            if from != to {
                let (bytes, offsets) = ((from.position, to.position), (from.offset, to.offset));
                report.damage(name, Some(bytes), Some(offsets), "no valid batches here");
            }
            return Ok(to);
        }
        let Some(end) = tail.last_byte(from.position)? else { return Ok(from) };
        let what = match scanned.stop {
            Stop::Bad(reason) => reason,
            _ => "there are bytes after a stretch of zeros".to_owned(),
        };
        let above = Offset::new(u64::MAX);
        let (_, valid) = tail.search(from.position + 1, tail.len, from.offset, above)?;
        if valid > 0 || report.clean {
            // Opening the log cuts these off, too; a repair before that keeps them.
            let what = format!("{what}; {valid} valid batches follow");
            report.damage(name, Some((from.position, end)), None, what);
        } else {
            let what = format!("a torn tail, to be cut off when the log is opened: {what}");
            report.note(name, Some((from.position, end)), what);
        }
        Ok(from)
    }
}
