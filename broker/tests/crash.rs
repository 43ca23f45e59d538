//! Power cuts anywhere in a broker's life: what was answered holds, whatever of the rest is lost.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use onrush_broker::group::{GroupCommit, OffsetCommit};
use onrush_broker::{Broker, BrokerConfig, Env, NewTopic};
use onrush_record::{Offset, ProducerId, TopicId};
use onrush_sim::{CrashPlan, Fault, Operation, SimDisk};
use onrush_sys::{SystemClock, SystemRandom};
use support::{Running, batch, config, numbered, produce_durably, read_all};

/// Something that was answered, and how much had been asked of the disk by then.
enum Fact {
    Created(TopicId, String),
    Deleted(TopicId),
    Produced(String, String),
    Committed(TopicId, u64),
    Producer(ProducerId),
}

fn commit(topic: TopicId, offset: u64) -> GroupCommit {
    let offset = OffsetCommit {
        partition: (topic, 0),
        offset: Some(Offset::new(offset)),
        leader_epoch: None,
        metadata: String::new(),
    };
    GroupCommit { group: "g".to_owned(), offsets: vec![offset], ..GroupCommit::default() }
}

/// A broker's life; the facts come with the boundary after which they must hold.
fn live(disk: &SimDisk) -> Vec<(usize, Fact)> {
    let running = Running::with(disk.as_disk(), config(), Arc::new(SystemClock)).unwrap();
    let broker = &running.broker;
    let mut facts = Vec::new();
    let (producer, _) = block_on(broker.init_producer()).unwrap();
    facts.push((disk.boundaries(), Fact::Producer(producer)));
    for round in 0..3 {
        let name = format!("t{round}");
        let new = NewTopic { name: name.clone(), ..NewTopic::default() };
        let id = block_on(broker.create_topic(new)).unwrap().id.unwrap();
        facts.push((disk.boundaries(), Fact::Created(id, name.clone())));
        let partition = running.partition(&name);
        for number in 0..3 {
            let value = format!("{name}-{number}");
            produce_durably(&partition, numbered(producer, number, &[&value])).unwrap();
            facts.push((disk.boundaries(), Fact::Produced(name.clone(), value)));
        }
        block_on(broker.group_commit(commit(id, round + 1))).unwrap().remove(0).unwrap();
        facts.push((disk.boundaries(), Fact::Committed(id, round + 1)));
        if round == 0 {
            block_on(broker.delete_topic(id)).unwrap();
            facts.push((disk.boundaries(), Fact::Deleted(id)));
        }
    }
    running.stop();
    facts
}

fn holds(broker: &Broker, facts: &[&Fact]) -> Result<(), String> {
    for fact in facts {
        let deleted = |id: &TopicId| {
            facts.iter().any(|fact| matches!(fact, Fact::Deleted(gone) if gone == id))
        };
        let sound = match fact {
            Fact::Created(id, name) => {
                deleted(id) || broker.topic(*id).is_some() || {
                    // Its deletion may have been decided, and not answered yet.
                    name == "t0" && broker.topic_by_name(name).is_none()
                }
            }
            Fact::Deleted(id) => broker.topic(*id).is_none(),
            Fact::Produced(name, value) => broker.topic_by_name(name).is_none_or(|topic| {
                let read = read_all(&topic.partition(0).unwrap());
                read.iter().filter(|found| *found == value).count() == 1
            }),
            Fact::Committed(id, offset) => {
                broker.topic(*id).is_none() || {
                    let found = block_on(broker.group_offsets("g", Some(&[(*id, 0)]))).unwrap();
                    found[0].1.as_ref().is_some_and(|c| c.offset.get() == *offset)
                }
            }
            // Checked by the caller: it needs the loops to run.
            Fact::Producer(_) => true,
        };
        if !sound {
            return Err(match fact {
                Fact::Created(_, name) => format!("topic {name} is gone"),
                Fact::Deleted(id) => format!("topic {id} is back"),
                Fact::Produced(name, value) => format!("{value} is not in {name} once"),
                Fact::Committed(id, offset) => format!("{id} is not committed at {offset}"),
                Fact::Producer(id) => format!("producer {id}"),
            });
        }
    }
    Ok(())
}

