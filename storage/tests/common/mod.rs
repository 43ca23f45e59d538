//! What the tests of a log share: a log on some disk, batches that say what they are, and reading
//! back as a client does.
#![allow(dead_code, missing_docs, unreachable_pub, clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use onrush_record::batch::{BatchBuilder, BatchHeader, Batches, Codec};
use onrush_record::{LeaderEpoch, Offset};
use onrush_sim::SimDisk;
use onrush_storage::{
    Appended, Cursor, Env, LogConfig, LogReader, LogWriter, OpenFiles, OpenOptions, ReadMode,
    Recovered, Severity, StorageError, check, create, open,
};
use onrush_sys::{Disk, DiskBackend, ManualClock, TempDir, open_disk};

pub const DIR: &str = "log";

pub fn dir() -> PathBuf {
    PathBuf::from(DIR)
}

pub fn env_on(disk: Arc<dyn Disk>) -> Env {
    Env { disk, clock: Arc::new(ManualClock::new(0)), files: OpenFiles::new(64) }
}

/// A real disk that goes away with the guard.
pub fn real() -> (TempDir, Env) {
    real_backend(DiskBackend::Plain)
}

pub fn real_backend(backend: DiskBackend) -> (TempDir, Env) {
    let temp = TempDir::new("onrush-storage").unwrap();
    let env = env_on(open_disk(temp.path(), backend).unwrap());
    (temp, env)
}

pub fn small() -> LogConfig {
    LogConfig {
        segment_bytes: 4096,
        index_interval_bytes: 512,
        preallocate_min_bytes: 1024,
        preallocate_max_bytes: 4096,
        max_batch_bytes: 64 * 1024,
        retention_ms: None,
        segment_ms: None,
        ..LogConfig::default()
    }
}

pub const fn epoch(n: u32) -> LeaderEpoch {
    LeaderEpoch::new(n)
}

pub fn off(n: u64) -> Offset {
    Offset::new(n)
}

/// A batch of `count` records, each of which names `first + i`; the timestamp is the number.
pub fn batch(first: u64, count: u64, value_bytes: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Codec::None);
    for n in first..first + count {
        let mut value = format!("record {n} ").into_bytes();
        value.resize(value.len().max(value_bytes), b'.');
        builder.push(n as i64, None, Some(&value), &[]);
    }
    builder.finish().unwrap()
}

pub fn header(bytes: &[u8]) -> BatchHeader {
    BatchHeader::parse(bytes).unwrap()
}

pub fn try_append(
    writer: &mut LogWriter,
    count: u64,
    value_bytes: usize,
) -> Result<Appended, StorageError> {
    let mut bytes = batch(writer.written_end().get(), count, value_bytes);
    let header = header(&bytes);
    let now = writer.written_end().get() as i64;
    writer.append(&mut [&mut bytes], &[header], now)
}

pub fn append(writer: &mut LogWriter, count: u64, value_bytes: usize) -> Appended {
    try_append(writer, count, value_bytes).unwrap()
}

/// Runs what there is to run in the background.
pub fn work(writer: &mut LogWriter) {
    while let Some(job) = writer.background() {
        let done = job.run();
        writer.complete_background(done).unwrap();
    }
}

pub fn reopen(env: &Env, cfg: LogConfig, clean: bool, leader: u32) -> Recovered {
    let options = OpenOptions { leader_epoch: epoch(leader), clean };
    open(env, &dir(), cfg, options, &mut |_, _| {}).unwrap()
}

pub fn fresh(env: &Env, cfg: LogConfig) -> (LogWriter, LogReader) {
    create(env, Path::new(DIR), cfg, epoch(1)).unwrap()
}

/// Reads records as a client does: checksums, continuing offsets, and that each record says its own
/// offset. Stops at the readable end or an error.
pub fn read_from(reader: &LogReader, from: u64, max_bytes: u32) -> (u64, Result<(), String>) {
    let mut cursor = Cursor::default();
    let mut at = off(from);
    loop {
        let read = match reader.read(at, max_bytes, &mut cursor) {
            Ok(Some(read)) => read,
            Ok(None) => return (at.get(), Ok(())),
            Err(error) => return (at.get(), Err(error.to_string())),
        };
        let bytes = match read.slice.to_bytes(ReadMode::Copied) {
            Ok(bytes) => bytes,
            Err(error) => return (at.get(), Err(error.to_string())),
        };
        let mut next = read.first;
        let mut batches = Batches::new(&bytes);
        for batch in &mut batches {
            let batch = match batch {
                Ok(batch) => batch,
                Err(error) => return (next.get().max(at.get()), Err(error.to_string())),
            };
            if let Err(error) = batch.verify() {
                return (next.get().max(at.get()), Err(error.to_string()));
            }
            if batch.header().base_offset != next {
                return (next.get().max(at.get()), Err("offsets do not continue".into()));
            }
            for record in batch.records().unwrap() {
                let record = record.unwrap();
                let says = format!("record {} ", record.offset);
                assert!(
                    record.value.unwrap().starts_with(says.as_bytes()),
                    "wrong data at offset {}",
                    record.offset
                );
            }
            next = batch.header().next_offset();
        }
        if next != read.next || next <= at {
            return (next.get().max(at.get()), Err("the read ended elsewhere than it said".into()));
        }
        at = next;
    }
}

/// All of `from..end` is there, right.
pub fn expect_all(reader: &LogReader, from: u64, end: u64) {
    for max_bytes in [1, 700, 1 << 20] {
        assert_eq!(read_from(reader, from, max_bytes), (end, Ok(())));
    }
}

/// What a power cut leaves of an index is made anew when the log is opened: `check` takes none of it
/// for damage.
pub fn expect_no_index_damaged(disk: &SimDisk) {
    let Ok(report) = check(disk, &dir(), false) else { return };
    let is_damage = |found: &&onrush_storage::Finding| {
        found.file.ends_with(".idx") && found.severity == Severity::Damage
    };
    assert_eq!(report.findings.iter().find(is_damage), None);
}
