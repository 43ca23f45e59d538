//! Bits flipped in a log that was cleaned: right data, or a named error; and `check` finds each one
//! in the data.

use onrush_sim::{CrashPolicy, SimDisk};
use onrush_storage::{OpenOptions, StorageError};

use crate::common::{dir, env_on, epoch};
use crate::life::{Life, cfg, read_all};

fn cleaned(disk: &SimDisk) -> Life {
    let mut life = Life::new(env_on(disk.as_disk()), cfg(), 3);
    for _ in 0..14 {
        life.random_batch();
    }
    for producer in 10..13 {
        life.end_transaction(producer, producer == 11);
    }
    life.writer.roll().unwrap();
    life.random_batch();
    life.settle();
    life.clean();
    life.check();
    life
}

#[test]
fn flipped_bits_in_cleaned_segments_are_found() {
    let disk = SimDisk::new();
    let mut life = cleaned(&disk);
    life.writer.close_cleanly(None).unwrap();
    let ends = life.reader.ends();
    let whole: Vec<_> = read_all(&life.reader, 1 << 20).iter().map(|b| format!("{b:?}")).collect();
    let boundary = disk.boundaries();
    let (mut flips, mut noticed) = (0, 0);
    for entry in disk.as_disk().list(&dir()).unwrap() {
        if !entry.name.contains('-') {
            continue;
        }
        let path = dir().join(&entry.name);
        for bit in (0..entry.len * 8).step_by(3) {
            for clean in [true, false] {
                flips += 1;
                let flipped = disk.crash(boundary, CrashPolicy::KeepAll);
                flipped.flip_bit(&path, bit).unwrap();
                let at = format!("{} bit {bit}, clean {clean}", entry.name);
                let env = env_on(flipped.as_disk());
                if entry.name.ends_with(".log") {
                    let report = onrush_storage::check(&flipped, &dir(), clean).unwrap();
                    assert!(!report.is_sound(), "check passes over {at}");
                }
                let options = OpenOptions { leader_epoch: epoch(1), clean };
                let opened =
                    match onrush_storage::open(&env, &dir(), cfg(), options, &mut |_, _| {}) {
                        Ok(opened) => opened,
                        Err(StorageError::Corrupt { .. } | StorageError::NewerFormat { .. }) => {
                            noticed += 1;
                            continue;
                        }
                        Err(other) => panic!("{at}: {other}"),
                    };
                assert_eq!(opened.reader.ends().written, ends.written, "{at}");
                let reader = opened.reader.clone();
                let quiet = std::panic::AssertUnwindSafe(|| read_all(&reader, 1 << 20));
                match std::panic::catch_unwind(quiet) {
                    Ok(seen) => {
                        let seen: Vec<_> = seen.iter().map(|b| format!("{b:?}")).collect();
                        assert_eq!(seen, whole, "{at}");
                    }
                    // A client's checks, or a named error.
                    Err(_) => noticed += 1,
                }
            }
        }
    }
    println!("{flips} bits flipped, {noticed} noticed, the rest without effect");
    assert!(flips > 2_000 && noticed > flips / 4, "{noticed} of {flips}");
}

#[test]
fn a_damaged_cleaned_segment_can_be_repaired() {
    let disk = SimDisk::new();
    let mut life = cleaned(&disk);
    life.writer.close_cleanly(None).unwrap();
    let entries = disk.as_disk().list(&dir()).unwrap();
    let name = entries.iter().find(|entry| entry.name.ends_with("-1.log")).unwrap().name.clone();
    disk.flip_bit(&dir().join(&name), 61 * 8 + 3).unwrap();
    let report =
        onrush_storage::repair(&disk, &dir(), false, onrush_storage::RepairMode::Apply).unwrap();
    assert!(report.applied && report.given_up.len() == 1, "{report:?}");
    assert!(onrush_storage::check(&disk, &dir(), false).unwrap().is_sound());
    life.epoch += 1;
    let opened = crate::common::reopen(&life.env, cfg(), false, life.epoch);
    let before = life.reader.ends();
    assert_eq!(opened.reader.ends().written, before.written);
    read_all(&opened.reader, 1 << 20);
    (life.writer, life.reader) = (opened.writer, opened.reader);
    life.writer.roll().unwrap();
    life.settle();
    // What was repaired counts as not clean, and is cleaned anew.
    let claim = life.writer.begin_cleaning().unwrap();
    drop(claim);
}
