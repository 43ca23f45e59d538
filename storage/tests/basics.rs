//! Appending, flushing, reading, rolling, trimming, closing.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use common::*;
use onrush_record::batch::{BatchBuilder, Codec, Marker};
use onrush_record::{ProducerEpoch, ProducerId};
use onrush_storage::{Cursor, Env, LogConfig, LogWriter, ReadMode, StorageError};
use onrush_sys::DiskBackend;

#[test]
fn what_is_appended_and_flushed_is_read_back() {
    for backend in [DiskBackend::Plain, DiskBackend::Uring] {
        let (_temp, env) = real_backend(backend);
        append_flush_and_read(&env);
    }
    append_flush_and_read(&env_on(onrush_sim::SimDisk::new().as_disk()));
}

fn append_flush_and_read(env: &Env) {
    let (mut writer, reader) = fresh(env, small());
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
    let opened = onrush_storage::open(&env, &dir(), small(), options, &mut |header, _| {
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

fn append_at(writer: &mut LogWriter, codec: Codec, timestamps: &[i64]) {
    let mut builder = BatchBuilder::new(codec);
    for (n, timestamp) in (writer.written_end().get()..).zip(timestamps) {
        builder.push(*timestamp, None, Some(format!("record {n} ").as_bytes()), &[]);
    }
    let mut bytes = builder.finish().unwrap();
    let header = header(&bytes);
    writer.append(&mut [&mut bytes], &[header], 0).unwrap();
}

#[test]
fn a_lookup_by_time_gives_the_first_record_that_is_not_older() {
    let (_temp, env) = real();
    let cfg = LogConfig { segment_bytes: 600, index_interval_bytes: 150, ..small() };
    let (mut writer, reader) = fresh(&env, cfg.clone());
    let mut timestamps = Vec::new();
    for n in 0..30i64 {
        // Out of order on purpose, in plain and compressed batches.
        let batch = [100 + n * 10, 95 + n * 10, 100 + n * 10 + (n % 4) * 25];
        let codec = if n % 3 == 0 { Codec::Lz4 } else { Codec::None };
        append_at(&mut writer, codec, &batch);
        timestamps.extend(batch);
        work(&mut writer);
    }
    writer.checkpoint_now(Some(vec![])).unwrap();
    append_at(&mut writer, Codec::None, &[410, 77]);
    timestamps.extend([410, 77]);
    writer.flush_now().unwrap();
    append_at(&mut writer, Codec::None, &[1000]);
    let check = |reader: &onrush_storage::LogReader, start: usize, timestamps: &[i64]| {
        for asked in 90..480 {
            let found = (start..timestamps.len()).find(|n| timestamps[*n] >= asked);
            let found = found.map(|n| (off(n as u64), timestamps[n]));
            assert_eq!(reader.offset_for_timestamp(asked).unwrap(), found, "asked {asked}");
        }
        let max = timestamps[start..].iter().max().unwrap();
        let at = start + timestamps[start..].iter().position(|at| at == max).unwrap();
        assert_eq!(reader.max_timestamp().unwrap(), Some((off(at as u64), *max)));
    };
    check(&reader, 0, &timestamps);
    let mut trim = writer.trim_to(off(25)).unwrap();
    trim.persist().unwrap();
    check(&reader, 25, &timestamps);
    trim.delete_files().unwrap();
    check(&reader, 25, &timestamps);
    writer.flush_now().unwrap();
    timestamps.push(1000);
    drop((writer, reader));
    let opened = reopen(&env, cfg.clone(), false, 1);
    check(&opened.reader, 25, &timestamps);
    let mut writer = opened.writer;
    writer.close_cleanly(Some(vec![])).unwrap();
    append_at(&mut writer, Codec::None, &[5]);
    timestamps.push(5);
    writer.close_cleanly(Some(vec![])).unwrap();
    check(&reopen(&env, cfg, true, 1).reader, 25, &timestamps);
}

#[test]
fn segments_roll_by_time_and_go_by_age_and_size() {
    let (_temp, env) = real();
    let cfg = LogConfig { segment_ms: Some(1000), retention_ms: Some(5000), ..small() };
    let (mut writer, reader) = fresh(&env, cfg.clone());
    assert_eq!(writer.next_due_ms(), None);
    append_at(&mut writer, Codec::None, &[50]);
    writer.flush_now().unwrap();
    assert_eq!(writer.next_due_ms(), Some(1000));
    assert!(!writer.roll_due(999));
    assert!(writer.roll_due(1000));
    work(&mut writer);
    assert!(writer.is_roll_ready(), "prepared off the lock");
    writer.roll().unwrap();
    assert_eq!(writer.retention_due(5049), None);
    assert_eq!(writer.next_due_ms(), Some(5050));
    assert_eq!(writer.retention_due(5050), Some(off(1)));
    let mut trim = writer.trim_to(off(1)).unwrap();
    trim.persist().unwrap();
    // Its index is not written yet, so the files wait for a later trim.
    writer.checkpoint_now(Some(vec![])).unwrap();
    trim.delete_files().unwrap();
    assert_eq!(reader.ends().start, off(1));

    // The active segment goes too once all of it has expired.
    append_at(&mut writer, Codec::None, &[60]);
    writer.flush_now().unwrap();
    assert!(writer.roll_due(5060));
    writer.roll().unwrap();
    assert_eq!(writer.retention_due(5060), Some(off(2)));

    writer.set_config(LogConfig { retention_bytes: Some(2000), retention_ms: None, ..cfg });
    for _ in 0..40 {
        append(&mut writer, 1, 300);
        work(&mut writer);
    }
    writer.checkpoint_now(Some(vec![])).unwrap();
    let to = writer.retention_due(0).unwrap();
    let mut trim = writer.trim_to(to).unwrap();
    assert!(trim.segments() >= 2);
    trim.persist().unwrap();
    trim.delete_files().unwrap();
    assert_eq!(writer.retention_due(0), None);
    let kept = reader.ends().written.since(reader.ends().start) * 300;
    assert!((2000..2000 + 4096 + 1500).contains(&kept), "{kept}");
}

#[test]
fn room_set_aside_grows_with_use_and_is_given_back() {
    let (_temp, env) = real();
    let cfg = LogConfig { segment_bytes: 1 << 20, preallocate_max_bytes: 1 << 16, ..small() };
    let (mut writer, _) = fresh(&env, cfg);
    let len = || env.disk.list(&dir()).unwrap().iter().map(|entry| entry.len).max().unwrap();
    assert!(len() < 512, "an idle log takes no room");
    append(&mut writer, 1, 100);
    work(&mut writer);
    let first = len();
    assert!((1024..4096).contains(&first), "{first}");
    for _ in 0..20 {
        append(&mut writer, 1, 5000);
        work(&mut writer);
    }
    assert!(len() > 110_000);
    writer.close_cleanly(Some(vec![])).unwrap();
    assert!(len() < 105_000, "{}", len());
}

#[test]
fn a_batch_too_large_is_refused_and_one_larger_than_a_segment_is_not() {
    let (_temp, env) = real();
    let (mut writer, reader) = fresh(&env, small());
    append(&mut writer, 1, 10);
    append(&mut writer, 1, 20_000);
    append(&mut writer, 1, 10);
    assert!(matches!(
        try_append(&mut writer, 1, 70_000),
        Err(StorageError::BatchTooLarge { max: 65_536, .. })
    ));
    writer.flush_now().unwrap();
    expect_all(&reader, 0, 3);
}

#[test]
fn a_log_is_created_once() {
    let (_temp, env) = real();
    let (mut writer, _) = fresh(&env, small());
    append(&mut writer, 1, 10);
    let again = onrush_storage::create(&env, &dir(), small(), epoch(1));
    assert!(matches!(again, Err(StorageError::Exists { .. })));
    let options = onrush_storage::OpenOptions { leader_epoch: epoch(1), clean: true };
    let missing = onrush_storage::open(&env, "other".as_ref(), small(), options, &mut |_, _| {});
    assert!(matches!(missing, Err(StorageError::Missing { .. })));
}

#[test]
fn many_logs_are_created_and_closed_with_their_syncs_together() {
    let disk = onrush_sim::SimDisk::new();
    let env = env_on(disk.as_disk());
    let dirs: Vec<std::path::PathBuf> = (0..300).map(|n| format!("log{n}").into()).collect();
    let mut logs = onrush_storage::create_all(&env, &dirs, &small(), epoch(1)).unwrap();
    env.disk.sync_dir("".as_ref()).unwrap();
    let mut tickets = Vec::new();
    let mut files = Vec::new();
    for (writer, _) in &mut logs {
        append(writer, 2, 20);
        work(writer);
        writer.flush_now().unwrap();
        let mut ticket = writer.begin_close(Some(vec![1])).unwrap();
        assert!(matches!(try_append(writer, 1, 1), Err(StorageError::Misuse(_))));
        ticket.write().unwrap();
        files.extend_from_slice(ticket.files());
        tickets.push(ticket);
    }
    assert!(env.disk.sync_files(&files).iter().all(Result::is_ok));
    for ((writer, _), ticket) in logs.iter_mut().zip(tickets) {
        writer.complete_close(ticket, Ok(())).unwrap();
        assert!(!writer.needs_close() && writer.begin_close(None).is_none());
    }
    let cut = disk.crash(disk.boundaries(), onrush_sim::CrashPolicy::DropUnsynced);
    let env = env_on(cut.as_disk());
    for dir in &dirs {
        let options = onrush_storage::OpenOptions { leader_epoch: epoch(1), clean: true };
        let opened = onrush_storage::open(&env, dir, small(), options, &mut |_, _| {}).unwrap();
        assert!(opened.report.clean);
        expect_all(&opened.reader, 0, 2);
    }
}

#[test]
fn a_read_can_be_held_below_an_offset() {
    let (_temp, env) = real();
    let (mut writer, reader) = fresh(&env, small());
    for _ in 0..40 {
        append(&mut writer, 3, 100);
        work(&mut writer);
    }
    writer.flush_now().unwrap();
    for below in (0..=120).step_by(3) {
        let (mut at, mut cursor) = (off(0), Cursor::default());
        while let Some(read) = reader.read_below(at, 900, off(below), &mut cursor).unwrap() {
            assert_eq!(read.first, at);
            assert!(read.next > at && read.next <= off(below), "{read:?} of {below}");
            at = read.next;
        }
        assert_eq!(at, off(below));
    }
}

#[test]
fn control_batches_are_shown_with_their_bytes() {
    let (_temp, env) = real();
    let (mut writer, _) = fresh(&env, small());
    append(&mut writer, 2, 100);
    let marker = Marker { commits: true, coordinator_epoch: 7 };
    let mut bytes = marker.batch(ProducerId::new(3), ProducerEpoch::new(1), 50);
    let head = header(&bytes);
    writer.append(&mut [&mut bytes], &[head], 50).unwrap();
    append(&mut writer, 1, 100);
    writer.flush_now().unwrap();
    drop(writer);
    let mut seen = Vec::new();
    let options = onrush_storage::OpenOptions { leader_epoch: epoch(2), clean: false };
    onrush_storage::open(&env, &dir(), small(), options, &mut |header, control| {
        seen.push((header.base_offset.get(), Marker::parse(control)));
    })
    .unwrap();
    assert_eq!(seen, [(0, None), (2, Some(marker)), (3, None)]);
}

#[test]
fn a_timestamp_counts_also_where_its_interval_ends_within_an_append() {
    let (_temp, env) = real();
    let cfg = LogConfig { retention_ms: Some(100), ..small() };
    let (mut writer, reader) = fresh(&env, cfg);
    let at = |timestamp: i64, bytes: usize| {
        let mut builder = BatchBuilder::new(Codec::None);
        builder.push(timestamp, None, Some(&vec![b'.'; bytes]), &[]);
        builder.finish().unwrap()
    };
    // The second batch begins another interval of the index.
    let (mut new, mut old) = (at(5_000_000, 500), at(10, 500));
    let headers = [header(&new), header(&old)];
    writer.append(&mut [&mut new, &mut old], &headers, 10).unwrap();
    writer.flush_now().unwrap();
    writer.roll().unwrap();
    writer.flush_now().unwrap();
    assert_eq!(reader.offset_for_timestamp(4_000_000).unwrap(), Some((off(0), 5_000_000)));
    assert_eq!(writer.retention_due(5_000_099), None);
    assert_eq!(writer.retention_due(5_000_100), Some(off(2)));
}

#[test]
fn room_made_while_its_segment_was_rolled_is_given_back() {
    let (_temp, env) = real();
    let cfg = LogConfig { segment_bytes: 1 << 20, preallocate_max_bytes: 1 << 16, ..small() };
    let (mut writer, _) = fresh(&env, cfg);
    append(&mut writer, 1, 5000);
    let job = writer.background().unwrap();
    writer.roll().unwrap();
    assert!(writer.begin_close(None).is_none(), "the job goes on in a file that is to be closed");
    writer.complete_background(job.run()).unwrap();
    let len =
        || env.disk.list(&dir()).unwrap().iter().find(|e| e.name == "0000000000.log").unwrap().len;
    let with_room = len();
    append(&mut writer, 1, 10);
    writer.flush_now().unwrap();
    work(&mut writer);
    assert!(len() < with_room && len() < 5200, "{} of {with_room}", len());
}

#[test]
fn files_that_a_trim_could_not_delete_go_with_the_next_retention() {
    let (_temp, env) = real();
    let cfg = LogConfig { retention_ms: Some(100), ..small() };
    let (mut writer, _) = fresh(&env, cfg);
    append_at(&mut writer, Codec::None, &[1000]);
    writer.roll().unwrap();
    append_at(&mut writer, Codec::None, &[2000]);
    writer.flush_now().unwrap();
    // Its index is not written yet.
    let to = writer.retention_due(1100).unwrap();
    let mut trim = writer.trim_to(to).unwrap();
    assert_eq!(trim.segments(), 0);
    trim.persist().unwrap();
    assert_eq!(writer.retention_due(1100), None, "trying again changes nothing yet");
    assert_eq!(writer.next_due_ms(), Some(2100), "nor does time");
    writer.checkpoint_now(None).unwrap();
    assert_eq!(writer.retention_due(1100), Some(to));
    let mut trim = writer.trim_to(to).unwrap();
    assert_eq!(trim.segments(), 1);
    trim.persist().unwrap();
    trim.delete_files().unwrap();
    assert_eq!(writer.retention_due(1100), None);
}
