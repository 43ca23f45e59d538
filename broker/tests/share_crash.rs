//! Power cuts anywhere in a share group's life: what was acknowledged stays so, nothing else is
//! lost, and no record is handed out more often than it may be.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use onrush_broker::share::{AckType, AcquireMode, ShareAcknowledgement, ShareHeartbeat};
use onrush_broker::{BrokerConfig, ShareAcquire};
use onrush_record::{Offset, TopicId};
use onrush_sim::{CrashPlan, CrashPolicy, SimDisk};
use onrush_sys::SystemClock;
use support::{Running, batch, config, produce_durably};

const RECORDS: u64 = 12;

/// Something that was answered.
#[derive(Clone, Copy, Debug)]
enum Fact {
    Produced(u64),
    /// The group has begun to read, before the first record.
    Begun,
    Settled(u64),
    /// So many deliveries of it are over.
    Tried(u64, u16),
}

fn small() -> BrokerConfig {
    // Snapshots come in the middle of it.
    let checkpoint_interval = Duration::from_millis(10);
    BrokerConfig { journal_snapshot_bytes: 1500, checkpoint_interval, ..config() }
}

fn join(running: &Running) {
    let beat = ShareHeartbeat {
        group: "g".to_owned(),
        member_id: "m".to_owned(),
        topics: Some(vec!["t".to_owned()]),
        ..ShareHeartbeat::default()
    };
    block_on(running.broker.share_heartbeat(beat)).unwrap();
}

/// Offset and delivery count of each record it gets.
fn acquire(running: &Running, topic: TopicId, max_records: u32) -> Vec<(u64, u16)> {
    let request = ShareAcquire {
        group: "g",
        member_id: "m",
        partition: (topic, 0),
        max_records,
        max_bytes: 1 << 20,
        mode: AcquireMode::RecordLimit,
    };
    let got = block_on(running.broker.share_acquire(request)).unwrap();
    let ranges = got.ranges.iter();
    let each = ranges.flat_map(|range| {
        (range.first.get()..=range.last.get()).map(|offset| (offset, range.delivery_count))
    });
    each.collect()
}

fn settle(running: &Running, topic: TopicId, offset: u64, kind: AckType) {
    let ack = ShareAcknowledgement::new(Offset::new(offset), Offset::new(offset), kind);
    block_on(running.broker.share_acknowledge("g", "m", (topic, 0), &[ack])).unwrap();
}

/// A broker's life; the facts come with the boundary after which they must hold.
fn live(disk: &SimDisk) -> Vec<(usize, Fact)> {
    let running = Running::with(disk.as_disk(), small(), Arc::new(SystemClock)).unwrap();
    let partition = running.topic("t");
    let topic = partition.topic_id();
    let mut facts = Vec::new();
    join(&running);
    assert!(acquire(&running, topic, 1).is_empty());
    facts.push((disk.boundaries(), Fact::Begun));
    for offset in 0..RECORDS {
        produce_durably(&partition, batch(&[&offset.to_string()])).unwrap();
        facts.push((disk.boundaries(), Fact::Produced(offset)));
    }
    let mut done = 0;
    while done < RECORDS - 2 {
        for (offset, count) in acquire(&running, topic, 3) {
            // One is left open, one is rejected, some are tried again first.
            match offset {
                4 if count < 4 => {
                    settle(&running, topic, offset, AckType::Release);
                    facts.push((disk.boundaries(), Fact::Tried(offset, count)));
                }
                4 | 8 => {}
                _ if offset % 3 == 1 && count < 3 => {
                    settle(&running, topic, offset, AckType::Release);
                    facts.push((disk.boundaries(), Fact::Tried(offset, count)));
                }
                _ => {
                    let kind = if offset == 7 { AckType::Reject } else { AckType::Accept };
                    settle(&running, topic, offset, kind);
                    facts.push((disk.boundaries(), Fact::Settled(offset)));
                    done += 1;
                }
            }
        }
    }
    // On until a snapshot stands for some of it.
    let snapshot = Path::new("topics/00000000-0000-0000-0000-000000000004/snapshot");
    while !disk.as_disk().exists(snapshot).unwrap() {
        let placed = produce_durably(&partition, batch(&["more"])).unwrap();
        let offset = placed.base_offset.get();
        facts.push((disk.boundaries(), Fact::Produced(offset)));
        for (offset, count) in acquire(&running, topic, 1) {
            assert_eq!(count, 1, "what is left open is still with the member");
            settle(&running, topic, offset, AckType::Accept);
            facts.push((disk.boundaries(), Fact::Settled(offset)));
        }
    }
    drop(partition);
    running.stop();
    facts
}

