//! Readers on threads of their own while their log is cleaned beneath them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use onrush_record::Offset;
use onrush_record::batch::Batches;
use onrush_storage::{Cursor, LogReader, ReadMode};

use crate::common::{real, work};
use crate::life::{Life, cfg};

/// Reads the log from its beginning, again and again, and in its middle by time; tells how often.
fn follow(reader: &LogReader, over: &AtomicBool, mode: ReadMode) -> u64 {
    let mut rounds = 0;
    while !over.load(Ordering::Acquire) {
        let mut cursor = Cursor::default();
        let mut at = Offset::ZERO;
        let mut newest = HashMap::new();
        while let Some(read) = reader.read(at, 3000, &mut cursor).unwrap() {
            let bytes = read.slice.to_bytes(mode).unwrap();
            let mut next = read.first;
            for batch in Batches::new(&bytes) {
                let batch = batch.unwrap();
                batch.verify().unwrap();
                assert_eq!(batch.header().base_offset, next);
                next = batch.header().next_offset();
                let mut scratch = Vec::new();
                for record in batch.records_with(&mut scratch, 1 << 20).unwrap() {
                    let record = record.unwrap();
                    newest.insert(record.key.unwrap().to_vec(), record.offset);
                }
            }
            assert_eq!(next, read.next);
            at = next;
        }
        // Whoever reads from the beginning sees every key there is.
        assert!(at < Offset::new(200) || newest.len() == 10, "{} keys at {at}", newest.len());
        reader.offset_for_timestamp(1500).unwrap();
        reader.max_timestamp().unwrap();
        rounds += 1;
    }
    rounds
}

#[test]
fn readers_see_every_key_while_segments_are_swapped() {
    let (_temp, env) = real();
    let mut life = Life::new(env, cfg(), 1);
    let over = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = [ReadMode::Copied, ReadMode::Mapped]
        .into_iter()
        .map(|mode| {
            let (reader, over) = (life.reader.clone(), over.clone());
            onrush_sys::thread::spawn("reader", move || follow(&reader, &over, mode)).unwrap()
        })
        .collect();
    for round in 0..30u64 {
        for n in 0..40u64 {
            let codec = onrush_record::batch::Codec::None;
            life.send(0, &[((n * 7 + round) % 10, Some(vec![1; 100]))], codec);
            if n % 8 == 0 {
                life.writer.flush_now().unwrap();
                work(&mut life.writer);
            }
        }
        life.now_ms += 40;
        life.writer.roll().unwrap();
        life.settle();
        life.clean();
    }
    over.store(true, Ordering::Release);
    for thread in threads {
        assert!(thread.join().unwrap() > 0);
    }
    life.check();
}
