//! Runs the same workloads against Onrush and its peers, in turns, and tells how each did.
//!
//! A **peer** is a broker ([`peer`]); a **client** is a program that loads one ([`client`]); the two
//! together are a contender. Servers stay up for all rounds, so that each is as warm as the others;
//! within a round every contender runs a workload before the next workload begins.
#![allow(
    clippy::disallowed_methods,
    reason = "a measuring tool outside the product: it reads the real clock and starts processes"
)]

mod client;
mod contender;
mod disk;
mod estimate;
mod limits;
mod machine;
mod peer;
mod race;
mod reading;
mod report;
mod server;
mod setup;
mod stolen;
mod topics;
mod workload;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use machine::Machine;
use peer::PeerName;
use report::{About, Findings};
use setup::{Extent, Setup};
use workload::Workload;

/// Onrush beside its peers: the same work, the same cores, in turns.
///
/// Brokers are pinned to core 0 and clients to core 1. What is written is removed.
/// `cargo xtask compare` builds and installs what this needs, and runs it.
#[derive(Debug, Parser)]
#[command(name = "onrush-compare", version)]
struct Args {
    /// Only these peers.
    #[arg(long, value_delimiter = ',')]
    only: Vec<PeerName>,
    /// Only these workloads [default: a selection that takes less than an hour in five rounds].
    #[arg(long, value_delimiter = ',')]
    workload: Vec<Workload>,
    /// Rounds; medians with least and greatest are printed [default: 5, of --quick 1].
    #[arg(long)]
    rounds: Option<usize>,
    /// A fifth of the work of few workloads: for trying things out, not for quoting. Under ten minutes.
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// All workloads, with a backlog of 10 GiB.
    #[arg(long)]
    full: bool,
    /// Write every reading to FILE as JSON, after each round; without a name, print it instead of Markdown.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    json: Option<PathBuf>,
    /// Write the comparison to PATH as Markdown, and its plots into `plots` beside it.
    #[arg(long, value_name = "PATH")]
    report: Option<PathBuf>,
    /// Run nothing: take what an earlier run wrote with --json.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "workload", "rounds", "quick", "full"])]
    from_json: Option<PathBuf>,
    /// Directory on the disk to measure.
    #[arg(long, default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
    /// Directory of the release binaries [default: this one's].
    #[arg(long)]
    binaries: Option<PathBuf>,
    /// Directory of Apache Kafka's libraries, its server and tools among them.
    #[arg(long)]
    kafka_libraries: Option<PathBuf>,
    /// Directory of nats-server and of the clients that are written in Go.
    #[arg(long)]
    peers: Option<PathBuf>,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    let findings = match &args.from_json {
        Some(file) => {
            let text = std::fs::read_to_string(file);
            let text = text.with_context(|| format!("cannot read {}", file.display()))?;
            serde_json::from_str(&text)
                .with_context(|| format!("{} is not what --json writes", file.display()))?
        }
        None => race(&args)?,
    };
    tell(&args, &findings)?;
    Ok(if findings.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn race(args: &Args) -> Result<Findings> {
    let workloads = match args.workload.is_empty() {
        true => Workload::selection(args.extent()),
        false => args.workload.clone(),
    };
    let peers = match args.only.is_empty() {
        true => PeerName::ALL.to_vec(),
        false => args.only.clone(),
    };
    let about = About {
        date: jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
        command: args.command(),
        rounds: args.rounds(),
        machine: Machine::here(&args.dir),
    };
    let setup = Setup::new(
        args.dir.clone(),
        args.binaries.clone(),
        args.kafka_libraries.clone(),
        args.peers.clone(),
        args.extent(),
    )?;
    race::run(&setup, &peers, &workloads, about, |so_far| args.keep(so_far))
}

/// Writes what is asked for; the comparison to standard output where nothing is.
fn tell(args: &Args, findings: &Findings) -> Result<()> {
    args.keep(findings)?;
    if let Some(path) = &args.report {
        report::write(findings, path)?;
        eprintln!("{} is written", path.display());
    }
    match args.json_printed() {
        true => println!("{}", serde_json::to_string_pretty(findings)?),
        false if args.report.is_none() => println!("{}", report::markdown(findings)?),
        false => {}
    }
    Ok(())
}

impl Args {
    /// How much is asked for.
    fn extent(&self) -> Extent {
        match (self.quick, self.full) {
            (true, _) => Extent::Quick,
            (false, true) => Extent::Full,
            (false, false) => Extent::Standard,
        }
    }

    fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 1 } else { 5 })
    }

    /// Writes JSON to the file that is asked for, if one is.
    fn keep(&self, findings: &Findings) -> Result<()> {
        let Some(file) = self.json.as_ref().filter(|_| !self.json_printed()) else {
            return Ok(());
        };
        let json = serde_json::to_string_pretty(findings)?;
        std::fs::write(file, json).with_context(|| format!("cannot write {}", file.display()))
    }

    fn json_printed(&self) -> bool {
        self.json.as_ref().is_some_and(|file| file.as_os_str() == "-")
    }

    /// How to run the same again: without what says where things are on this machine.
    fn command(&self) -> String {
        let names = |values: Vec<String>| values.join(",");
        let mut more = Vec::new();
        if !self.only.is_empty() {
            more.push(format!("--only {}", names(self.only.iter().map(value_name).collect())));
        }
        if !self.workload.is_empty() {
            let workloads = names(self.workload.iter().map(value_name).collect());
            more.push(format!("--workload {workloads}"));
        }
        more.push(format!("--rounds {}", self.rounds()));
        if self.quick {
            more.push("--quick".to_owned());
        }
        if self.full {
            more.push("--full".to_owned());
        }
        format!("cargo xtask compare -- {}", more.join(" "))
    }
}

/// As it is written on the command line.
fn value_name<V: clap::ValueEnum>(value: &V) -> String {
    value.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned())
}
