//! Random histories against an oracle: members that acquire, settle, renew, go silent, leave and
//! come back; reads that are late; a log that grows, has holes and loses its beginning; a broker
//! that restarts. Whatever is handed out must be free, not settled, not tried too often, and by key
//! in order; in the end everything is settled and nothing was lost.

use std::collections::BTreeMap;

use super::random::{Dice, each_seed};
use super::*;

const MEMBERS: [&str; 4] = ["a", "b", "c", "d"];
const LOCK_MS: i64 = 10_000;
const WINDOW: u64 = 40;

/// What the oracle knows of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    Open,
    With { member: &'static str, due_ms: i64 },
    Done,
}

#[derive(Debug)]
struct Record {
    key: Option<u64>,
    known: Known,
    /// How often it was tried, as far as that is durable.
    tries: u16,
}

struct Simulation {
    world: World,
    dice: Dice,
    by_key: bool,
    limit: u16,
    records: BTreeMap<u64, Record>,
    /// First offset and end of each batch.
    batches: Vec<(u64, u64)>,
    log_start: u64,
    log_end: u64,
    /// Reads that are under way: whose, how many records, what was found.
    reads: Vec<(&'static str, u64, AcquireMode, Found)>,
    handed_out: usize,
}

impl Simulation {
    fn new(mut dice: Dice) -> Simulation {
        let by_key = dice.one_in(2);
        let lock = LOCK_MS.to_string();
        let window = WINDOW.to_string();
        let settings = [
            ("share.order.by.key", if by_key { "true" } else { "false" }),
            ("share.record.lock.duration.ms", &lock),
            ("share.session.timeout.ms", "3600000"),
            ("share.partition.max.record.locks", &window),
        ];
        Simulation {
            world: World::started(&MEMBERS, &settings),
            dice,
            by_key,
            limit: 5,
            records: BTreeMap::new(),
            batches: Vec::new(),
            log_start: 0,
            log_end: 0,
            reads: Vec::new(),
            handed_out: 0,
        }
    }

    fn step(&mut self) {
        match self.dice.below(40) {
            0..8 => self.produce(),
            8..20 => self.begin_read(),
            20..28 => self.finish_read(),
            28..34 => self.settle(),
            34 => self.settle_what_it_has_not(),
            35 | 36 => {
                let ms = self.dice.below(8_000).cast_signed();
                self.pass(ms);
            }
            37 => self.leave(),
            38 if self.dice.one_in(3) => self.trim(),
            38 if self.dice.one_in(10) => self.lower_limit(),
            39 if self.dice.one_in(2) => self.restart(),
            _ => {}
        }
        if let Some(state) = self.world.groups.partition("g", KEY) {
            state.ranges.check();
            assert!(state.settled_within() <= state.end() - state.start());
        }
    }

    fn member(&mut self) -> &'static str {
        MEMBERS[usize::try_from(self.dice.below(4)).unwrap()]
    }

    fn produce(&mut self) {
        // Compaction, control batches and aborted transactions leave holes.
        let hole = if self.dice.one_in(5) { self.dice.below(60) } else { 0 };
        let first = self.log_end + hole;
        let end = first + 1 + self.dice.below(8);
        for offset in first..end {
            let key = (!self.dice.one_in(6)).then(|| self.dice.below(5));
            self.records.insert(offset, Record { key, known: Known::Open, tries: 0 });
        }
        self.batches.push((first, end));
        self.log_end = end;
    }

    fn scan(&mut self, plan: Plan) -> Option<Found> {
        let mut batches = self.batches.iter().filter(|(_, end)| *end > plan.from).copied();
        let mut runs = vec![batches.next()?];
        // A read may be cut short by its limit of bytes.
        let most = usize::try_from(1 + self.dice.below(6)).unwrap();
        runs.extend(batches.take_while(|(first, _)| *first < plan.upto).take(most - 1));
        let (first, end) = (runs[0].0, runs[runs.len() - 1].1);
        let keys = || self.records.range(first..end).map(|(at, record)| (*at, record.key));
        let keys = plan.keys.then(|| keys().collect());
        Some(Found { from: plan.from, end, runs, keys })
    }

