//! Failing syncs, full disks, failing writes.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use common::*;
use onrush_sim::{CrashPolicy, Fault, Operation, SimDisk};
use onrush_storage::{
    Env, LogReader, LogWriter, OpenOptions, StorageError, create_all, open, settle_epochs,
};

fn simulated() -> (SimDisk, Env) {
    let disk = SimDisk::new();
    let env = env_on(disk.as_disk());
    (disk, env)
}

/// A log with 30 durable records and two that are not, whose sync has failed.
fn poisoned(disk: &SimDisk, env: &Env) -> (LogWriter, LogReader) {
    let (mut writer, reader) = fresh(env, small());
    for _ in 0..30 {
        append(&mut writer, 1, 300);
        work(&mut writer);
    }
    writer.checkpoint_now(Some(vec![1])).unwrap();
    append(&mut writer, 2, 40);
    disk.fail(Fault::next(Operation::Sync));
    assert!(matches!(writer.flush_now(), Err(StorageError::Poisoned { .. })));
    (writer, reader)
}

#[test]
fn a_failed_sync_poisons_and_is_never_retried() {
    let (disk, env) = simulated();
    let (mut writer, reader) = poisoned(&disk, &env);
    let boundary = disk.boundaries();
    assert!(matches!(try_append(&mut writer, 1, 1), Err(StorageError::Poisoned { .. })));
    assert!(matches!(writer.flush_now(), Err(StorageError::Poisoned { .. })));
    assert!(matches!(writer.close_cleanly(None), Err(StorageError::Poisoned { .. })));
    assert!(writer.begin_flush().is_none() && writer.background().is_none());
    assert!(writer.begin_checkpoint(Some(vec![])).is_none());
    assert_eq!(disk.boundaries(), boundary, "nothing is tried again");
    // What was readable stays so.
    assert_eq!(reader.ends().readable, off(30));
    expect_all(&reader, 0, 30);
}

#[test]
fn reopening_after_a_failed_sync_drops_nothing_that_was_readable() {
    let (disk, env) = simulated();
    let (mut writer, reader) = poisoned(&disk, &env);
    let mut cursor = onrush_storage::Cursor::default();
    let held = reader.read(off(28), 1 << 20, &mut cursor).unwrap().unwrap();
    assert_eq!(writer.reopen_after_failure().unwrap(), off(32));
    assert_eq!(reader.ends().durable, off(32));
    expect_all(&reader, 0, 32);
    assert!(!held.slice.to_bytes(onrush_storage::ReadMode::Copied).unwrap().is_empty());
    // All of it is on the medium now, whatever the kernel forgot about the failed pages.
    disk.drop_caches();
    append(&mut writer, 1, 300);
    writer.flush_now().unwrap();
    expect_all(&reader, 0, 33);
    drop((writer, reader));
    let crashed = disk.crash(disk.boundaries(), CrashPolicy::DropUnsynced);
    let opened = reopen(&env_on(crashed.as_disk()), small(), false, 2);
    assert_eq!(opened.report.damage, []);
    expect_all(&opened.reader, 0, 33);
}

#[test]
fn a_crash_at_any_point_of_reopening_loses_nothing() {
    let (disk, env) = simulated();
    let (mut writer, _) = poisoned(&disk, &env);
    let from = disk.boundaries();
    writer.reopen_after_failure().unwrap();
    append(&mut writer, 1, 10);
    let plan = onrush_sim::CrashPlan { torn: 4, reordered: 12, seed: 3 };
    let mut states = 0;
    for (point, crashed) in disk.crash_states_from(from, plan) {
        states += 1;
        let opened = reopen(&env_on(crashed.as_disk()), small(), false, 2);
        let end = opened.reader.ends().readable.get();
        assert!((30..=33).contains(&end), "{end} at {point}: {:?}", opened.report);
        assert_eq!(opened.report.damage, [], "{point}");
        assert_eq!(read_from(&opened.reader, 0, 1000), (end, Ok(())), "{point}");
    }
    assert!(states > 50, "{states}");
}

