//! Topics: their life across restarts and crashes, their settings, the data directory's rules.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use onrush_broker::{
    Acks, BrokerConfig, ConfigSource, Error, Kind, NewTopic, OffsetSpec, TopicChange,
};
use onrush_record::Offset;
use onrush_sys::{Clock as _, ManualClock, OpenMode, SystemClock};
use support::{
    Running, batch, batch_at, config, directory, disk, produce, produce_durably, read_all,
};

fn new(name: &str, partitions: u32) -> NewTopic {
    NewTopic { name: name.to_owned(), partitions: Some(partitions), ..NewTopic::default() }
}

fn names(running: &Running) -> Vec<String> {
    running.broker.topics().iter().map(|topic| topic.name().to_string()).collect()
}

fn set(key: &str, value: &str) -> TopicChange {
    TopicChange { set: vec![(key.to_owned(), value.to_owned())], ..TopicChange::default() }
}

#[test]
fn what_was_decided_survives_a_crash() {
    let directory = directory();
    let running = Running::start(&directory);
    let broker = &running.broker;
    let cluster = broker.cluster_id();
    let kept = block_on(broker.create_topic(new("kept", 3))).unwrap().id.unwrap();
    let gone = block_on(broker.create_topic(new("gone", 1))).unwrap().id.unwrap();
    block_on(broker.alter_topic(kept, set("retention.ms", "1234"))).unwrap();
    let more = TopicChange { partitions: Some(5), ..TopicChange::default() };
    block_on(broker.alter_topic(kept, more)).unwrap();
    block_on(broker.delete_topic(gone)).unwrap();
    block_on(broker.create_topic(new("gone", 2))).unwrap();
    assert_eq!(names(&running), ["gone", "kept"]);
    running.kill();

    let running = Running::start(&directory);
    assert!(!running.report.clean && !running.report.fresh);
    assert_eq!(running.report.epoch.get(), 1, "an unclean stop raises the epoch");
    assert_eq!(running.report.findings, Vec::<String>::new());
    assert_eq!(running.broker.cluster_id(), cluster);
    assert_eq!(names(&running), ["gone", "kept"]);
    let topic = running.broker.topic(kept).unwrap();
    assert_eq!(topic.partition_count(), 5);
    let entry = topic.describe_configs().into_iter().find(|e| e.key == "retention.ms").unwrap();
    assert_eq!((entry.value.as_str(), entry.source), ("1234", ConfigSource::Topic));
    let again = running.broker.topic_by_name("gone").unwrap();
    assert_ne!(again.id(), gone);
    assert_eq!(again.partition_count(), 2);
    running.stop();

    let running = Running::start(&directory);
    assert!(running.report.clean);
    assert_eq!((running.report.epoch.get(), running.report.bytes_scanned), (1, 0));
    running.stop();
}

#[test]
fn a_deleted_topics_files_go_and_those_of_no_topic_too() {
    let directory = directory();
    let disk = disk(&directory);
    let running = Running::start(&directory);
    let orphan = "topics/3b5a0c1e-0000-4000-8000-000000000000";
    let id = block_on(running.broker.create_topic(new("gone", 1))).unwrap().id.unwrap();
    let partition = running.partition("gone");
    block_on(running.broker.delete_topic(id)).unwrap();
    assert!(matches!(
        produce(&partition, Acks::All, batch(&["a"])),
        Err(Error::UnknownTopic { .. })
    ));
    running.stop();
    disk.create_dir_all(std::path::Path::new(orphan)).unwrap();

    let running = Running::start(&directory);
    // The I/O loop works in order: what it was given at the start is done before this.
    block_on(running.broker.create_topic(new("next", 1))).unwrap();
    assert!(!disk.exists(std::path::Path::new(orphan)).unwrap());
    assert!(!disk.exists(std::path::Path::new(&format!("topics/{id}"))).unwrap());
    running.stop();
}

#[test]
fn what_is_not_allowed_is_refused_by_name() {
    let directory = directory();
    let running = Running::start(&directory);
    let broker = &running.broker;
    let id = block_on(broker.create_topic(new("taken", 2))).unwrap().id.unwrap();
    let create = |new| block_on(broker.create_topic(new)).unwrap_err();
    assert!(matches!(create(new("taken", 1)), Error::TopicExists { .. }));
    assert!(matches!(create(new("a/b", 1)), Error::IllegalTopicName { .. }));
    assert!(matches!(create(new("none", 0)), Error::InvalidRequest { .. }));
    let wrong = NewTopic {
        configs: vec![("cleanup.policy".to_owned(), "shred".to_owned())],
        ..new("wrong", 1)
    };
    assert!(matches!(create(wrong), Error::InvalidConfig { .. }));
    let alter = |change| block_on(broker.alter_topic(id, change)).unwrap_err();
    assert!(matches!(alter(set("retention", "1")), Error::InvalidConfig { .. }));
    let fewer = TopicChange { partitions: Some(1), ..TopicChange::default() };
    assert_eq!(alter(fewer).kind(), Kind::Refused);
    let only_checked = NewTopic { validate_only: true, ..new("checked", 4) };
    assert_eq!(block_on(broker.create_topic(only_checked)).unwrap().id, None);
    assert_eq!(names(&running), ["taken"]);
    let missing = broker.partition(id, 2).unwrap_err();
    assert!(matches!(missing, Error::UnknownPartition { partitions: 2, .. }));
    running.stop();
}

