//! Producing, reading, and being woken.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use futures::executor::block_on;
use onrush_broker::{
    Acks, Cursor, Error, Kind, NewTopic, OffsetSpec, Partition, ProduceBatch, ReadMode, Settled,
    Signal,
};
use onrush_record::batch::{BatchBuilder, Batches, Codec};
use onrush_record::{Offset, ProducerId, Sequence};
use onrush_sys::{Clock, SystemClock};
use support::{Running, batch, batch_at, directory, numbered, produce, produce_durably, read_all};

#[test]
fn what_is_acknowledged_is_read() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("orders");
    let placed = produce_durably(&partition, batch(&["a", "b"])).unwrap();
    assert_eq!((placed.base_offset, placed.next_offset), (Offset::ZERO, Offset::new(2)));
    assert_eq!(partition.settled(placed.await_durable.unwrap()), Settled::Durable);
    let placed = produce(&partition, Acks::Written, batch(&["c"])).unwrap();
    assert_eq!(placed.await_durable, None);
    assert_eq!(placed.base_offset, Offset::new(2));
    let latest = block_on(partition.list_offset(OffsetSpec::Latest)).unwrap();
    assert_eq!(latest.offset, Some(Offset::new(3)));
    assert_eq!(read_all(&partition), ["a", "b", "c"]);
    running.stop();
}

#[test]
fn a_reader_is_woken_once_there_is_something_durable() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("orders");
    let signal = Signal::new();
    partition.wake_on_readable(Offset::ZERO, &signal);
    produce(&partition, Acks::None, batch(&["a"])).unwrap();
    block_on(signal.notified());
    assert_eq!(partition.ends().readable, Offset::new(1));
    assert!(partition.fetch(Offset::new(1), 100, &mut Cursor::default()).unwrap().is_none());
    assert!(matches!(
        partition.fetch(Offset::new(9), 100, &mut Cursor::default()),
        Err(Error::OffsetOutOfRange { .. })
    ));
    running.stop();
}

#[test]
fn several_parts_go_by_one_write_and_each_has_its_answer() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("orders");
    let mut bytes = [batch(&["a"]), batch(&["b", "c"]), batch(&["d"]), batch(&["e"])];
    bytes[2][40] ^= 1;
    let two = [batch(&["f"]), batch(&["g"])].concat();
    let mut parts: Vec<Vec<u8>> = bytes.into_iter().chain([two]).collect();
    let mut parts: Vec<_> = parts
        .iter_mut()
        .map(|bytes| ProduceBatch { bytes, expected_offset: None, acks: Acks::All })
        .collect();
    parts[3].expected_offset = Some(Offset::new(9));
    let mut results = Vec::new();
    partition.produce(&mut parts, &mut results);
    let offsets: Vec<_> =
        results.iter().map(|r| r.as_ref().ok().map(|placed| placed.base_offset.get())).collect();
    assert_eq!(offsets, [Some(0), Some(1), None, None, Some(3)]);
    assert!(matches!(results[2], Err(Error::BatchInvalid(_))));
    let mismatch = results[3].clone().unwrap_err();
    assert!(matches!(mismatch, Error::ExpectedOffsetMismatch { actual, .. } if actual.get() == 3));
    assert_eq!(mismatch.kind(), Kind::Refused);
    block_on(partition.wait_durable(results[4].as_ref().unwrap().await_durable.unwrap())).unwrap();
    assert_eq!(read_all(&partition), ["a", "b", "c", "f", "g"]);
    running.stop();
}

/// The codecs of a partition's batches.
fn codecs(partition: &Partition) -> Vec<Codec> {
    let mut codecs = Vec::new();
    let mut next = partition.ends().start;
    let mut cursor = Cursor::default();
    while let Some(read) = partition.fetch(next, 1 << 20, &mut cursor).unwrap() {
        let bytes = read.slice.to_bytes(ReadMode::Copied).unwrap();
        for batch in Batches::new(&bytes) {
            let batch = batch.unwrap();
            batch.verify().unwrap();
            codecs.push(batch.header().attributes.codec().unwrap());
        }
        next = read.next;
    }
    codecs
}

