//! What holds for groups, by story, by property and by random history.

mod assignors;
mod classic;
mod coding;
mod commits;
mod expiry;
mod histories;
mod membership;
mod pending;
mod simulation;
mod statics;

use onrush_record::TopicId;

use super::*;

/// Groups with a directory and a clock of their own.
struct World {
    groups: Groups,
    directory: TopicDirectory,
    now_ms: i64,
    events: Vec<GroupEvent>,
}

const TOPIC: TopicId = TopicId::new([1; 16]);

fn id(byte: u8) -> TopicId {
    TopicId::new([byte; 16])
}

fn entry(byte: u8, partitions: u32) -> TopicEntry {
    TopicEntry { id: id(byte), partitions, internal: false }
}

impl World {
    /// With topic `t`, id [`TOPIC`], of so many partitions.
    fn new(partitions: u32) -> Self {
        let mut directory = TopicDirectory::new();
        directory.put("t", entry(1, partitions));
        let groups = Groups::new(GroupSettings::default());
        Self { groups, directory, now_ms: 1_000, events: Vec::new() }
    }

    fn beat(&mut self, beat: GroupHeartbeat) -> Result<GroupHeartbeatReply, GroupError> {
        let (reply, events) = self.groups.heartbeat(self.now_ms, &self.directory, beat)?;
        self.events.extend(events);
        Ok(reply)
    }

    fn join(&mut self, member: &str) -> GroupHeartbeatReply {
        self.beat(joining(member)).unwrap()
    }

    /// A heartbeat with a report; None: nothing new to say.
    fn stay(
        &mut self,
        member: &str,
        epoch: i32,
        owned: Option<&[u32]>,
    ) -> Result<GroupHeartbeatReply, GroupError> {
        let owned = owned.map(|owned| owned.iter().map(|index| (TOPIC, *index)).collect());
        self.beat(GroupHeartbeat { owned, ..staying(member, epoch) })
    }

    /// Moves the clock, then does what is due.
    fn pass(&mut self, ms: i64) {
        self.now_ms += ms;
        let events = self.groups.expire(self.now_ms, &self.directory);
        self.events.extend(events);
        assert!(self.groups.next_due().is_none_or(|due_ms| due_ms > self.now_ms));
    }

    fn commit(&mut self, commit: GroupCommit) -> Result<Vec<Result<(), GroupError>>, GroupError> {
        let (results, event) = self.groups.commit(self.now_ms, &self.directory, commit)?;
        if let Some(event) = event {
            self.groups.apply(&event);
            self.events.push(event);
        }
        Ok(results)
    }

    fn state(&self) -> GroupState {
        self.groups.describe(&self.directory, "g").map_or(GroupState::Empty, |group| group.state)
    }

    fn members(&self) -> usize {
        self.groups.describe(&self.directory, "g").map_or(0, |group| group.members.len())
    }
}

fn joining(member: &str) -> GroupHeartbeat {
    GroupHeartbeat { owned: Some(vec![]), ..staying(member, JOIN).subscribing(names(&["t"])) }
}

fn staying(member: &str, epoch: i32) -> GroupHeartbeat {
    GroupHeartbeat {
        group: "g".to_owned(),
        member_id: member.to_owned(),
        member_epoch: epoch,
        rebalance_timeout_ms: 60_000,
        ..GroupHeartbeat::default()
    }
}

fn names(topics: &[&str]) -> Subscription {
    Subscription { topics: topics.iter().map(|name| (*name).to_owned()).collect(), regex: None }
}

/// The partitions of [`TOPIC`] in an answer.
fn told(reply: &GroupHeartbeatReply) -> Option<Vec<u32>> {
    reply.assignment.as_ref().map(|all| all.iter().map(|(_, index)| *index).collect())
}

fn commit_of(member: &str, epoch: i32, partition: u32, offset: u64) -> GroupCommit {
    GroupCommit {
        group: "g".to_owned(),
        member_id: member.to_owned(),
        member_epoch: epoch,
        instance_id: None,
        offsets: vec![OffsetCommit {
            partition: (TOPIC, partition),
            offset: Some(onrush_record::Offset::new(offset)),
            leader_epoch: None,
            metadata: String::new(),
        }],
    }
}
