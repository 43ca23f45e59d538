//! Appending, flushing, reading, rolling, trimming, closing.
#![allow(missing_docs)]

mod common;

use common::*;
use onrush_storage::{Cursor, ReadMode, StorageError};

#[test]
fn what_is_appended_and_flushed_is_read_back() {
    let (_temp, env) = real();
    let (mut writer, reader) = fresh(&env, small());
    let mut appended = 0;
    for round in 0..40 {
        append(&mut writer, 1 + round % 3, 100);
        appended += 1 + round % 3;
        let ends = reader.ends();
        assert_eq!(ends.written, off(appended));
        assert!(ends.readable < ends.written, "unsynced records are not readable");
        writer.flush_now().unwrap();
        assert_eq!(reader.ends().readable, off(appended));
        work(&mut writer);
    }
    expect_all(&reader, 0, appended);
    for from in 0..appended {
        assert_eq!(read_from(&reader, from, 300).0, appended);
    }
    let mut cursor = Cursor::default();
    assert!(reader.read(off(appended), 100, &mut cursor).unwrap().is_none());
    assert!(matches!(
        reader.read(off(appended + 1), 100, &mut cursor),
        Err(StorageError::OffsetOutOfRange { .. })
    ));
    let read = reader.read(off(0), 1 << 20, &mut cursor).unwrap().unwrap();
    let mapped = read.slice.to_bytes(ReadMode::Mapped).unwrap();
    assert_eq!(mapped, read.slice.to_bytes(ReadMode::Copied).unwrap());
}

#[test]
fn a_clean_stop_is_followed_by_an_opening_that_reads_no_data() {
    let (_temp, env) = real();
    let (mut writer, _) = fresh(&env, small());
    for _ in 0..60 {
        append(&mut writer, 2, 150);
        work(&mut writer);
    }
    writer.close_cleanly(Some(b"kept".to_vec())).unwrap();
    let opened = reopen(&env, small(), true, 1);
    assert!(opened.report.clean);
    assert_eq!(opened.report.bytes_scanned, 0);
    assert!(opened.report.is_sound());
    assert_eq!(opened.attachment, Some((off(120), b"kept".to_vec())));
    expect_all(&opened.reader, 0, 120);
    let mut writer = opened.writer;
    append(&mut writer, 3, 10);
    writer.flush_now().unwrap();
    expect_all(&opened.reader, 0, 123);
    // The marker of the caller was wrong: this is noticed.
    let opened = reopen(&env, small(), true, 1);
    assert!(!opened.report.clean);
    expect_all(&opened.reader, 0, 123);
}

#[test]
fn after_a_crash_only_what_lies_past_the_checkpoint_is_read() {
    let (_temp, env) = real();
    let (mut writer, _) = fresh(&env, small());
    for _ in 0..100 {
        append(&mut writer, 1, 150);
        work(&mut writer);
    }
    writer.checkpoint_now(Some(vec![7])).unwrap();
    for _ in 0..3 {
        append(&mut writer, 1, 150);
    }
    drop(writer);
    let mut visited = Vec::new();
    let options = onrush_storage::OpenOptions { leader_epoch: epoch(2), clean: false };
    let opened = onrush_storage::open(&env, &dir(), small(), options, &mut |header| {
        visited.push(header.base_offset.get());
    })
    .unwrap();
    assert_eq!(visited, [100, 101, 102]);
    assert!(opened.report.is_sound(), "{:?}", opened.report);
    assert_eq!(opened.report.batches_recovered, 3);
    assert!(opened.report.bytes_scanned < 16 * 1024, "{:?}", opened.report);
    expect_all(&opened.reader, 0, 103);
}

#[test]
fn trimmed_records_are_refused_and_their_files_go() {
    let (_temp, env) = real();
    let (mut writer, reader) = fresh(&env, small());
    for _ in 0..100 {
        append(&mut writer, 1, 150);
        work(&mut writer);
    }
    writer.checkpoint_now(None).unwrap();
    work(&mut writer);
    let before = env.disk.list(&dir()).unwrap().len();
    let mut cursor = Cursor::default();
    let held = reader.read(off(0), 500, &mut cursor).unwrap().unwrap();
    let mut trim = writer.trim_to(off(70)).unwrap();
    assert!(matches!(
        reader.read(off(69), 1, &mut Cursor::default()),
        Err(StorageError::OffsetOutOfRange { .. })
    ));
    trim.persist().unwrap();
    assert!(trim.segments() > 1);
    trim.delete_files().unwrap();
    assert!(env.disk.list(&dir()).unwrap().len() < before);
    assert!(!held.slice.to_bytes(ReadMode::Copied).unwrap().is_empty(), "held slices stay");
    expect_all(&reader, 70, 100);
    drop((writer, reader));
    let opened = reopen(&env, small(), false, 2);
    assert_eq!(opened.reader.ends().start, off(70));
    expect_all(&opened.reader, 70, 100);
}
