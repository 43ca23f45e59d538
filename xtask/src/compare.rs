//! `cargo xtask compare`: builds ours, installs the peers, and runs the race.

use crate::clients;
use crate::steps::Outcome;
use anyhow::{Context, bail, ensure};
use clap::Args;
use std::process::Command;

/// What to compare. Everything after `--` goes to `onrush-compare` as it stands.
#[derive(Args)]
pub(crate) struct Options {
    /// Arguments for the race, such as `--workload bulk --rounds 5`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    if let Outcome::Failed(why) | Outcome::Skipped(why) = crate::test::release_binaries() {
        bail!(why);
    }
    let target = crate::test::target();
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut race = Command::new(cargo);
    race.args(["run", "--release", "--quiet", "-p", "onrush-compare", "--"]);
    match clients::kafka_libraries(&target) {
        Ok(libraries) => {
            race.arg("--kafka-libraries").arg(libraries);
        }
        Err(error) => eprintln!("Apache Kafka cannot be installed: {error:#}"),
    }
    let status = race.args(&options.arguments).status().context("cannot start the race")?;
    ensure!(status.success(), "the race ended with {status}; what failed stands above");
    Ok(())
}
