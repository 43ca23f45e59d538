//! Power cuts at every recorded boundary of a log's life, and at every boundary of recovering from
//! them. What was acknowledged as durable is there, right and once; nothing is half there.
#![allow(missing_docs, clippy::unwrap_used, clippy::cast_possible_truncation)]

mod common;

use std::collections::BTreeSet;

use common::*;
use onrush_record::Offset;
use onrush_sim::{CrashPlan, SimDisk};
use onrush_storage::{
    Env, LogConfig, LogReader, LogWriter, OpenOptions, Recovered, StorageError, Visibility,
};
use onrush_sys::{Random as _, SeededRandom};

/// What was promised up to some boundary.
#[derive(Copy, Clone, Debug, Default)]
struct Promise {
    boundary: usize,
    /// The log exists.
    created: bool,
    /// Acknowledged as durable.
    durable: u64,
    /// May be there: begun to be written.
    issued: u64,
    /// A start that was confirmed, and one that may be in force.
    start_confirmed: u64,
    start_issued: u64,
}

struct Life {
    disk: SimDisk,
    env: Env,
    cfg: LogConfig,
    random: SeededRandom,
    promises: Vec<Promise>,
    now: Promise,
    batch_ends: BTreeSet<u64>,
    epoch: u32,
}

impl Life {
    fn new(seed: u64, cfg: LogConfig) -> Life {
        let disk = SimDisk::new();
        let env = env_on(disk.as_disk());
        Life {
            disk,
            env,
            cfg,
            random: SeededRandom::new(seed),
            promises: vec![Promise::default()],
            now: Promise::default(),
            batch_ends: BTreeSet::from([0]),
            epoch: 1,
        }
    }

    fn draw(&self, below: u64) -> u64 {
        let mut bytes = [0; 8];
        self.random.fill(&mut bytes);
        u64::from_le_bytes(bytes) % below
    }

    /// Holds from this boundary on.
    fn promise(&mut self) {
        self.now.boundary = self.disk.boundaries();
        self.promises.push(self.now);
    }

    fn append(&mut self, writer: &mut LogWriter) {
        let first = writer.written_end().get();
        let mut batches = Vec::new();
        let mut end = first;
        for _ in 0..=self.draw(2) {
            let count = 1 + self.draw(3);
            batches.push(batch(end, count, self.draw(400) as usize));
            end += count;
            self.batch_ends.insert(end);
        }
        let headers: Vec<_> = batches.iter().map(|bytes| header(bytes)).collect();
        let mut slices: Vec<&mut [u8]> = batches.iter_mut().map(|bytes| &mut bytes[..]).collect();
        self.now.issued = end;
        self.promise();
        writer.append(&mut slices, &headers, first as i64).unwrap();
    }

    fn flushed(&mut self, durable: Offset) {
        self.now.durable = durable.get();
        self.promise();
    }

    fn step(&mut self, writer: &mut LogWriter, reader: &LogReader) {
        match self.draw(12) {
            0..=4 => self.append(writer),
            5..=6 => {
                if let Some(ticket) = writer.begin_flush() {
                    if self.draw(2) == 0 {
                        self.append(writer);
                    }
                    let outcome = ticket.sync(&*self.env.disk);
                    let durable = writer.complete_flush(ticket, outcome).unwrap();
                    self.flushed(durable);
                }
            }
            7 => {
                let says = writer.written_end().get().to_le_bytes().to_vec();
                let attachment = (self.draw(2) == 0).then_some(says);
                writer.checkpoint_now(attachment).unwrap();
                self.flushed(reader.ends().durable);
            }
            8..=9 => work(writer),
            10 => writer.roll().unwrap(),
            _ => {
                let ends = reader.ends();
                let to = ends.start.get() + self.draw(1 + ends.durable.since(ends.start) / 2);
                // Only whole batches matter to the test's reading; any offset would do.
                self.now.start_issued = self.now.start_issued.max(to);
                self.promise();
                let mut trim = writer.trim_to(off(to)).unwrap();
                trim.persist().unwrap();
                self.now.start_confirmed = to;
                self.promise();
                if self.draw(4) > 0 {
                    trim.delete_files().unwrap();
                }
            }
        }
    }