#[test]
fn a_topic_may_have_a_compression_of_its_own() {
    let directory = directory();
    let running = Running::start(&directory);
    for codec in [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let value = if codec == Codec::None { "uncompressed" } else { codec.name() };
        let partition = running.topic_with(value, &[("compression.type", value)]);
        let mut compressed = BatchBuilder::new(Codec::Zstd);
        compressed.push(SystemClock.now_ms(), None, Some(b"b"), &[]);
        let two = [batch(&["a"]), compressed.finish().unwrap()].concat();
        produce_durably(&partition, two).unwrap();
        // What is sent again is known again, though other bytes lie in the log.
        let first = produce_durably(&partition, numbered(ProducerId::new(9), 0, &["c"])).unwrap();
        let again = produce_durably(&partition, numbered(ProducerId::new(9), 0, &["c"])).unwrap();
        assert!(again.duplicate && again.base_offset == first.base_offset);
        let mut broken = batch(&["d"]);
        broken[40] ^= 1;
        let error = produce(&partition, Acks::All, broken).unwrap_err();
        assert!(matches!(error, Error::BatchInvalid(_)), "{error}");
        assert_eq!(codecs(&partition), [codec; 3]);
    }
    running.stop();
}

#[test]
fn what_is_made_larger_than_the_topic_takes_is_refused() {
    let directory = directory();
    let running = Running::start(&directory);
    let settings = [("compression.type", "uncompressed"), ("max.message.bytes", "1000")];
    let partition = running.topic_with("small", &settings);
    let mut bomb = BatchBuilder::new(Codec::Zstd);
    bomb.push(SystemClock.now_ms(), None, Some(&[0; 100_000]), &[]);
    let mut parts = [bomb.finish().unwrap(), batch(&["a"])];
    let mut parts: Vec<_> = parts
        .iter_mut()
        .map(|bytes| ProduceBatch { bytes, expected_offset: None, acks: Acks::Written })
        .collect();
    let mut results = Vec::new();
    partition.produce(&mut parts, &mut results);
    assert!(matches!(results[0], Err(Error::BatchTooLarge { max: 1000, .. })), "{results:?}");
    assert_eq!(results[1].as_ref().unwrap().base_offset, Offset::ZERO);
    running.stop();
}

#[test]
fn a_topic_that_is_flushed_batch_by_batch_acknowledges_nothing_sooner() {
    let directory = directory();
    let running = Running::start(&directory);
    for (messages, durable) in [("1", true), ("2", false)] {
        let partition =
            running.topic_with(&format!("t{messages}"), &[("flush.messages", messages)]);
        let placed = produce(&partition, Acks::Written, batch(&["a"])).unwrap();
        assert_eq!(placed.await_durable.is_some(), durable);
    }
    running.stop();
}

#[test]
fn a_part_of_several_batches_is_taken_whole_or_not_at_all() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("orders");
    let (id, _) = block_on(running.broker.init_producer()).unwrap();
    let gap = [numbered(id, 0, &["a"]), numbered(id, 2, &["c"])].concat();
    assert!(matches!(
        produce(&partition, Acks::All, gap),
        Err(Error::OutOfOrderSequence { expected, .. }) if expected == Sequence::new(1)
    ));
    assert_eq!(partition.ends().written, Offset::ZERO);
    let whole = [numbered(id, 0, &["a"]), numbered(id, 1, &["b"])].concat();
    produce_durably(&partition, whole).unwrap();
    assert_eq!(read_all(&partition), ["a", "b"]);
    running.stop();
}

#[test]
fn an_idempotent_producer_is_recognised_also_after_a_crash() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("orders");
    let (id, epoch) = block_on(running.broker.init_producer()).unwrap();
    assert_eq!(epoch.get(), 0);
    produce_durably(&partition, numbered(id, 0, &["a", "b"])).unwrap();
    produce_durably(&partition, numbered(id, 2, &["c"])).unwrap();
    let again = produce_durably(&partition, numbered(id, 0, &["a", "b"])).unwrap();
    assert!(again.duplicate && again.base_offset == Offset::ZERO);
    drop(partition);
    running.kill();

    let running = Running::start(&directory);
    assert!(!running.report.clean);
    let partition = running.partition("orders");
    let again = produce_durably(&partition, numbered(id, 2, &["c"])).unwrap();
    assert!(again.duplicate && again.base_offset == Offset::new(2));
    let refused = produce(&partition, Acks::All, numbered(id, 9, &["x"])).unwrap_err();
    assert!(matches!(refused, Error::OutOfOrderSequence { .. }), "{refused}");
    produce_durably(&partition, numbered(id, 3, &["d"])).unwrap();
    let (other, _) = block_on(running.broker.init_producer()).unwrap();
    assert_ne!(other, id, "an id is never given out twice");
    assert_eq!(read_all(&partition), ["a", "b", "c", "d"]);
    drop(partition);
    running.stop();

    let running = Running::start(&directory);
    assert!(running.report.clean);
    let partition = running.partition("orders");
    assert!(produce_durably(&partition, numbered(id, 3, &["d"])).unwrap().duplicate);
    running.stop();
}

