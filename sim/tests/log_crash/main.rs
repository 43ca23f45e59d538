//! Crashes of one partition's log: every boundary of many seeded runs, in many ways, judged byte for
//! byte by what had been acknowledged; and crashes of the recovery from those.
//!
//! `ONRUSH_SEED=n` runs that seed alone; `ONRUSH_TESTS=all` runs ten times as many.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a test may panic")]

mod explore;
mod steps;
mod world;

use explore::{Tally, run};

/// States each of the two tests judges at least.
const STATES: u64 = 100_000;

fn explore(faults: bool) {
    if let Ok(seed) = std::env::var("ONRUSH_SEED") {
        let mut tally = Tally::default();
        run(seed.parse().unwrap(), faults, &mut tally);
        println!("{tally:?}");
        return;
    }
    let all = std::env::var("ONRUSH_TESTS").is_ok_and(|which| which == "all");
    let states = if all { 10 * STATES } else { STATES };
    let mut tally = Tally::default();
    let mut seed = if faults { 1_000_000 } else { 1 };
    let first = seed;
    while tally.all() < states {
        run(seed, faults, &mut tally);
        seed += 1;
    }
    println!("{} crash states, seeds {first} to {}: {tally:?}", tally.all(), seed - 1);
}

#[test]
fn crash_exploration() {
    explore(false);
}

#[test]
fn crash_exploration_on_failing_disks() {
    explore(true);
}
