//! The `onrush-loadgen` binary.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use onrush_loadgen::args::{Cli, Command, RunArgs, VerifyArgs};
use onrush_loadgen::{report, run, verify};

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(args) => run_load(&args),
        Command::Verify(args) => run_verify(&args),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("onrush-loadgen: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run_load(args: &RunArgs) -> Result<ExitCode> {
    let outcome = run::run(args)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        println!("{outcome}");
    }
    if let Some(path) = &args.report {
        std::fs::write(path, report::html(&outcome))
            .with_context(|| format!("cannot write the report to {}", path.display()))?;
        if !args.json {
            println!("report: {}", path.display());
        }
    }
    Ok(if outcome.errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_verify(args: &VerifyArgs) -> Result<ExitCode> {
    let outcome = verify::verify(args)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&outcome)?);
    } else {
        println!("{outcome}");
    }
    Ok(if outcome.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
