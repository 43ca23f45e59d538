//! Runs the workloads beside their rungs and tells how far the broker is from its marks.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use onrush_bench::marks::{Setup, Table, Workload};

/// How far is the broker from what the machine can do?
///
/// Runs the workloads W1 to W9 against the release binaries of `onrush` and `onrush-loadgen`, the
/// broker pinned to core 0 and the load generator to core 1, each workload right after the rungs
/// that it is measured by. Ratios are taken within each round; their median counts. What is
/// written is removed. Status 1 where a mark that must be met is missed.
#[derive(Debug, Parser)]
#[command(name = "onrush-marks", version)]
struct Args {
    /// Only these workloads, such as W1,W4.
    #[arg(long, value_delimiter = ',', ignore_case = true)]
    only: Vec<Workload>,
    /// Rounds; medians with least and greatest are printed.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// A tenth of the work: for trying things out, not for quoting.
    #[arg(long)]
    quick: bool,
    /// Directory on the disk to measure.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
    /// Directory of the release binaries [default: this one's].
    #[arg(long)]
    binaries: Option<PathBuf>,
    /// Print Markdown, for docs/performance.md.
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let own = std::env::current_exe().context("cannot tell where this binary is")?;
    let binaries = args.binaries.or_else(|| own.parent().map(PathBuf::from));
    let binaries = binaries.context("cannot tell where this binary is")?;
    for name in ["onrush", "onrush-loadgen"] {
        let path = binaries.join(name);
        ensure!(
            path.exists(),
            "{} is not there; build it first: cargo build --release -p onrush -p onrush-loadgen",
            path.display()
        );
    }
    let only = if args.only.is_empty() { Workload::ALL.to_vec() } else { args.only };
    let setup = Setup { dir: args.dir, binaries, quick: args.quick, verbose: true };
    let mut table = Table::default();
    let mut failed = false;
    for round in 1..=args.rounds {
        for workload in &only {
            // W1 to W3 share their data: they run with the first of them that was asked for.
            let group: Vec<Workload> = shared_round(*workload, &only);
            if group.first() != Some(workload) {
                continue;
            }
            eprintln!("round {round} of {}: {group:?}", args.rounds);
            match setup.round(&group) {
                Ok(readings) => table.add(readings),
                Err(error) => {
                    failed = true;
                    eprintln!("{group:?} failed: {error:#}");
                }
            }
        }
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&table.json())?);
    } else if args.markdown {
        println!("{}", table.markdown());
    } else {
        println!("{table}");
    }
    Ok(if table.all_met() && !failed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn shared_round(workload: Workload, only: &[Workload]) -> Vec<Workload> {
    let bulk = [Workload::W1, Workload::W2, Workload::W3];
    if bulk.contains(&workload) {
        only.iter().copied().filter(|other| bulk.contains(other)).collect()
    } else {
        vec![workload]
    }
}