    fn live(mut self, steps: usize) -> Life {
        let (mut writer, mut reader) = fresh(&self.env, self.cfg.clone());
        self.now.created = true;
        self.promise();
        for step in 0..steps {
            self.step(&mut writer, &reader);
            if step % 40 == 39 {
                let says = writer.written_end().get().to_le_bytes().to_vec();
                writer.close_cleanly(Some(says)).unwrap();
                self.flushed(reader.ends().durable);
                let again = reopen(&self.env, self.cfg.clone(), true, self.epoch);
                assert!(again.report.clean);
                (writer, reader) = (again.writer, again.reader);
            }
        }
        self
    }

    fn at(&self, boundary: usize) -> Promise {
        let after = self.promises.partition_point(|promise| promise.boundary <= boundary);
        self.promises[after - 1]
    }
}

/// Opens after a crash and holds the log to the promise. `None`: there is none, which must be
/// allowed.
fn recover(disk: &SimDisk, cfg: &LogConfig, promise: Promise, epoch_now: u32) -> Option<Recovered> {
    expect_no_index_damaged(disk);
    let env = env_on(disk.as_disk());
    let mut visited = Vec::new();
    let options = OpenOptions { leader_epoch: epoch(epoch_now), clean: false };
    let opened = onrush_storage::open(&env, &dir(), cfg.clone(), options, &mut |header, _| {
        visited.push((header.base_offset.get(), header.next_offset().get()));
    });
    let opened = match opened {
        Err(StorageError::Missing { .. } | StorageError::Corrupt { .. }) if !promise.created => {
            return None;
        }
        other => other.unwrap(),
    };
    let ends = opened.reader.ends();
    let end = ends.written.get();
    assert!(end >= promise.durable, "lost: {end} of {promise:?}, {:?}", opened.report);
    assert!(end <= promise.issued, "invented: {end} of {promise:?}");
    let start = ends.start.get();
    assert!(
        (promise.start_confirmed..=promise.start_issued.max(promise.start_confirmed))
            .contains(&start),
        "start {start} of {promise:?}"
    );
    assert_eq!(opened.report.damage, [], "{promise:?}");
    assert_eq!(opened.report.replay_skipped, []);
    assert_eq!(read_from(&opened.reader, start, 900), (end, Ok(())), "{promise:?}");
    let from = opened.attachment.as_ref().map_or(start, |(offset, bytes)| {
        assert_eq!(&offset.get().to_le_bytes()[..], &bytes[..], "whose attachment is this?");
        offset.get()
    });
    let mut at = from.max(start);
    for (first, next) in visited {
        assert!(first <= at && at < next, "visited {first} where {at} was due");
        at = next;
    }
    assert_eq!(at, end.max(from), "everything past the attachment is visited");
    Some(opened)
}

/// Appends and flushes on a recovered log, to see that it goes on where it ended.
fn go_on(opened: &mut Recovered) -> u64 {
    let start = opened.reader.ends().start.get();
    append(&mut opened.writer, 2, 50);
    work(&mut opened.writer);
    append(&mut opened.writer, 1, 3000);
    let end = opened.writer.flush_now().unwrap().get();
    assert_eq!(read_from(&opened.reader, start, 900), (end, Ok(())));
    end
}

fn explore(seed: u64, steps: usize, cfg: LogConfig, plan: CrashPlan, nested: u64) -> usize {
    let life = Life::new(seed, cfg).live(steps);
    let mut states = 0;
    let mut cuts = 0;
    for (point, crashed) in life.disk.crash_states(plan) {
        states += 1;
        let promise = life.at(point.boundary);
        let context = format!("seed {seed}: {point} {}", life.disk.describe(point.boundary));
        let guard = Context(&context);
        let Some(mut opened) = recover(&crashed, &life.cfg, promise, life.epoch + 1) else {
            std::mem::forget(guard);
            continue;
        };
        cuts += usize::from(opened.report.torn.is_some());
        let end = opened.reader.ends().written.get();
        assert!(life.batch_ends.contains(&end), "{end} is within a batch");
        let recovered = crashed.boundaries();
        let later = go_on(&mut opened);
        drop(opened);
        // Crash again, in the recovery or in what came after it.
        if (states as u64).is_multiple_of(nested) {
            let again = CrashPlan { torn: 1, reordered: 2, seed: plan.seed + states as u64 };
            let finished = crashed.boundaries();
            for (second, twice) in crashed.crash_states(again) {
                states += 1;
                let mut promise = promise;
                if second.boundary >= recovered {
                    promise.durable = end;
                    promise.issued = later;
                }
                if second.boundary == finished {
                    promise.durable = later;
                }
                let context =
                    format!("{context}, then {second} {}", crashed.describe(second.boundary));
                let guard = Context(&context);
                if let Some(mut opened) = recover(&twice, &life.cfg, promise, life.epoch + 2) {
                    go_on(&mut opened);
                }
                std::mem::forget(guard);
            }
        }
        std::mem::forget(guard);
    }
    println!("seed {seed}: {states} crash states, {cuts} torn tails cut");
    states
}

