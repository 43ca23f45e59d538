//! Random histories: what must hold whatever is asked in whatever order.

use std::collections::BTreeMap;

use onrush_record::{Offset, ProducerEpoch, ProducerId, TopicId};
use proptest::prelude::*;

use crate::group::TopicPartition;
use crate::transaction::event::TransactionEvent;
use crate::transaction::state::{Identity, LAST_EPOCH};
use crate::transaction::transactions::{Due, End, Init, Transactions};
use crate::transaction::{TransactionSettings, TransactionState};

const IDS: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Step {
    Init {
        id: usize,
        expected: Option<u8>,
    },
    Add {
        id: usize,
        who: u8,
        partition: u32,
    },
    End {
        id: usize,
        who: u8,
        commits: bool,
        bump: bool,
    },
    GiveUp {
        id: usize,
    },
    Decide {
        id: usize,
    },
    Complete {
        id: usize,
    },
    Pass {
        ms: i64,
    },
    Restart,
    /// As if many epochs had passed.
    Age {
        id: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let id = 0..IDS.len();
    // 0: the newest identity the client was given, 1: the one before, and so on.
    let who = prop_oneof![8 => Just(0u8), 2 => 1..3u8];
    let step = prop_oneof![
        2 => (id.clone(), proptest::option::of(who.clone()))
            .prop_map(|(id, expected)| Step::Init { id, expected }),
        6 => (id.clone(), who.clone(), 0..4u32)
            .prop_map(|(id, who, partition)| Step::Add { id, who, partition }),
        4 => (id.clone(), who, any::<bool>(), any::<bool>())
            .prop_map(|(id, who, commits, bump)| Step::End { id, who, commits, bump }),
        1 => id.clone().prop_map(|id| Step::GiveUp { id }),
        4 => id.clone().prop_map(|id| Step::Decide { id }),
        4 => id.clone().prop_map(|id| Step::Complete { id }),
        2 => (0..900i64).prop_map(|ms| Step::Pass { ms }),
        1 => Just(Step::Restart),
        1 => id.prop_map(|id| Step::Age { id }),
    ];
    proptest::collection::vec(step, 1..120)
}

struct World {
    all: Transactions,
    journal: Vec<Vec<u8>>,
    now_ms: i64,
    next_id: i64,
    /// Everybody that was ever told who it is, newest last.
    given: BTreeMap<&'static str, Vec<Identity>>,
}

fn settings() -> TransactionSettings {
    TransactionSettings { id_expiration_ms: 5_000, ..TransactionSettings::default() }
}

impl World {
    fn write(&mut self, event: TransactionEvent) {
        self.journal.push(event.encode());
        self.all.apply(event, Offset::new(self.journal.len() as u64));
    }

    fn fresh(&mut self) -> Option<ProducerId> {
        self.next_id += 1;
        Some(ProducerId::new(self.next_id))
    }

    fn who(&self, id: &str, back: u8) -> Option<Identity> {
        self.given.get(id)?.iter().rev().nth(usize::from(back)).copied()
    }

    fn give(&mut self, id: &'static str, who: Identity) {
        let given = self.given.entry(id).or_default();
        if given.last() != Some(&who) {
            assert!(!given.contains(&who), "{who:?} is somebody else already");
            given.push(who);
        }
        assert!(who.epoch.get() <= LAST_EPOCH, "the last epoch is nobody's");
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Init { id, expected } => {
                let id = IDS[*id];
                let expected = expected.and_then(|back| self.who(id, back));
                let fresh = self.fresh();
                match self.all.init(self.now_ms, id, 1000, expected, fresh) {
                    Ok(Init::Given(who, event)) => {
                        self.write(event);
                        self.give(id, who);
                    }
                    Ok(Init::Known(who)) => self.give(id, who),
                    Ok(Init::Abort(ending)) => self.all.begin_ending(id, ending),
                    Ok(Init::NeedsId) => panic!("it was given one"),
                    Err(_) => {}
                }
            }
            Step::Add { id, who, partition } => {
                let id = IDS[*id];
                let Some(who) = self.who(id, *who) else { return };
                let partition: TopicPartition = (TopicId::new([1; 16]), *partition);
                if let Ok(Some(event)) = self.all.add(self.now_ms, id, who, &[partition], &["g"]) {
                    self.write(event);
                    assert_eq!(self.all.get(id).map(|known| known.current), Some(who));
                }
            }
            Step::End { id, who, commits, bump } => {
                let id = IDS[*id];
                let Some(who) = self.who(id, *who) else { return };
                let fresh = self.fresh();
                let before = self.all.get(id).map(|known| known.state);
                match self.all.end(id, who, *commits, *bump, fresh) {
                    Ok(End::Begin(ending)) => {
                        assert_eq!(ending.commits, *commits);
                        assert!(!ending.commits || before == Some(TransactionState::Ongoing));
                        self.all.begin_ending(id, ending);
                    }
                    Ok(End::Done(who)) => self.give(id, who),
                    Ok(End::Given(who, event)) => {
                        self.write(event);
                        self.give(id, who);
                    }
                    Ok(End::UnderWay(who)) => self.give(id, who),
                    Ok(End::NeedsId) => panic!("it was given one"),
                    Err(_) => {}
                }
            }
            Step::GiveUp { id } => self.all.give_up_ending(IDS[*id]),
            Step::Decide { id } => {
                if let Some(event) = self.all.decide(self.now_ms, IDS[*id]) {
                    self.write(event);
                }
            }
            Step::Complete { id } => {
                if let Some(event) = self.all.complete(self.now_ms, IDS[*id]) {
                    self.write(event);
                }
            }
            Step::Pass { ms } => {
                self.now_ms += ms;
                for id in self.all.due(self.now_ms) {
                    match self.all.due_of(self.now_ms, &id).unwrap() {
                        Due::TimedOut(ending) => self.all.begin_ending(&id, ending),
                        Due::Expired(event) => self.write(event),
                    }
                }
                assert!(self.all.next_due().is_none_or(|at_ms| at_ms > self.now_ms));
            }
            Step::Restart => {
                let mut again = Transactions::new(settings());
                for record in &self.journal {
                    again.apply(TransactionEvent::decode(record).unwrap(), Offset::ZERO);
                }
                self.all = again;
                // A snapshot in place of what it stands for.
                self.journal = self.all.events().map(|event| event.encode()).collect();
            }
            Step::Age { id } => {
                let idle = |known: &&crate::transaction::state::Transaction| {
                    !known.state.is_prepared() && known.ending.is_none()
                };
                let id = IDS[*id];
                let Some(known) = self.all.get(id).filter(idle) else { return };
                let mut known = known.clone();
                let before = known.current;
                known.current.epoch = ProducerEpoch::new(before.epoch.get().max(LAST_EPOCH - 1));
                let now = known.current;
                if now != before {
                    self.write(TransactionEvent::Changed(Box::new(known)));
                    if self.who(id, 0) == Some(before) {
                        self.give(id, now);
                    }
                }
            }
        }
    }

    fn check(&self) {
        let durable = Offset::new(self.journal.len() as u64);
        for (id, given) in &self.given {
            let known = self.all.get(id);
            for who in given {
                for partition in 0..4 {
                    let admitted =
                        self.all.admits(*who, (TopicId::new([1; 16]), partition), durable).is_ok();
                    // Only who is current may write, and only while it is open and not ending.
                    assert!(
                        !admitted
                            || known.is_some_and(|known| known.current == *who
                                && known.state == TransactionState::Ongoing
                                && known.ending.is_none())
                    );
                }
            }
            if let Some(known) = known {
                let concluded =
                    !matches!(known.state, TransactionState::Ongoing) && !known.state.is_prepared();
                assert!(!concluded || known.partitions.is_empty());
                assert!(!known.state.is_prepared() || known.ending.is_none());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn one_producer_at_a_time_and_no_identity_twice(steps in steps()) {
        let (all, given) = (Transactions::new(settings()), BTreeMap::new());
        let mut world = World { all, journal: Vec::new(), now_ms: 0, next_id: 0, given };
        for step in &steps {
            world.step(step);
            world.check();
        }
    }

    #[test]
    fn a_replay_gives_the_same_again(steps in steps()) {
        let (all, given) = (Transactions::new(settings()), BTreeMap::new());
        let mut world = World { all, journal: Vec::new(), now_ms: 0, next_id: 0, given };
        for step in steps.iter().filter(|step| !matches!(step, Step::Restart)) {
            world.step(step);
        }
        let mut again = Transactions::new(settings());
        for record in &world.journal {
            again.apply(TransactionEvent::decode(record).unwrap(), Offset::ZERO);
        }
        let events = |all: &Transactions| all.events().map(|event| event.encode()).collect::<Vec<_>>();
        prop_assert_eq!(events(&again), events(&world.all));
        for id in IDS {
            world.all.give_up_ending(id);
        }
        prop_assert_eq!(again.next_due(), world.all.next_due());
    }
}
