//! The classic protocol, by story.

mod commits;
mod joining;
mod leaving;
mod mixed;
mod statics;
mod surviving;

use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;

/// Groups, calls that wait, and what they were told.
pub(super) struct Room {
    pub(super) world: World,
    last: u64,
    told: BTreeMap<Ticket, ClassicAnswer>,
}

/// What a consumer says: a subscription of version 0 to these topics.
pub(super) fn subscribes(topics: &[&str]) -> Bytes {
    let mut out = vec![0, 0];
    out.extend(i32::try_from(topics.len()).unwrap().to_be_bytes());
    for topic in topics {
        out.extend(i16::try_from(topic.len()).unwrap().to_be_bytes());
        out.extend(topic.as_bytes());
    }
    out.extend((-1_i32).to_be_bytes());
    Bytes::from(out)
}

pub(super) fn joins(member: &str) -> ClassicJoin {
    ClassicJoin {
        group: "g".to_owned(),
        member_id: member.to_owned(),
        client_id: "client".to_owned(),
        client_host: "host".to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".to_owned(),
        protocols: vec![("range".to_owned(), subscribes(&["t"]))],
        skips_assignment: true,
        ..ClassicJoin::default()
    }
}

fn fixed(instance: &str) -> ClassicJoin {
    ClassicJoin { instance_id: Some(instance.to_owned()), ..joins("") }
}

impl Room {
    pub(super) fn new() -> Room {
        Room { world: World::new(4), last: 0, told: BTreeMap::new() }
    }

    fn collect(&mut self, events: Vec<GroupEvent>) {
        self.world.events.extend(events);
        for answer in self.world.groups.take_answers() {
            assert!(self.told.insert(answer.to, answer.what).is_none(), "answered twice");
        }
    }

    fn ticket(&mut self) -> Ticket {
        self.last += 1;
        Ticket(self.last)
    }

    pub(super) fn join(&mut self, join: ClassicJoin) -> Ticket {
        let ticket = self.ticket();
        let events =
            self.world.groups.classic_join(self.world.now_ms, &self.world.directory, ticket, join);
        self.collect(events);
        ticket
    }

    fn sync(&mut self, joined: &ClassicJoined, given: &[(&str, &[u8])]) -> Ticket {
        let own = |(id, bytes): &(&str, &[u8])| ((*id).to_owned(), Bytes::copy_from_slice(bytes));
        self.sync_with(ClassicSync {
            group: "g".to_owned(),
            generation: joined.generation,
            member_id: joined.member_id.clone(),
            assignments: given.iter().map(own).collect(),
            ..ClassicSync::default()
        })
    }

    fn sync_with(&mut self, sync: ClassicSync) -> Ticket {
        let ticket = self.ticket();
        let events =
            self.world.groups.classic_sync(self.world.now_ms, &self.world.directory, ticket, &sync);
        self.collect(events);
        ticket
    }

    fn beat(&mut self, joined: &ClassicJoined) -> Result<(), GroupError> {
        self.beat_as(joined, None)
    }

    fn beat_as(
        &mut self,
        joined: &ClassicJoined,
        instance_id: Option<&str>,
    ) -> Result<(), GroupError> {
        let (generation, member_id) = (joined.generation, joined.member_id.as_str());
        let beat = ClassicHeartbeat { group: "g", generation, member_id, instance_id };
        let World { groups, directory, now_ms, .. } = &mut self.world;
        let (result, events) = groups.classic_heartbeat(*now_ms, directory, &beat);
        self.collect(events);
        result
    }

    fn leave(&mut self, member: &str, instance: Option<&str>) -> Result<(), GroupError> {
        let leaving = LeavingMember {
            member_id: member.to_owned(),
            instance_id: instance.map(str::to_owned),
            reason: None,
        };
        let World { groups, directory, now_ms, .. } = &mut self.world;
        let left = groups.classic_leave(*now_ms, directory, "g", &[leaving]);
        let (results, events) = left?;
        self.collect(events);
        results[0].clone()
    }

    pub(super) fn pass(&mut self, ms: i64) {
        self.world.pass(ms);
        self.collect(Vec::new());
    }

    fn abandon(&mut self, ticket: Ticket) {
        let events = self.world.groups.classic_abandon(self.world.now_ms, "g", ticket);
        self.collect(events);
    }

    fn waits(&self, ticket: Ticket) -> bool {
        !self.told.contains_key(&ticket)
    }

    #[track_caller]
    pub(super) fn joined(&self, ticket: Ticket) -> Result<ClassicJoined, GroupError> {
        match self.told.get(&ticket) {
            Some(ClassicAnswer::Joined(result)) => result.clone(),
            other => panic!("not the answer to a join: {other:?}"),
        }
    }

    #[track_caller]
    fn synced(&self, ticket: Ticket) -> Result<ClassicSynced, GroupError> {
        match self.told.get(&ticket) {
            Some(ClassicAnswer::Synced(result)) => result.clone(),
            other => panic!("not the answer to a sync: {other:?}"),
        }
    }

    fn state(&self) -> GroupState {
        self.world.groups.describe_classic("g").map_or(GroupState::Empty, |group| group.state)
    }

    /// A stable group of so many members, the leader first, each assigned its index.
    fn stable(&mut self, members: u8) -> Vec<ClassicJoined> {
        let tickets: Vec<_> = (0..members).map(|_| self.join(joins(""))).collect();
        self.pass(60_000);
        let mut all: Vec<_> = tickets.into_iter().map(|it| self.joined(it).unwrap()).collect();
        all.sort_by_key(|joined| joined.members.is_empty());
        let given: Vec<(&str, [u8; 1])> =
            all.iter().zip(0..).map(|(joined, index)| (&*joined.member_id, [index])).collect();
        let given: Vec<(&str, &[u8])> = given.iter().map(|(id, it)| (*id, &it[..])).collect();
        for joined in all[1..].iter().chain(&all[..1]) {
            self.sync(joined, if joined.members.is_empty() { &[] } else { &given });
        }
        assert_eq!(self.state(), GroupState::Stable);
        all
    }
}
