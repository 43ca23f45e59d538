//! Power cuts and kills at every recorded boundary of a log that is cleaned, and again in what comes
//! after: no record is lost but those that cleaning may take, and none is of another log.

use onrush_sim::{CrashPlan, SimDisk};
use onrush_storage::{CleanLimits, OpenOptions};

use crate::common::{dir, env_on, epoch, off, work};
use crate::life::{Life, cfg, limits, read_all};
use crate::oracle::{Fate, Oracle};
use crate::{Context, seeds};

/// What holds from a boundary on.
#[derive(Copy, Clone, Debug)]
struct Promise {
    boundary: usize,
    durable: u64,
    issued: u64,
    /// Cleaned up to here, and perhaps up to there.
    clean_to: u64,
    may_clean_to: u64,
    start: u64,
    may_start: u64,
}

struct Run {
    disk: SimDisk,
    life: Life,
    promises: Vec<Promise>,
    now: Promise,
}

impl Run {
    fn promise(&mut self) {
        self.now.boundary = self.disk.boundaries();
        self.now.issued = self.life.end();
        self.promises.push(self.now);
    }

    fn new(seed: u64) -> Run {
        let disk = SimDisk::new();
        let life = Life::new(env_on(disk.as_disk()), cfg(), seed);
        let now = Promise {
            boundary: disk.boundaries(),
            durable: 0,
            issued: 0,
            clean_to: 0,
            may_clean_to: 0,
            start: 0,
            may_start: 0,
        };
        let mut run = Run { disk, life, promises: vec![now], now };
        for _ in 0..4 {
            run.round();
        }
        run
    }

    fn append(&mut self) {
        // Issued from the moment on at which it may be there.
        self.now.issued = self.life.end() + 4;
        self.promises.push(Promise { boundary: self.disk.boundaries(), ..self.now });
        self.life.random_batch();
        self.promise();
    }

    fn round(&mut self) {
        for _ in 0..10 {
            self.append();
            work(&mut self.life.writer);
        }
        for producer in 10..13 {
            self.now.issued = self.life.end() + 1;
            self.promises.push(Promise { boundary: self.disk.boundaries(), ..self.now });
            self.life.end_transaction(producer, producer == 10);
        }
        self.promise();
        self.life.writer.roll().unwrap();
        self.append();
        self.life.settle();
        self.now.durable = self.life.reader.ends().durable.get();
        self.now.may_clean_to = self.now.durable;
        self.promise();
        let limits =
            CleanLimits { map_bytes: [1 << 16, 96][self.life.draw(2) as usize], ..limits() };
        let (disk, mut promises, mut now) = (self.disk.clone(), Vec::new(), self.now);
        self.life.clean_with(&limits, 300, |life| {
            if life.draw(12) == 0 {
                now.issued = life.end() + 4;
                promises.push(Promise { boundary: disk.boundaries(), ..now });
                life.random_batch();
            }
            if life.draw(20) == 0 {
                let start = life.reader.ends().start;
                let to = start.plus(life.draw(6)).min(life.reader.ends().durable);
                now.may_start = to.get();
                promises.push(Promise { boundary: disk.boundaries(), ..now });
                let mut trim = life.writer.trim_to(to).unwrap();
                trim.persist().unwrap();
                now.start = to.get();
                promises.push(Promise { boundary: disk.boundaries(), ..now });
                trim.delete_files().unwrap();
            }
        });
        self.promises.append(&mut promises);
        self.now = Promise { clean_to: self.life.oracle.clean_to, ..now };
        self.promise();
    }

    fn at(&self, boundary: usize) -> Promise {
        let after = self.promises.partition_point(|promise| promise.boundary <= boundary);
        self.promises[after - 1]
    }
}