#[test]
fn a_state_whose_sync_failed_is_written_anew_and_not_synced_again() {
    let (disk, env) = simulated();
    let (mut writer, reader) = fresh(&env, small());
    append(&mut writer, 3, 100);
    writer.checkpoint_now(Some(b"first".to_vec())).unwrap();
    append(&mut writer, 3, 100);
    disk.fail(Fault::next(Operation::Sync).on("state."));
    assert!(writer.checkpoint_now(Some(b"second".to_vec())).is_err());
    assert!(writer.is_poisoned());
    writer.reopen_after_failure().unwrap();
    // Were the doubtful slot synced again, that would succeed and mean nothing; and the good one
    // would be overwritten.
    writer.checkpoint_now(Some(b"third".to_vec())).unwrap();
    writer.checkpoint_now(Some(b"fourth".to_vec())).unwrap();
    let from = disk.boundaries();
    writer.checkpoint_now(Some(b"fifth".to_vec())).unwrap();
    drop((writer, reader));
    for (point, crashed) in disk.crash_states_from(from, onrush_sim::CrashPlan::default()) {
        let opened = reopen(&env_on(crashed.as_disk()), small(), false, 2);
        let (offset, bytes) = opened.attachment.unwrap();
        assert_eq!(offset, off(6), "{point}");
        assert!(bytes == b"fourth" || bytes == b"fifth", "{point}: {bytes:?}");
        expect_all(&opened.reader, 0, 6);
    }
}

#[test]
fn a_second_failure_takes_the_log_offline() {
    for reopen_works in [true, false] {
        let (disk, env) = simulated();
        let (mut writer, reader) = poisoned(&disk, &env);
        if reopen_works {
            writer.reopen_after_failure().unwrap();
            append(&mut writer, 1, 10);
            disk.fail(Fault::next(Operation::Sync));
            assert!(matches!(writer.flush_now(), Err(StorageError::Poisoned { .. })));
        } else {
            disk.fail(Fault::next(Operation::Sync));
        }
        assert!(matches!(writer.reopen_after_failure(), Err(StorageError::Offline { .. })));
        assert!(matches!(try_append(&mut writer, 1, 1), Err(StorageError::Offline { .. })));
        let mut cursor = onrush_storage::Cursor::default();
        assert!(matches!(reader.read(off(0), 1, &mut cursor), Err(StorageError::Offline { .. })));
    }
}

#[test]
fn a_full_disk_refuses_appends_keeps_reads_and_recovers_by_itself() {
    let (disk, env) = simulated();
    let (mut writer, reader) = fresh(&env, small());
    for _ in 0..5 {
        append(&mut writer, 1, 300);
    }
    writer.checkpoint_now(Some(vec![1])).unwrap();
    append(&mut writer, 1, 300);
    disk.set_capacity(disk.used_bytes() + 150);
    for _ in 0..3 {
        assert!(matches!(try_append(&mut writer, 2, 300), Err(StorageError::Full { .. })));
        assert_eq!(writer.written_end(), off(6));
    }
    assert_eq!(writer.flush_now().unwrap(), off(6));
    expect_all(&reader, 0, 6);
    let mut trim = writer.trim_to(off(2)).unwrap();
    trim.persist().unwrap();
    disk.heal();
    append(&mut writer, 1, 300);
    writer.flush_now().unwrap();
    expect_all(&reader, 2, 7);
}

#[test]
fn a_refused_append_is_not_there_after_a_crash_either() {
    for fault in [
        Fault::next(Operation::Write).on(".log"),
        Fault::next(Operation::Write).on(".log").no_space(),
    ] {
        let (disk, env) = simulated();
        let (mut writer, reader) = fresh(&env, small());
        append(&mut writer, 3, 100);
        writer.flush_now().unwrap();
        disk.fail(fault);
        // Two batches: the half of the write that is done holds the first one whole.
        let mut batches = [batch(3, 1, 100), batch(4, 1, 900)];
        let headers = [header(&batches[0]), header(&batches[1])];
        let [first, second] = &mut batches;
        assert!(writer.append(&mut [first, second], &headers, 0).is_err());
        let refused = disk.boundaries();
        for policy in [CrashPolicy::KeepAll, CrashPolicy::DropUnsynced, CrashPolicy::Reordered(4)] {
            let crashed = disk.crash(refused, policy);
            let opened = reopen(&env_on(crashed.as_disk()), small(), false, 2);
            assert_eq!(opened.reader.ends().written, off(3));
        }
        append(&mut writer, 1, 100);
        writer.flush_now().unwrap();
        expect_all(&reader, 0, 4);
    }
}

#[test]
fn a_checkpoint_is_refused_before_what_it_covers_is_durable() {
    let (_disk, env) = simulated();
    let (mut writer, _) = fresh(&env, small());
    append(&mut writer, 3, 100);
    let mut ticket = writer.begin_checkpoint(Some(vec![])).unwrap();
    assert!(matches!(ticket.write(), Err(StorageError::NotDurable { .. })));
    writer.flush_now().unwrap();
    ticket.write().unwrap();
    env.disk.sync_files(ticket.files());
    writer.complete_checkpoint(ticket, Ok(())).unwrap();
    assert!(!writer.needs_checkpoint());
}

