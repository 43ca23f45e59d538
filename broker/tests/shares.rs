//! Share groups behind the broker: records of real logs, durable, timed, and knowing the topics.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use onrush_broker::group::{GroupError, GroupHeartbeat, GroupKind};
use onrush_broker::share::{
    AckType, AcquireMode, ShareAcknowledgement, ShareError, ShareHeartbeat, ShareSessionRequest,
    TopicPartition,
};
use onrush_broker::{
    BrokerConfig, Error, NewTopic, Partition, ReadMode, ShareAcquire, ShareAcquired, Signal,
};
use onrush_record::batch::{BatchBuilder, Batches, Codec};
use onrush_record::{Offset, Sequence};
use onrush_sys::ManualClock;
use support::{Running, batch, config, directory, disk, produce_durably};

fn join(running: &Running, member: &str) {
    let reply = block_on(running.broker.share_heartbeat(ShareHeartbeat {
        group: "g".to_owned(),
        member_id: member.to_owned(),
        topics: Some(vec!["t".to_owned()]),
        ..ShareHeartbeat::default()
    }));
    assert!(reply.unwrap().assignment.is_some());
}

fn configure(running: &Running, key: &str, value: &str) {
    let set = vec![(key.to_owned(), value.to_owned())];
    block_on(running.broker.share_configure("g", set, vec![], false)).unwrap();
}

fn acquire_of(
    running: &Running,
    member: &str,
    partition: TopicPartition,
    max: u32,
) -> Result<ShareAcquired, Error> {
    block_on(running.broker.share_acquire(ShareAcquire {
        group: "g",
        member_id: member,
        partition,
        max_records: max,
        max_bytes: 1 << 20,
        mode: AcquireMode::RecordLimit,
    }))
}

/// First, last, delivery count.
fn acquire(
    running: &Running,
    member: &str,
    partition: &Partition,
    max: u32,
) -> Vec<(u64, u64, u16)> {
    let got = acquire_of(running, member, key(partition), max).unwrap();
    // Every record is in the bytes that come with it.
    let mut there = Vec::new();
    if let Some(read) = &got.read {
        let bytes = read.slice.to_bytes(ReadMode::Copied).unwrap();
        for batch in Batches::new(&bytes) {
            let header = *batch.unwrap().header();
            there.push(header.base_offset..header.next_offset());
        }
    }
    let ranges = got.ranges.iter();
    for range in ranges.clone() {
        for offset in range.first.get()..=range.last.get() {
            assert!(there.iter().any(|batch| batch.contains(&Offset::new(offset))));
        }
    }
    ranges.map(|range| (range.first.get(), range.last.get(), range.delivery_count)).collect()
}

fn settle(
    running: &Running,
    member: &str,
    partition: &Partition,
    first: u64,
    last: u64,
    kind: AckType,
) -> Result<(), Error> {
    let ack = ShareAcknowledgement::new(Offset::new(first), Offset::new(last), kind);
    block_on(running.broker.share_acknowledge("g", member, key(partition), &[ack]))
}

fn key(partition: &Partition) -> TopicPartition {
    (partition.topic_id(), partition.index())
}

fn start_of(running: &Running, partition: &Partition) -> Option<(u64, u64)> {
    let asked = [key(partition)];
    let mut found = block_on(running.broker.share_offsets("g", Some(&asked))).unwrap();
    found.remove(0).1.unwrap().map(|offset| (offset.start.get(), offset.lag))
}

