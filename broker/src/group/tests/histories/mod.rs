//! Whole lives of groups, judged by what was delivered and committed.
//!
//! Consumers of both protocols join, leave, crash, pause and come back while records flow, topics
//! grow and the broker restarts; each behaves as Kafka's own clients do, down to reading on while it
//! does not know yet that it lost its place. The judge knows nothing of the state machine: it sees
//! deliveries and commits.
//!
//! Every run prints its first seed. `ONRUSH_SEED=n` runs that history alone.

mod broker_side;
mod classic_client;
mod client;
mod judge;
mod new_client;

use onrush_sys::{Random, SeededRandom};

use super::*;
use broker_side::Site;
use client::{Client, Speaks};

/// How many histories a run tells.
const HISTORIES: u64 = 240;

const CLIENTS: usize = 6;

/// The run's dice.
pub(super) struct Dice(SeededRandom);

impl Dice {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0.below(end)
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// Which protocols a history's clients speak.
#[derive(Clone, Copy, Debug)]
enum Cast {
    Classic,
    New,
    /// An upgrade, and perhaps the way back: lives change their protocol.
    Mixed,
}

impl Cast {
    fn speaks(self, dice: &mut Dice) -> Speaks {
        let classic = [Speaks::Eager, Speaks::Cooperative];
        let index = usize::try_from(dice.below(2)).unwrap();
        match self {
            Cast::Classic => classic[index],
            Cast::New => Speaks::New,
            Cast::Mixed if dice.one_in(2) => Speaks::New,
            Cast::Mixed => classic[index],
        }
    }
}

struct History {
    site: Site,
    clients: Vec<Client>,
    dice: Dice,
    cast: Cast,
}

impl History {
    fn new(seed: u64) -> History {
        let mut dice = Dice(SeededRandom::new(seed));
        let cast = [Cast::Classic, Cast::New, Cast::Mixed][usize::try_from(seed % 3).unwrap()];
        // The eager ones and the cooperative ones have no protocol in common, as with Kafka.
        let eager = dice.one_in(2);
        let clients = (0..CLIENTS).map(|index| {
            let instance = (index < 2).then(|| format!("i{index}"));
            let speaks = cast.speaks(&mut dice).classic_as(eager);
            Client::new(index, instance, speaks)
        });
        let clients = clients.collect();
        History { site: Site::new(), clients, dice, cast }
    }

    fn step(&mut self) {
        let index = usize::try_from(self.dice.below(CLIENTS as u64)).unwrap();
        match self.dice.below(100) {
            0..55 => self.act(index),
            55..70 => {
                let ms = i64::try_from(self.dice.below(3_000)).unwrap();
                self.site.pass(ms);
            }
            70..82 => self.site.flow(&mut self.dice),
            82..84 => self.clients[index].leave(&mut self.site),
            84..87 => {
                let eager = self.clients.iter().any(|client| client.speaks == Speaks::Eager);
                let eager = eager || self.dice.one_in(2);
                let any = self.clients.iter().all(|client| client.speaks == Speaks::New);
                let any = if any { self.dice.one_in(2) } else { eager };
                let speaks = self.cast.speaks(&mut self.dice).classic_as(any);
                self.clients[index].crash(&mut self.site, speaks);
            }
            87..90 => {
                let ms = i64::try_from(self.dice.below(70_000)).unwrap();
                self.clients[index].paused_until_ms = self.site.now_ms() + ms;
            }
            90..92 => self.clients[index].lose_connection(&mut self.site),
            92 => {
                self.site.restart();
                for client in &mut self.clients {
                    client.connection_lost();
                }
            }
            93 => self.site.grow(),
            94 => {
                let ms = i64::try_from(self.dice.below(60_000)).unwrap();
                self.site.pass(ms);
            }
            _ => self.act(index),
        }
        self.site.check_holders(&self.clients);
    }

    fn act(&mut self, index: usize) {
        let client = &mut self.clients[index];
        if client.paused_until_ms <= self.site.now_ms() {
            client.act(&mut self.site, &mut self.dice);
        }
    }

    /// Everything, for whoever has to find out what went wrong.
    fn shown(&self) -> String {
        let group = self.site.world.groups.describe(&self.site.world.directory, "g");
        let clients = self.clients.iter().map(Client::shown).collect::<Vec<_>>();
        format!("group {group:#?}\nclients {clients:#?}")
    }

    /// All keep still and go on working until nothing moves; then what must be.
    fn settle(&mut self) {
        for client in &mut self.clients {
            client.paused_until_ms = 0;
        }
        self.site.calm = true;
        let mut quiet = 0;
        for _ in 0..400 {
            for index in 0..CLIENTS {
                self.act(index);
                self.site.check_holders(&self.clients);
            }
            self.site.pass(1_000);
            quiet = if self.site.is_stable() { quiet + 1 } else { 0 };
            // Longer than the session of one that is dead.
            if quiet > 65 && self.site.judge.is_done() {
                break;
            }
        }
        assert!(quiet > 65, "it must come to rest: {:?}", self.site.state());
        let mut held = Partitions::new();
        for client in &self.clients {
            for partition in client.holds.keys() {
                assert!(held.insert(*partition), "{partition:?} is held twice; {}", self.shown());
            }
        }
        let missing: Vec<_> = self.site.judge.partitions().difference(&held).copied().collect();
        assert_eq!(missing, [], "every partition is held; {}", self.shown());
        assert!(self.site.judge.is_done(), "every record was delivered and committed");
    }
}

fn tell(seed: u64) {
    let mut history = History::new(seed);
    for _ in 0..300 {
        history.step();
    }
    history.settle();
    history.site.check_replay();
}

#[test]
fn histories() {
    let only = std::env::var("ONRUSH_SEED").ok().and_then(|seed| seed.parse().ok());
    let first = only.unwrap_or_else(|| onrush_sys::SystemRandom.below(1 << 32));
    let last = if only.is_some() { first } else { first + HISTORIES - 1 };
    println!("histories of groups: seeds {first} to {last}");
    for seed in first..=last {
        if let Err(panic) = std::panic::catch_unwind(|| tell(seed)) {
            println!("the history of ONRUSH_SEED={seed} went wrong");
            std::panic::resume_unwind(panic);
        }
    }
}

/// Histories that everybody tells, whatever the first seed.
#[test]
fn known_histories() {
    (0..15).for_each(tell);
}