#[test]
fn the_old_tail_is_durable_before_any_later_offset_is() {
    let (disk, env) = simulated();
    let (mut writer, reader) = fresh(&env, small());
    append(&mut writer, 3, 100);
    writer.roll().unwrap();
    append(&mut writer, 3, 100);
    let ticket = writer.begin_flush().unwrap();
    assert_eq!(ticket.files.len(), 2, "both segments are synced");
    disk.fail(Fault::next(Operation::Sync).on("0000000000.log"));
    let outcome = ticket.sync(&*env.disk);
    assert!(writer.complete_flush(ticket, outcome).is_err());
    assert_eq!(reader.ends().durable, off(0));
}

#[test]
fn the_epoch_is_durable_before_the_first_append_after_an_unclean_stop() {
    let (disk, env) = simulated();
    let (mut writer, reader) = fresh(&env, small());
    append(&mut writer, 3, 100);
    writer.flush_now().unwrap();
    drop((writer, reader));
    for in_background in [true, false] {
        let disk = disk.crash(disk.boundaries(), CrashPolicy::DropUnsynced);
        let env = env_on(disk.as_disk());
        let mut opened = reopen(&env, small(), false, 7);
        if in_background {
            work(&mut opened.writer);
        }
        append(&mut opened.writer, 1, 10);
        assert_eq!(opened.reader.epoch(), epoch(7));
        assert_eq!(opened.reader.epoch_end(epoch(1)), Some((epoch(1), off(3))));
        assert_eq!(opened.reader.epoch_end(epoch(6)), Some((epoch(1), off(3))));
        assert_eq!(opened.reader.epoch_end(epoch(9)), Some((epoch(7), off(4))));
        let crashed = disk.crash(disk.boundaries(), CrashPolicy::DropUnsynced);
        let again = reopen(&env_on(crashed.as_disk()), small(), false, 1);
        assert!(again.writer.epoch() == epoch(7), "known whatever became of the append");
    }
}

#[test]
fn consumers_never_see_what_is_not_durable() {
    let (disk, env) = simulated();
    let (mut writer, reader) = fresh(&env, small());
    append(&mut writer, 3, 100);
    let mut cursor = onrush_storage::Cursor::default();
    assert!(reader.read(off(0), 1 << 20, &mut cursor).unwrap().is_none());
    let ticket = writer.begin_flush().unwrap();
    let outcome = ticket.sync(&*env.disk);
    append(&mut writer, 1, 100);
    writer.complete_flush(ticket, outcome).unwrap();
    let read = reader.read(off(0), 1 << 20, &mut cursor).unwrap().unwrap();
    assert_eq!(read.next, off(3), "the append that came during the sync is not in it");
    assert!(reader.read(off(3), 1 << 20, &mut cursor).unwrap().is_none());
    let crashed = disk.crash(disk.boundaries(), CrashPolicy::DropUnsynced);
    expect_all(&reopen(&env_on(crashed.as_disk()), small(), false, 2).reader, 0, 3);
}

#[test]
fn a_newer_format_is_refused_by_name() {
    let (_disk, env) = simulated();
    drop(fresh(&env, small()));
    for slot in ["log/state.0", "log/state.1"] {
        let file = env.disk.open(slot.as_ref(), onrush_sys::OpenMode::ReadWrite).unwrap();
        let mut head = [0; 24];
        file.read_exact_at(&mut head, 0).unwrap();
        head[8..12].copy_from_slice(&99u32.to_le_bytes());
        let crc = onrush_record::crc32c(&head[..20]);
        head[20..].copy_from_slice(&crc.to_le_bytes());
        file.write_all_at(&mut [std::io::IoSlice::new(&head)], 0).unwrap();
    }
    let options = onrush_storage::OpenOptions { leader_epoch: epoch(1), clean: true };
    let refused = onrush_storage::open(&env, &dir(), small(), options, &mut |_, _| {});
    assert!(matches!(refused, Err(StorageError::NewerFormat { found: 99, .. })), "{refused:?}");
}

#[test]
fn many_logs_share_few_open_files() {
    let disk = SimDisk::new();
    let mut env = env_on(disk.as_disk());
    env.files = onrush_storage::OpenFiles::new(4);
    let mut logs: Vec<_> = (0..20)
        .map(|n| {
            let dir = format!("log{n}");
            onrush_storage::create(&env, dir.as_ref(), small(), epoch(1)).unwrap()
        })
        .collect();
    for _ in 0..10 {
        for (writer, reader) in &mut logs {
            append(writer, 1, 500);
            writer.flush_now().unwrap();
            work(writer);
            let end = writer.written_end().get();
            assert_eq!(read_from(reader, 0, 1000), (end, Ok(())));
        }
    }
    assert!(env.files.len() <= 4, "{}", env.files.len());
    let _: Arc<_> = env.files;
}

