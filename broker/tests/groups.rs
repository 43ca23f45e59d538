//! Groups behind the broker: durable, timed, and knowing the topics.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use onrush_broker::group::{
    GroupCommit, GroupError, GroupHeartbeat, GroupHeartbeatReply, OffsetCommit, TopicPartition,
};
use onrush_broker::{BrokerConfig, Error};
use onrush_record::Offset;
use onrush_sys::ManualClock;
use support::{Running, batch, config, directory, disk, produce_durably};

fn join(running: &Running, topic: &str) -> GroupHeartbeatReply {
    block_on(running.broker.group_heartbeat(GroupHeartbeat {
        group: "readers".to_owned(),
        member_id: "me".to_owned(),
        rebalance_timeout_ms: 1000,
        topics: Some(vec![topic.to_owned()]),
        ..GroupHeartbeat::default()
    }))
    .unwrap()
}

fn commit(
    running: &Running,
    member: &GroupHeartbeatReply,
    partition: TopicPartition,
    offset: u64,
) -> Result<(), Error> {
    let offset = OffsetCommit {
        partition,
        offset: Some(Offset::new(offset)),
        leader_epoch: None,
        metadata: "x".to_owned(),
    };
    let commit = GroupCommit {
        group: "readers".to_owned(),
        member_id: member.member_id.clone(),
        member_epoch: member.member_epoch,
        offsets: vec![offset],
        ..GroupCommit::default()
    };
    block_on(running.broker.group_commit(commit))?.remove(0)
}

fn committed(running: &Running, partition: TopicPartition) -> Option<u64> {
    let found = block_on(running.broker.group_offsets("readers", Some(&[partition]))).unwrap();
    found[0].1.as_ref().map(|committed| committed.offset.get())
}

#[test]
fn commits_survive_a_crash_and_lag_is_shown() {
    let directory = directory();
    let running = Running::start(&directory);
    let partition = running.topic("orders");
    let id = (partition.topic_id(), 0);
    produce_durably(&partition, batch(&["a", "b", "c"])).unwrap();
    let member = join(&running, "orders");
    assert_eq!(member.assignment, Some(vec![id]));
    commit(&running, &member, id, 1).unwrap();
    let text = running.broker.scrape();
    let line = "onrush_group_lag{group=\"readers\",topic=\"orders\",partition=\"0\"} 2";
    assert!(text.contains(line), "{text}");
    drop(partition);
    running.kill();

    let running = Running::start(&directory);
    assert_eq!(committed(&running, id), Some(1));
    let lag = block_on(running.broker.group_lag("readers")).unwrap();
    assert_eq!(lag[0].records(), 2);
    // The member is still known, and goes on.
    commit(&running, &member, id, 3).unwrap();
    running.stop();

    let running = Running::start(&directory);
    assert_eq!(committed(&running, id), Some(3));
    running.stop();
}

#[test]
fn a_silent_members_session_ends_in_time() {
    let directory = directory();
    let clock = ManualClock::new(1_700_000_000_000);
    let running = Running::with(disk(&directory), config(), Arc::new(clock.clone())).unwrap();
    let id = (running.topic("orders").topic_id(), 0);
    let member = join(&running, "orders");
    clock.advance(Duration::from_secs(44));
    running.broker.tick();
    commit(&running, &member, id, 1).unwrap();
    clock.advance(Duration::from_secs(2));
    running.broker.tick();
    assert!(matches!(
        commit(&running, &member, id, 2),
        Err(Error::Group(GroupError::UnknownMember { .. }))
    ));
    assert_eq!(committed(&running, id), Some(1));
    running.stop();
}

#[test]
fn a_deleted_topics_offsets_are_forgotten() {
    let directory = directory();
    let running = Running::start(&directory);
    let id = (running.topic("orders").topic_id(), 0);
    let member = join(&running, "orders");
    commit(&running, &member, id, 1).unwrap();
    block_on(running.broker.delete_topic(id.0)).unwrap();
    assert_eq!(committed(&running, id), None);
    assert!(matches!(commit(&running, &member, id, 2), Err(Error::UnknownTopic { .. })));
    running.kill();
    let running = Running::start(&directory);
    assert_eq!(committed(&running, id), None);
    running.stop();
}

#[test]
fn snapshots_hold_groups_too() {
    let directory = directory();
    let small = || BrokerConfig { journal_snapshot_bytes: 2000, ..config() };
    let clock = || Arc::new(onrush_sys::SystemClock);
    let running = Running::with(disk(&directory), small(), clock()).unwrap();
    let id = (running.topic("orders").topic_id(), 0);
    let member = join(&running, "orders");
    let snapshot = "topics/00000000-0000-0000-0000-000000000002/snapshot";
    let disk = disk(&directory);
    let mut offset = 0;
    while !disk.exists(std::path::Path::new(snapshot)).unwrap() {
        offset += 1;
        commit(&running, &member, id, offset).unwrap();
    }
    offset += 1;
    commit(&running, &member, id, offset).unwrap();
    running.kill();
    let running = Running::with(disk, small(), clock()).unwrap();
    assert_eq!(committed(&running, id), Some(offset));
    running.stop();
}
