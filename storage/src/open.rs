//! Creating a log, and opening one.

use std::path::Path;
use std::sync::Arc;

use onrush_record::batch::BatchHeader;
use onrush_record::{LeaderEpoch, Offset};
use onrush_sys::{File, OpenMode};

use crate::background::{Spare, make};
use crate::close::closing_rows;
use crate::config::{Env, LogConfig, OpenOptions};
use crate::error::{IoContext, Result, StorageError};
use crate::index::{Index, Point};
use crate::interval::Interval;
use crate::listing::Listing;
use crate::names::{SegmentSeq, state_path};
use crate::opening::Opening;
use crate::reader::LogReader;
use crate::report::RecoveryReport;
use crate::room::{Pace, Room};
use crate::segment::Segment;
use crate::slots::Slots;
use crate::state::State;
use crate::view::{Mark, Shared, View};
use crate::writer::{Active, Health, LogWriter};

/// A log as opening left it.
#[derive(Debug)]
pub struct Recovered {
    /// Appends to it.
    pub writer: LogWriter,
    /// Reads it.
    pub reader: LogReader,
    /// What was found.
    pub report: RecoveryReport,
    /// The caller's bytes from the last checkpoint that had any, and the offset up to which they
    /// account for the log.
    pub attachment: Option<(Offset, Vec<u8>)>,
}

/// The segments of a log and where it ends, as found on disk.
#[derive(Debug)]
pub(crate) struct Found {
    /// Oldest first; the last one is to be appended to.
    pub segments: Vec<Arc<Segment>>,
    pub end: Point,
    /// The part of the active segment that no closed interval covers.
    pub interval: Interval,
    /// File length of the active segment.
    pub allocated: u64,
    pub next_seq: SegmentSeq,
}

/// Creates an empty log at offset 0 in `dir`, durably. What an interrupted creation left is replaced.
///
/// # Errors
/// `Exists` if there is a log already.
pub fn create(
    env: &Env,
    dir: &Path,
    cfg: LogConfig,
    epoch: LeaderEpoch,
) -> Result<(LogWriter, LogReader)> {
    let born = lay_out(env, dir, epoch)?;
    let synced: std::io::Result<()> = env.disk.sync_files(&born.files).into_iter().collect();
    synced.at("sync", dir)?;
    env.disk.sync_dir(dir).at("sync", dir)?;
    if let Some(parent) = dir.parent() {
        env.disk.sync_dir(parent).at("sync", parent)?;
    }
    Ok(begin(env, dir, cfg, born, epoch))
}

/// Creates many logs, syncing their files together. The directories that hold `dirs` are the
/// caller's to sync.
///
/// # Errors
/// As [`create`]. Some of the logs may exist then.
pub fn create_all(
    env: &Env,
    dirs: &[std::path::PathBuf],
    cfg: &LogConfig,
    epoch: LeaderEpoch,
) -> Result<Vec<(LogWriter, LogReader)>> {
    let mut logs = Vec::with_capacity(dirs.len());
    for dirs in dirs.chunks(CREATED_AT_ONCE) {
        let mut born = Vec::with_capacity(dirs.len());
        let mut files = Vec::with_capacity(dirs.len() * 2);
        for dir in dirs {
            let mut log = lay_out(env, dir, epoch)?;
            files.append(&mut log.files);
            born.push(log);
        }
        for (answer, file) in env.disk.sync_files(&files).into_iter().zip(0..) {
            answer.at("sync", &dirs[file / 2])?;
        }
        for (dir, log) in dirs.iter().zip(born) {
            env.disk.sync_dir(dir).at("sync", dir)?;
            logs.push(begin(env, dir, cfg.clone(), log, epoch));
        }
    }
    Ok(logs)
}

/// Logs created between two rounds of syncing: bounds the open files.
const CREATED_AT_ONCE: usize = 256;
/// Generations of the first two states, one for each slot.
const FIRST_GENERATIONS: [u64; 2] = [2, 3];

/// The files of a new log, not yet durable.
struct Born {
    seq: SegmentSeq,
    state: State,
    files: Vec<Arc<dyn File>>,
}

fn lay_out(env: &Env, dir: &Path, epoch: LeaderEpoch) -> Result<Born> {
    let disk = &*env.disk;
    disk.create_dir_all(dir).at("create", dir)?;
    let listing = Listing::of(disk, dir)?;
    if !listing.is_blank() || !Slots::load(disk, dir, listing.states)?.valid.is_empty() {
        return Err(StorageError::Exists { path: dir.display().to_string() });
    }
    for path in listing.logs.keys().map(|seq| seq.log_path(dir)) {
        disk.remove_file(&path).at("delete", &path)?;
    }
    let seq = listing.next_seq;
    let mut state = State { first_seq: seq, ..State::default() };
    state.raise_epoch(epoch, Offset::ZERO);
    let mut files = Vec::new();
    for generation in FIRST_GENERATIONS {
        let path = state_path(dir, crate::slots::slot_of(generation));
        let file = disk.open(&path, OpenMode::Create).at("create", &path)?;
        let bytes = state.encode(generation);
        file.write_all_at(&mut [std::io::IoSlice::new(&bytes)], 0).at("write", &path)?;
        files.push(file);
    }
    make(disk, dir, seq, Room::Zeros(0))?;
    Ok(Born { seq, state, files })
}

