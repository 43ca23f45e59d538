//! A log on a simulated disk, beside the account of what it owes.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use onrush_record::batch::{BatchBuilder, BatchHeader, Batches, Codec};
use onrush_record::{LeaderEpoch, Offset, batch, crc32c_append};
use onrush_sim::{Event, Expectation, SimDisk, Stored, Timeline};
use onrush_storage::{
    BackgroundDone, Cursor, Env, FlushTicket, LogConfig, LogReader, LogWriter, OpenFiles,
    OpenOptions, Opening, ReadMode, RecoveryReport, StorageError, TrimTicket, Visibility, create,
    settle_epochs,
};
use onrush_sys::{ManualClock, Random as _, SeededRandom};

use crate::steps::Checkpoint;

/// Where the logs are: a run has the first so many of them.
pub const DIRS: [&str; 3] = ["log", "other", "third"];

pub type Outcome<T = ()> = Result<T, String>;

/// One process's use of the log, with whatever it has under way.
pub struct World {
    pub disk: SimDisk,
    pub dir: &'static str,
    pub time: Timeline,
    pub writer: LogWriter,
    pub reader: LogReader,
    pub cfg: LogConfig,
    pub random: SeededRandom,
    pub flush: Option<(FlushTicket, Option<std::io::Result<()>>)>,
    pub checkpoint: Option<Checkpoint>,
    pub trim: Option<TrimTicket>,
    pub job: Option<BackgroundDone>,
    /// Operations were made to fail, and may fail still.
    pub broken: bool,
    /// It was opened as cleanly closed.
    pub read_nothing: bool,
    /// Makes every record different.
    serial: u64,
}

/// Segments of a few batches, so that a short run rolls, trims and prepares.
pub fn config(random: &SeededRandom) -> LogConfig {
    let steps = [(0, 0), (256, 512), (700, 3000)][index(random, 3)];
    LogConfig {
        segment_bytes: 900 + random.below(2000),
        index_interval_bytes: [1, 200, 400][index(random, 3)],
        preallocate_min_bytes: steps.0,
        preallocate_max_bytes: steps.1,
        max_batch_bytes: 64 * 1024,
        segment_ms: None,
        retention_ms: None,
        retention_bytes: Some(3000),
        visibility: [Visibility::Durable, Visibility::Durable, Visibility::Written]
            [index(random, 3)],
    }
}

pub fn index(random: &SeededRandom, below: usize) -> usize {
    usize::try_from(random.below(below as u64)).unwrap()
}

/// What is known of a log before it is opened.
pub struct Past {
    pub dir: &'static str,
    pub time: Timeline,
    /// All below has to be there.
    pub least: u64,
    pub seed: u64,
}

/// A log that is being opened.
struct Begun {
    past: Past,
    owed: Expectation,
    epoch: LeaderEpoch,
    /// None where there is none.
    opening: Option<Opening>,
}

impl World {
    /// Opens one log as [`World::open_all`] opens many.
    pub fn open(disk: &SimDisk, past: Past, cfg: &LogConfig, clean: bool) -> Outcome<World> {
        Ok(World::open_all(disk, vec![past], cfg, clean)?.remove(0))
    }

    /// Opens what is on the disk, all logs together, or creates those that were never acknowledged,
    /// and judges what is there.
    pub fn open_all(
        disk: &SimDisk,
        pasts: Vec<Past>,
        cfg: &LogConfig,
        clean: bool,
    ) -> Outcome<Vec<World>> {
        let files = OpenFiles::new(3 * pasts.len());
        let env = Env { disk: disk.as_disk(), clock: Arc::new(ManualClock::new(0)), files };
        let begun = pasts.into_iter().map(|past| Begun::of(&env, disk, past, cfg, clean));
        let mut begun = begun.collect::<Outcome<Vec<Begun>>>()?;
        if begun.len() > 1 {
            let openings = begun.iter_mut().flat_map(|begun| &mut begun.opening);
            Opening::settle_all(&*env.disk, openings);
        }
        begun.into_iter().map(|begun| begun.judge(&env, disk, cfg, clean)).collect()
    }
}

impl Begun {
    fn of(
        env: &Env,
        disk: &SimDisk,
        mut past: Past,
        cfg: &LogConfig,
        clean: bool,
    ) -> Outcome<Begun> {
        let owed = past.time.now().clone();
        let epoch = LeaderEpoch::new(if clean { owed.epoch } else { owed.epoch + 1 });
        past.time.tell(disk.boundaries(), Event::Touched);
        past.time.tell(disk.boundaries(), Event::Epoch(epoch.get()));
        let options = OpenOptions { leader_epoch: epoch, clean };
        let opening = match Opening::begin(env, Path::new(past.dir), cfg.clone(), options) {
            Err(StorageError::Missing { .. }) if !owed.exists => None,
            Err(error) => return Err(format!("cannot open {}: {error}", past.dir)),
            Ok(opening) => Some(opening),
        };
        Ok(Begun { past, owed, epoch, opening })
    }

