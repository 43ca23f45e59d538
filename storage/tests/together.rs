//! Many logs that a kill left, opened together.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::path::{Path, PathBuf};

use common::*;
use onrush_sim::{CrashPolicy, Fault, Operation, SimDisk};
use onrush_storage::{
    Env, OpenOptions, Opening, Recovered, Result, StorageError, create_all, open, settle_epochs,
};
use onrush_sys::{Disk as _, OpenMode};

const AFTER_A_KILL: OpenOptions = OpenOptions { leader_epoch: epoch(2), clean: false };

/// So many logs of three records each, of which no checkpoint tells, after a kill.
fn killed(count: usize) -> (SimDisk, Env, Vec<PathBuf>) {
    let disk = SimDisk::new();
    let env = env_on(disk.as_disk());
    let dirs: Vec<PathBuf> = (0..count).map(|n| format!("log{n}").into()).collect();
    for (mut writer, _) in create_all(&env, &dirs, &small(), epoch(1)).unwrap() {
        append(&mut writer, 3, 40);
        writer.flush_now().unwrap();
    }
    env.disk.sync_dir(Path::new("")).unwrap();
    let disk = disk.killed(disk.boundaries());
    let env = env_on(disk.as_disk());
    (disk, env, dirs)
}

fn begin(env: &Env, dirs: &[PathBuf]) -> Vec<Opening> {
    dirs.iter().map(|dir| Opening::begin(env, dir, small(), AFTER_A_KILL).unwrap()).collect()
}

fn open_together(env: &Env, dirs: &[PathBuf]) -> Vec<Result<Recovered>> {
    let mut openings = begin(env, dirs);
    Opening::settle_all(&*env.disk, &mut openings);
    openings.into_iter().map(|opening| opening.finish(&mut |_, _| {})).collect()
}

/// Bytes behind the last batch, as a write leaves them that did not come to its end.
fn tear(disk: &SimDisk, dir: &Path) {
    let file = disk.open(&dir.join("0000000000.log"), OpenMode::ReadWrite).unwrap();
    let end = file.len().unwrap();
    file.write_all_at(&mut [std::io::IoSlice::new(&[7; TORN])], end).unwrap();
    file.sync_data().unwrap();
}

/// Bytes of a torn tail.
const TORN: usize = 100;

/// How long the file of that kind is, if it is there.
fn length(disk: &SimDisk, dir: &Path, kind: &str) -> u64 {
    let entries = disk.list(dir).unwrap();
    entries.iter().find(|entry| entry.name.contains(kind)).map_or(0, |entry| entry.len)
}

/// All is on the medium, whatever becomes of the rest.
fn holds(disk: &SimDisk, dirs: &[PathBuf], records: u64) {
    let crashed = disk.crash(disk.boundaries(), CrashPolicy::DropUnsynced);
    let env = env_on(crashed.as_disk());
    for dir in dirs {
        let options = OpenOptions { leader_epoch: epoch(3), clean: false };
        let found = open(&env, dir, small(), options, &mut |_, _| {}).unwrap();
        assert!(found.report.is_sound() && found.report.torn.is_none(), "{:?}", found.report);
        assert_eq!(found.reader.epoch_end(epoch(2)), Some((epoch(2), off(records))));
        expect_all(&found.reader, 0, records);
    }
}

#[test]
fn as_many_syncs_recover_many_logs_as_few() {
    let syncs = |count, torn: bool| {
        let (disk, env, dirs) = killed(count);
        if torn {
            dirs.iter().for_each(|dir| tear(&disk, dir));
        }
        let before = disk.sync_calls();
        let mut opened: Vec<_> =
            open_together(&env, &dirs).into_iter().map(Result::unwrap).collect();
        let recovered = disk.sync_calls() - before;
        for log in &opened {
            assert_eq!(log.report.torn.is_some(), torn);
            expect_all(&log.reader, 0, 3);
        }
        let mut writers: Vec<_> = opened.iter_mut().map(|log| &mut log.writer).collect();
        settle_epochs(&*env.disk, &mut writers);
        let with_epochs = disk.sync_calls() - before;
        holds(&disk, &dirs, 3);
        (recovered, with_epochs)
    };
    // What was found, and the epoch in one slot and then the other.
    assert_eq!(syncs(2, false), (1, 3));
    assert_eq!(syncs(40, false), (1, 3));
    // What was cut off is durable before it is cut off.
    assert_eq!(syncs(2, true), (2, 4));
    assert_eq!(syncs(40, true), (2, 4));
}

