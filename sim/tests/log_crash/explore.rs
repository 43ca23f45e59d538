//! Every crash of a run, and what opening makes of it.

use std::fmt::Write as _;

use onrush_sim::{CrashPlan, CrashPolicy, SimDisk, Timeline};
use onrush_sys::{Random as _, SeededRandom};

use crate::world::{Outcome, World, config};

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
    pub runs: u64,
}

impl Tally {
    pub fn all(&self) -> u64 {
        self.first + self.again + self.killed + self.clean
    }
}

/// One run from its seed, and every crash of it.
pub fn run(seed: u64, faults: bool, tally: &mut Tally) {
    if let Err(error) = try_run(seed, faults, tally) {
        let which = if faults { "failing disks" } else { "sound disks" };
        panic!("ONRUSH_SEED={seed} on {which}: {error}");
    }
}

/// The operations before a boundary, for messages.
fn history(disk: &SimDisk, end: usize) -> String {
    let last = (end.saturating_sub(40)..=end).map(|n| format!("{n} {}", disk.describe(n)));
    last.collect::<Vec<_>>().join("\n")
}

fn try_run(seed: u64, faults: bool, tally: &mut Tally) -> Outcome {
    let random = SeededRandom::new(seed);
    let cfg = config(&random);
    let time = Timeline::new(onrush_sim::Expectation::default());
    let mut world = World::open(SimDisk::new(), time, &cfg, 0, false, seed)?;
    let steps = 30 + random.below(90);
    for step in 0..steps {
        let outcome = world.step(faults).and_then(|()| match world.writer.failure() {
            None => world.check(),
            Some(_) => Ok(()),
        });
        outcome.map_err(|error| {
            format!("step {step}: {error}\n{}", history(&world.disk, world.disk.boundaries()))
        })?;
    }
    tally.runs += 1;
    let plan = CrashPlan { torn: 3, reordered: 5, seed };
    let explorer = Explorer { world: &world, path: String::new(), depth: 0, faults };
    explorer.all(0, plan, tally)
}

/// A run that is over, to be crashed at any of its boundaries.
struct Explorer<'a> {
    world: &'a World,
    /// How it came about.
    path: String,
    depth: u32,
    /// Operations failed in it: a stop may not have been as clean as it seemed.
    faults: bool,
}

impl Explorer<'_> {
    fn all(&self, from: usize, plan: CrashPlan, tally: &mut Tally) -> Outcome {
        let World { disk, time, .. } = self.world;
        let mut owed = time.at(from);
        let mut boundary = None;
        for (point, crashed) in disk.crash_states_from(from, plan) {
            if boundary != Some(point.boundary) {
                boundary = Some(point.boundary);
                owed = time.at(point.boundary);
                if self.depth == 0 {
                    self.kill(point.boundary, &owed, tally)?;
                }
            }
            let mut path = self.path.clone();
            let seen = disk.describe(point.boundary);
            write!(path, "\n  {point} ({seen})").map_err(|error| error.to_string())?;
            let seed = seed_of(point.boundary, point.policy) ^ plan.seed;
            if owed.closed {
                tally.clean += 1;
                let same = disk.crash(point.boundary, point.policy);
                self.judge(same, Timeline::new(owed.clone()), owed.durable, true, seed, tally)
                    .map_err(|error| format!("{path}, opened as cleanly closed: {error}"))?;
            }
            if self.depth == 0 {
                tally.first += 1;
            } else {
                tally.again += 1;
            }
            let inner = Explorer { path: path.clone(), ..*self };
            inner
                .judge(crashed, Timeline::new(owed.clone()), owed.durable, false, seed, tally)
                .map_err(|error| {
                    let history = history(disk, point.boundary);
                    if error.starts_with("\n") {
                        error
                    } else {
                        format!("{path}: {error}\n{history}")
                    }
                })?;
        }
        Ok(())
    }

    /// The process is killed at a boundary: all it wrote is there for the next one, and by the time
    /// that shows it to anyone it is durable.
    fn kill(&self, boundary: usize, owed: &onrush_sim::Expectation, tally: &mut Tally) -> Outcome {
        tally.killed += 1;
        let path = format!("{}\n  SimDisk::killed({boundary})", self.path);
        let disk = self.world.disk.killed(boundary);
        let seed = seed_of(boundary, CrashPolicy::KeepAll);
        let inner = Explorer { path: path.clone(), ..*self };
        inner.judge(disk, Timeline::new(owed.clone()), owed.written, false, seed, tally).map_err(
            |error| if error.starts_with("\n") { error } else { format!("{path}: {error}") },
        )
    }

    /// Opens what a crash left, uses it, and now and then crashes it again.
    fn judge(
        &self,
        disk: SimDisk,
        time: Timeline,
        least: u64,
        clean: bool,
        seed: u64,
        tally: &mut Tally,
    ) -> Outcome {
        disk.heal();
        let from = disk.boundaries();
        let mut world = World::open(disk, time, &self.world.cfg, least, clean, seed)?;
        if clean && !self.faults && !world.read_nothing {
            return Err("a stop in order was not taken for one".to_owned());
        }
        world.append_durably()?;
        world.check()?;
        if self.depth > 1 || !seed.is_multiple_of(160) {
            return Ok(());
        }
        for _ in 0..seed / 64 % 12 {
            world.step(false)?;
        }
        let plan = CrashPlan { torn: 2, reordered: 2, seed };
        let explorer =
            Explorer { world: &world, path: self.path.clone(), depth: self.depth + 1, ..*self };
        explorer.all(from, plan, tally)
    }
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