    fn judge(self, env: &Env, disk: &SimDisk, cfg: &LogConfig, clean: bool) -> Outcome<World> {
        let Begun { past: Past { dir, mut time, least, seed }, owed, epoch, opening } = self;
        let mut visited = Vec::new();
        let mut attachment = None;
        let (mut writer, reader, report) = match opening {
            None => {
                let (writer, reader) = create(env, Path::new(dir), cfg.clone(), epoch)
                    .map_err(|error| format!("cannot create: {error}"))?;
                (writer, reader, RecoveryReport::default())
            }
            Some(opening) => {
                let opened = opening.finish(&mut |header, _| {
                    visited.push((header.base_offset.get(), header.next_offset().get()));
                });
                let opened = opened.map_err(|error| format!("cannot open: {error}"))?;
                let upto = opened.attachment.as_ref().map(|(offset, _)| *offset);
                let attached = upto == Some(opened.writer.written_end());
                check_report(&opened.report, clean, attached)?;
                attachment = opened.attachment;
                (opened.writer, opened.reader, opened.report)
            }
        };
        let read_nothing = report.clean;
        let ends = reader.ends();
        if ends.readable != ends.written || ends.durable != ends.written {
            return Err(format!("it does not begin at its durable end: {ends:?}"));
        }
        if writer.epoch() != epoch {
            return Err(format!("it took epoch {}, not {epoch}", writer.epoch()));
        }
        if seed.is_multiple_of(2) {
            settle_epochs(&*env.disk, &mut [&mut writer]);
        }
        let random = SeededRandom::new(seed);
        let found = read_all(&reader, [1 << 20, 1, 500][index(&random, 3)])?;
        let (start, end) = (ends.start.get(), ends.durable.get());
        let mut judged = owed.judge(start, end, least, &found);
        if judged.is_err() && !owed.ghosts.is_empty() {
            time.tell(disk.boundaries(), Event::Attempt(owed.ghosts.clone()));
            judged = time.now().judge(start, end, least, &found);
        }
        if judged.is_err() && is_beheaded(&owed, &found) {
            return Err(BEHEADED.to_owned());
        }
        let batches = judged.map_err(|error| format!("{error}; it reports {report:?}"))?;
        check_replay(&owed, &reader, &found, &visited, attachment)?;
        time.tell(disk.boundaries(), Event::Created);
        time.tell(disk.boundaries(), Event::Recovered(batches));
        let (disk, cfg) = (disk.clone(), cfg.clone());
        let serial = seed.rotate_left(17);
        let (flush, checkpoint, trim, job) = (None, None, None, None);
        let broken = false;
        Ok(World {
            disk,
            dir,
            time,
            writer,
            reader,
            cfg,
            random,
            flush,
            checkpoint,
            trim,
            job,
            broken,
            serial,
            read_nothing,
        })
    }
}

impl World {
    pub fn tell(&mut self, event: Event) {
        self.time.tell(self.disk.boundaries(), event);
    }

    /// Up to three batches, as they are to be sent and as they are to be stored.
    pub fn batches(&mut self) -> (Vec<Vec<u8>>, Vec<Stored>) {
        let mut at = self.writer.written_end().get();
        let count = 1 + self.random.below(8).saturating_sub(5);
        let mut sent = Vec::new();
        let mut stored = Vec::new();
        for _ in 0..count {
            let mut builder = BatchBuilder::new(Codec::None);
            let records = 1 + self.random.below(3);
            for _ in 0..records {
                self.serial += 1;
                let size = match self.random.below(12) {
                    0 => 0,
                    1 => 1500,
                    _ => self.random.below(150),
                };
                let mut value = self.serial.to_le_bytes().to_vec();
                // Zeros at the end, too: a batch may look like what was never written.
                value.resize(8 + usize::try_from(size).unwrap(), self.serial.to_le_bytes()[0] & 3);
                builder.push(at.cast_signed(), None, Some(&value), &[]);
            }
            let bytes = builder.finish().unwrap();
            let mut stamped = bytes.clone();
            batch::stamp(&mut stamped, Offset::new(at), self.writer.epoch());
            stored.push(Stored { base: at, next: at + records, bytes: Bytes::from(stamped) });
            sent.push(bytes);
            at += records;
        }
        (sent, stored)
    }

