//! Every crash of a run, and what opening makes of it.

use std::fmt::Write as _;

use onrush_sim::{CrashPlan, CrashPolicy, Expectation, SimDisk, Timeline};
use onrush_storage::LogConfig;
use onrush_sys::{Random as _, SeededRandom};

use crate::world::{BEHEADED, DIRS, Outcome, Past, World, config, index};

/// How many states were judged.
#[derive(Debug, Default)]
pub struct Tally {
    /// After a crash of a run.
    pub first: u64,
    /// After one more, during the recovery from that or soon after.
    pub again: u64,
    /// After a kill that left the page cache.
    pub killed: u64,
    /// Openings after a stop in order.
    pub clean: u64,
    /// Of all these, where [`BEHEADED`] says what happened; no further looked at.
    pub beheaded: u64,
    pub runs: u64,
}

impl Tally {
    pub fn all(&self) -> u64 {
        self.first + self.again + self.killed + self.clean
    }
}

/// What a run is like.
#[derive(Copy, Clone, Debug)]
pub struct Kind {
    /// So many logs lie on the disk, and are opened together.
    pub logs: usize,
    /// Operations fail.
    pub faults: bool,
}

/// One run from its seed, and every crash of it.
pub fn run(seed: u64, kind: Kind, tally: &mut Tally) {
    if let Err(error) = try_run(seed, kind, tally) {
        panic!("ONRUSH_SEED={seed} of {kind:?}: {error}");
    }
}

/// The operations before a boundary, for messages.
fn history(disk: &SimDisk, end: usize) -> String {
    let last = (end.saturating_sub(40)..=end).map(|n| format!("{n} {}", disk.describe(n)));
    last.collect::<Vec<_>>().join("\n")
}

fn try_run(seed: u64, kind: Kind, tally: &mut Tally) -> Outcome {
    let random = SeededRandom::new(seed);
    let cfg = config(&random);
    let disk = SimDisk::new();
    let fresh = (seed..).zip(&DIRS[..kind.logs]).map(|(seed, dir)| Past {
        dir,
        time: Timeline::new(Expectation::default()),
        least: 0,
        seed,
    });
    let mut worlds = World::open_all(&disk, fresh.collect(), &cfg, false)?;
    let steps = 30 + random.below(90);
    for step in 0..steps {
        let world = any(&mut worlds, &random);
        let outcome = world.step(kind.faults).and_then(|()| match world.writer.failure() {
            None => world.check(),
            Some(_) => Ok(()),
        });
        outcome.map_err(|error| {
            format!("step {step}: {error}\n{}", history(&disk, disk.boundaries()))
        })?;
    }
    tally.runs += 1;
    let plan = CrashPlan { torn: 3, reordered: 5, seed };
    let explorer =
        Explorer { worlds: &worlds, cfg: &cfg, path: String::new(), depth: 0, faults: kind.faults };
    explorer.all(&disk, 0, plan, tally)
}

/// One of them, drawn by lot where there is a choice.
fn any<'w>(worlds: &'w mut [World], random: &SeededRandom) -> &'w mut World {
    let which = if worlds.len() > 1 { index(random, worlds.len()) } else { 0 };
    &mut worlds[which]
}

/// A run that is over, to be crashed at any of its boundaries.
struct Explorer<'a> {
    worlds: &'a [World],
    cfg: &'a LogConfig,
    /// How it came about.
    path: String,
    depth: u32,
    /// Operations failed in it: a stop may not have been as clean as it seemed.
    faults: bool,
}

