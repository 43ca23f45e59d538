//! `cargo xtask bench`: builds the measured programs as they ship and runs the marks; with `--guard`
//! counts instructions instead.

use crate::guard;
use anyhow::{Context, ensure};
use clap::Args;
use std::process::Command;

/// What to measure. Everything after `--` goes to `onrush-marks` as it stands.
#[derive(Args)]
pub(crate) struct Options {
    /// Count the instructions that a message takes, and show how they have changed, instead.
    #[arg(long, conflicts_with = "arguments")]
    guard: bool,
    /// Keep the figures that are counted (bench/guard.toml).
    #[arg(long, requires = "guard")]
    update: bool,
    /// Arguments for the measuring program, such as `--only W1 --rounds 5`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    if options.guard {
        return guard::run(options.update);
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let built = Command::new(&cargo)
        .args(["build", "--release", "-p", "onrush", "-p", "onrush-loadgen", "-p", "onrush-bench"])
        .status()
        .context("cannot start cargo to build the measured programs")?;
    ensure!(built.success(), "the release build failed; see its messages above");
    let status = Command::new(&cargo)
        .args(["run", "--release", "--quiet", "-p", "onrush-bench", "--bin", "onrush-marks", "--"])
        .args(&options.arguments)
        .status()
        .context("cannot start onrush-marks")?;
    ensure!(status.success(), "onrush-marks ended with {status}");
    Ok(())
}