    fn begin_read(&mut self) {
        let (member, max) = (self.member(), 1 + self.dice.below(20));
        let strict = self.by_key || self.dice.one_in(2);
        let mode = if strict { AcquireMode::RecordLimit } else { AcquireMode::BatchOptimized };
        let ends = (self.log_start, self.log_end);
        let Ok(Some(plan)) = self.world.groups.plan("g", member, KEY, max, ends) else { return };
        if let Some(found) = self.scan(plan) {
            self.reads.push((member, max, mode, found));
        }
        if self.dice.one_in(2) {
            self.finish_read();
        }
    }

    fn finish_read(&mut self) {
        if self.reads.is_empty() {
            return;
        }
        let at = usize::try_from(self.dice.below(self.reads.len() as u64)).unwrap();
        let (member, max, mode, found) = self.reads.swap_remove(at);
        let dead = self.world.dead.len();
        let out = self.world.take(member, max, mode, &found);
        for (_, dead) in &self.world.dead[dead..] {
            for offset in dead.first..dead.end {
                let record = self.records.get_mut(&offset).unwrap();
                // It may have been given up before the last restart already.
                assert!(!matches!(record.known, Known::With { .. }));
                assert!(record.tries >= self.limit);
                record.known = Known::Done;
            }
        }
        let total: u64 = out.ranges.iter().map(AcquiredRange::records).sum();
        if mode == AcquireMode::RecordLimit {
            assert!(total <= max, "no more than asked for");
        }
        for (first, last, count) in told(&out) {
            for offset in first..=last {
                self.handed_out(member, offset, count);
            }
        }
    }

    /// What must hold whenever a record is handed out.
    fn handed_out(&mut self, member: &'static str, offset: u64, count: u16) {
        let Some(record) = self.records.get(&offset) else { panic!("{offset} is no record") };
        if offset >= self.log_start {
            assert_eq!(record.known, Known::Open, "{offset} is not free");
            assert_eq!(count, record.tries + 1, "of {offset}");
        }
        assert!(count <= self.limit, "{offset} is tried too often");
        if let (true, Some(key)) = (self.by_key, record.key) {
            let before = self.records.range(self.log_start..offset);
            let mut open = before.filter(|(_, r)| r.key == Some(key) && r.known != Known::Done);
            assert_eq!(open.next().map(|(at, _)| at), None, "{offset} must wait");
        }
        let due_ms = self.world.now_ms + LOCK_MS;
        self.records.get_mut(&offset).unwrap().known = Known::With { member, due_ms };
        self.handed_out += 1;
    }

    fn held_by(&self, member: &str) -> Vec<u64> {
        let held = self.records.iter().filter(|(_, record)| {
            matches!(&record.known, Known::With { member: holder, .. } if *holder == member)
        });
        held.map(|(offset, _)| *offset).filter(|offset| *offset >= self.log_start).collect()
    }

    fn settle(&mut self) {
        let member = self.member();
        let held = self.held_by(member);
        let mut acks: Vec<ShareAcknowledgement> = Vec::new();
        for offset in held {
            if self.dice.one_in(3) {
                continue;
            }
            let kind = match self.dice.below(10) {
                0..6 => AckType::Accept,
                6 | 7 => AckType::Release,
                8 => AckType::Reject,
                _ => AckType::Renew,
            };
            match acks.last_mut() {
                Some(last) if last.last.get() + 1 == offset => {
                    last.last = Offset::new(offset);
                    last.types.push(kind);
                }
                _ => acks.push(ack(offset, offset, kind)),
            }
            let (limit, due_ms) = (self.limit, self.world.now_ms + LOCK_MS);
            let record = self.records.get_mut(&offset).unwrap();
            match kind {
                AckType::Release => release(record, limit),
                AckType::Renew => record.known = Known::With { member, due_ms },
                _ => record.known = Known::Done,
            }
        }
        self.world.acknowledge(member, &acks).unwrap();
    }

