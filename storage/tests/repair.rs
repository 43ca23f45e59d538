//! `check` names what is damaged and changes nothing; `repair` gives it up on request.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::*;
use onrush_record::Offset;
use onrush_sim::{CrashPolicy, SimDisk};
use onrush_storage::{LogConfig, RepairMode, RepairReport, Severity, StorageError, check, repair};

fn cfg() -> LogConfig {
    LogConfig { segment_bytes: 1500, index_interval_bytes: 400, ..small() }
}

/// Forty records in some segments, closed cleanly or left.
fn log(clean: bool) -> SimDisk {
    let disk = SimDisk::new();
    let env = env_on(disk.as_disk());
    let (mut writer, _) = fresh(&env, cfg());
    for _ in 0..20 {
        append(&mut writer, 2, 60);
        work(&mut writer);
    }
    if clean {
        writer.close_cleanly(Some(vec![])).unwrap();
    } else {
        writer.checkpoint_now(Some(vec![])).unwrap();
        append(&mut writer, 2, 60);
        writer.flush_now().unwrap();
    }
    let disk = disk.crash(disk.boundaries(), CrashPolicy::KeepAll);
    assert!(disk.as_disk().list(&dir()).unwrap().len() > 7);
    disk
}

/// Flips a bit in the value of a record.
fn spoil(disk: &SimDisk, record: u64) -> String {
    let says = format!("record {record} ");
    for entry in disk.as_disk().list(&dir()).unwrap() {
        let path = dir().join(&entry.name);
        let file = disk.as_disk().open(&path, onrush_sys::OpenMode::Read).unwrap();
        let mut bytes = vec![0; usize::try_from(entry.len).unwrap()];
        file.read_exact_at(&mut bytes, 0).unwrap();
        let found = bytes.windows(says.len()).position(|window| window == says.as_bytes());
        if let Some(at) = found {
            disk.flip_bit(&path, at as u64 * 8 + 3).unwrap();
            return entry.name;
        }
    }
    panic!("record {record} is nowhere");
}

fn given_up(report: &RepairReport) -> Vec<(u64, u64)> {
    report.given_up.iter().map(|lost| (lost.from.get(), lost.to.get())).collect()
}

#[test]
fn a_sound_log_is_found_sound_and_needs_no_repair() {
    for clean in [true, false] {
        let disk = log(clean);
        let report = check(&disk, &dir(), clean).unwrap();
        assert_eq!(report.findings, []);
        assert_eq!((report.start, report.end), (off(0), off(if clean { 40 } else { 42 })));
        assert_eq!(report.batches, report.end.get() / 2);
        assert_eq!(report.clean, clean);
        assert!(repair(&disk, &dir(), false, RepairMode::DryRun).unwrap().is_empty());
        assert_eq!(disk.boundaries(), 0, "looking changes nothing");
    }
}

#[test]
fn damage_is_named_refused_and_what_lies_around_it_served() {
    let disk = log(true);
    let file = spoil(&disk, 9);
    let report = check(&disk, &dir(), false).unwrap();
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!(finding.severity, Severity::Damage);
    assert!(finding.file.ends_with(&file), "{finding:?}");
    assert_eq!(finding.offsets.unwrap().0, off(8));
    assert!(!report.is_sound());
}

#[test]
fn repair_gives_up_the_damaged_batch_only() {
    for clean in [true, false] {
        let disk = log(clean);
        let end = if clean { 40 } else { 42 };
        spoil(&disk, 9);
        let before = disk.boundaries();
        let dry = repair(&disk, &dir(), false, RepairMode::DryRun).unwrap();
        assert_eq!((given_up(&dry), dry.applied), (vec![(8, 10)], false));
        assert_eq!(disk.boundaries(), before, "a dry run changes nothing");
        let done = repair(&disk, &dir(), false, RepairMode::Apply).unwrap();
        assert_eq!((given_up(&done), done.applied), (vec![(8, 10)], true));
        assert_eq!(done.kept_aside.len(), 1);
        let again = check(&disk, &dir(), false).unwrap();
        assert!(again.is_sound(), "{:?}", again.findings);
        let disk = disk.crash(disk.boundaries(), CrashPolicy::DropUnsynced);
        let mut opened = reopen(&env_on(disk.as_disk()), cfg(), false, 2);
        assert_eq!(opened.report.damage, []);
        assert_eq!(opened.report.torn, None);
        expect_all(&opened.reader, 0, end);
        append(&mut opened.writer, 1, 10);
        opened.writer.flush_now().unwrap();
        expect_all(&opened.reader, 0, end + 1);
    }
}