fn begin(
    env: &Env,
    dir: &Path,
    cfg: LogConfig,
    born: Born,
    epoch: LeaderEpoch,
) -> (LogWriter, LogReader) {
    let dir: Arc<Path> = dir.into();
    let slots = Slots::new(
        env.disk.clone(),
        dir.clone(),
        born.state,
        FIRST_GENERATIONS[1],
        [true; 2],
        true,
    );
    let segment = Arc::new(Segment::empty(dir.clone(), born.seq, Offset::ZERO));
    let start = segment.base_point();
    let found = Found {
        segments: vec![segment],
        end: start,
        interval: Interval::at(start),
        allocated: 0,
        next_seq: born.seq.next(),
    };
    let mut log = assemble(env, dir, cfg, slots, found, epoch);
    // A log that was never closed cleanly is worth closing.
    log.0.touched = true;
    log
}

/// Opens the log in `dir`. `visit` is shown, in order, the header of every batch that the
/// attachment does not account for; with a control batch, all of its bytes too.
///
/// # Errors
/// As [`Opening::begin`] and [`Opening::finish`].
pub fn open(
    env: &Env,
    dir: &Path,
    cfg: LogConfig,
    options: OpenOptions,
    visit: &mut dyn FnMut(&BatchHeader, &[u8]),
) -> Result<Recovered> {
    Opening::begin(env, dir, cfg, options)?.finish(visit)
}

/// The log as its closing record says, if the files agree.
pub(crate) fn closed(dir: &Arc<Path>, state: &State, listing: &Listing) -> Option<Found> {
    let rows = closing_rows(state, listing)?;
    let last = rows.last()?;
    let segments: Vec<Arc<Segment>> = rows
        .iter()
        .map(|row| {
            let end = Point { offset: row.end, position: row.length };
            let index = Index::new(row.entries, end);
            let segment = Segment::new(dir.clone(), row.seq, row.base, index);
            segment.set_first_append_ms(row.first_append_ms);
            segment.raise_max_timestamp(row.max_timestamp, true);
            if row.seq != last.seq {
                segment.seal(end);
            }
            Arc::new(segment)
        })
        .collect();
    let end = Point { offset: last.end, position: last.length };
    let interval = Interval::at(end);
    Some(Found { segments, end, interval, allocated: last.length, next_seq: listing.next_seq })
}

/// Puts the two halves of a log together around what they share.
pub(crate) fn assemble(
    env: &Env,
    dir: Arc<Path>,
    cfg: LogConfig,
    slots: Slots,
    found: Found,
    epoch: LeaderEpoch,
) -> (LogWriter, LogReader) {
    let (start, epochs, damage) =
        slots.look(|state| (state.log_start, state.epochs.clone(), state.damage.clone()));
    let known = epochs.last().map(|(epoch, _)| *epoch);
    let active = found.segments[found.segments.len() - 1].clone();
    let mark = Mark { offset: found.end.offset, seq: active.seq, position: found.end.position };
    let view = View {
        start,
        durable: mark,
        written: mark,
        segments: found.segments.clone().into(),
        damage: damage.into(),
        visibility: cfg.visibility,
        wanted_visibility: cfg.visibility,
        epochs,
        offline: None,
    };
    let shared = Arc::new(Shared::new(dir, env.clone(), cfg.map_bytes(), view));
    let unstored = found.segments[..found.segments.len() - 1]
        .iter()
        .filter(|segment| {
            let index = segment.index();
            index.stored() < index.slots()
        })
        .cloned()
        .collect();
    let writer = LogWriter {
        shared: shared.clone(),
        cfg,
        slots: Arc::new(slots),
        active: Active {
            segment: active,
            file: None,
            allocated: found.allocated,
            interval: found.interval,
        },
        epoch: known.map_or(epoch, |known| known.max(epoch)),
        epoch_settled: known.is_some_and(|known| known >= epoch),
        dirty: Vec::new(),
        unstored,
        oversized: Vec::new(),
        spare: Spare::None,
        outrun: Vec::new(),
        undeleted: Vec::new(),
        jobs: 0,
        next_seq: found.next_seq,
        unsynced_bytes: 0,
        flushing: false,
        checkpointing: false,
        preallocating: false,
        pace: Pace::default(),
        giving_back: false,
        roll_wanted: false,
        full: false,
        touched: false,
        closing: false,
        health: Health::Sound,
        failures: 0,
        era: 0,
        raising: false,
        cleaning: None,
    };
    (writer, LogReader { shared })
}
