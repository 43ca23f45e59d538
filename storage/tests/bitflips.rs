//! Every single bit of every file of a small log, flipped: what is read is right, or there is an
//! error or a report that names what is wrong. The reading is a client's: checksums and continuing
//! offsets.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::*;
use onrush_sim::{CrashPolicy, SimDisk};
use onrush_storage::{LogConfig, OpenOptions, RecoveryReport, StorageError};

fn cfg() -> LogConfig {
    LogConfig { segment_bytes: 700, index_interval_bytes: 200, ..small() }
}

const END: u64 = 17;
const START: u64 = 2;

/// Three segments; the last records are durable and acknowledged, but past the last checkpoint.
fn log(clean: bool) -> SimDisk {
    let disk = SimDisk::new();
    let env = env_on(disk.as_disk());
    let (mut writer, reader) = fresh(&env, cfg());
    while writer.written_end() < off(END - 3) {
        append(&mut writer, 2, 30);
        if writer.is_roll_ready() || writer.written_end() > off(8) {
            writer.roll().unwrap();
        }
    }
    let mut trim = writer.trim_to(off(0)).unwrap();
    trim.persist().unwrap();
    writer.checkpoint_now(Some(vec![9])).unwrap();
    let mut trim = writer.trim_to(off(START)).unwrap();
    trim.persist().unwrap();
    let left = END - writer.written_end().get();
    append(&mut writer, left - 1, 30);
    append(&mut writer, 1, 5);
    writer.flush_now().unwrap();
    if clean {
        writer.close_cleanly(Some(vec![9])).unwrap();
    }
    drop((writer, reader));
    disk
}

/// Reads everything that can be read; the offsets that could not, and why.
fn read_around(opened: &onrush_storage::Recovered) -> (u64, Vec<(u64, String)>) {
    let mut at = opened.reader.ends().start.get();
    let mut errors = Vec::new();
    loop {
        match read_from(&opened.reader, at, 250) {
            (end, Ok(())) => return (end, errors),
            (end, Err(error)) => {
                errors.push((end, error));
                at = end + 1;
                if at >= opened.reader.ends().readable.get() {
                    return (opened.reader.ends().readable.get(), errors);
                }
            }
        }
    }
}

fn flip_all(clean: bool) -> (u64, u64) {
    let disk = log(clean);
    let boundary = disk.boundaries();
    let entries = disk.as_disk().list(&dir()).unwrap();
    assert!(entries.len() >= 6, "{entries:?}");
    let (mut flips, mut noticed) = (0, 0);
    for entry in &entries {
        let path = dir().join(&entry.name);
        for bit in 0..entry.len * 8 {
            flips += 1;
            let flipped = disk.crash(boundary, CrashPolicy::KeepAll);
            flipped.flip_bit(&path, bit).unwrap();
            let env = env_on(flipped.as_disk());
            let options = OpenOptions { leader_epoch: epoch(2), clean };
            let at = format!("{} bit {bit}, clean {clean}", entry.name);
            let opened = match onrush_storage::open(&env, &dir(), cfg(), options, &mut |_, _| {}) {
                Ok(opened) => opened,
                Err(StorageError::Corrupt { .. } | StorageError::Damaged { .. }) => {
                    noticed += 1;
                    continue;
                }
                Err(other) => panic!("{at}: {other}"),
            };
            let (end, errors) = read_around(&opened);
            let start = opened.reader.ends().start.get();
            if opened.report.is_sound() {
                assert_eq!((start, end), (START, END), "silently shortened: {at}");
            }
            assert!(errors.len() < 4, "{at}: one bit cost {errors:?}");
            if clean && entry.name.ends_with(".log") {
                let checked = onrush_storage::check(&flipped, &dir(), clean).unwrap();
                assert!(!checked.is_sound(), "check passes over {at}");
            }
            let lost = END - end;
            assert!(lost == 0 || says_so(&opened.report), "{at}");
            noticed += u64::from(!errors.is_empty() || !opened.report.is_sound());
        }
    }
    (flips, noticed)
}

fn says_so(report: &RecoveryReport) -> bool {
    report.torn.is_some() || !report.damage.is_empty()
}

#[test]
fn every_flipped_bit_gives_right_data_or_a_named_error() {
    for clean in [true, false] {
        let (flips, noticed) = flip_all(clean);
        println!("clean {clean}: {flips} bits flipped, {noticed} noticed, the rest without effect");
        assert!(flips > 10_000);
    }
}

#[test]
fn a_flip_past_the_checkpoint_is_reported_as_no_mere_torn_tail() {
    let disk = log(false);
    let path = dir().join(last_log(&disk));
    // A value byte of a batch that another acknowledged one follows.
    let tail = disk.as_disk().open(&path, onrush_sys::OpenMode::Read).unwrap();
    let mut bytes = vec![0; usize::try_from(tail.len().unwrap()).unwrap()];
    tail.read_exact_at(&mut bytes, 0).unwrap();
    let at = bytes.windows(10).position(|window| window.starts_with(b"record 14 ")).unwrap();
    disk.flip_bit(&path, at as u64 * 8).unwrap();
    let opened = reopen(&env_on(disk.as_disk()), cfg(), false, 2);
    let torn = opened.report.torn.expect("it is reported");
    assert_eq!(torn.valid_batches_after, 1);
    assert_eq!(torn.quarantine.len(), 1);
    assert!(disk.as_disk().exists(&dir().join(&torn.quarantine[0])).unwrap(), "kept aside");
}

fn last_log(disk: &SimDisk) -> String {
    let entries = disk.as_disk().list(&dir()).unwrap();
    let mut logs =
        entries.into_iter().filter(|entry| entry.name.ends_with(".log") && entry.len > 0);
    logs.next_back().unwrap().name
}