/// Opens what a crash left, and holds it to the promise.
fn recover(oracle: &Oracle, disk: &SimDisk, promise: Promise, leader: u32) -> (u64, usize) {
    crate::common::expect_no_index_damaged(disk);
    let env = env_on(disk.as_disk());
    let options = OpenOptions { leader_epoch: epoch(leader), clean: false };
    let mut opened = onrush_storage::open(&env, &dir(), cfg(), options, &mut |_, _| {}).unwrap();
    assert_eq!(opened.report.damage, []);
    assert_eq!(opened.report.replay_skipped, []);
    let rebuilt = opened.report.indexes_rebuilt.iter().find(|name| name.contains('-'));
    assert_eq!(rebuilt, None, "a copy counts with a whole index only");
    let ends = opened.reader.ends();
    let (start, end) = (ends.start.get(), ends.written.get());
    assert!((promise.durable..=promise.issued).contains(&end), "{end} of {promise:?}");
    assert!((promise.start..=promise.may_start.max(promise.start)).contains(&start), "{start}");
    let seen = read_all(&opened.reader, 700);
    let mut found = std::collections::HashSet::new();
    for batch in seen.iter().filter(|batch| !batch.control) {
        for (offset, key, value, timestamp) in &batch.records {
            let record = &oracle.records[offset];
            assert_eq!((key, value, timestamp), (&record.key, &record.value, &record.timestamp));
            found.insert(*offset);
        }
    }
    for (offset, record) in oracle.records.range(start..end) {
        let limit = promise.may_clean_to.min(end);
        let may_go = *offset < limit
            && (oracle.is_superseded(*offset, limit)
                || record.fate == Fate::Aborted
                || record.fate == Fate::Open);
        assert!(found.contains(offset) || may_go, "lost {offset}: {record:?}, {promise:?}");
        let must_go = *offset < promise.clean_to
            && (oracle.is_superseded(*offset, promise.clean_to) || record.fate == Fate::Aborted);
        assert!(!(must_go && found.contains(offset)), "back again: {offset}");
    }
    for (_, batch) in oracle.batches.range(..end).filter(|(_, batch)| batch.transactional) {
        let mark = batch.mark.filter(|mark| *mark < end && batch.next > start);
        let is_left = seen.iter().any(|seen| seen.next == batch.next && seen.producer.is_some());
        if let Some(mark) = mark.filter(|_| is_left) {
            assert!(seen.iter().any(|seen| seen.control && seen.base == mark));
        }
    }
    let report = onrush_storage::check(disk, &dir(), false).unwrap();
    assert!(report.is_sound(), "{:?}", report.findings);
    // It goes on, and a stop in order leaves nothing behind.
    crate::common::append(&mut opened.writer, 2, 50);
    opened.writer.flush_now().unwrap();
    work(&mut opened.writer);
    opened.writer.close_cleanly(None).unwrap();
    let later = opened.writer.written_end().get();
    drop(opened);
    let options = OpenOptions { leader_epoch: epoch(leader), clean: true };
    let again = onrush_storage::open(&env, &dir(), cfg(), options, &mut |_, _| {}).unwrap();
    assert!(again.report.clean);
    assert_eq!(again.reader.ends().written, off(later));
    assert_eq!(again.reader.ends().start, off(start));
    (end, seen.len())
}

fn explore(seed: u64) -> usize {
    let run = Run::new(seed);
    let plan = CrashPlan { torn: 2, reordered: 3, seed };
    let mut states = 0;
    let mut boundary = None;
    for (point, crashed) in run.disk.crash_states(plan) {
        if point.boundary < run.promises[0].boundary {
            continue;
        }
        let promise = run.at(point.boundary);
        let seen = run.disk.describe(point.boundary);
        let _context = Context(format!("ONRUSH_SEED={seed}: {point} ({seen})"));
        if boundary != Some(point.boundary) {
            boundary = Some(point.boundary);
            let killed = run.disk.killed(point.boundary);
            recover(&run.life.oracle, &killed, promise, 2);
            states += 1;
        }
        let before = crashed.boundaries();
        let (end, _) = recover(&run.life.oracle, &crashed, promise, 2);
        states += 1;
        // Once more, while it recovers from the first.
        if states % 40 == 0 {
            let promise = Promise { issued: end + 2, durable: promise.durable, ..promise };
            let again = CrashPlan { torn: 1, reordered: 1, seed };
            for (second, twice) in crashed.crash_states_from(before, again).take(30) {
                let _context =
                    Context(format!("then {second} ({})", crashed.describe(second.boundary)));
                recover_again(&run.life.oracle, &twice, promise);
                states += 1;
            }
        }
    }
    states
}

/// As [`recover`], of a log that others have gone on with.
fn recover_again(oracle: &Oracle, disk: &SimDisk, promise: Promise) {
    let env = env_on(disk.as_disk());
    let options = OpenOptions { leader_epoch: epoch(3), clean: false };
    let opened = onrush_storage::open(&env, &dir(), cfg(), options, &mut |_, _| {}).unwrap();
    assert_eq!(opened.report.damage, []);
    let end = opened.reader.ends().written.get();
    assert!((promise.durable..=promise.issued).contains(&end), "{end} of {promise:?}");
    let mut bytes = Vec::new();
    let mut at = opened.reader.ends().start;
    let mut cursor = onrush_storage::Cursor::default();
    while let Some(read) = opened.reader.read(at, 1 << 20, &mut cursor).unwrap() {
        bytes.push(read.slice.to_bytes(onrush_storage::ReadMode::Copied).unwrap());
        at = read.next;
    }
    let mut found = std::collections::HashSet::new();
    for batch in bytes.iter().flat_map(|bytes| onrush_record::batch::Batches::new(bytes)) {
        let batch = batch.unwrap();
        batch.verify().unwrap();
        let mut scratch = Vec::new();
        for record in batch.records_with(&mut scratch, 1 << 20).unwrap() {
            found.insert(record.unwrap().offset.get());
        }
    }
    let start = opened.reader.ends().start.get();
    for (offset, record) in oracle.records.range(start..end.min(promise.durable)) {
        let limit = promise.may_clean_to.min(end);
        let may_go = *offset < limit
            && (oracle.is_superseded(*offset, limit) || record.fate != Fate::Counts);
        assert!(found.contains(offset) || may_go, "lost {offset}: {record:?}");
    }
}

#[test]
fn no_crash_of_a_cleaning_loses_a_record_or_brings_one_back() {
    let mut states = 0;
    for seed in seeds(3) {
        states += explore(seed);
    }
    println!("{states} crash states");
    assert!(states > 2_000 || std::env::var("ONRUSH_SEED").is_ok(), "{states}");
}
