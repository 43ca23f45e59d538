//! A log with keyed records, and what is done to it.

use std::collections::HashMap;

use onrush_record::batch::{BatchBuilder, BatchHeader, Batches, Codec, Marker};
use onrush_record::{ProducerEpoch, ProducerId, Sequence};
use onrush_storage::{
    CleanBounds, CleanLimits, CleanPolicy, CleanStats, CleanStep, Cleaning, Cursor, Env, LogConfig,
    LogReader, LogWriter, ReadMode,
};
use onrush_sys::{Random as _, SeededRandom};

use crate::common::{fresh, off, reopen, work};
use crate::oracle::{Batch, Fate, Oracle, Record, Seen};

pub const KEYS: u64 = 12;
pub const RETENTION_MS: i64 = 500;
const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

pub fn cfg() -> LogConfig {
    LogConfig { segment_bytes: 1200, index_interval_bytes: 300, ..crate::common::small() }
}

pub fn policy() -> CleanPolicy {
    CleanPolicy {
        min_dirty_ratio: 0.0,
        min_lag_ms: 0,
        max_lag_ms: None,
        delete_retention_ms: RETENTION_MS.unsigned_abs(),
    }
}

pub fn limits() -> CleanLimits {
    CleanLimits { map_bytes: 1 << 16, batch_bytes: 1 << 20, hash_key: [1, 2] }
}

pub struct Life {
    pub env: Env,
    pub cfg: LogConfig,
    pub writer: LogWriter,
    pub reader: LogReader,
    pub random: SeededRandom,
    pub oracle: Oracle,
    pub now_ms: i64,
    pub epoch: u32,
    /// Records cleaned away, and cleanings cut short for want of memory.
    pub gone: u64,
    pub partial: u64,
    sequences: HashMap<i64, i32>,
    /// Offsets of the records and batches of open transactions.
    open: HashMap<i64, Vec<u64>>,
}

impl Life {
    pub fn new(env: Env, cfg: LogConfig, seed: u64) -> Life {
        let (writer, reader) = fresh(&env, cfg.clone());
        Life {
            env,
            cfg,
            writer,
            reader,
            random: SeededRandom::new(seed),
            oracle: Oracle::default(),
            now_ms: 1000,
            epoch: 1,
            gone: 0,
            partial: 0,
            sequences: HashMap::new(),
            open: HashMap::new(),
        }
    }

    pub fn draw(&self, below: u64) -> u64 {
        self.random.below(below)
    }

    pub fn end(&self) -> u64 {
        self.writer.written_end().get()
    }

    fn append(&mut self, bytes: &mut [u8]) {
        let header = BatchHeader::parse(bytes).unwrap();
        self.writer.append(&mut [bytes], &[header], self.now_ms).unwrap();
    }

    /// One batch by a producer: 0 none, below 10 idempotent, from there on transactional.
    pub fn send(&mut self, producer: i64, records: &[(u64, Option<Vec<u8>>)], codec: Codec) {
        let base = self.end();
        let mut builder = BatchBuilder::new(codec);
        let transactional = producer >= 10;
        let fate = if transactional { Fate::Open } else { Fate::Counts };
        for (offset, (key, value)) in (base..).zip(records) {
            let key = format!("key {key}").into_bytes();
            let timestamp = self.now_ms + self.draw(20) as i64;
            let headers: &[(&[u8], Option<&[u8]>)] =
                if self.draw(3) == 0 { &[(b"name", Some(b"value"))] } else { &[] };
            builder.push(timestamp, Some(&key), value.as_deref(), headers);
            let value = value.clone();
            self.oracle.records.insert(offset, Record { batch: base, key, value, timestamp, fate });
        }
        let next = base + records.len() as u64;
        let mut whose = None;
        if producer > 0 {
            let sequence = self.sequences.entry(producer).or_default();
            let first = Sequence::new(*sequence);
            builder.set_producer(ProducerId::new(producer), ProducerEpoch::new(0), first);
            builder.set_transactional(transactional);
            *sequence += records.len() as i32;
            whose = Some((producer, *sequence - 1));
        }
        if transactional {
            self.open.entry(producer).or_default().extend(base..next);
        }
        let (mark, horizon) = (None, None);
        let batch = Batch { next, producer: whose, mark, transactional, horizon };
        self.oracle.batches.insert(base, batch);
        let mut bytes = builder.finish().unwrap();
        self.append(&mut bytes);
    }

    /// Ends the producer's transaction, if it has one open.
    pub fn end_transaction(&mut self, producer: i64, commit: bool) {
        let Some(offsets) = self.open.remove(&producer) else { return };
        let at = self.end();
        for offset in offsets {
            if let Some(record) = self.oracle.records.get_mut(&offset) {
                record.fate = if commit { Fate::Counts } else { Fate::Aborted };
                let batch = record.batch;
                self.oracle.batches.get_mut(&batch).unwrap().mark = Some(at);
            }
        }
        self.oracle.marks.insert(at, self.now_ms);
        let marker = Marker { commits: commit, coordinator_epoch: 0 };
        let (producer, epoch) = (ProducerId::new(producer), ProducerEpoch::new(0));
        let mut bytes = marker.batch(producer, epoch, self.now_ms);
        self.append(&mut bytes);
    }

    pub fn random_batch(&mut self) {
        let producer = [0, 0, 1, 2, 10, 11, 12][self.draw(7) as usize];
        let records: Vec<_> = (0..1 + self.draw(4))
            .map(|_| {
                let value = (self.draw(4) > 0).then(|| {
                    let mut value = self.random.next_u64().to_le_bytes().to_vec();
                    value.resize(8 + self.draw(60) as usize, 7);
                    value
                });
                (self.draw(KEYS), value)
            })
            .collect();
        let codec = CODECS[self.draw(5) as usize];
        self.send(producer, &records, codec);
    }

