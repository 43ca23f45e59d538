//! Failing syncs, full disks, damaged journals.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures::executor::block_on;
use onrush_broker::group::GroupHeartbeat;
use onrush_broker::{Acks, Error, Kind, NewTopic, Partition, Settled, Signal};
use onrush_record::Offset;
use onrush_sys::{OpenMode, SystemClock};
use support::faulty::{Faults, FaultyDisk};
use support::{Running, batch, config, directory, disk, produce, produce_durably, read_all};

fn faulty(directory: &onrush_sys::TempDir) -> (Running, Arc<Faults>) {
    let faults = Arc::new(Faults::default());
    let disk = FaultyDisk { below: disk(directory), faults: Arc::clone(&faults) };
    let running = Running::with(Arc::new(disk), config(), Arc::new(SystemClock)).unwrap();
    (running, faults)
}

/// Produces until the log takes it again.
fn produce_again(partition: &Partition, value: &str) {
    loop {
        match produce_durably(partition, batch(&[value])) {
            Ok(_) => return,
            Err(error) => assert!(matches!(error.kind(), Kind::Retry | Kind::Fatal), "{error}"),
        }
    }
}

#[test]
fn a_failed_sync_makes_the_outcome_unknown_and_the_log_goes_on() {
    let directory = directory();
    let (running, faults) = faulty(&directory);
    let partition = running.topic("orders");
    produce_durably(&partition, batch(&["a"])).unwrap();
    faults.sync.store(true, Ordering::SeqCst);
    let placed = produce(&partition, Acks::All, batch(&["b"])).unwrap();
    let signal = Signal::new();
    let mark = placed.await_durable.unwrap();
    let settled = loop {
        match partition.settled(mark) {
            Settled::Pending => {}
            settled => break settled,
        }
        partition.wake_on_durable(mark.upto, &signal);
        block_on(signal.notified());
    };
    assert!(matches!(settled, Settled::Failed(error) if error.kind() == Kind::Unknown));
    produce_again(&partition, "c");
    // What was written had reached the file, so it is there: unknown, but not half.
    assert_eq!(read_all(&partition), ["a", "b", "c"]);
    drop(partition);
    running.stop();
    let running = Running::start(&directory);
    assert_eq!(read_all(&running.partition("orders")), ["a", "b", "c"]);
    running.stop();
}

#[test]
fn a_full_disk_refuses_producers_and_nobody_else() {
    let directory = directory();
    let (running, faults) = faulty(&directory);
    let partition = running.topic("orders");
    let doomed = running.topic("doomed").topic_id();
    produce_durably(&partition, batch(&["a"])).unwrap();
    running.broker.tick();
    assert!(disk(&directory).exists(Path::new("reserve")).unwrap());

    faults.full.store(true, Ordering::SeqCst);
    let refused = produce(&partition, Acks::All, batch(&["b"])).unwrap_err();
    assert!(matches!(refused, Error::DiskFull { .. }), "{refused}");
    assert_eq!(refused.kind(), Kind::Retry);
    assert_eq!(read_all(&partition), ["a"]);
    // The reserve gives the journal the room to decide.
    block_on(running.broker.delete_topic(doomed)).unwrap();
    assert!(!disk(&directory).exists(Path::new("reserve")).unwrap());

    faults.full.store(false, Ordering::SeqCst);
    running.broker.tick();
    produce_durably(&partition, batch(&["c"])).unwrap();
    assert_eq!(read_all(&partition), ["a", "c"]);
    assert!(disk(&directory).exists(Path::new("reserve")).unwrap(), "it stands again");
    running.stop();
}

/// Flips a bit in a file of the data directory.
fn flip(directory: &onrush_sys::TempDir, path: &str, position: u64) {
    let file = disk(directory).open(Path::new(path), OpenMode::ReadWrite).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, position).unwrap();
    byte[0] ^= 4;
    file.write_all_at(&mut [std::io::IoSlice::new(&byte)], position).unwrap();
}

