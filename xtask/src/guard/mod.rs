//! `cargo xtask bench --guard`: instructions a message, and how they have changed. A report: what it
//! finds fails nothing.

mod count;
mod kept;
mod report;

use crate::clients::kits::system;
use crate::steps::Outcome;
use anyhow::{Context, anyhow, bail};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use self::count::Program;
use self::kept::Kept;
use self::report::Report;

/// Counts, and prints the change; keeps the figures instead if `update`.
pub(crate) fn run(update: bool) -> anyhow::Result<()> {
    system::require("valgrind", "valgrind")?;
    let file = kept_file();
    let now = measure()?;
    if update {
        now.write(&file)?;
        println!("kept in {}", file.display());
        return Ok(());
    }
    println!("{}", Report::of(&Kept::read(&file)?, &now));
    Ok(())
}

/// The same as a step among others: only that it cannot be counted at all is a failure.
pub(crate) fn step() -> Outcome {
    if let Err(error) = system::require("valgrind", "valgrind") {
        return Outcome::Skipped(format!("instructions cannot be counted: {error:#}"));
    }
    match run(false) {
        Ok(()) => Outcome::Passed,
        Err(error) => Outcome::Failed(format!("{error:#}")),
    }
}

fn kept_file() -> PathBuf {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    top.join("bench/guard.toml")
}

/// Builds the program as it would ship, and counts every path of it.
fn measure() -> anyhow::Result<Kept> {
    if let Outcome::Failed(why) | Outcome::Skipped(why) = crate::test::release_binaries() {
        bail!(why);
    }
    let target = crate::test::target();
    let program = Program::at(target.join("release/onrush-guard"), target.join("guard"))?;
    let paths = program.paths()?;
    let counted = Mutex::new(Kept::made_here(&program)?);
    let waiting = Mutex::new(paths.iter());
    let next = || waiting.lock().ok().and_then(|mut waiting| waiting.next());
    // Instructions are what they are, however many run at once.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let one = || {
            while let Some(path) = next() {
                let each = program.per_message(path)?;
                let mut counted = counted.lock().map_err(|_| anyhow!("a count panicked"))?;
                counted.put(&path.name, each);
            }
            anyhow::Ok(())
        };
        let all: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        let mut ended = all.into_iter().map(|one| match one.join() {
            Ok(ended) => ended,
            Err(_) => Err(anyhow!("a count panicked")),
        });
        ended.find(Result::is_err).unwrap_or(Ok(()))
    })?;
    counted.into_inner().ok().context("a count panicked")
}
