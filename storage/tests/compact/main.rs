//! Compaction, held against an oracle that remembers every record ever appended: over random
//! histories, through power cuts, flipped bits, and with readers in between.
//!
//! `ONRUSH_SEED=n` runs that seed alone; `ONRUSH_TESTS=all` runs many more.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::cast_possible_truncation)]

#[path = "../common/mod.rs"]
mod common;

mod crash;
mod flips;
mod history;
mod life;
mod oracle;
mod readers;
mod rules;

/// The seeds to run: `few` of them, or ten times as many, or the one that is asked for.
fn seeds(few: u64) -> Box<dyn Iterator<Item = u64>> {
    if let Ok(seed) = std::env::var("ONRUSH_SEED") {
        return Box::new(std::iter::once(seed.parse().unwrap()));
    }
    let all = std::env::var("ONRUSH_TESTS").is_ok_and(|which| which == "all");
    Box::new(0..if all { 10 * few } else { few })
}

/// Says where it was when a test panics.
struct Context(String);

impl Drop for Context {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in {}", self.0);
        }
    }
}
