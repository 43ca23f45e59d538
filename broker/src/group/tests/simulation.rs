//! Random histories: members that join, leave, crash, pause, lose answers and let go late; topics
//! that come, go and grow; a broker that restarts. After every step, what must always hold; at the
//! end, once all keep still, what must come about.

use proptest::prelude::*;

use super::*;

/// A client as the protocol describes it, and a careless network.
#[derive(Debug, Default)]
struct Client {
    member_id: String,
    instance_id: Option<String>,
    subscription: Subscription,
    /// 0: not a member.
    epoch: i32,
    /// What it reads from now.
    holds: Partitions,
    /// What it was last told to hold.
    told: Partitions,
    /// Says what it holds with the next heartbeat.
    reports: bool,
    /// Of the name of its member id.
    life: u32,
}

const CLIENTS: usize = 6;

struct Simulation {
    world: World,
    clients: Vec<Client>,
    /// Replays every event as it comes.
    mirror: Groups,
}

#[derive(Clone, Debug)]
enum Step {
    /// A heartbeat; the answer may be lost; letting go may be put off.
    Beat {
        client: usize,
        lost: bool,
        late: bool,
    },
    Leave {
        client: usize,
        for_a_while: bool,
    },
    /// The process ends without a word, and a new one starts in its place.
    Crash {
        client: usize,
    },
    Subscribe {
        client: usize,
        which: u8,
    },
    Topic {
        topic: u8,
        partitions: u32,
    },
    Pass {
        ms: i64,
    },
    Commit {
        client: usize,
        partition: u32,
    },
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let client = || 0..CLIENTS;
    let step = prop_oneof![
        12 => (client(), prop::bool::weighted(0.2), prop::bool::weighted(0.2))
            .prop_map(|(client, lost, late)| Step::Beat { client, lost, late }),
        1 => (client(), any::<bool>())
            .prop_map(|(client, for_a_while)| Step::Leave { client, for_a_while }),
        1 => client().prop_map(|client| Step::Crash { client }),
        1 => (client(), any::<u8>()).prop_map(|(client, which)| Step::Subscribe { client, which }),
        1 => (1_u8..4, 0_u32..6).prop_map(|(topic, partitions)| Step::Topic { topic, partitions }),
        2 => (0_i64..30_000).prop_map(|ms| Step::Pass { ms }),
        2 => (client(), 0_u32..4).prop_map(|(client, partition)| Step::Commit { client, partition }),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 0..120)
}

fn subscription(which: u8) -> Subscription {
    let regex = |text: &str| Subscription { topics: vec![], regex: Some(text.to_owned()) };
    match which % 4 {
        0 => names(&["t1", "t2", "t3"]),
        1 => regex("t.*"),
        2 => names(&["t1"]),
        _ => regex("t[23]"),
    }
}

impl Simulation {
    fn new(assignors: bool) -> Self {
        let mut world = World::new(0);
        world.directory = TopicDirectory::new();
        world.directory.put("t1", entry(1, 4));
        world.directory.put("t2", entry(2, 3));
        let clients = (0..CLIENTS).map(|index| Client {
            member_id: format!("c{index}-0"),
            // Two of them are static; two share a name, and so take it from each other.
            instance_id: (index < 3).then(|| format!("i{}", index.max(1))),
            subscription: subscription(u8::from(assignors) * u8::try_from(index).unwrap()),
            ..Client::default()
        });
        let mirror = Groups::new(GroupSettings::default());
        Self { clients: clients.collect(), world, mirror }
    }

    fn beat(&mut self, index: usize, lost: bool, late: bool) {
        let client = &mut self.clients[index];
        let joins = client.epoch == 0;
        let beat = GroupHeartbeat {
            instance_id: client.instance_id.clone(),
            owned: (joins || client.reports).then(|| client.holds.iter().copied().collect()),
            assignor: (index % 2 == 1).then(|| "range".to_owned()).filter(|_| index > 4),
            ..staying(&client.member_id, client.epoch)
        };
        let beat = match joins || client.reports {
            true => beat.subscribing(client.subscription.clone()),
            false => beat,
        };
        client.reports = false;
        match self.world.beat(beat) {
            // What the client said may be lost with the answer, for all it knows.
            Ok(_) if lost => self.clients[index].reports = true,
            Ok(reply) => self.clients[index].hear(&reply, late),
            Err(
                GroupError::UnknownMember { .. }
                | GroupError::FencedMember { .. }
                | GroupError::FencedInstance { .. },
            ) => self.clients[index].forget(),
            Err(error) => panic!("{error}"),
        }
    }

    fn step(&mut self, step: &Step) {
        let seen = self.world.events.len();
        match *step {
            Step::Beat { client, lost, late } => self.beat(client, lost, late),
            Step::Leave { client, for_a_while } => {
                let member = &self.clients[client];
                let fixed = member.instance_id.is_some();
                let epoch = if for_a_while && fixed { LEAVE_STATIC } else { LEAVE };
                let instance_id = member.instance_id.clone();
                let _ = self
                    .world
                    .beat(GroupHeartbeat { instance_id, ..staying(&member.member_id, epoch) });
                self.clients[client].forget();
            }
            Step::Crash { client } => {
                let client = &mut self.clients[client];
                client.forget();
                client.life += 1;
                let name = client.member_id.split('-').next().unwrap().to_owned();
                client.member_id = format!("{name}-{}", client.life);
            }
            Step::Subscribe { client, which } => {
                self.clients[client].subscription = subscription(which);
                self.clients[client].reports = true;
            }
            Step::Topic { topic, partitions: 0 } => {
                self.world.directory.remove(&format!("t{topic}"));
            }
            Step::Topic { topic, partitions } => {
                let name = format!("t{topic}");
                let now = self.world.directory.get(&name).map_or(0, |entry| entry.partitions);
                self.world.directory.put(&name, entry(topic, partitions.max(now)));
            }
            Step::Pass { ms } => self.world.pass(ms),
            Step::Commit { client, partition } => self.commit(client, partition),
            Step::Restart => {
                let snapshot = self.world.groups.snapshot();
                let settings = GroupSettings::default();
                self.world.groups = Groups::restore(settings, &snapshot).unwrap();
                self.world.groups.start(self.world.now_ms);
            }
        }
        for event in &self.world.events[seen..] {
            let mut bytes = Vec::new();
            event.encode(&mut bytes);
            self.mirror.apply(&GroupEvent::decode(&bytes).unwrap());
        }
        self.check();
    }