#[test]
fn a_segment_that_could_not_be_prepared_leaves_no_file() {
    let (disk, env) = simulated();
    let (mut writer, reader) = fresh(&env, small());
    append(&mut writer, 1, 3000);
    writer.flush_now().unwrap();
    let logs = || {
        let entries = env.disk.list(&dir()).unwrap();
        entries.into_iter().filter(|entry| entry.name.ends_with(".log")).count()
    };
    // Ahead, and when it is needed.
    disk.fail(Fault::next(Operation::SyncDir));
    let done = writer.background().unwrap().run();
    assert!(writer.complete_background(done).is_err());
    disk.fail(Fault::next(Operation::SyncDir));
    assert!(writer.roll().is_err());
    assert_eq!(logs(), 3);
    // One cannot even be deleted then; the stop does it.
    disk.fail(Fault::next(Operation::Remove));
    let mut failed = 0;
    while let Some(job) = writer.background() {
        failed += usize::from(writer.complete_background(job.run()).is_err());
    }
    assert_eq!((failed, logs()), (1, 2));
    writer.close_cleanly(None).unwrap();
    assert_eq!(logs(), 1);
    drop((writer, reader));
    let opened = reopen(&env, small(), true, 1);
    assert!(opened.report.clean, "its files are those of the closing record");
    expect_all(&opened.reader, 0, 1);
}

#[test]
fn epochs_are_stored_together_and_by_its_next_append_where_that_fails() {
    let (disk, env) = simulated();
    let dirs = ["a", "b", "c"].map(std::path::PathBuf::from);
    for (mut writer, _) in create_all(&env, &dirs, &small(), epoch(1)).unwrap() {
        append(&mut writer, 2, 40);
        writer.flush_now().unwrap();
    }
    env.disk.sync_dir(std::path::Path::new("")).unwrap();
    let disk = disk.killed(disk.boundaries());
    let env = env_on(disk.as_disk());
    let opened = |env: &Env, leader, dir| {
        let options = OpenOptions { leader_epoch: epoch(leader), clean: false };
        open(env, dir, small(), options, &mut |_, _| {}).unwrap()
    };
    let mut logs: Vec<_> = dirs.iter().map(|dir| opened(&env, 2, dir)).collect();
    disk.fail(Fault::next(Operation::Sync).on("b/state."));
    let mut writers: Vec<_> = logs.iter_mut().map(|log| &mut log.writer).collect();
    settle_epochs(&*env.disk, &mut writers);
    let failing = Fault::next(Operation::Sync).on("state.").forever();
    disk.fail(failing.clone());
    append(&mut logs[0].writer, 1, 40);
    append(&mut logs[2].writer, 1, 40);
    assert!(matches!(try_append(&mut logs[1].writer, 1, 40), Err(StorageError::Io { .. })));
    disk.heal();
    append(&mut logs[1].writer, 1, 40);
    for log in &mut logs {
        log.writer.flush_now().unwrap();
    }
    // Of both slots either tells, should the other be lost.
    for slot in ["state.0", "state.1"] {
        let crashed = disk.crash(disk.boundaries(), CrashPolicy::DropUnsynced);
        for dir in &dirs {
            crashed.flip_bit(&dir.join(slot), 300).unwrap();
            let found = opened(&env_on(crashed.as_disk()), 3, dir);
            assert_eq!(found.report.damage, []);
            assert_eq!(found.reader.epoch_end(epoch(1)), Some((epoch(1), off(2))));
            assert_eq!(found.reader.epoch_end(epoch(2)), Some((epoch(2), off(3))));
            expect_all(&found.reader, 0, 3);
        }
    }
}

#[test]
fn an_epoch_that_is_stored_late_leaves_a_clean_stop_clean() {
    let (disk, env) = simulated();
    let (mut writer, _) = fresh(&env, small());
    append(&mut writer, 2, 40);
    writer.flush_now().unwrap();
    drop(writer);
    let mut opened = reopen(&env, small(), false, 2);
    disk.fail(Fault::next(Operation::Sync).on("state.").forever());
    settle_epochs(&*env.disk, &mut [&mut opened.writer]);
    disk.heal();
    opened.writer.close_cleanly(None).unwrap();
    drop(opened);
    let mut opened = reopen(&env, small(), true, 2);
    assert!(opened.report.clean);
    settle_epochs(&*env.disk, &mut [&mut opened.writer]);
    assert_eq!(opened.writer.epoch(), epoch(2));
    opened.writer.close_cleanly(None).unwrap();
    drop(opened);
    let opened = reopen(&env, small(), true, 2);
    assert!(opened.report.clean);
    expect_all(&opened.reader, 0, 2);
}
