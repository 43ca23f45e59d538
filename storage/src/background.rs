//! Work that may wait for the disk and that nobody waits for: the next segment, room ahead of the
//! appends, and giving back what a rolled segment did not use.

use std::io;
use std::path::Path;
use std::sync::Arc;

use onrush_sys::{Disk, File, OpenMode};

use crate::error::{IoContext, Result, StorageError};
use crate::index::Point;
use crate::names::SegmentSeq;
use crate::room::Room;
use crate::segment::{Segment, SegmentFile};
use crate::slots::Slots;
use crate::view::Shared;
use crate::writer::LogWriter;
use onrush_record::{LeaderEpoch, Offset};

/// The segment that is to follow the active one.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) enum Spare {
    None,
    Preparing,
    /// Made, and its directory synced.
    Ready {
        seq: SegmentSeq,
        allocated: u64,
    },
    /// Could not be made; not tried again before the active segment is this long.
    Failed {
        retry_at: u64,
    },
}

/// One piece of work: run it off the lock, then [`LogWriter::complete_background`].
#[derive(Debug)]
#[must_use = "a job that is never completed is never offered again"]
pub struct BackgroundJob {
    shared: Arc<Shared>,
    era: u32,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    RaiseEpoch { slots: Arc<Slots>, epoch: LeaderEpoch, end: Offset },
    Prepare { seq: SegmentSeq, room: Room },
    Preallocate { file: Arc<SegmentFile>, from: u64, room: Room },
    GiveBack { segment: Arc<Segment>, length: u64 },
    Discard { seq: SegmentSeq },
}

/// A job that was run, and how it went.
#[derive(Debug)]
pub struct BackgroundDone {
    era: u32,
    kind: Kind,
    outcome: Result<()>,
}

impl BackgroundJob {
    /// Does the work; may wait for the disk.
    pub fn run(self) -> BackgroundDone {
        let disk = &*self.shared.env.disk;
        let outcome = match &self.kind {
            Kind::RaiseEpoch { slots, epoch, end } => {
                slots.write_both(|state| state.raise_epoch(*epoch, *end))
            }
            Kind::Prepare { seq, room } => prepare(disk, &self.shared.dir, *seq, *room),
            Kind::Preallocate { file, from, room } => {
                make_room(&**file.file(), *from, *room).in_segment("reserve room in", file)
            }
            Kind::GiveBack { segment, length } => give_back(&self.shared, segment, *length),
            Kind::Discard { seq } => discard(disk, &self.shared.dir, *seq),
        };
        BackgroundDone { era: self.era, kind: self.kind, outcome }
    }
}

