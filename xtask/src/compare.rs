//! `cargo xtask compare`: builds ours, installs the peers, and runs the race.

use crate::clients::kits::{self, system};
use crate::steps::Outcome;
use anyhow::{Context, bail, ensure};
use clap::Args;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What to compare. Everything after `--` goes to `onrush-compare` as it stands.
#[derive(Args)]
pub(crate) struct Options {
    /// Write docs/comparison.md whatever was selected. The default selection and rounds do so anyway.
    #[arg(long)]
    write: bool,
    /// Arguments for the race, such as `--workload bulk --rounds 5`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// What makes a race another one than the documentation tells of, or its report go elsewhere.
const NOT_FOR_THE_DOCS: [&str; 5] = ["--only", "--workload", "--rounds", "--quick", "--report"];
/// With this nothing is measured, so that nothing has to be installed.
const FROM_JSON: &str = "--from-json";

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut race = Command::new(cargo);
    race.args(["run", "--release", "--quiet", "-p", "onrush-compare", "--"]);
    if !options.has(FROM_JSON) {
        install(&mut race)?;
    }
    if options.writes_the_docs() {
        race.arg("--report").arg(top()?.join("docs/comparison.md"));
    }
    let status = race.args(&options.arguments).status().context("cannot start the race")?;
    ensure!(status.success(), "the race ended with {status}; what failed stands above");
    Ok(())
}

impl Options {
    fn writes_the_docs(&self) -> bool {
        let other = NOT_FOR_THE_DOCS.into_iter().any(|name| self.has(name));
        self.write || !other && !self.has(FROM_JSON)
    }

    /// Whether the race gets that option, with a value or without.
    fn has(&self, name: &str) -> bool {
        let is = |argument: &String| argument.split('=').next() == Some(name);
        self.arguments.iter().any(is)
    }
}

/// Builds ours, and installs the peers; tells the race where they are.
fn install(race: &mut Command) -> anyhow::Result<()> {
    if let Outcome::Failed(why) | Outcome::Skipped(why) = crate::test::release_binaries() {
        bail!(why);
    }
    let target = crate::test::target();
    // What cannot be installed is missing by name in the race's own result too.
    match crate::clients::kafka_libraries(&target) {
        Ok(libraries) => {
            race.arg("--kafka-libraries").arg(libraries);
        }
        Err(error) => eprintln!("Apache Kafka cannot be installed: {error:#}"),
    }
    match go_programs(&target) {
        Ok(peers) => {
            race.arg("--peers").arg(peers);
        }
        Err(error) => eprintln!("NATS and the clients in Go cannot be installed: {error:#}"),
    }
    for (program, name) in [("redis-server", "Redis"), ("rabbitmq-server", "RabbitMQ")] {
        if let Err(error) = system::require(program, program) {
            eprintln!("{name} cannot be installed: {error:#}");
        }
    }
    Ok(())
}

/// The repository.
fn top() -> anyhow::Result<&'static Path> {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask is in a folder")
}

/// Builds the NATS server and the clients of `compare/clients`, pinned by its `go.mod`.
fn go_programs(target: &Path) -> anyhow::Result<PathBuf> {
    system::require("go", "golang-go")?;
    let programs = target.join("compare");
    std::fs::create_dir_all(&programs).context("cannot make the folder of the peers")?;
    let programs = programs.canonicalize().context("cannot find the folder of the peers")?;
    for (name, package) in [("race", "."), ("nats-server", "github.com/nats-io/nats-server/v2")] {
        let mut go = Command::new("go");
        go.args(["build", "-o"]).arg(programs.join(name)).arg(package);
        kits::succeed(go.current_dir(top()?.join("compare/clients")))?;
    }
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &str) -> Options {
        Options {
            write: false,
            arguments: arguments.split_whitespace().map(str::to_owned).collect(),
        }
    }

    #[test]
    fn only_a_whole_race_writes_the_docs() {
        for whole in ["", "--full", "--json all.json --dir data"] {
            assert!(options(whole).writes_the_docs(), "{whole}");
        }
        for part in ["--quick", "--only=kafka", "--rounds 1", "--from-json all.json"] {
            assert!(!options(part).writes_the_docs(), "{part}");
        }
        assert!(Options { write: true, ..options("--quick") }.writes_the_docs());
    }
}