#[test]
fn records_are_settled_one_by_one_and_that_survives_a_kill() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("t");
    configure(&running, "share.auto.offset.reset", "earliest");
    produce_durably(&partition, batch(&["0", "1", "2", "3"])).unwrap();
    join(&running, "a");
    join(&running, "b");
    assert_eq!(start_of(&running, &partition), None);
    assert_eq!(acquire(&running, "a", &partition, 2), [(0, 1, 1)]);
    assert_eq!(acquire(&running, "b", &partition, 9), [(2, 3, 1)]);
    assert_eq!(acquire(&running, "b", &partition, 9), []);
    settle(&running, "b", &partition, 2, 2, AckType::Accept).unwrap();
    settle(&running, "b", &partition, 3, 3, AckType::Release).unwrap();
    settle(&running, "a", &partition, 0, 0, AckType::Accept).unwrap();
    assert_eq!(start_of(&running, &partition), Some((1, 2)));
    let other = settle(&running, "b", &partition, 1, 1, AckType::Accept);
    assert!(matches!(other, Err(Error::Share(ShareError::InvalidRecordState { .. }))));
    drop(partition);
    running.kill();

    let running = Running::start(&directory);
    let partition = running.partition("t");
    assert_eq!(start_of(&running, &partition), Some((1, 2)));
    // The members are still known. 1 was with one of them, and nobody knows of that any more.
    assert_eq!(acquire(&running, "a", &partition, 9), [(1, 1, 1), (3, 3, 2)]);
    settle(&running, "a", &partition, 1, 3, AckType::Accept).unwrap_err();
    settle(&running, "a", &partition, 1, 1, AckType::Accept).unwrap();
    settle(&running, "a", &partition, 3, 3, AckType::Accept).unwrap();
    assert_eq!(start_of(&running, &partition), Some((4, 0)));
    drop(partition);
    running.stop();

    let running = Running::start(&directory);
    assert_eq!(start_of(&running, &running.partition("t")), Some((4, 0)));
    running.stop();
}

#[test]
fn by_default_a_group_begins_at_the_end_and_remembers_where() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("t");
    produce_durably(&partition, batch(&["old"])).unwrap();
    join(&running, "a");
    assert_eq!(acquire(&running, "a", &partition, 9), []);
    drop(partition);
    running.kill();
    let running = Running::start(&directory);
    let partition = running.partition("t");
    produce_durably(&partition, batch(&["new"])).unwrap();
    assert_eq!(acquire(&running, "a", &partition, 9), [(1, 1, 1)]);
    running.stop();
}

#[test]
fn locks_time_out_by_the_clock() {
    let directory = directory();
    let clock = ManualClock::new(1_700_000_000_000);
    let running = Running::with(disk(&directory), config(), Arc::new(clock.clone())).unwrap();
    let partition =
        running.topic_with("t", &[("message.timestamp.after.max.ms", "9223372036854775807")]);
    configure(&running, "share.auto.offset.reset", "earliest");
    configure(&running, "share.delivery.count.limit", "2");
    produce_durably(&partition, batch(&["0"])).unwrap();
    join(&running, "a");
    assert_eq!(acquire(&running, "a", &partition, 9), [(0, 0, 1)]);
    clock.advance(Duration::from_secs(29));
    running.broker.tick();
    assert_eq!(acquire(&running, "a", &partition, 9), []);
    let signal = Signal::new();
    running.broker.share_wake("g", key(&partition), &signal).unwrap();
    assert!(!signal.take());
    clock.advance(Duration::from_secs(1));
    running.broker.tick();
    assert!(signal.take(), "who waits is told");
    assert_eq!(acquire(&running, "a", &partition, 9), [(0, 0, 2)]);
    clock.advance(Duration::from_secs(10));
    settle(&running, "a", &partition, 0, 0, AckType::Renew).unwrap();
    join(&running, "a");
    clock.advance(Duration::from_secs(25));
    running.broker.tick();
    assert_eq!(start_of(&running, &partition), Some((0, 1)));
    clock.advance(Duration::from_secs(5));
    running.broker.tick();
    assert_eq!(acquire(&running, "a", &partition, 9), []);
    assert_eq!(start_of(&running, &partition), Some((1, 0)), "tried often enough");
    assert!(running.broker.scrape().contains("onrush_share_records_given_up_total 1"));
    running.stop();
}

#[test]
fn a_waiting_member_is_told_of_new_records_and_of_released_ones() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("t");
    join(&running, "a");
    assert_eq!(acquire(&running, "a", &partition, 9), []);
    let signal = Signal::new();
    running.broker.share_wake("g", key(&partition), &signal).unwrap();
    assert!(!signal.take());
    produce_durably(&partition, batch(&["0"])).unwrap();
    block_on(signal.notified());
    assert_eq!(acquire(&running, "a", &partition, 9), [(0, 0, 1)]);
    running.broker.share_wake("g", key(&partition), &signal).unwrap();
    assert!(!signal.take());
    settle(&running, "a", &partition, 0, 0, AckType::Release).unwrap();
    assert!(signal.take());
    // There is something already: told at once.
    running.broker.share_wake("g", key(&partition), &signal).unwrap();
    assert!(signal.take());
    running.stop();
}