#[test]
fn damage_in_the_metadata_disables_changes_and_nothing_else() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("one");
    produce_durably(&partition, batch(&["a"])).unwrap();
    running.topic("two");
    drop(partition);
    running.stop();
    // Within the first batch: the cluster's id.
    flip(&directory, "topics/00000000-0000-0000-0000-000000000001/0/0000000000.log", 80);

    let running = Running::start(&directory);
    assert_eq!(running.report.findings.len(), 1, "{:?}", running.report.findings);
    assert!(running.report.findings[0].contains("journal of topics"));
    let new = NewTopic { name: "three".to_owned(), ..NewTopic::default() };
    let refused = block_on(running.broker.create_topic(new)).unwrap_err();
    assert!(matches!(refused, Error::Damaged { .. }), "{refused}");
    for topic in running.broker.topics() {
        let partition = topic.partition(0).unwrap();
        produce_durably(&partition, batch(&["b"])).unwrap();
    }
    running.kill();
}

const CONSUMER_SETTING: &str = "consumer.session.timeout.ms";
const SHARE_SETTING: &str = "share.record.lock.duration.ms";

fn set(running: &Running, keys: &[&str]) -> Result<(), Error> {
    let set = keys.iter().map(|key| ((*key).to_owned(), "50000".to_owned())).collect();
    block_on(running.broker.group_configure("g", set, Vec::new(), false))
}

/// Settings of groups of one kind are changed and shown, those of the other kind are refused by
/// name, alone or together with others.
fn only_settings_of(running: &Running, sound: &str, damaged: &str) {
    for keys in [&[damaged][..], &[damaged, sound]] {
        let refused = set(running, keys).unwrap_err();
        assert!(matches!(refused, Error::Damaged { .. }), "{refused}");
        assert!(running.broker.group_configured().unwrap().is_empty());
    }
    set(running, &[sound]).unwrap();
    assert_eq!(running.broker.group_configured().unwrap(), ["g"]);
    let shown = running.broker.group_config("g").unwrap();
    assert!(shown.iter().any(|entry| entry.key == sound && entry.value == "50000"), "{shown:?}");
    assert!(shown.iter().all(|entry| entry.key != damaged), "{shown:?}");
}

#[test]
fn damage_in_the_share_groups_leaves_consumer_groups_their_settings() {
    let directory = directory();
    let running = Running::start(&directory);
    set(&running, &[SHARE_SETTING]).unwrap();
    running.stop();
    flip(&directory, "topics/00000000-0000-0000-0000-000000000004/0/0000000000.log", 70);
    let running = Running::start(&directory);
    only_settings_of(&running, CONSUMER_SETTING, SHARE_SETTING);
    running.kill();
}

#[test]
fn damage_in_the_groups_disables_groups_and_nothing_else() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("one");
    let beat = || GroupHeartbeat {
        group: "g".to_owned(),
        topics: Some(vec!["one".to_owned()]),
        rebalance_timeout_ms: 1000,
        ..GroupHeartbeat::default()
    };
    block_on(running.broker.group_heartbeat(beat())).unwrap();
    drop(partition);
    running.stop();
    flip(&directory, "topics/00000000-0000-0000-0000-000000000002/0/0000000000.log", 70);

    let running = Running::start(&directory);
    assert!(running.report.findings[0].contains("consumer groups"));
    let refused = block_on(running.broker.group_heartbeat(beat())).unwrap_err();
    assert!(matches!(&refused, Error::Damaged { what, .. } if what.contains("consumer groups")));
    assert!(running.broker.group_list().is_err());
    only_settings_of(&running, SHARE_SETTING, CONSUMER_SETTING);
    running.topic("two");
    let partition = running.partition("one");
    let placed = produce_durably(&partition, batch(&["a"])).unwrap();
    assert_eq!(placed.base_offset, Offset::ZERO);
    running.kill();
}
