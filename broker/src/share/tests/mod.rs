//! What holds for share groups, by story and by random history.

mod coding;
mod membership;
mod random;
mod records;
mod simulation;

use onrush_record::{Offset, TopicId};

use super::acquire::HandedOut;
use super::*;
use crate::group::{TopicDirectory, TopicEntry};
use crate::settings::Overrides;

const TOPIC: TopicId = TopicId::new([1; 16]);
/// The partition that stories are about.
const KEY: TopicPartition = (TOPIC, 0);

/// Share groups with a directory and a clock of their own.
struct World {
    groups: ShareGroups,
    directory: TopicDirectory,
    now_ms: i64,
    events: Vec<ShareEvent>,
    dead: Vec<(TopicPartition, DeadLetter)>,
}

fn entry(byte: u8, partitions: u32) -> TopicEntry {
    TopicEntry { id: TopicId::new([byte; 16]), partitions, internal: false }
}

fn joining(member: &str) -> ShareHeartbeat {
    ShareHeartbeat { topics: Some(vec!["t".to_owned()]), ..staying(member, JOIN) }
}

fn staying(member: &str, member_epoch: i32) -> ShareHeartbeat {
    let (group, member_id) = ("g".to_owned(), member.to_owned());
    ShareHeartbeat { group, member_id, member_epoch, ..ShareHeartbeat::default() }
}

/// Records `first` to `end` in batches of `size`, as a read finds them.
fn found(first: u64, end: u64, size: u64) -> Found {
    let runs = (first..end).step_by(usize::try_from(size).unwrap());
    let runs = runs.map(|at| (at, (at + size).min(end))).collect();
    Found { from: first, end, runs, keys: None }
}

fn ack(first: u64, last: u64, kind: AckType) -> ShareAcknowledgement {
    ShareAcknowledgement::new(Offset::new(first), Offset::new(last), kind)
}

/// First, last, delivery count.
fn told(out: &HandedOut) -> Vec<(u64, u64, u16)> {
    let plain = |range: &AcquiredRange| (range.first.get(), range.last.get(), range.delivery_count);
    out.ranges.iter().map(plain).collect()
}

impl World {
    /// With topic `t`, id [`TOPIC`], of so many partitions.
    fn new(partitions: u32) -> World {
        let mut directory = TopicDirectory::new();
        directory.put("t", entry(1, partitions));
        World {
            groups: ShareGroups::new(ShareSettings::default()),
            directory,
            now_ms: 1_000,
            events: Vec::new(),
            dead: Vec::new(),
        }
    }

    /// With members, and a start at 0.
    fn started(members: &[&str], settings: &[(&str, &str)]) -> World {
        let mut world = World::new(1);
        world.configure(settings);
        for member in members {
            world.beat(joining(member)).unwrap();
        }
        let event = world.groups.begin("g", KEY, 0).unwrap().unwrap();
        world.make(event);
        world
    }

    fn configure(&mut self, settings: &[(&str, &str)]) {
        let overrides: Overrides =
            settings.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        self.make(ShareEvent::new("g", What::Configured { overrides }));
    }

    fn make(&mut self, event: ShareEvent) {
        self.groups.apply(&event);
        self.events.push(event);
    }

    fn took(&mut self, effects: Effects) {
        self.events.extend(effects.events);
        self.dead.extend(effects.dead);
    }

    fn beat(&mut self, beat: ShareHeartbeat) -> Result<ShareHeartbeatReply, ShareError> {
        let (reply, effects) = self.groups.heartbeat(self.now_ms, &self.directory, &beat)?;
        self.took(effects);
        Ok(reply)
    }

    /// Moves the clock, then does what is due.
    fn pass(&mut self, ms: i64) {
        self.now_ms += ms;
        let effects = self.groups.expire(self.now_ms);
        self.took(effects);
        assert!(self.groups.next_due().is_none_or(|due_ms| due_ms > self.now_ms));
    }

    /// Acquires what a read that found `found` allows.
    fn take(&mut self, member: &str, max: u64, mode: AcquireMode, found: &Found) -> HandedOut {
        let out = self.groups.acquire(self.now_ms, ("g", member), KEY, (max, mode), found).unwrap();
        self.dead.extend(out.dead.iter().map(|dead| (KEY, *dead)));
        out
    }

    fn acknowledge(
        &mut self,
        member: &str,
        acks: &[ShareAcknowledgement],
    ) -> Result<(), ShareError> {
        let judged = self.groups.acknowledge("g", member, KEY, acks)?;
        self.groups.renew(self.now_ms, "g", KEY, &judged.renewed);
        let mut effects = Effects::default();
        let changes = judged.changes.clone();
        effects.settled("g", KEY, judged);
        if !changes.is_empty() {
            self.groups.apply(&effects.events[0]);
        }
        self.took(effects);
        Ok(())
    }

    /// A restart: all that is left is what was journalled.
    fn restart(&mut self) {
        let mut groups = ShareGroups::new(ShareSettings::default());
        for event in &self.events {
            groups.apply(&ShareEvent::decode(&event.encode()).unwrap());
        }
        groups.start(self.now_ms);
        self.groups = groups;
    }

    fn start(&self) -> u64 {
        self.groups.partition("g", KEY).unwrap().start()
    }
}