#[test]
fn a_log_that_its_checkpoint_covers_opens_also_where_no_sync_goes_well() {
    let (disk, env, dirs) = killed(1);
    let mut opened = open_together(&env, &dirs).remove(0).unwrap();
    opened.writer.checkpoint_now(None).unwrap();
    drop(opened);
    disk.fail(Fault::next(Operation::Sync).on(".log").forever());
    disk.fail(Fault::next(Operation::SyncDir).forever());
    let opened = open_together(&env, &dirs).remove(0).unwrap();
    expect_all(&opened.reader, 0, 3);
}

#[test]
fn where_a_sync_fails_that_log_alone_does_not_open() {
    let faults = [
        (false, Fault::next(Operation::Sync).on("log1/0000000000.log")),
        (false, Fault::next(Operation::SyncDir).on("log1")),
        (true, Fault::next(Operation::Sync).on("log1/0000000000.torn")),
        (true, Fault::next(Operation::Sync).on("log1/0000000000.log").after(1)),
    ];
    for (torn, fault) in faults {
        let (disk, env, dirs) = killed(3);
        if torn {
            tear(&disk, &dirs[1]);
        }
        disk.fail(fault);
        let mut opened = open_together(&env, &dirs);
        match opened.remove(1) {
            Err(StorageError::Io { op: "sync", path, .. }) => assert!(path.contains("log1")),
            other => panic!("{other:?}"),
        }
        for log in &mut opened {
            let log = log.as_mut().unwrap();
            expect_all(&log.reader, 0, 3);
            append(&mut log.writer, 1, 40);
            log.writer.flush_now().unwrap();
        }
        drop(opened);
        // Nothing of it is lost, and the next start makes all of it durable.
        let mut again: Vec<_> =
            open_together(&env, &dirs[1..2]).into_iter().map(Result::unwrap).collect();
        append(&mut again[0].writer, 1, 40);
        again[0].writer.flush_now().unwrap();
        expect_all(&again[0].reader, 0, 4);
        drop(again);
        let after = env_on(disk.crash(disk.boundaries(), CrashPolicy::DropUnsynced).as_disk());
        for log in open_together(&after, &dirs) {
            expect_all(&log.unwrap().reader, 0, 4);
        }
    }
}

#[test]
fn a_state_that_cannot_be_synced_keeps_no_log_from_opening() {
    let (disk, env, dirs) = killed(2);
    disk.fail(Fault::next(Operation::Sync).on("log0/state."));
    let mut opened: Vec<_> = open_together(&env, &dirs).into_iter().map(Result::unwrap).collect();
    for log in &mut opened {
        // It is made durable before another one is written.
        append(&mut log.writer, 1, 40);
        log.writer.flush_now().unwrap();
    }
    drop(opened);
    let after = env_on(disk.crash(disk.boundaries(), CrashPolicy::DropUnsynced).as_disk());
    for log in open_together(&after, &dirs) {
        expect_all(&log.unwrap().reader, 0, 4);
    }
}

#[test]
fn nothing_is_cut_off_before_its_copy_is_durable() {
    let (disk, env, dirs) = killed(3);
    let whole = length(&disk, &dirs[0], ".log") + TORN as u64;
    dirs.iter().for_each(|dir| tear(&disk, dir));
    let from = disk.boundaries();
    let mut openings = begin(&env, &dirs);
    for dir in &dirs {
        assert_eq!(length(&disk, dir, ".log"), whole, "it is still where it was");
    }
    Opening::settle_all(&*env.disk, &mut openings);
    for dir in &dirs {
        assert_eq!(length(&disk, dir, ".log"), whole - TORN as u64);
    }
    for boundary in from..=disk.boundaries() {
        let crashed = disk.crash(boundary, CrashPolicy::DropUnsynced);
        for dir in &dirs {
            let (log, copy) = (length(&crashed, dir, ".log"), length(&crashed, dir, ".torn-"));
            assert!(log == whole || copy == TORN as u64, "after {}", disk.describe(boundary));
        }
    }
}