#[test]
fn a_refusal_waits_for_what_it_was_judged_by() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("orders");
    let (id, _) = block_on(running.broker.init_producer()).unwrap();
    produce(&partition, Acks::Written, numbered(id, 0, &["a"])).unwrap();
    let refused = produce(&partition, Acks::All, numbered(id, 5, &["x"])).unwrap_err();
    if let Some(mark) = refused.await_durable() {
        assert_eq!(mark.upto, Offset::new(1));
        block_on(partition.wait_durable(mark)).unwrap();
    }
    assert_eq!(partition.durable_end(), Offset::new(1));
    running.stop();
}

#[test]
fn written_visibility_shows_records_before_they_are_durable() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic_with("fast", &[("visibility", "written")]);
    let signal = Signal::new();
    partition.wake_on_readable(Offset::ZERO, &signal);
    produce(&partition, Acks::Written, batch(&["a"])).unwrap();
    assert!(signal.take(), "woken by the append itself");
    assert_eq!(read_all(&partition), ["a"]);
    running.stop();
}

#[test]
fn a_topics_rules_hold() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic_with("small", &[("max.message.bytes", "100")]);
    let large = produce(&partition, Acks::All, batch(&["x".repeat(100).as_str()])).unwrap_err();
    assert!(matches!(large, Error::BatchTooLarge { max: 100, .. }), "{large}");

    let partition = running.topic_with("lifted", &[("acks.minimum", "all")]);
    assert!(produce(&partition, Acks::Written, batch(&["a"])).unwrap().await_durable.is_some());

    let partition = running.topic_with("stamped", &[("message.timestamp.type", "LogAppendTime")]);
    let placed = produce_durably(&partition, batch(&["a"])).unwrap();
    assert!(placed.timestamp > 0);
    assert_eq!(read_all(&partition), ["a"]);

    let partition = running.topic("timely");
    let late = produce(&partition, Acks::All, batch_at(&["a"], i64::MAX / 2)).unwrap_err();
    assert!(late.to_string().contains("message.timestamp.after.max.ms"), "{late}");
    running.stop();
}

#[test]
fn malformed_batches_are_refused_by_name_and_leave_nothing() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic_with("checked", &[("validate.records", "true")]);
    let sound = batch(&["hello", "world"]);
    for at in 8..sound.len() {
        let mut bytes = sound.clone();
        bytes[at] ^= 0x10;
        match produce(&partition, Acks::All, bytes) {
            // The leader epoch lies outside the checksum, and is the broker's to write.
            Ok(_) => assert!((12..16).contains(&at), "a flip at {at} was accepted"),
            Err(error) => assert_eq!(error.kind(), Kind::Refused, "{error}"),
        }
    }
    for cut in 0..sound.len() {
        assert!(produce(&partition, Acks::All, sound[..cut].to_vec()).is_err(), "cut at {cut}");
    }
    running.stop();
}

#[test]
fn after_stop_producers_are_told_to_come_back() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("orders");
    block_on(running.broker.stop()).unwrap();
    let refused = produce(&partition, Acks::All, batch(&["a"])).unwrap_err();
    assert_eq!((refused.kind(), refused), (Kind::Retry, Error::ShuttingDown));
    let new = NewTopic { name: "more".to_owned(), ..NewTopic::default() };
    assert!(block_on(running.broker.create_topic(new)).is_err());
    running.kill();
}

#[test]
fn a_stop_lets_what_is_prepared_ahead_come_to_an_end() {
    let directory = directory();
    let mut running = Running::start(&directory);
    let names = ["a", "b", "c", "d", "e", "f"];
    for name in names {
        running.topic_with(name, &[("segment.bytes", "16384")]);
    }
    let value = "x".repeat(3000);
    for _ in 0..10 {
        // Their next segments, and room in the present ones, are being made when the stop comes.
        for name in names.iter().cycle().take(4 * names.len()) {
            produce_durably(&running.partition(name), batch(&[&value])).unwrap();
        }
        running.stop();
        running = Running::start(&directory);
        assert!(running.report.clean);
        assert_eq!(running.report.bytes_scanned, 0, "no log was found other than it was closed");
    }
    running.stop();
}