#[test]
fn a_creation_that_is_given_up_leaves_nothing() {
    let directory = directory();
    let running = Running::start(&directory);
    {
        let mut creating = Box::pin(running.broker.create_topic(new("given-up", 1)));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let _ = creating.as_mut().poll(&mut context);
    }
    // The name is free again unless the creation had been decided, and then it is there.
    match block_on(running.broker.create_topic(new("given-up", 1))) {
        Ok(_) | Err(Error::TopicExists { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    assert_eq!(names(&running), ["given-up"]);
    running.stop();
    let kept = disk(&directory).list(std::path::Path::new("topics")).unwrap();
    assert_eq!(kept.len(), 2, "the metadata journal and one topic: {kept:?}");
}

#[test]
fn time_moves_records_out_and_segments_on() {
    let directory = directory();
    let start_ms = 1_700_000_000_000;
    let clock = ManualClock::new(start_ms);
    let running = Running::with(disk(&directory), config(), Arc::new(clock.clone())).unwrap();
    let partition = running.topic_with("brief", &[("retention.ms", "1000")]);
    produce_durably(&partition, batch_at(&["a"], start_ms)).unwrap();
    clock.advance(Duration::from_millis(999));
    running.broker.tick();
    assert_eq!(partition.ends().start, Offset::ZERO);
    // The broker's own threads look too, and may leave the rest to the next look, a second later.
    let given_up = SystemClock.monotonic() + Duration::from_secs(60);
    while partition.ends().start != Offset::new(1) {
        assert!(SystemClock.monotonic() < given_up, "{:?}", partition.ends());
        clock.advance(Duration::from_secs(1));
        running.broker.tick();
        std::thread::yield_now();
    }
    let placed = produce_durably(&partition, batch_at(&["b"], clock.now_ms())).unwrap();
    assert_eq!(placed.base_offset, Offset::new(1));
    assert_eq!(read_all(&partition), ["b"]);
    running.stop();
}

#[test]
fn records_are_deleted_up_to_an_offset() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("orders");
    for value in ["a", "b", "c"] {
        produce_durably(&partition, batch(&[value])).unwrap();
    }
    let delete = |before| block_on(running.broker.delete_records(&partition, Offset::new(before)));
    assert_eq!(delete(2).unwrap(), Offset::new(2));
    assert!(matches!(delete(9), Err(Error::OffsetOutOfRange { .. })));
    let earliest = block_on(partition.list_offset(OffsetSpec::Earliest)).unwrap();
    assert_eq!(earliest.offset, Some(Offset::new(2)));
    assert_eq!(read_all(&partition), ["c"]);
    drop(partition);
    running.kill();
    let running = Running::start(&directory);
    assert_eq!(running.partition("orders").ends().start, Offset::new(2));
    running.stop();
}

#[test]
fn a_directory_has_one_broker() {
    let directory = directory();
    let running = Running::start(&directory);
    let second = Running::with(disk(&directory), config(), Arc::new(SystemClock));
    assert!(matches!(second.err(), Some(Error::DataDirLocked { .. })));
    running.stop();
}

#[test]
fn what_is_not_ours_or_newer_is_left_alone() {
    let directory = directory();
    let disk = disk(&directory);
    disk.open(std::path::Path::new("letter.txt"), OpenMode::Create).unwrap();
    let error = Running::with(Arc::clone(&disk), config(), Arc::new(SystemClock)).err().unwrap();
    assert!(error.to_string().contains("letter.txt"), "{error}");

    disk.remove_file(std::path::Path::new("letter.txt")).unwrap();
    Running::start(&directory).stop();
    let format = disk.open(std::path::Path::new("format"), OpenMode::ReadWrite).unwrap();
    format.write_all_at(&mut [std::io::IoSlice::new(&[9])], 8).unwrap();
    let error = Running::with(disk, config(), Arc::new(SystemClock)).err().unwrap();
    assert!(matches!(error, Error::NewerFormat { found: 9, .. }), "{error}");
}

#[test]
fn snapshots_bound_what_is_replayed() {
    let directory = directory();
    let small = || BrokerConfig { journal_snapshot_bytes: 2000, ..config() };
    let clock = || Arc::new(SystemClock);
    let running = Running::with(disk(&directory), small(), clock()).unwrap();
    for round in 0..40 {
        let id = block_on(running.broker.create_topic(new(&format!("t{round}"), 1))).unwrap();
        if round % 4 != 0 {
            block_on(running.broker.delete_topic(id.id.unwrap())).unwrap();
        }
    }
    let before = names(&running);
    let snapshot = "topics/00000000-0000-0000-0000-000000000001/snapshot";
    let disk = disk(&directory);
    running.stop();
    assert!(disk.exists(std::path::Path::new(snapshot)).unwrap());
    let running = Running::with(disk, small(), clock()).unwrap();
    assert_eq!(names(&running), before);
    assert_eq!(before.len(), 10);
    running.kill();
}
