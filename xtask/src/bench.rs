//! `cargo xtask bench`: builds the measured programs as they ship and runs the marks.

use anyhow::{Context, ensure};
use clap::Args;
use std::process::Command;

/// What to measure. Everything after `--` goes to `onrush-marks` as it stands.
#[derive(Args)]
pub(crate) struct Options {
    /// Arguments for the measuring program, such as `--only W1 --rounds 5`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
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