#[test]
fn acknowledged_batches_after_a_damaged_one_past_the_checkpoint_can_be_kept() {
    let disk = log(false);
    let env = env_on(disk.as_disk());
    let mut opened = reopen(&env, cfg(), false, 1);
    append(&mut opened.writer, 2, 10);
    opened.writer.flush_now().unwrap();
    drop(opened);
    spoil(&disk, 41);
    let report = check(&disk, &dir(), false).unwrap();
    assert!(!report.is_sound(), "valid batches follow: no mere torn tail");
    let done = repair(&disk, &dir(), false, RepairMode::Apply).unwrap();
    assert_eq!(given_up(&done), [(40, 42)]);
    expect_all(&reopen(&env, cfg(), false, 2).reader, 0, 44);
}

#[test]
fn a_missing_segment_is_damage_until_it_is_given_up() {
    let disk = log(false);
    let gone = onrush_storage::SegmentSeq::new(1);
    let name = format!("{:010}", gone.get());
    for kind in ["log", "idx"] {
        disk.as_disk().remove_file(&dir().join(format!("{name}.{kind}"))).unwrap();
    }
    assert!(!check(&disk, &dir(), false).unwrap().is_sound());
    let env = env_on(disk.as_disk());
    let opened = reopen(&env, cfg(), false, 2);
    let [damage] = &opened.report.damage[..] else { panic!("{:?}", opened.report) };
    let (from, to) = (damage.from, damage.to);
    assert_eq!(read_from(&opened.reader, 0, 1000).0, from.get());
    expect_all(&opened.reader, to.get(), 42);
    let refused = opened.reader.read(from, 1, &mut onrush_storage::Cursor::default());
    assert!(matches!(refused, Err(StorageError::Damaged { .. })), "{refused:?}");
    // It stays known over a clean stop, after which nothing is read.
    let mut writer = opened.writer;
    append(&mut writer, 1, 1);
    writer.close_cleanly(Some(vec![])).unwrap();
    let opened = reopen(&env, cfg(), true, 2);
    assert!(opened.report.clean);
    assert_eq!((opened.report.damage[0].from, opened.report.damage[0].to), (from, to));
    drop((writer, opened));
    let done = repair(&disk, &dir(), false, RepairMode::Apply).unwrap();
    assert_eq!(given_up(&done), [(from.get(), to.get())]);
    expect_all(&reopen(&env, cfg(), false, 3).reader, 0, 43);
}

#[test]
fn a_data_file_cut_short_is_damage_and_never_a_shorter_log() {
    let disk = log(true);
    let entries = disk.as_disk().list(&dir()).unwrap();
    let last = entries.iter().rfind(|entry| entry.name.ends_with(".log")).unwrap();
    let file =
        disk.as_disk().open(&dir().join(&last.name), onrush_sys::OpenMode::ReadWrite).unwrap();
    file.truncate(last.len - 10).unwrap();
    let env = env_on(disk.as_disk());
    let mut opened = reopen(&env, cfg(), true, 2);
    assert_eq!(opened.reader.ends().written, off(40));
    let from = opened.report.damage[0].from;
    assert_eq!(opened.report.damage[0].to, off(40));
    assert_eq!(read_from(&opened.reader, 0, 1000).0, from.get());
    append(&mut opened.writer, 3, 10);
    opened.writer.flush_now().unwrap();
    expect_all(&opened.reader, 40, 43);
    opened.writer.close_cleanly(Some(vec![])).unwrap();
    drop(opened);
    let done = repair(&disk, &dir(), false, RepairMode::Apply).unwrap();
    assert_eq!(given_up(&done).last().unwrap().1, 40);
    expect_all(&reopen(&env, cfg(), false, 2).reader, 0, 43);
}

