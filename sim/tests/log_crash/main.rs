//! Crashes of one partition's log: every boundary of many seeded runs, in many ways, judged byte for
//! byte by what had been acknowledged; and crashes of the recovery from those.
//!
//! `ONRUSH_SEED=n` runs that seed alone; `ONRUSH_TESTS=all` runs ten times as many.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "a test may panic")]

mod explore;
mod steps;
mod world;

use explore::{Kind, Tally, run};

/// States each of the two tests of one log judges at least.
const STATES: u64 = 100_000;
/// Of several logs each state takes longer.
const STATES_TOGETHER: u64 = 50_000;

fn explore(kind: Kind, first: u64, states: u64) {
    if let Ok(seed) = std::env::var("ONRUSH_SEED") {
        let mut tally = Tally::default();
        run(seed.parse().unwrap(), kind, &mut tally);
        println!("{tally:?}");
        return;
    }
    let all = std::env::var("ONRUSH_TESTS").is_ok_and(|which| which == "all");
    let states = if all { 10 * states } else { states };
    let mut tally = Tally::default();
    let mut seed = first;
    while tally.all() < states {
        run(seed, kind, &mut tally);
        seed += 1;
    }
    println!("{} crash states, seeds {first} to {}: {tally:?}", tally.all(), seed - 1);
}

#[test]
fn crash_exploration() {
    explore(Kind { logs: 1, faults: false }, 1, STATES);
}

#[test]
fn crash_exploration_on_failing_disks() {
    explore(Kind { logs: 1, faults: true }, 1_000_000, STATES);
}

#[test]
fn crash_exploration_of_logs_opened_together() {
    explore(Kind { logs: 3, faults: false }, 2_000_000, STATES_TOGETHER);
}