    fn settle_what_it_has_not(&mut self) {
        let member = self.member();
        let held = self.held_by(member);
        let free = |(offset, record): &(&u64, &Record)| {
            record.known == Known::Open && !held.contains(offset)
        };
        let Some(offset) = self.records.iter().find(free).map(|(offset, _)| *offset) else {
            return;
        };
        // One it has beside it must not be settled by halves.
        let mut acks = vec![ack(offset, offset, AckType::Accept)];
        acks.extend(
            held.last().filter(|last| **last > offset).map(|at| ack(*at, *at, AckType::Accept)),
        );
        match self.world.acknowledge(member, &acks) {
            Err(ShareError::InvalidRecordState { .. }) => {}
            other => assert!(offset < self.world.start(), "{offset}: {other:?}"),
        }
    }

    fn pass(&mut self, ms: i64) {
        self.world.pass(ms);
        let (now_ms, limit) = (self.world.now_ms, self.limit);
        for record in self.records.values_mut() {
            if matches!(record.known, Known::With { due_ms, .. } if due_ms <= now_ms) {
                release(record, limit);
            }
        }
    }

    fn leave(&mut self) {
        let member = self.member();
        if self.dice.one_in(2) {
            let epoch = LEAVE;
            self.world.beat(staying(member, epoch)).unwrap();
            self.world.beat(joining(member)).unwrap();
        } else {
            // Only its share session is over.
            let effects = self.world.groups.release("g", member);
            self.world.took(effects);
        }
        let limit = self.limit;
        for offset in self.held_by(member) {
            release(self.records.get_mut(&offset).unwrap(), limit);
        }
    }

    fn trim(&mut self) {
        self.log_start += self.dice.below(self.log_end - self.log_start + 1) / 2;
        let gone = self.records.range_mut(..self.log_start);
        gone.for_each(|(_, record)| record.known = Known::Done);
        // Nobody reads what is gone: a read under way fails, or has its bytes already.
        let start = self.log_start;
        self.reads.retain(|(.., found)| found.from >= start);
    }

    fn lower_limit(&mut self) {
        self.limit = self.limit.min(3);
        let mut overrides = self.world.groups.overrides("g");
        overrides.insert("share.delivery.count.limit".to_owned(), self.limit.to_string());
        self.world.make(ShareEvent::new("g", What::Configured { overrides }));
    }

    fn restart(&mut self) {
        let before = self.world.start();
        if self.dice.one_in(2) {
            // What a snapshot has leads to the same as the journal.
            self.world.events = self.world.groups.events();
        }
        self.world.restart();
        self.reads.clear();
        assert!(self.world.start() <= before);
        for record in self.records.values_mut() {
            if matches!(record.known, Known::With { .. }) {
                record.known = Known::Open;
            }
        }
    }

    /// Everything is settled in the end, by a member that accepts all it gets.
    fn drain(&mut self) {
        for _ in 0..10_000 {
            let ends = (self.log_start, self.log_end);
            match self.world.groups.plan("g", "a", KEY, 7, ends).unwrap() {
                Some(plan) => {
                    let found = self.scan(plan).unwrap();
                    self.reads = vec![("a", 7, AcquireMode::RecordLimit, found)];
                    self.finish_read();
                    let held = self.held_by("a");
                    let acks: Vec<_> =
                        held.iter().map(|at| ack(*at, *at, AckType::Accept)).collect();
                    self.world.acknowledge("a", &acks).unwrap();
                    for offset in held {
                        self.records.get_mut(&offset).unwrap().known = Known::Done;
                    }
                }
                None if self.world.start() >= self.log_end => break,
                None => self.pass(LOCK_MS),
            }
        }
        assert_eq!(self.world.start(), self.log_end, "all of it is settled");
        for (offset, record) in &self.records {
            assert_eq!(record.known, Known::Done, "{offset} was lost");
        }
    }
}

/// It was tried once more, and somebody else may try it, unless that was often enough.
fn release(record: &mut Record, limit: u16) {
    record.tries += 1;
    record.known = if record.tries < limit { Known::Open } else { Known::Done };
}

#[test]
fn no_history_loses_a_record_or_gives_it_to_two() {
    each_seed(600, |dice| {
        let mut simulation = Simulation::new(dice);
        for _ in 0..250 {
            simulation.step();
        }
        simulation.drain();
        assert!(simulation.handed_out > 0);
    });
}
