//! Readers on threads of their own beside a writer that appends, flushes, rolls and trims.
#![allow(missing_docs, clippy::unwrap_used)]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::*;
use onrush_record::Offset;
use onrush_record::batch::Batches;
use onrush_storage::{Cursor, LogReader, ReadMode, StorageError};

/// Follows the log until told that it is over; what is read is right and without a gap.
fn follow(reader: &LogReader, over: &AtomicBool, mode: ReadMode) -> u64 {
    let mut cursor = Cursor::default();
    let mut at = Offset::ZERO;
    let mut batches = 0;
    loop {
        let last = over.load(Ordering::Acquire);
        match reader.read(at, 4096, &mut cursor) {
            Ok(Some(read)) => {
                assert!(read.first <= at);
                let bytes = read.slice.to_bytes(mode).unwrap();
                let mut next = read.first;
                for batch in Batches::new(&bytes) {
                    let batch = batch.unwrap();
                    batch.verify().unwrap();
                    assert_eq!(batch.header().base_offset, next);
                    next = batch.header().next_offset();
                    batches += 1;
                }
                assert_eq!(next, read.next);
                at = next;
            }
            Ok(None) if last => return batches,
            Ok(None) => std::hint::spin_loop(),
            Err(StorageError::OffsetOutOfRange { start, .. }) => at = start,
            Err(other) => panic!("{other}"),
        }
        let ends = reader.ends();
        assert!(ends.start <= ends.readable && ends.readable <= ends.durable);
    }
}

#[test]
fn readers_follow_a_log_that_rolls_and_is_trimmed() {
    let (_temp, env) = real();
    let (mut writer, reader) = fresh(&env, small());
    let over = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = [ReadMode::Copied, ReadMode::Mapped, ReadMode::Copied]
        .into_iter()
        .map(|mode| {
            let (reader, over) = (reader.clone(), over.clone());
            onrush_sys::thread::spawn("reader", move || follow(&reader, &over, mode)).unwrap()
        })
        .collect();
    for round in 0..3000u64 {
        append(&mut writer, 1, 300);
        if round % 7 == 0 {
            writer.flush_now().unwrap();
            work(&mut writer);
        }
        if round % 300 == 299 {
            writer.checkpoint_now(Some(vec![])).unwrap();
            let ends = reader.ends();
            let keep = ends.durable.since(ends.start) / 2;
            let mut trim = writer.trim_to(ends.start.plus(keep)).unwrap();
            trim.persist().unwrap();
            trim.delete_files().unwrap();
        }
    }
    writer.flush_now().unwrap();
    over.store(true, Ordering::Release);
    for thread in threads {
        assert!(thread.join().unwrap() > 0);
    }
}