impl Explorer<'_> {
    fn all(&self, disk: &SimDisk, from: usize, plan: CrashPlan, tally: &mut Tally) -> Outcome {
        let mut owed = self.owed(from);
        let mut boundary = None;
        for (point, crashed) in disk.crash_states_from(from, plan) {
            if boundary != Some(point.boundary) {
                boundary = Some(point.boundary);
                owed = self.owed(point.boundary);
                if self.depth == 0 {
                    self.kill(disk, point.boundary, &owed, tally)?;
                }
            }
            let mut path = self.path.clone();
            let seen = disk.describe(point.boundary);
            write!(path, "\n  {point} ({seen})").map_err(|error| error.to_string())?;
            let seed = seed_of(point.boundary, point.policy) ^ plan.seed;
            if owed.iter().all(|owed| owed.closed) {
                tally.clean += 1;
                let same = disk.crash(point.boundary, point.policy);
                self.judge(&same, self.pasts(&owed, durable, seed), true, seed, tally)
                    .map_err(|error| format!("{path}, opened as cleanly closed: {error}"))?;
            }
            if self.depth == 0 {
                tally.first += 1;
            } else {
                tally.again += 1;
            }
            let inner = Explorer { path: path.clone(), ..*self };
            inner.judge(&crashed, self.pasts(&owed, durable, seed), false, seed, tally).map_err(
                |error| {
                    let history = history(disk, point.boundary);
                    if error.starts_with("\n") {
                        error
                    } else {
                        format!("{path}: {error}\n{history}")
                    }
                },
            )?;
        }
        Ok(())
    }

    /// What each log owes at a boundary.
    fn owed(&self, boundary: usize) -> Vec<Expectation> {
        self.worlds.iter().map(|world| world.time.at(boundary)).collect()
    }

    fn pasts(
        &self,
        owed: &[Expectation],
        least: impl Fn(&Expectation) -> u64,
        seed: u64,
    ) -> Vec<Past> {
        let seeds = (0..).map(|n: u32| seed.rotate_left(n));
        let logs = self.worlds.iter().zip(owed).zip(seeds);
        logs.map(|((world, owed), seed)| {
            let time = Timeline::new(owed.clone());
            Past { dir: world.dir, time, least: least(owed), seed }
        })
        .collect()
    }

    /// The process is killed at a boundary: all it wrote is there for the next one, and by the time
    /// that shows it to anyone it is durable.
    fn kill(
        &self,
        disk: &SimDisk,
        boundary: usize,
        owed: &[Expectation],
        tally: &mut Tally,
    ) -> Outcome {
        tally.killed += 1;
        let path = format!("{}\n  SimDisk::killed({boundary})", self.path);
        let killed = disk.killed(boundary);
        let seed = seed_of(boundary, CrashPolicy::KeepAll);
        let inner = Explorer { path: path.clone(), ..*self };
        inner
            .judge(&killed, self.pasts(owed, |owed| owed.written, seed), false, seed, tally)
            .map_err(
                |error| if error.starts_with("\n") { error } else { format!("{path}: {error}") },
            )
    }

    /// Opens what a crash left, uses it, and now and then crashes it again.
    fn judge(
        &self,
        disk: &SimDisk,
        pasts: Vec<Past>,
        clean: bool,
        seed: u64,
        tally: &mut Tally,
    ) -> Outcome {
        disk.heal();
        let from = disk.boundaries();
        let mut worlds = match World::open_all(disk, pasts, self.cfg, clean) {
            Err(error) if error == BEHEADED => {
                tally.beheaded += 1;
                return Ok(());
            }
            opened => opened?,
        };
        for world in &mut worlds {
            if clean && !self.faults && !world.read_nothing {
                return Err("a stop in order was not taken for one".to_owned());
            }
            world.append_durably()?;
            world.check()?;
        }
        // The recovery of several has several times the boundaries.
        let rarely = 160 * (worlds.len() * worlds.len()) as u64;
        if self.depth > 1 || !seed.is_multiple_of(rarely) {
            return Ok(());
        }
        let random = SeededRandom::new(seed);
        for _ in 0..seed / 64 % 12 {
            any(&mut worlds, &random).step(false)?;
        }
        let plan = CrashPlan { torn: 2, reordered: 2, seed };
        let explorer =
            Explorer { worlds: &worlds, path: self.path.clone(), depth: self.depth + 1, ..*self };
        explorer.all(disk, from, plan, tally)
    }
}

fn durable(owed: &Expectation) -> u64 {
    owed.durable
}

/// Its own for each state, so that one state alone can be had again.
fn seed_of(boundary: usize, policy: CrashPolicy) -> u64 {
    let way = match policy {
        CrashPolicy::DropUnsynced => 1,
        CrashPolicy::KeepAll => 2,
        CrashPolicy::Torn(seed) => seed.rotate_left(8) ^ 3,
        CrashPolicy::Reordered(seed) => seed.rotate_left(8) ^ 4,
    };
    SeededRandom::new(way.rotate_left(24) ^ boundary as u64).next_u64()
}