#[test]
fn with_both_state_slots_lost_the_data_tells_the_rest() {
    let disk = log(false);
    for slot in ["state.0", "state.1"] {
        disk.flip_bit(&dir().join(slot), 200).unwrap();
    }
    let env = env_on(disk.as_disk());
    let options = onrush_storage::OpenOptions { leader_epoch: epoch(2), clean: false };
    let refused = onrush_storage::open(&env, &dir(), cfg(), options, &mut |_, _| {});
    assert!(matches!(refused, Err(StorageError::Corrupt { .. })), "{refused:?}");
    assert!(!check(&disk, &dir(), false).unwrap().is_sound());
    let done = repair(&disk, &dir(), false, RepairMode::Apply).unwrap();
    assert!(done.state_rebuilt && done.given_up.is_empty());
    let opened = reopen(&env, cfg(), false, 2);
    assert_eq!(opened.reader.epoch_end(epoch(1)), Some((epoch(1), Offset::new(42))));
    expect_all(&opened.reader, 0, 42);
}

#[test]
fn an_append_cut_off_after_a_clean_stop_is_no_damage() {
    let disk = log(true);
    let env = env_on(disk.as_disk());
    let opened = reopen(&env, cfg(), true, 1);
    assert!(opened.report.clean);
    let mut writer = opened.writer;
    append(&mut writer, 2, 60);
    drop((writer, opened.reader));
    let entries = disk.as_disk().list(&dir()).unwrap();
    let last = entries.iter().rfind(|entry| entry.name.ends_with(".log")).unwrap();
    let path = dir().join(&last.name);
    let file = disk.as_disk().open(&path, onrush_sys::OpenMode::ReadWrite).unwrap();
    file.truncate(last.len - 10).unwrap();
    let report = check(&disk, &dir(), true).unwrap();
    assert!(!report.clean, "the closing record is not that of the log as it stands");
    let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!(finding.severity, Severity::Note);
}

#[test]
fn a_damaged_index_is_mended_by_an_opening_that_reads_it_and_damage_for_one_that_does_not() {
    for clean in [true, false] {
        let disk = log(clean);
        let idx = dir().join("0000000000.idx");
        disk.flip_bit(&idx, (64 + 48 + 24) * 8).unwrap();
        let report = check(&disk, &dir(), clean).unwrap();
        let [finding] = &report.findings[..] else { panic!("{:?}", report.findings) };
        let expected = if clean { Severity::Damage } else { Severity::Note };
        assert_eq!(finding.severity, expected, "{finding:?}");
        let opened = reopen(&env_on(disk.as_disk()), cfg(), clean, 2);
        assert_eq!(opened.report.indexes_rebuilt.len(), usize::from(!clean));
        assert_eq!(opened.report.damage, []);
        let end = opened.reader.ends().written.get();
        expect_all(&opened.reader, 0, end);
        // The timestamps of the interval are not forgotten.
        for n in 0..end {
            let found = opened.reader.offset_for_timestamp(n as i64).unwrap();
            assert_eq!(found, Some((off(n), n as i64)));
        }
    }
}

#[test]
fn a_range_that_is_known_to_be_damaged_is_not_looked_for_again() {
    let disk = log(false);
    let env = env_on(disk.as_disk());
    // An entry in the middle of an old index, and the batches that it is about.
    let idx = dir().join("0000000000.idx");
    let entry = 64 + 48;
    let mut position = [0; 8];
    let file = disk.as_disk().open(&idx, onrush_sys::OpenMode::Read).unwrap();
    file.read_exact_at(&mut position, entry + 16).unwrap();
    disk.flip_bit(&idx, (entry + 24) * 8).unwrap();
    let data = u64::from_le_bytes(position) + 70;
    disk.flip_bit(&dir().join("0000000000.log"), data * 8).unwrap();
    let first = reopen(&env, cfg(), false, 2);
    assert_eq!(first.report.damage.len(), 1);
    assert_eq!(first.report.indexes_rebuilt.len(), 1);
    drop((first.writer, first.reader));
    let second = reopen(&env, cfg(), false, 3);
    assert_eq!(second.report.damage, first.report.damage);
    assert_eq!(second.report.indexes_rebuilt, Vec::<String>::new());
    let end = second.reader.ends().written.get();
    expect_all(&second.reader, first.report.damage[0].to.get(), end);
    let refused = read_from(&second.reader, 0, 1000);
    assert_eq!(refused.0, first.report.damage[0].from.get());
}
