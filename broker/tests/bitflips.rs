//! Every bit flipped of a partition's files, from the disk up to what a fetch gives: right data, or an
//! error or a finding that names what is wrong. Reading is a client's: checksums and continuing offsets.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use onrush_broker::{Broker, Cursor, Env, Partition, ReadMode};
use onrush_record::batch::Batches;
use onrush_record::{Offset, ProducerId};
use onrush_sim::{CrashPolicy, SimDisk};
use onrush_sys::{SystemClock, SystemRandom};
use support::{Running, config, numbered, produce_durably};

const RECORDS: u64 = 10;

fn value(offset: u64) -> String {
    format!("this is record {offset}")
}

/// A partition with acknowledged records, some below the last checkpoint and some above, and its
/// directory.
fn partition(clean: bool) -> (SimDisk, PathBuf) {
    let disk = SimDisk::new();
    let running = Running::with(disk.as_disk(), config(), Arc::new(SystemClock)).unwrap();
    let partition = running.topic("orders");
    let directory = PathBuf::from(format!("topics/{}/0", partition.topic_id()));
    for first in (0..RECORDS).step_by(2) {
        let values = [value(first), value(first + 1)];
        let values = [&values[0][..], &values[1][..]];
        let sequence = i32::try_from(first).unwrap();
        produce_durably(&partition, numbered(ProducerId::new(7), sequence, &values)).unwrap();
        if first == 4 && !clean {
            // A checkpoint.
            while !disk.as_disk().exists(&directory.join("0000000000.idx")).unwrap() {
                std::thread::yield_now();
            }
        }
    }
    drop(partition);
    if clean {
        running.stop();
    } else {
        running.kill();
    }
    (disk, directory)
}

/// Whatever can be read, and how often it could not.
fn read_around(partition: &Partition) -> (Vec<(u64, String)>, usize) {
    let mut found = Vec::new();
    let mut errors = 0;
    let mut at = partition.ends().start;
    while at < partition.ends().readable {
        let mut cursor = Cursor::default();
        let next = match partition.fetch(at, 200, &mut cursor) {
            Ok(Some(read)) => {
                let bytes = read.slice.to_bytes(ReadMode::Copied).unwrap();
                take_in(&bytes, read.first, &mut found)
            }
            Ok(None) => break,
            Err(_) => None,
        };
        errors += usize::from(next.is_none());
        at = next.unwrap_or(at.plus(1)).max(at.plus(1));
    }
    (found, errors)
}

/// As a client takes in what a fetch gave; none where it would report an error.
fn take_in(bytes: &[u8], first: Offset, found: &mut Vec<(u64, String)>) -> Option<Offset> {
    let mut next = first;
    for batch in Batches::new(bytes) {
        let batch = batch.ok().filter(|batch| batch.verify().is_ok())?;
        if batch.header().base_offset != next {
            return None;
        }
        for record in batch.records().unwrap() {
            let record = record.unwrap();
            let value = String::from_utf8_lossy(record.value.unwrap()).into_owned();
            found.push((record.offset.get(), value));
        }
        next = batch.header().next_offset();
    }
    Some(next)
}

#[test]
fn a_flipped_bit_gives_right_data_or_is_named() {
    let (mut flips, mut noticed) = (0, 0);
    for clean in [true, false] {
        let (disk, directory) = partition(clean);
        let boundary = disk.boundaries();
        for entry in disk.as_disk().list(&directory).unwrap() {
            for bit in 0..entry.len * 8 {
                let at = format!("{} bit {bit}, clean {clean}", entry.name);
                flips += 1;
                let flipped = disk.crash(boundary, CrashPolicy::KeepAll);
                flipped.flip_bit(&directory.join(Path::new(&entry.name)), bit).unwrap();
                noticed += usize::from(is_noticed(&flipped, &at));
            }
        }
    }
    println!("{flips} bits flipped, {noticed} noticed, the rest without effect");
    assert!(flips > 10_000 && noticed > flips / 10, "{noticed} of {flips}");
}

/// Starts a broker and reads; whether anything was named. What is read must be right, and what is
/// missing named.
fn is_noticed(disk: &SimDisk, at: &str) -> bool {
    let env =
        Env { disk: disk.as_disk(), clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) };
    let (broker, _background, report) = Broker::open(config(), env).unwrap();
    let topic = broker.topic_by_name("orders").unwrap();
    let Ok(partition) = topic.partition(0) else {
        assert!(!report.findings.is_empty(), "{at}");
        return true;
    };
    let (found, errors) = read_around(&partition);
    let is_named = errors > 0 || !report.findings.is_empty();
    for (offset, found) in &found {
        assert_eq!(*found, value(*offset), "{at}");
    }
    let all = (0..RECORDS).all(|offset| found.iter().any(|(other, _)| *other == offset));
    assert!(all || is_named, "{at}: lost without a word: {found:?}");
    is_named
}