#[test]
fn what_was_answered_holds_after_every_power_cut() {
    let disk = SimDisk::new();
    let facts = live(&disk);
    let mut states = 0;
    for (point, crashed) in disk.crash_states(CrashPlan { torn: 4, reordered: 8, seed: 7 }) {
        let env = Env {
            disk: crashed.as_disk(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        };
        let (broker, _background, report) =
            Broker::open(config(), env).unwrap_or_else(|error| panic!("{point}: {error}"));
        assert_eq!(report.findings.iter().filter(|f| f.contains("damaged")).count(), 0, "{point}");
        let due: Vec<_> =
            facts.iter().filter(|(at, _)| *at <= point.boundary).map(|(_, fact)| fact).collect();
        holds(&broker, &due).unwrap_or_else(|what| panic!("{point}: {what}"));
        states += 1;
    }
    println!("{states} crash states, {} facts", facts.len());
    assert!(states > 500, "{states}");
}

#[test]
fn a_producer_id_is_never_given_out_twice() {
    let disk = SimDisk::new();
    let facts = live(&disk);
    let given = facts.iter().find_map(|(at, fact)| match fact {
        Fact::Producer(id) => Some((*at, *id)),
        _ => None,
    });
    let (from, given) = given.unwrap();
    for boundary in (from..disk.boundaries()).step_by(40) {
        let crashed = disk.crash(boundary, onrush_sim::CrashPolicy::DropUnsynced);
        let running = Running::with(crashed.as_disk(), config(), Arc::new(SystemClock)).unwrap();
        let (fresh, _) = block_on(running.broker.init_producer()).unwrap();
        assert!(fresh > given, "{fresh} after {given}, cut at {boundary}");
        running.kill();
    }
}

#[test]
fn the_first_append_after_a_kill_waits_for_no_epoch() {
    let disk = SimDisk::new();
    let running = Running::with(disk.as_disk(), config(), Arc::new(SystemClock)).unwrap();
    for name in ["a", "b", "c"] {
        produce_durably(&running.topic(name), batch(&["before"])).unwrap();
    }
    running.kill();
    let disk = disk.killed(disk.boundaries());
    // The checkpoints come later, and may fail.
    let later = BrokerConfig { checkpoint_interval: Duration::from_secs(3600), ..config() };
    let running = Running::with(disk.as_disk(), later, Arc::new(SystemClock)).unwrap();
    disk.fail(Fault::next(Operation::Sync).on("state.").forever());
    for name in ["a", "b", "c"] {
        let partition = running.partition(name);
        produce_durably(&partition, batch(&["after"])).unwrap();
        assert_eq!(read_all(&partition), ["before", "after"]);
        assert_eq!(partition.leader_epoch().get(), 1);
    }
    running.kill();
}

/// A topic of so many partitions with a record in each, left by a kill.
fn killed(partitions: u32) -> (SimDisk, TopicId) {
    let disk = SimDisk::new();
    let running = Running::with(disk.as_disk(), later(), Arc::new(SystemClock)).unwrap();
    let new =
        NewTopic { name: "t".to_owned(), partitions: Some(partitions), ..NewTopic::default() };
    block_on(running.broker.create_topic(new)).unwrap();
    let topic = running.broker.topic_by_name("t").unwrap();
    for number in 0..partitions {
        produce_durably(&topic.partition(number).unwrap(), batch(&["before"])).unwrap();
    }
    let id = topic.id();
    drop(topic);
    running.kill();
    (disk.killed(disk.boundaries()), id)
}

/// Checkpoints would sync too.
fn later() -> BrokerConfig {
    BrokerConfig { checkpoint_interval: Duration::from_secs(3600), ..config() }
}

#[test]
fn a_start_after_a_kill_syncs_as_often_for_many_partitions_as_for_few() {
    let syncs = |partitions| {
        let (disk, _) = killed(partitions);
        let (clock, random) = (Arc::new(SystemClock), Arc::new(SystemRandom));
        let before = disk.sync_calls();
        let opened = Broker::open(later(), Env { disk: disk.as_disk(), clock, random }).unwrap();
        let needed = disk.sync_calls() - before;
        assert_eq!(opened.2.findings, [""; 0]);
        needed
    };
    assert_eq!(syncs(3), syncs(50));
}

#[test]
fn a_partition_whose_recovery_cannot_be_synced_is_named_and_not_lost() {
    for (operation, name) in [(Operation::Sync, "1/0000000000.log"), (Operation::SyncDir, "1")] {
        let (disk, id) = killed(3);
        disk.fail(Fault::next(operation).on(&format!("{id}/{name}")));
        let running = Running::with(disk.as_disk(), later(), Arc::new(SystemClock)).unwrap();
        let findings = &running.report.findings;
        assert!(
            findings.iter().any(|finding| finding.contains("t/1 does not open")),
            "{findings:?}"
        );
        let topic = running.broker.topic_by_name("t").unwrap();
        assert!(topic.partition(1).is_err());
        for number in [0, 2] {
            let partition = topic.partition(number).unwrap();
            produce_durably(&partition, batch(&["after"])).unwrap();
            assert_eq!(read_all(&partition), ["before", "after"]);
        }
        drop(topic);
        running.kill();
        let disk = disk.killed(disk.boundaries());
        let running = Running::with(disk.as_disk(), later(), Arc::new(SystemClock)).unwrap();
        let topic = running.broker.topic_by_name("t").unwrap();
        let partition = topic.partition(1).unwrap();
        produce_durably(&partition, batch(&["after"])).unwrap();
        let crashed = disk.crash(disk.boundaries(), onrush_sim::CrashPolicy::DropUnsynced);
        drop((topic, partition));
        running.kill();
        let running = Running::with(crashed.as_disk(), later(), Arc::new(SystemClock)).unwrap();
        let topic = running.broker.topic_by_name("t").unwrap();
        for number in 0..3 {
            assert_eq!(read_all(&topic.partition(number).unwrap()), ["before", "after"]);
        }
        drop(topic);
        running.kill();
    }
}
