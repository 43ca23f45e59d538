//! Compacted topics: what is kept, what is refused, and what survives.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use onrush_broker::{Acks, BrokerConfig, CleanerSettings, Cursor, Error, Partition, ReadMode};
use onrush_record::batch::{BatchBuilder, Batches, Codec};
use onrush_record::{Offset, ProducerEpoch, ProducerId, Sequence};
use onrush_sys::{Clock as _, ManualClock, SystemClock};
use support::committed::read_committed;
use support::{Running, batch, config, directory, disk, produce, produce_durably};

const COMPACT: [(&str, &str); 3] =
    [("cleanup.policy", "compact"), ("segment.bytes", "16384"), ("min.cleanable.dirty.ratio", "0")];

/// Nothing is cleaned but by a test's own call.
fn by_hand() -> BrokerConfig {
    let cleaner = CleanerSettings { enabled: false, ..CleanerSettings::default() };
    BrokerConfig { cleaner, ..config() }
}

fn start(directory: &onrush_sys::TempDir) -> Running {
    Running::with(disk(directory), by_hand(), Arc::new(SystemClock)).unwrap()
}

type Pair<'a> = (&'a str, Option<&'a str>);

fn keyed(codec: Codec, pairs: &[Pair<'_>]) -> BatchBuilder {
    let mut builder = BatchBuilder::new(codec);
    for (key, value) in pairs {
        let value = value.map(str::as_bytes);
        builder.push(SystemClock.now_ms(), Some(key.as_bytes()), value, &[]);
    }
    builder
}

/// The newest value of each key, and how many records there are.
fn table(partition: &Partition) -> (BTreeMap<String, Option<String>>, usize) {
    let (mut newest, mut count) = (BTreeMap::new(), 0);
    let mut cursor = Cursor::default();
    let mut next = partition.ends().start;
    while let Some(read) = partition.fetch(next, 100_000, &mut cursor).unwrap() {
        let bytes = read.slice.to_bytes(ReadMode::Copied).unwrap();
        for batch in Batches::new(&bytes) {
            let batch = batch.unwrap();
            batch.verify().unwrap();
            let mut scratch = Vec::new();
            for record in batch.records_with(&mut scratch, 1 << 20).unwrap() {
                let record = record.unwrap();
                let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
                newest.insert(text(record.key.unwrap()), record.value.map(text));
                count += 1;
            }
        }
        next = read.next;
    }
    (newest, count)
}

/// Writes each of twenty keys again and again, over several segments.
fn fill(partition: &Partition, rounds: usize) {
    for round in 0..rounds {
        for key in 0..20 {
            let (key, value) = (format!("key {key}"), format!("{round} {}", "x".repeat(200)));
            let codec = if round % 2 == 0 { Codec::Lz4 } else { Codec::None };
            let mut batch = keyed(codec, &[(&key, Some(&value)), (&key, Some(&value))]);
            produce(partition, Acks::Written, batch.finish().unwrap()).unwrap();
        }
    }
    let mut last = keyed(Codec::None, &[("last", Some("one"))]);
    produce_durably(partition, last.finish().unwrap()).unwrap();
}

#[test]
fn the_newest_value_of_each_key_is_kept_through_crashes() {
    let directory = directory();
    let running = start(&directory);
    let partition = running.topic_with("table", &COMPACT);
    fill(&partition, 20);
    let (before, all) = table(&partition);
    assert_eq!(running.broker.clean(), 1);
    assert_eq!(running.broker.clean(), 0, "it is clean");
    let (after, left) = table(&partition);
    assert_eq!(after, before);
    assert!(left < all / 4, "{left} of {all} are left");
    let metrics = running.broker.scrape();
    for line in ["onrush_cleaner_runs_total 1", "onrush_cleaner_dirty_ratio_max 0"] {
        assert!(metrics.contains(line), "{metrics}");
    }
    let end = partition.ends().written;
    running.kill();

    let running = start(&directory);
    assert_eq!(running.report.findings, Vec::<String>::new());
    let partition = running.partition("table");
    assert_eq!(partition.ends().written, end);
    assert_eq!(table(&partition), (after, left));
    fill(&partition, 3);
    running.broker.clean();
    let kept = table(&partition);
    running.stop();

    let running = start(&directory);
    assert!(running.report.clean);
    assert_eq!(running.report.bytes_scanned, 0, "a clean stop after cleaning is one");
    assert_eq!(table(&running.partition("table")), kept);
    running.stop();
}

#[test]
fn the_io_loop_cleans_by_itself() {
    let directory = directory();
    let cleaner = CleanerSettings { interval: Duration::from_millis(5), ..Default::default() };
    let settings = BrokerConfig { cleaner, ..config() };
    let running = Running::with(disk(&directory), settings, Arc::new(SystemClock)).unwrap();
    let partition = running.topic_with("table", &COMPACT);
    fill(&partition, 10);
    let (before, all) = table(&partition);
    let deadline = SystemClock.monotonic() + Duration::from_secs(30);
    while table(&partition).1 > all / 3 {
        assert!(SystemClock.monotonic() < deadline, "it was not cleaned in 30 s");
        std::thread::yield_now();
    }
    assert_eq!(table(&partition).0, before);
    running.stop();
}

#[test]
fn records_without_a_key_are_refused() {
    let directory = directory();
    let running = start(&directory);
    let partition = running.topic_with("table", &COMPACT);
    let refused = produce(&partition, Acks::All, batch(&["no key"])).unwrap_err();
    assert_eq!(refused, Error::NullKey { index: 0 });
    assert!(refused.to_string().contains("cleanup.policy"), "{refused}");
    let mut mixed = keyed(Codec::Zstd, &[("a", Some("1")), ("b", None)]);
    mixed.push(0, None, Some(b"no key"), &[]);
    let refused = produce(&partition, Acks::All, mixed.finish().unwrap()).unwrap_err();
    assert_eq!(refused, Error::NullKey { index: 2 });
    assert_eq!(partition.ends().written, Offset::ZERO);
    running.stop();
}

#[test]
fn tombstones_go_once_their_time_is_over() {
    let directory = directory();
    let clock = ManualClock::new(1_700_000_000_000);
    // Looked at each time: the broker's own thread may have looked just before the first record came.
    let settings = BrokerConfig { maintenance_interval: Duration::from_secs(1), ..by_hand() };
    let running = Running::with(disk(&directory), settings, Arc::new(clock.clone())).unwrap();
    let configs = [COMPACT.as_slice(), &[("segment.ms", "1000"), ("delete.retention.ms", "60000")]];
    let partition = running.topic_with("table", &configs.concat());
    let send = |pairs: &[Pair<'_>]| {
        let mut builder = BatchBuilder::new(Codec::None);
        for (key, value) in pairs {
            builder.push(1_700_000_000_000, Some(key.as_bytes()), value.map(str::as_bytes), &[]);
        }
        // Only what is durable is cleaned.
        produce_durably(&partition, builder.finish().unwrap()).unwrap();
        clock.advance(Duration::from_secs(2));
        running.broker.tick();
        running.broker.clean();
        table(&partition)
    };
    let (newest, count) = send(&[("a", Some("1")), ("b", Some("1")), ("a", None)]);
    assert_eq!((newest.get("a"), count), (Some(&None), 2));
    let (newest, _) = send(&[("c", Some("1"))]);
    assert_eq!(newest.get("a"), Some(&None), "readers are still to learn that it is gone");
    clock.advance(Duration::from_secs(60));
    let (newest, _) = send(&[("c", Some("2"))]);
    assert_eq!(newest.get("a"), None);
    assert_eq!(newest.len(), 2);
    running.stop();
}

#[test]
fn a_producer_is_known_by_its_last_batch() {
    let directory = directory();
    let running = start(&directory);
    let partition = running.topic_with("table", &COMPACT);
    let (producer, epoch) = (ProducerId::new(77), ProducerEpoch::new(0));
    let send = |sequence: i32| {
        let mut builder = keyed(Codec::None, &[("key 1", Some("mine"))]);
        builder.set_producer(producer, epoch, Sequence::new(sequence));
        builder.finish().unwrap()
    };
    for sequence in 0..3 {
        produce(&partition, Acks::Written, send(sequence)).unwrap();
    }
    fill(&partition, 10);
    assert_eq!(running.broker.clean(), 1);
    assert!(produce_durably(&partition, send(2)).unwrap().duplicate);
    running.kill();
    let running = start(&directory);
    let partition = running.partition("table");
    assert!(produce_durably(&partition, send(2)).unwrap().duplicate);
    let gap = produce(&partition, Acks::All, send(4)).unwrap_err();
    assert!(matches!(gap, Error::OutOfOrderSequence { .. }), "{gap}");
    produce_durably(&partition, send(3)).unwrap();
    running.stop();
}

#[test]
fn transactions_read_the_same_before_and_after() {
    let directory = directory();
    let running = start(&directory);
    let partition = running.topic_with("table", &COMPACT);
    let who = block_on(running.broker.init_transactional("tx", 60_000, None)).unwrap();
    let at = [(partition.topic_id(), 0)];
    let mut sequence = 0;
    let mut transact = |pairs: &[Pair<'_>], commit: bool| {
        block_on(running.broker.transaction_add_partitions("tx", who.0, who.1, &at)).unwrap();
        let mut builder = keyed(Codec::None, pairs);
        builder.set_producer(who.0, who.1, Sequence::new(sequence));
        builder.set_transactional(true);
        sequence += 1;
        produce_durably(&partition, builder.finish().unwrap()).unwrap();
        block_on(running.broker.transaction_end("tx", who.0, who.1, commit, false)).unwrap();
    };
    transact(&[("key a", Some("counts"))], true);
    transact(&[("key a", Some("does not"))], false);
    transact(&[("key b", Some("old"))], true);
    transact(&[("key b", Some("new"))], true);
    fill(&partition, 8);
    transact(&[("key b", Some("aborted later"))], false);
    let values = |partition: &Partition| {
        let mut values = read_committed(partition);
        values.retain(|value| value.len() < 20);
        values
    };
    assert_eq!(values(&partition), ["counts", "old", "new", "one"]);
    assert_eq!(running.broker.clean(), 1);
    assert_eq!(values(&partition), ["counts", "new", "one"]);
    running.kill();
    let running = start(&directory);
    assert_eq!(values(&running.partition("table")), ["counts", "new", "one"]);
    running.stop();
}
