//! The state machine behind calls that go over connections, and the records.

use std::collections::HashMap;

use super::client::Client;
use super::judge::Judge;
use super::*;

pub(super) struct Site {
    pub(super) world: World,
    pub(super) judge: Judge,
    last: u64,
    told: HashMap<Ticket, ClassicAnswer>,
    /// Nobody does anything without need any more.
    pub(super) calm: bool,
}

const TOPICS: [(&str, u8); 2] = [("t1", 1), ("t2", 2)];

impl Site {
    pub(super) fn new() -> Site {
        let mut world = World::new(0);
        world.directory = TopicDirectory::new();
        let mut site =
            Site { world, judge: Judge::default(), last: 0, told: HashMap::new(), calm: false };
        for (partitions, (name, topic)) in [3, 4].into_iter().zip(TOPICS) {
            site.put(name, topic, partitions);
        }
        site
    }

    fn put(&mut self, name: &str, topic: u8, partitions: u32) {
        self.world.directory.put(name, entry(topic, partitions));
        (0..partitions).for_each(|index| self.judge.add((id(topic), index)));
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.world.now_ms
    }

    pub(super) fn pass(&mut self, ms: i64) {
        self.world.pass(ms);
        self.collect(Vec::new());
    }

    /// Some records come.
    pub(super) fn flow(&mut self, dice: &mut Dice) {
        for partition in self.judge.partitions() {
            if dice.one_in(2) {
                self.judge.append(partition, dice.below(4));
            }
        }
    }

    /// A topic grows by a partition.
    pub(super) fn grow(&mut self) {
        let partitions = self.world.directory.get("t1").unwrap().partitions;
        self.put("t1", 1, (partitions + 1).min(6));
    }

    pub(super) fn collect(&mut self, events: Vec<GroupEvent>) {
        self.world.events.extend(events);
        for answer in self.world.groups.take_answers() {
            assert!(self.told.insert(answer.to, answer.what).is_none(), "answered twice");
        }
    }

    pub(super) fn call(
        &mut self,
        call: impl FnOnce(&mut Groups, i64, &TopicDirectory, Ticket) -> Vec<GroupEvent>,
    ) -> Ticket {
        self.last += 1;
        let ticket = Ticket(self.last);
        let World { groups, directory, now_ms, .. } = &mut self.world;
        let events = call(groups, *now_ms, directory, ticket);
        self.collect(events);
        ticket
    }

    pub(super) fn answer(&mut self, ticket: Ticket) -> Option<ClassicAnswer> {
        self.told.remove(&ticket)
    }

    pub(super) fn abandon(&mut self, ticket: Ticket) {
        if self.told.remove(&ticket).is_none() {
            let events = self.world.groups.classic_abandon(self.world.now_ms, "g", ticket);
            self.collect(events);
        }
    }

    /// Where a new owner begins.
    pub(super) fn committed(&self, partition: TopicPartition) -> u64 {
        let found = self.world.groups.offsets("g", Some(&[partition]));
        let offset = found[0].1.as_ref().map_or(0, |committed| committed.offset.get());
        assert_eq!(offset, self.judge.committed(partition), "what was accepted is kept");
        offset
    }

    /// The broker is killed, and started again from its journal.
    pub(super) fn restart(&mut self) {
        self.world.groups = self.replayed();
        self.world.groups.start(self.world.now_ms);
        self.told.clear();
    }

    fn replayed(&self) -> Groups {
        let mut groups = Groups::new(GroupSettings::default());
        for event in &self.world.events {
            let mut bytes = Vec::new();
            event.encode(&mut bytes);
            groups.apply(&GroupEvent::decode(&bytes).unwrap());
        }
        groups
    }

    /// The journal, and a snapshot, lead to the same state.
    pub(super) fn check_replay(&self) {
        let events = without_epochs_before(self.world.groups.events());
        assert_eq!(without_epochs_before(self.replayed().events()), events);
        let snapshot = self.world.groups.snapshot();
        let restored = Groups::restore(GroupSettings::default(), &snapshot).unwrap();
        assert_eq!(without_epochs_before(restored.events()), events);
    }

    pub(super) fn state(&self) -> Option<GroupState> {
        self.world.groups.list().first().map(|group| group.state)
    }

    pub(super) fn is_stable(&self) -> bool {
        self.state() == Some(GroupState::Stable)
    }

    /// Of the members that the group takes for its own, no two hold a partition.
    pub(super) fn check_holders(&self, clients: &[Client]) {
        let mut held = Partitions::new();
        for client in clients.iter().filter(|client| self.takes(client)) {
            for partition in client.holds.keys() {
                let shown = || clients.iter().map(Client::shown).collect::<Vec<_>>();
                assert!(held.insert(*partition), "{partition:?} is held twice: {:#?}", shown());
            }
        }
    }

    fn takes(&self, client: &Client) -> bool {
        let Some(group) = self.world.groups.group("g") else { return false };
        let (id, generation) = (client.member_id.as_str(), client.epoch);
        // Where a member assigns, one may join with what others have by now (a static one that
        // missed a rebalance): it counts from the assignment on.
        let reads_as = client.reads_as;
        match &group.classic {
            Some(classic) => classic.generation == reads_as && classic.members.contains_key(id),
            None => group.members.get(id).is_some_and(|member| {
                !member.away && (member.epoch == generation || member.epoch_before == generation)
            }),
        }
    }
}

/// Without what is known only while running: the epoch a member may say once more.
fn without_epochs_before(mut events: Vec<GroupEvent>) -> Vec<GroupEvent> {
    for event in &mut events {
        if let GroupEvent::MemberChanged { member, .. } = event {
            member.epoch_before = 0;
        }
    }
    events
}