/// Cuts a rolled segment's file to what it holds. A file that retention deleted meanwhile is fine.
fn give_back(shared: &Shared, segment: &Arc<Segment>, length: u64) -> Result<()> {
    match shared.open(segment) {
        Ok(file) => file.file().truncate(length).in_segment("give back room of", &file),
        Err(StorageError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

fn make_room(file: &dyn File, from: u64, room: Room) -> io::Result<()> {
    match room {
        Room::Zeros(0) | Room::Reserve(0) => Ok(()),
        Room::Zeros(bytes) => file.append_zeros(bytes).map(drop),
        Room::Reserve(bytes) => file.preallocate(from, bytes),
    }
}

/// Makes an empty segment, durably. Its number was never used before, so a file of that name can
/// only be what an earlier, failed attempt left.
pub(crate) fn prepare(disk: &dyn Disk, dir: &Path, seq: SegmentSeq, room: Room) -> Result<()> {
    make(disk, dir, seq, room)?;
    disk.sync_dir(dir).at("sync", dir)
}

/// Makes an empty segment; its name is not durable yet.
pub(crate) fn make(disk: &dyn Disk, dir: &Path, seq: SegmentSeq, room: Room) -> Result<()> {
    let path = seq.log_path(dir);
    let file = disk.open(&path, OpenMode::Create).at("create", &path)?;
    make_room(&*file, 0, room).at("reserve room in", &path)
}

/// Deletes a segment that was prepared and never begun.
pub(crate) fn discard(disk: &dyn Disk, dir: &Path, seq: SegmentSeq) -> Result<()> {
    let path = seq.log_path(dir);
    match disk.remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(StorageError::io("delete", &path, error));
        }
        _ => {}
    }
    disk.sync_dir(dir).at("sync", dir)
}

impl LogWriter {
    /// The next piece of work that would help, if any. Ask again after each append or flush.
    pub fn background(&mut self) -> Option<BackgroundJob> {
        self.check_health().ok()?;
        if self.closing {
            return None;
        }
        let kind = self
            .epoch_job()
            .or_else(|| self.prepare_job())
            .or_else(|| self.preallocate_job())
            .or_else(|| self.give_back_job())
            .or_else(|| self.outrun.pop().map(|seq| Kind::Discard { seq }))?;
        self.jobs += 1;
        Some(BackgroundJob { shared: self.shared.clone(), era: self.era, kind })
    }

    /// Takes in a job that was run.
    ///
    /// # Errors
    /// What the job met. The log goes on without: later appends make up for it.
    pub fn complete_background(&mut self, done: BackgroundDone) -> Result<()> {
        self.jobs = self.jobs.saturating_sub(1);
        if done.era != self.era {
            if let Kind::Prepare { seq, .. } = done.kind {
                // Numbers were given out since, and are in use.
                self.outrun.push(seq);
            }
            return Ok(());
        }
        let sound = done.outcome.is_ok();
        match done.kind {
            Kind::RaiseEpoch { epoch, .. } if sound && epoch == self.epoch => {
                self.epoch_is_settled();
            }
            Kind::RaiseEpoch { .. } => {}
            // An append could not wait for it and made a later one. Segments are in order of their
            // numbers, so this one can never be begun.
            Kind::Prepare { seq, .. } if seq < self.active.segment.seq => {
                self.spare = Spare::None;
                self.outrun.push(seq);
            }
            Kind::Prepare { seq, room } if sound => {
                self.spare = Spare::Ready { seq, allocated: room.bytes() };
            }
            Kind::Prepare { seq, .. } => {
                let step = self.cfg.preallocate_max_bytes.clamp(1 << 20, 16 << 20);
                self.spare = Spare::Failed { retry_at: self.end().position + step };
                // Part of it may be there, and the next try takes another number.
                self.outrun.push(seq);
            }
            Kind::Preallocate { from, room, file } => {
                let to = from + room.bytes();
                self.preallocating = false;
                // Also when it failed: the next try comes when the appends have come this far.
                if file.seq() == self.active.segment.seq {
                    self.active.allocated = self.active.allocated.max(to);
                } else {
                    self.give_back_later(file.seq());
                }
            }
            Kind::Discard { seq } if !sound => self.undeleted.push(seq),
            Kind::Discard { .. } => {}
            Kind::GiveBack { segment, .. } => {
                self.giving_back = false;
                self.oversized.retain(|other| other.seq != segment.seq);
            }
        }
        done.outcome
    }

    fn epoch_job(&mut self) -> Option<Kind> {
        if self.epoch_settled || self.raising {
            return None;
        }
        self.raising = true;
        let (slots, epoch, end) = (self.slots.clone(), self.epoch, self.written_end());
        Some(Kind::RaiseEpoch { slots, epoch, end })
    }

    fn prepare_job(&mut self) -> Option<Kind> {
        let position = self.end().position;
        let soon = position >= self.cfg.segment_bytes / 2 || self.roll_wanted;
        let may = match self.spare {
            Spare::None => true,
            Spare::Failed { retry_at } => position >= retry_at,
            Spare::Preparing | Spare::Ready { .. } => false,
        };
        if !soon || !may || position == 0 {
            return None;
        }
        self.spare = Spare::Preparing;
        let seq = self.take_seq();
        Some(Kind::Prepare { seq, room: self.first_step() })
    }

    /// The room that a new segment begins with.
    fn first_step(&self) -> Room {
        let cfg = &self.cfg;
        match self.pace.room(0, cfg) {
            Room::Zeros(_) => {
                let least = cfg.preallocate_min_bytes.min(cfg.preallocate_max_bytes);
                Room::Zeros(least.min(cfg.segment_bytes))
            }
            Room::Reserve(bytes) => Room::Reserve(bytes.min(cfg.segment_bytes)),
        }
    }

    fn preallocate_job(&mut self) -> Option<Kind> {
        let position = self.end().position;
        let now = self.env().clock.monotonic();
        self.pace.note(now, position);
        let room = self.pace.room(position, &self.cfg);
        let ahead = self.active.allocated.saturating_sub(position);
        if self.preallocating
            || position == 0
            || room.bytes() == 0
            || ahead >= room.bytes() / 2
            || self.active.allocated >= self.cfg.segment_bytes
        {
            return None;
        }
        // Nothing was appended since the last flush: leave an idle log as it is.
        let file = self.active.file.clone()?;
        let from = self.active.allocated.max(position);
        self.preallocating = true;
        Some(Kind::Preallocate { file, from, room })
    }

    fn give_back_job(&mut self) -> Option<Kind> {
        // Room that is being made now may be that of the same segment.
        if self.giving_back || self.preallocating {
            return None;
        }
        let durable = self.shared.look(|view| view.durable.seq);
        let segment = self.oversized.first().filter(|segment| segment.seq < durable)?.clone();
        let length = segment.sealed()?.end.position;
        self.giving_back = true;
        Some(Kind::GiveBack { segment, length })
    }

    /// Room was made in a segment that was rolled meanwhile.
    fn give_back_later(&mut self, seq: SegmentSeq) {
        let segments = self.shared.look(|view| view.segments.clone());
        let listed = self.oversized.iter().any(|segment| segment.seq == seq);
        // One that is no longer in the log is about to be deleted, or was.
        if let Some(segment) = segments.iter().find(|segment| segment.seq == seq && !listed) {
            self.oversized.push(segment.clone());
        }
    }

    pub(crate) fn take_seq(&mut self) -> SegmentSeq {
        let seq = self.next_seq;
        self.next_seq = seq.next();
        seq
    }

    /// Whether the active segment should be rolled for its age, or because all it holds has expired.
    pub fn roll_due(&mut self, now_ms: i64) -> bool {
        let expired = |since: i64, ms: Option<u64>| {
            ms.is_some_and(|ms| {
                now_ms.saturating_sub(since) >= i64::try_from(ms).unwrap_or(i64::MAX)
            })
        };
        if self.end().position == 0 {
            return false;
        }
        let segment = &self.active.segment;
        let old = segment.first_append_ms().is_some_and(|ms| expired(ms, self.cfg.segment_ms));
        let due = old || self.is_expired(segment, now_ms);
        self.roll_wanted |= due;
        due
    }

    /// Ends the active segment and begins the next one. Instant if that was prepared, which
    /// [`LogWriter::background`] does in good time; else it is made here and now.
    ///
    /// # Errors
    /// If it has to be made and cannot; the log goes on in the old segment.
    pub fn roll(&mut self) -> Result<()> {
        self.check_health()?;
        if self.end().position == 0 {
            return Ok(());
        }
        let (seq, allocated) = match self.spare {
            Spare::Ready { seq, allocated } => (seq, allocated),
            _ => {
                let (seq, room) = (self.take_seq(), self.first_step());
                prepare(&*self.env().disk, &self.shared.dir, seq, room)
                    .inspect_err(|_| self.outrun.push(seq))?;
                (seq, room.bytes())
            }
        };
        if matches!(self.spare, Spare::Ready { .. }) {
            self.spare = Spare::None;
        }
        self.roll_wanted = false;
        self.switch_to(seq, allocated);
        Ok(())
    }

    /// Whether the spare is there, so that a roll waits for nothing.
    pub fn is_roll_ready(&self) -> bool {
        matches!(self.spare, Spare::Ready { .. })
    }

    pub(crate) fn roll_if_due(&mut self, bytes: u64, now_ms: i64) -> Result<()> {
        let after = self.end().position + bytes;
        let full = after > self.cfg.segment_bytes;
        if self.end().position == 0 || !(full || self.is_old(now_ms)) {
            return Ok(());
        }
        self.roll_wanted = true;
        if self.is_roll_ready() || after > self.cfg.hard_segment_bytes() {
            return self.roll();
        }
        Ok(())
    }

    fn is_old(&self, now_ms: i64) -> bool {
        let first = self.active.segment.first_append_ms();
        first.zip(self.cfg.segment_ms).is_some_and(|(first, ms)| {
            now_ms.saturating_sub(first) >= i64::try_from(ms).unwrap_or(i64::MAX)
        })
    }

    fn switch_to(&mut self, seq: SegmentSeq, allocated: u64) {
        let end = self.end();
        let old = self.active.segment.clone();
        if let Some(entry) = self.active.interval.close() {
            old.index().push(entry);
        }
        if let Some(file) = self.active.file.take() {
            self.dirty.push(file);
        }
        if self.active.allocated > end.position {
            self.oversized.push(old.clone());
        }
        let start = Point { offset: end.offset, position: 0 };
        let segment = Arc::new(Segment::empty(self.shared.dir.clone(), seq, end.offset));
        self.shared.publish(|view| {
            let durable_to_the_end = view.durable == view.written;
            old.seal(end);
            view.segments =
                view.segments.iter().cloned().chain(std::iter::once(segment.clone())).collect();
            view.written = crate::view::Mark { offset: start.offset, seq, position: 0 };
            if durable_to_the_end {
                view.durable = view.written;
            }
        });
        let unstored = {
            let index = old.index();
            index.stored() < index.slots()
        };
        if unstored {
            self.unstored.push(old);
        }
        self.pace.rolled();
        self.active = crate::writer::Active {
            segment,
            file: None,
            allocated,
            interval: crate::interval::Interval::at(start),
        };
    }
}