#[test]
fn a_session_that_ends_releases_what_it_had() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("t");
    configure(&running, "share.auto.offset.reset", "earliest");
    produce_durably(&partition, batch(&["0", "1"])).unwrap();
    join(&running, "a");
    join(&running, "b");
    let open = |member: &str, epoch| {
        running.broker.share_session_fetch(ShareSessionRequest {
            group: "g".to_owned(),
            member_id: member.to_owned(),
            epoch,
            add: vec![key(&partition)],
            ..ShareSessionRequest::default()
        })
    };
    let stranger = open("nobody", 0);
    assert!(matches!(stranger, Err(Error::Share(ShareError::UnknownMember { .. }))));
    let old = open("a", 0).unwrap();
    assert_eq!(old.partitions, [key(&partition)]);
    assert_eq!(acquire(&running, "a", &partition, 1), [(0, 0, 1)]);
    let new = open("a", 0).unwrap();
    running.broker.share_session_lost("g", "a", old.id);
    assert_eq!(acquire(&running, "b", &partition, 1), [(1, 1, 1)], "the newer session goes on");
    running.broker.share_session_lost("g", "a", new.id);
    assert_eq!(acquire(&running, "b", &partition, 1), [(0, 0, 2)]);
    let lost = open("a", 1);
    assert!(matches!(lost, Err(Error::Share(ShareError::SessionNotFound { .. }))));
    open("b", 0).unwrap();
    block_on(running.broker.share_session_close("g", "b")).unwrap();
    join(&running, "a");
    assert_eq!(acquire(&running, "a", &partition, 9), [(0, 0, 3), (1, 1, 2)]);
    running.stop();
}

/// A batch of keys and values.
fn keyed(codec: Codec, keys: &[Option<&str>]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec);
    for key in keys {
        let key = key.map(str::as_bytes);
        builder.push(onrush_sys::Clock::now_ms(&onrush_sys::SystemClock), key, Some(b"v"), &[]);
    }
    builder.finish().unwrap()
}

#[test]
fn order_by_key_looks_into_compressed_batches_too() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("t");
    configure(&running, "share.auto.offset.reset", "earliest");
    configure(&running, "share.order.by.key", "true");
    produce_durably(&partition, keyed(Codec::Zstd, &[Some("x"), Some("y"), Some("x")])).unwrap();
    produce_durably(&partition, keyed(Codec::None, &[None, Some("y"), Some("z")])).unwrap();
    produce_durably(&partition, keyed(Codec::Lz4, &[Some("z"), Some("x")])).unwrap();
    join(&running, "a");
    join(&running, "b");
    assert_eq!(acquire(&running, "a", &partition, 9), [(0, 1, 1), (3, 3, 1), (5, 5, 1)]);
    assert_eq!(acquire(&running, "b", &partition, 9), []);
    let signal = Signal::new();
    running.broker.share_wake("g", key(&partition), &signal).unwrap();
    assert!(!signal.take());
    settle(&running, "a", &partition, 0, 0, AckType::Accept).unwrap();
    assert!(signal.take(), "its key flows again");
    assert_eq!(acquire(&running, "b", &partition, 9), [(2, 2, 1)]);
    settle(&running, "b", &partition, 2, 2, AckType::Release).unwrap();
    assert_eq!(acquire(&running, "a", &partition, 9), [(2, 2, 2)], "before 7, which has its key");
    drop(partition);
    running.kill();
    let running = Running::start(&directory);
    let partition = running.partition("t");
    assert_eq!(acquire(&running, "b", &partition, 9), [(1, 1, 1), (2, 2, 2), (3, 3, 1), (5, 5, 1)]);
    running.stop();
}