    /// A client may commit what it holds, and nobody what another member holds.
    fn commit(&mut self, index: usize, partition: u32) {
        let client = &self.clients[index];
        let commit = commit_of(&client.member_id, client.epoch, partition, 1);
        let partition = (TOPIC, partition);
        let live = self.live(index);
        let others = (0..CLIENTS).filter(|other| *other != index && self.live(*other));
        let held = others.into_iter().any(|other| self.clients[other].holds.contains(&partition));
        let exists = self.world.directory.partitions(TOPIC).is_some_and(|n| partition.1 < n);
        let holds = client.holds.contains(&partition);
        match self.world.commit(commit) {
            Ok(results) if results[0].is_ok() => assert!(live && !held, "{index} {partition:?}"),
            Ok(_) => assert!(!(live && holds && exists), "{index} must commit {partition:?}"),
            Err(error) => assert!(!(live && holds && exists), "{index} must commit: {error}"),
        }
    }

    /// Whether the group takes this client for a member: it is of the current generation.
    fn live(&self, index: usize) -> bool {
        let client = &self.clients[index];
        let member = self
            .world
            .groups
            .group("g")
            .and_then(|group| group.members.get(client.member_id.as_str()));
        member.is_some_and(|member| {
            !member.away
                && client.epoch != 0
                && (client.epoch == member.epoch || client.epoch == member.epoch_before)
        })
    }

    /// What holds at all times.
    fn check(&self) {
        let mut seen = Partitions::new();
        for index in (0..CLIENTS).filter(|index| self.live(*index)) {
            for partition in &self.clients[index].holds {
                assert!(seen.insert(*partition), "{partition:?} is held twice");
                let group = self.world.groups.group("g").unwrap();
                let holder = group.holder(partition).map(|holder| &**holder);
                assert_eq!(holder, Some(self.clients[index].member_id.as_str()));
            }
        }
        let (mine, theirs) = (self.world.groups.events(), self.mirror.events());
        assert_eq!(normal(mine), normal(theirs), "the journal leads to the same state");
    }

    /// All clients but the idle ones beat without mishap until nothing moves; then what must be.
    fn settle(&mut self) {
        // Those who share an instance id fence each other for ever: one of them stops.
        self.clients[0].instance_id = None;
        self.step(&Step::Crash { client: 0 });
        for round in 0..60 {
            for client in 0..CLIENTS {
                self.step(&Step::Beat { client, lost: false, late: false });
            }
            self.step(&Step::Pass { ms: 1_000 });
            if round > 50 {
                assert_eq!(self.world.state(), GroupState::Stable, "by now it must be");
            }
        }
        let held: usize = self.clients.iter().map(|client| client.holds.len()).sum();
        let mut wanted = Partitions::new();
        for client in &self.clients {
            assert_eq!(client.holds, client.told);
            let compiled = subscription::Compiled::new(client.subscription.clone()).unwrap();
            for (topic, partitions) in compiled.resolve(&self.world.directory) {
                wanted.extend((0..partitions).map(|index| (topic, index)));
            }
        }
        assert_eq!(held, wanted.len(), "every wanted partition is held");
        let seen = self.world.events.len();
        for client in 0..CLIENTS {
            self.step(&Step::Beat { client, lost: false, late: false });
        }
        assert_eq!(self.world.events.len(), seen, "a group at rest leaves no events");
    }
}

/// Without what is known only while running: the epoch a member may say once more.
fn normal(mut events: Vec<GroupEvent>) -> Vec<GroupEvent> {
    for event in &mut events {
        if let GroupEvent::MemberChanged { member, .. } = event {
            member.epoch_before = 0;
        }
    }
    events
}

impl Client {
    fn hear(&mut self, reply: &GroupHeartbeatReply, late: bool) {
        self.epoch = reply.member_epoch;
        if let Some(assignment) = &reply.assignment {
            self.told = assignment.iter().copied().collect();
            self.reports = true;
        }
        let gone: Partitions = self.holds.difference(&self.told).copied().collect();
        if late && !gone.is_empty() {
            // Still busy with what it should give up; what is new it takes.
            self.holds.extend(self.told.iter().copied());
            self.reports = true;
        } else {
            self.reports |= self.holds != self.told;
            self.holds.clone_from(&self.told);
        }
    }

    fn forget(&mut self) {
        self.epoch = 0;
        self.holds.clear();
        self.told.clear();
        self.reports = false;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_history_breaks_a_group(steps in steps(), different in any::<bool>()) {
        let mut simulation = Simulation::new(different);
        for step in &steps {
            simulation.step(step);
        }
        simulation.settle();
    }
}