    /// Appends at acks=1; true if it was taken.
    pub fn append(&mut self) -> Outcome<bool> {
        if self.writer.failure().is_some() {
            return Ok(false);
        }
        let (mut sent, stored) = self.batches();
        let base = stored[0].base;
        self.tell(Event::Attempt(stored));
        let headers: Vec<_> = sent.iter().map(|b| BatchHeader::parse(b).unwrap()).collect();
        let mut slices: Vec<&mut [u8]> = sent.iter_mut().map(Vec::as_mut_slice).collect();
        match self.writer.append(&mut slices, &headers, base.cast_signed()) {
            Ok(appended) if appended.first.get() == base => {
                self.tell(Event::Landed);
                Ok(true)
            }
            Ok(appended) => Err(format!("appended at {}, not {base}", appended.first)),
            Err(_) => {
                // Of a log that failed by it the outcome is unknown.
                if self.writer.failure().is_none() {
                    self.tell(Event::Refused);
                }
                Ok(false)
            }
        }
    }

    /// Reads all there is, as clients do, and holds it against what is owed by now.
    pub fn check(&self) -> Outcome {
        let ends = self.reader.ends();
        let found = read_all(&self.reader, 1 << 20)?;
        let owed = self.time.now();
        owed.judge(ends.start.get(), ends.readable.get(), owed.durable, &found)?;
        Ok(())
    }
}

/// See `docs/DURABILITY.md`, what is not promised.
pub const BEHEADED: &str = "a batch without its base offset was taken for the first of a log";

/// Of a log of which nothing was acknowledged all is lost but a later segment, of whose first batch
/// just the base offset, which no checksum covers, reads as zero.
fn is_beheaded(owed: &Expectation, found: &[Stored]) -> bool {
    const BASE_OFFSET_LEN: usize = 8;
    let Some(first) = found.first().filter(|first| first.base == 0 && owed.durable == 0) else {
        return false;
    };
    let mut written = owed.log.iter().chain(&owed.doubtful);
    written
        .any(|one| one.base > 0 && one.bytes[BASE_OFFSET_LEN..] == first.bytes[BASE_OFFSET_LEN..])
}

/// A crash is no damage, and leaves nothing that recovery cannot make sense of.
fn check_report(report: &RecoveryReport, clean: bool, attached: bool) -> Outcome {
    if !report.damage.is_empty() || !report.replay_skipped.is_empty() {
        return Err(format!("a crash was taken for damage: {report:?}"));
    }
    // With the state of its end attached nothing is replayed either.
    let unread = report.bytes_scanned == 0 || !attached;
    if clean && report.clean && !(unread && report.is_sound()) {
        return Err(format!("a clean stop was not taken for one: {report:?}"));
    }
    Ok(())
}

/// What an attachment says of the log below its offset.
pub fn digest(owed: &Expectation, end: u64) -> Vec<u8> {
    let below = owed.log.iter().take_while(|batch| batch.next <= end);
    let crc = below.fold(0, |crc, batch| crc32c_append(crc, &batch.bytes));
    [end.to_le_bytes().as_slice(), &crc.to_le_bytes()].concat()
}

/// The caller gets its own state back: that of some offset, and every batch since.
fn check_replay(
    owed: &Expectation,
    reader: &LogReader,
    found: &[Stored],
    visited: &[(u64, u64)],
    attachment: Option<(Offset, Vec<u8>)>,
) -> Outcome {
    let ends = reader.ends();
    let mut at = ends.start.get();
    if let Some((offset, bytes)) = attachment {
        if offset > ends.durable || bytes != digest(owed, offset.get()) {
            return Err(format!("the attachment of {offset} is not what was attached there"));
        }
        at = at.max(offset.get());
    }
    let expected = found.iter().filter(|batch| batch.next > at);
    let expected: Vec<_> = expected.map(|batch| (batch.base, batch.next)).collect();
    if expected != visited {
        return Err(format!(
            "from {at} up to {} it showed {visited:?}, not {expected:?}",
            ends.durable
        ));
    }
    Ok(())
}

/// Everything from the log's start, checked as a client checks it.
pub fn read_all(reader: &LogReader, max_bytes: u32) -> Outcome<Vec<Stored>> {
    let mut cursor = Cursor::default();
    let mut at = reader.ends().start;
    let mut found = Vec::new();
    while let Some(read) = reader.read(at, max_bytes, &mut cursor).map_err(|e| e.to_string())? {
        let bytes = read.slice.to_bytes(ReadMode::Copied).map_err(|e| e.to_string())?;
        let mut next = read.first;
        for batch in Batches::new(&bytes) {
            let batch = batch.map_err(|error| error.to_string())?;
            batch.verify().map_err(|error| error.to_string())?;
            let header = batch.header();
            if header.base_offset != next {
                return Err(format!("offset {} follows {next}", header.base_offset));
            }
            next = header.next_offset();
            let bytes = Bytes::copy_from_slice(batch.bytes());
            found.push(Stored { base: header.base_offset.get(), next: next.get(), bytes });
        }
        if next != read.next || next <= at {
            return Err(format!("a read from {at} to {} holds {next}", read.next));
        }
        at = next;
    }
    Ok(found)
}