#[test]
fn deleted_records_and_topics_are_passed_over() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("t");
    configure(&running, "share.auto.offset.reset", "earliest");
    for value in ["0", "1", "2"] {
        produce_durably(&partition, batch(&[value])).unwrap();
    }
    join(&running, "a");
    assert_eq!(acquire(&running, "a", &partition, 1), [(0, 0, 1)]);
    block_on(running.broker.delete_records(&partition, Offset::new(2))).unwrap();
    assert_eq!(acquire(&running, "a", &partition, 9), [(2, 2, 1)]);
    settle(&running, "a", &partition, 0, 0, AckType::Accept).unwrap();
    let id = partition.topic_id();
    block_on(running.broker.delete_topic(id)).unwrap();
    let gone = acquire_of(&running, "a", key(&partition), 9);
    assert!(matches!(gone, Err(Error::UnknownTopic { .. })));
    let offsets = block_on(running.broker.share_offsets("g", None)).unwrap();
    assert!(offsets.is_empty());
    drop(partition);
    running.kill();
    let running = Running::start(&directory);
    assert!(block_on(running.broker.share_offsets("g", None)).unwrap().is_empty());
    running.stop();
}

#[test]
fn operators_set_offsets_of_groups_without_members_and_delete_them() {
    let directory = directory();
    let running = Running::start(&directory);
    let broker = &running.broker;
    let partition = running.topic("t");
    join(&running, "a");
    acquire(&running, "a", &partition, 9);
    produce_durably(&partition, batch(&["0", "1", "2"])).unwrap();
    let to = |offset| vec![(key(&partition), Offset::new(offset))];
    let refused = block_on(broker.share_alter_offsets("g", to(1)));
    assert!(matches!(refused, Err(Error::Share(ShareError::GroupNotEmpty { .. }))));
    assert!(block_on(broker.share_delete("g")).is_err());
    let leave = ShareHeartbeat {
        group: "g".to_owned(),
        member_id: "a".to_owned(),
        member_epoch: -1,
        ..ShareHeartbeat::default()
    };
    block_on(broker.share_heartbeat(leave)).unwrap();
    block_on(broker.share_alter_offsets("g", to(1))).unwrap().remove(0).unwrap();
    assert_eq!(start_of(&running, &partition), Some((1, 2)));
    let gone = acquire_of(&running, "a", key(&partition), 9);
    assert!(matches!(gone, Err(Error::Share(ShareError::UnknownMember { .. }))));
    let topics = [partition.topic_id()];
    block_on(broker.share_delete_offsets("g", &topics)).unwrap().remove(0).unwrap();
    assert_eq!(start_of(&running, &partition), None);
    assert_eq!(broker.share_list().unwrap().len(), 1);
    let taken =
        block_on(broker.group_heartbeat(GroupHeartbeat {
            group: "g".to_owned(),
            ..GroupHeartbeat::default()
        }));
    assert!(matches!(taken, Err(Error::Group(GroupError::UnknownGroup { .. }))));
    assert_eq!(broker.group_list().unwrap()[0].kind, GroupKind::Share);
    block_on(broker.group_delete("g")).unwrap();
    assert!(broker.share_describe("g").is_err());
    running.stop();
}

#[test]
fn settings_are_checked_and_survive() {
    let directory = directory();
    let running = Running::start(&directory);
    let set = |key: &str, value: &str| {
        let set = vec![(key.to_owned(), value.to_owned())];
        block_on(running.broker.share_configure("g", set, vec![], false))
    };
    assert!(matches!(set("share.nonsense", "1"), Err(Error::InvalidConfig { .. })));
    assert!(matches!(set("share.delivery.count.limit", "0"), Err(Error::InvalidConfig { .. })));
    set("share.record.lock.duration.ms", "15000").unwrap();
    running.kill();
    let running = Running::start(&directory);
    assert_eq!(running.broker.share_lock_ms("g"), 15_000);
    let unset = vec!["share.record.lock.duration.ms".to_owned()];
    block_on(running.broker.share_configure("g", vec![], unset, false)).unwrap();
    assert_eq!(running.broker.share_lock_ms("g"), 30_000);
    running.stop();
}