/// Says where it was when a test panics.
struct Context<'a>(&'a str);

impl Drop for Context<'_> {
    fn drop(&mut self) {
        eprintln!("in the crash state {}", self.0);
    }
}

#[test]
fn acknowledged_records_survive_every_power_cut() {
    let plan = CrashPlan { torn: 2, reordered: 4, seed: 1 };
    let seeds = std::env::var("ONRUSH_CRASH_SEEDS").ok().and_then(|s| s.parse().ok()).unwrap_or(3);
    let states: usize = (0..seeds).map(|seed| explore(seed, 60, small(), plan, 25)).sum();
    assert!(states > 2_000, "{states}");
}

#[test]
fn acknowledged_records_survive_when_the_topic_shows_written_ones() {
    let cfg = LogConfig { visibility: Visibility::Written, ..small() };
    let plan = CrashPlan { torn: 1, reordered: 2, seed: 9 };
    explore(77, 60, cfg, plan, 25);
}

#[test]
fn written_records_survive_a_killed_process() {
    let life = Life::new(5, small()).live(80);
    for boundary in 0..=life.disk.boundaries() {
        let mut promise = life.at(boundary);
        // Appends recorded before the one that may be under way.
        let done = life.promises.iter().filter(|p| p.boundary < boundary).map(|p| p.issued);
        promise.durable = done.filter(|issued| *issued < promise.issued).max().unwrap_or(0);
        let killed = life.disk.killed(boundary);
        let Some(mut opened) = recover(&killed, &life.cfg, promise, 2) else { continue };
        let published = opened.reader.ends().readable.get();
        let at = killed.boundaries();
        // What it published is durable by now, whatever comes.
        let cut = killed.crash(at, onrush_sim::CrashPolicy::DropUnsynced);
        let promise = Promise { durable: published, issued: published, ..promise };
        recover(&cut, &life.cfg, promise, 3);
        go_on(&mut opened);
    }
}

#[test]
fn a_checkpoint_over_many_rolled_segments_may_be_torn_in_each_of_them() {
    let disk = SimDisk::new();
    let env = env_on(disk.as_disk());
    let cfg = LogConfig { index_interval_bytes: 200, ..small() };
    let (mut writer, reader) = fresh(&env, cfg.clone());
    for n in 0..60 {
        append(&mut writer, 1, 150);
        if n % 10 == 9 {
            writer.roll().unwrap();
        }
    }
    writer.flush_now().unwrap();
    let from = disk.boundaries();
    writer.checkpoint_now(None).unwrap();
    drop((writer, reader));
    let mut mended = BTreeSet::new();
    let plan = CrashPlan { torn: 8, reordered: 40, seed: 3 };
    for (point, crashed) in disk.crash_states_from(from, plan) {
        let context = point.to_string();
        let guard = Context(&context);
        // All of the data is durable.
        let before = onrush_storage::check(&crashed, &dir(), false).unwrap();
        assert!(before.is_sound(), "{:?}", before.findings);
        let opened = reopen(&env_on(crashed.as_disk()), cfg.clone(), false, 2);
        assert_eq!(opened.report.damage, []);
        expect_all(&opened.reader, 0, 60);
        mended.extend(opened.report.indexes_rebuilt.iter().cloned());
        // Each index is whole again, in old segments too, but for entries that count for nothing.
        let after = onrush_storage::check(&crashed, &dir(), false).unwrap();
        let is_whole = |found: &onrush_storage::Finding| found.what.starts_with("the last");
        assert!(after.is_sound() && after.findings.iter().all(is_whole), "{:?}", after.findings);
        for n in 0..60 {
            let found = opened.reader.offset_for_timestamp(n).unwrap();
            assert_eq!(found, Some((off(n as u64), n)));
        }
        std::mem::forget(guard);
    }
    assert!(mended.iter().any(|name| name.ends_with("0000000001.idx")), "{mended:?}");
}
