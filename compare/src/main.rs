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
mod peer;
mod race;
mod reading;
mod server;
mod setup;
mod table;
mod topics;
mod workload;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use peer::PeerName;
use setup::Setup;
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
    /// Only these workloads.
    #[arg(long, value_delimiter = ',')]
    workload: Vec<Workload>,
    /// Rounds; medians with least and greatest are printed.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// A tenth of the work: for trying things out, not for quoting.
    #[arg(long)]
    quick: bool,
    /// Print JSON instead of Markdown.
    #[arg(long)]
    json: bool,
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
    let or_all = |given: Vec<Workload>| match given.is_empty() {
        true => Workload::ALL.to_vec(),
        false => given,
    };
    let peers = match args.only.is_empty() {
        true => PeerName::ALL.to_vec(),
        false => args.only,
    };
    let setup = Setup::new(args.dir, args.binaries, args.kafka_libraries, args.peers, args.quick)?;
    let table = race::run(&setup, &peers, &or_all(args.workload), args.rounds)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&table.json())?);
    } else {
        println!("{}", table.markdown());
    }
    Ok(if table.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