#[test]
fn snapshots_hold_share_groups_too() {
    let directory = directory();
    let small = || BrokerConfig { journal_snapshot_bytes: 4000, ..config() };
    let clock = || Arc::new(onrush_sys::SystemClock);
    let running = Running::with(disk(&directory), small(), clock()).unwrap();
    let partition = running.topic("t");
    join(&running, "a");
    acquire(&running, "a", &partition, 9);
    produce_durably(&partition, batch(&["open"])).unwrap();
    assert_eq!(acquire(&running, "a", &partition, 1), [(0, 0, 1)]);
    settle(&running, "a", &partition, 0, 0, AckType::Release).unwrap();
    assert_eq!(acquire(&running, "a", &partition, 1), [(0, 0, 2)]);
    let snapshot = "topics/00000000-0000-0000-0000-000000000004/snapshot";
    let disk = disk(&directory);
    let mut last = 0;
    while !disk.exists(std::path::Path::new(snapshot)).unwrap() {
        last = produce_durably(&partition, batch(&["x"])).unwrap().base_offset.get();
        assert_eq!(acquire(&running, "a", &partition, 1), [(last, last, 1)]);
        settle(&running, "a", &partition, last, last, AckType::Accept).unwrap();
    }
    assert_eq!(start_of(&running, &partition), Some((0, 1)));
    drop(partition);
    running.kill();
    let running = Running::with(disk, small(), clock()).unwrap();
    let partition = running.partition("t");
    assert_eq!(acquire(&running, "a", &partition, 9), [(0, 0, 2)]);
    settle(&running, "a", &partition, 0, 0, AckType::Accept).unwrap();
    assert_eq!(start_of(&running, &partition), Some((last + 1, 0)));
    let new = NewTopic { name: "u".to_owned(), ..NewTopic::default() };
    block_on(running.broker.create_topic(new)).unwrap();
    running.stop();
}

#[test]
fn what_is_not_decided_waits_and_what_is_aborted_is_passed_over() {
    let directory = directory();
    let running = Running::start(&directory);
    let broker = &running.broker;
    let partition = running.topic("t");
    configure(&running, "share.auto.offset.reset", "earliest");
    configure(&running, "share.isolation.level", "read_committed");
    join(&running, "a");
    let (producer, epoch) = block_on(broker.init_transactional("x", 60_000, None)).unwrap();
    let send = |sequence: i32, values: &[&str]| {
        let mut builder = BatchBuilder::new(Codec::None);
        builder.set_producer(producer, epoch, Sequence::new(sequence));
        builder.set_transactional(true);
        for value in values {
            let now_ms = onrush_sys::Clock::now_ms(&onrush_sys::SystemClock);
            builder.push(now_ms, Some(b"k"), Some(value.as_bytes()), &[]);
        }
        produce_durably(&partition, builder.finish().unwrap()).unwrap();
    };
    let add = || {
        let partitions = [key(&partition)];
        block_on(broker.transaction_add_partitions("x", producer, epoch, &partitions)).unwrap();
    };
    let end = |commit| {
        block_on(broker.transaction_end("x", producer, epoch, commit, false)).unwrap();
        // The markers come after the answer.
        let signal = Signal::new();
        while partition.ends().last_stable < partition.ends().written {
            partition.wake_on_stable(partition.ends().last_stable, &signal);
            block_on(signal.notified());
        }
    };
    for order_by_key in ["false", "true"] {
        configure(&running, "share.order.by.key", order_by_key);
        let (first, sequence) =
            (partition.ends().written.get(), if order_by_key == "true" { 4 } else { 0 });
        produce_durably(&partition, batch(&["plain"])).unwrap();
        add();
        send(sequence, &["aborted", "too"]);
        assert_eq!(acquire(&running, "a", &partition, 9), [(first, first, 1)]);
        let signal = Signal::new();
        broker.share_wake("g", key(&partition), &signal).unwrap();
        assert!(!signal.take(), "nothing of it is decided");
        end(false);
        assert_eq!(acquire(&running, "a", &partition, 9), []);
        add();
        send(sequence + 2, &["committed", "more"]);
        end(true);
        block_on(signal.notified());
        // The one marker is at 3, the records after it.
        let next = first + 4;
        let last = if order_by_key == "true" { next } else { next + 1 };
        assert_eq!(acquire(&running, "a", &partition, 9), [(next, last, 1)]);
        settle(&running, "a", &partition, first, first, AckType::Accept).unwrap();
        settle(&running, "a", &partition, next, last, AckType::Accept).unwrap();
        if order_by_key == "true" {
            assert_eq!(acquire(&running, "a", &partition, 9), [(next + 1, next + 1, 1)]);
            settle(&running, "a", &partition, next + 1, next + 1, AckType::Accept).unwrap();
        }
        assert_eq!(acquire(&running, "a", &partition, 9), []);
        assert_eq!(start_of(&running, &partition), Some((partition.ends().written.get(), 0)));
    }
    running.stop();
}