/// What a new life finds: everything that is handed out, to the end.
fn check(running: &Running, facts: &[Fact]) {
    let Some(topic) = running.broker.topic_by_name("t") else {
        assert!(facts.is_empty(), "the topic is gone");
        return;
    };
    let begun = facts.iter().any(|fact| matches!(fact, Fact::Begun));
    join(running);
    let (mut open, mut tried) = (Vec::new(), BTreeMap::new());
    for fact in facts {
        match *fact {
            Fact::Begun => {}
            Fact::Produced(offset) => open.push(offset),
            Fact::Settled(settled) => open.retain(|offset| *offset != settled),
            Fact::Tried(offset, count) => drop(tried.insert(offset, count)),
        }
    }
    let mut seen = BTreeMap::new();
    loop {
        let got = acquire(running, topic.id(), 5);
        if got.is_empty() {
            break;
        }
        for (offset, count) in got {
            assert!(seen.insert(offset, count).is_none(), "{offset} comes twice");
            assert!(count <= 5 && count > tried.get(&offset).copied().unwrap_or(0), "{offset}");
            settle(running, topic.id(), offset, AckType::Accept);
        }
    }
    for fact in facts {
        if let Fact::Settled(offset) = fact {
            assert!(!seen.contains_key(offset), "{offset} was settled and comes again");
        }
    }
    if begun {
        // One that was being settled, or its answer, may be lost either way.
        let missing = open.iter().filter(|offset| !seen.contains_key(offset)).count();
        assert!(missing <= 1, "{open:?} should come, {seen:?} did");
    }
}

#[test]
fn what_was_acknowledged_stays_so_after_every_power_cut() {
    let disk = SimDisk::new();
    let facts = live(&disk);
    let plan = CrashPlan { torn: 1, reordered: 2, seed: 11 };
    let mut states = 0;
    for (point, crashed) in disk.crash_states(plan) {
        states += 1;
        let running = Running::with(crashed.as_disk(), small(), Arc::new(SystemClock))
            .unwrap_or_else(|error| panic!("{point}: {error}"));
        assert!(running.report.findings.iter().all(|found| !found.contains("damaged")), "{point}");
        let due: Vec<_> =
            facts.iter().filter(|(at, _)| *at <= point.boundary).map(|(_, fact)| *fact).collect();
        // Names the state if it fails.
        println!("{point}");
        check(&running, &due);
        running.kill();
    }
    println!("{states} crash states, {} facts", facts.len());
    assert!(states > 200, "{states}");
}

#[test]
fn nothing_is_settled_that_a_cut_took_back() {
    let disk = SimDisk::new();
    let facts = live(&disk);
    let last = disk.boundaries();
    let crashed = disk.crash(last, CrashPolicy::DropUnsynced);
    let running = Running::with(crashed.as_disk(), small(), Arc::new(SystemClock)).unwrap();
    let facts: Vec<_> = facts.into_iter().map(|(_, fact)| fact).collect();
    check(&running, &facts);
    // And all of it again, after the next restart, is nothing.
    running.stop();
    let running = Running::with(crashed.as_disk(), small(), Arc::new(SystemClock)).unwrap();
    let topic = running.broker.topic_by_name("t").unwrap().id();
    assert!(acquire(&running, topic, 9).is_empty());
    running.stop();
}

#[test]
fn an_acknowledgement_sent_again_waits_for_the_first_to_be_durable() {
    let disk = SimDisk::new();
    let running = Running::with(disk.as_disk(), config(), Arc::new(SystemClock)).unwrap();
    let partition = running.topic("t");
    let topic = partition.topic_id();
    join(&running);
    assert!(acquire(&running, topic, 1).is_empty());
    produce_durably(&partition, batch(&["a"])).unwrap();
    assert_eq!(acquire(&running, topic, 1), [(0, 1)]);
    disk.hold_syncs();
    let ack = [ShareAcknowledgement::new(Offset::new(0), Offset::new(0), AckType::Accept)];
    let send = || Box::pin(running.broker.share_acknowledge("g", "m", (topic, 0), &ack));
    let (mut first, mut again) = (send(), send());
    assert!(first.as_mut().now_or_never().is_none());
    assert!(again.as_mut().now_or_never().is_none(), "a crash could still take it back");
    disk.release_syncs();
    block_on(first).unwrap();
    block_on(again).unwrap();
    drop(partition);
    running.stop();
}