    /// Below this every transaction has ended.
    pub fn stable(&self) -> u64 {
        self.open.values().flatten().min().copied().unwrap_or(self.end())
    }

    /// Makes all durable, indexes too, so that what is rolled may be cleaned.
    pub fn settle(&mut self) {
        self.writer.checkpoint_now(Some(Vec::new())).unwrap();
        work(&mut self.writer);
    }

    pub fn bounds(&self) -> CleanBounds {
        CleanBounds {
            stable: off(self.stable()),
            last_batches: self.oracle.last_batches().into_values().map(off).collect(),
            now_ms: self.now_ms,
        }
    }

    /// One cleaning, to its end, with `between` called after each step.
    pub fn clean_with(
        &mut self,
        limits: &CleanLimits,
        step: u64,
        mut between: impl FnMut(&mut Life),
    ) -> CleanStats {
        let claim = self.writer.begin_cleaning().unwrap();
        let mut cleaning = Cleaning::plan(claim, &policy(), limits, self.bounds()).unwrap();
        let (before, now_ms) = (self.oracle.clean_to, self.now_ms);
        loop {
            match cleaning.step(step).unwrap() {
                CleanStep::More => {}
                CleanStep::Swap => drop(self.writer.swap_cleaned(&mut cleaning).unwrap()),
                CleanStep::Done => break,
            }
            between(self);
        }
        self.writer.end_cleaning(&cleaning);
        let stats = cleaning.stats().clone();
        let clean_to = stats.clean_to.get();
        assert!(clean_to >= before || self.reader.ends().start.get() > 0, "{clean_to} {before}");
        if clean_to > before {
            self.oracle.cleaned(clean_to, now_ms, RETENTION_MS);
        }
        stats
    }

    pub fn clean(&mut self) -> CleanStats {
        self.clean_with(&limits(), 1 << 20, |_| {})
    }

    pub fn check(&self) {
        let ends = self.reader.ends();
        let seen = read_all(&self.reader, [1, 400, 1 << 20][self.draw(3) as usize]);
        self.oracle.judge(ends.start.get(), ends.readable.get(), &seen);
    }

    /// Something can be read where the log begins.
    pub fn check_start(&self) {
        let start = self.reader.ends().start;
        let read = self.reader.read(start, 1, &mut Cursor::default()).unwrap();
        assert!(read.unwrap().first <= start);
    }

    /// Lookups by time find the first record there is.
    pub fn check_lookups(&self) {
        let start = self.reader.ends().start.get();
        let mut there: Vec<(u64, i64)> = Vec::new();
        for batch in read_all(&self.reader, 1 << 20) {
            there.extend(
                batch.records.iter().map(|(offset, _, _, timestamp)| (*offset, *timestamp)),
            );
        }
        there.retain(|(offset, _)| *offset >= start);
        for _ in 0..6 {
            let asked = self.draw(self.now_ms as u64 + 50) as i64;
            let expected = there.iter().find(|(_, timestamp)| *timestamp >= asked);
            let expected = expected.map(|(offset, timestamp)| (off(*offset), *timestamp));
            assert_eq!(self.reader.offset_for_timestamp(asked).unwrap(), expected, "{asked}");
        }
        let newest = there.iter().map(|(_, timestamp)| *timestamp).max();
        let expected = there.iter().find(|(_, timestamp)| Some(*timestamp) == newest);
        let expected = expected.map(|(offset, timestamp)| (off(*offset), *timestamp));
        assert_eq!(self.reader.max_timestamp().unwrap(), expected);
    }

    pub fn reopen(&mut self, clean: bool) {
        if clean {
            self.writer.close_cleanly(Some(Vec::new())).unwrap();
        } else {
            self.writer.flush_now().unwrap();
        }
        self.epoch += 1;
        let opened = reopen(&self.env, self.cfg.clone(), clean, self.epoch);
        assert_eq!(opened.report.damage, []);
        assert!(opened.report.torn.is_none());
        assert_eq!(opened.report.clean, clean);
        (self.writer, self.reader) = (opened.writer, opened.reader);
    }
}

/// Everything from the log's start, as a client reads it.
pub fn read_all(reader: &LogReader, max_bytes: u32) -> Vec<Seen> {
    let mut cursor = Cursor::default();
    let mut at = reader.ends().start;
    let mut seen = Vec::new();
    while let Some(read) = reader.read(at, max_bytes, &mut cursor).unwrap() {
        let bytes = read.slice.to_bytes(ReadMode::Copied).unwrap();
        let mut next = read.first;
        for batch in Batches::new(&bytes) {
            let batch = batch.unwrap();
            batch.verify().unwrap();
            let header = batch.header();
            assert_eq!(header.base_offset, next);
            next = header.next_offset();
            let mut scratch = Vec::new();
            let records = batch.records_with(&mut scratch, 1 << 20).unwrap();
            let records = records.map(|record| {
                let record = record.unwrap();
                let (key, value) = (record.key.unwrap(), record.value);
                (record.offset.get(), key.to_vec(), value.map(<[u8]>::to_vec), record.timestamp)
            });
            let producer = header.producer_id;
            seen.push(Seen {
                base: header.base_offset.get(),
                next: next.get(),
                producer: producer
                    .is_some()
                    .then(|| (producer.get(), header.last_sequence().get())),
                transactional: header.attributes.is_transactional(),
                control: header.attributes.is_control(),
                records: records.collect(),
            });
        }
        assert_eq!(next, read.next);
        assert!(next > at);
        at = next;
    }
    seen
}
