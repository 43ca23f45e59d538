//! Measures the rungs: each only the bare thing, server on core 0 and client on core 1.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Parser, Subcommand};
use onrush_bench::rungs::append_ack::{self, Arrival, Sockets};
use onrush_bench::rungs::produce::{self, Depth};
use onrush_bench::rungs::round_trip::{self, Wait};
use onrush_bench::rungs::{Figures, send_file, sync};
use onrush_bench::summary::Summary;

/// What this machine can do at most.
///
/// Each rung does one bare thing that the broker has to do: the broker's marks are multiples of
/// these, measured in the same run. What a rung writes is removed when it ends.
#[derive(Debug, Parser)]
#[command(name = "onrush-rungs", version)]
struct Args {
    /// Directory on the disk to measure.
    #[arg(long, global = true, default_value_os_t = std::env::temp_dir())]
    dir: PathBuf,
    /// Rounds; medians with least and greatest are printed.
    #[arg(long, global = true, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each timed rung in each round.
    #[arg(long, global = true, default_value_t = 3.0)]
    seconds: f64,
    /// Print one JSON array instead of a table.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    rung: Option<Rung>,
}

#[derive(Clone, Debug, Subcommand)]
enum Rung {
    /// All of them, interleaved round by round (the default).
    All,
    /// Receive + CRC + append: 256 KiB chunks, 16 KiB batches of 100 B values.
    Produce {
        /// Bytes to send.
        #[arg(long, default_value_t = 1 << 30)]
        bytes: u64,
    },
    /// Bare sendfile from page cache to a client that reads.
    SendFile {
        /// Bytes to send.
        #[arg(long, default_value_t = 1 << 30)]
        bytes: u64,
    },
    /// A bare round trip of 128 bytes.
    RoundTrip,
    /// CRC + append + ack at a fixed arrival rate.
    AppendAck {
        /// Messages due each second.
        #[arg(long, default_value_t = 100_000.0)]
        rate: f64,
        /// One message a frame, instead of what accumulated while the last was in flight.
        #[arg(long)]
        alone: bool,
        /// Connections, with --alone.
        #[arg(long, default_value_t = 1)]
        connections: usize,
    },
    /// CRC + append + ack, one message a frame, one frame in flight on each connection.
    Requests {
        /// Connections.
        #[arg(long, default_value_t = 64)]
        connections: usize,
    },
    /// As `requests`, by epoll and by every way of io_uring, in turn. Not part of `all`: the broker does
    /// not use it (decision 11).
    Rings {
        /// Connections.
        #[arg(long, default_value_t = 64)]
        connections: usize,
    },
    /// Bare fdatasync after an append of 4 KiB, 64 KiB and 1 MiB.
    Sync,
}

fn main() -> Result<()> {
    let args = Args::parse();
    let rungs = match args.rung.clone().unwrap_or(Rung::All) {
        Rung::All => every(),
        one => vec![one],
    };
    let mut summary = Summary::default();
    for _ in 0..args.rounds {
        for rung in &rungs {
            for figures in measure(&args, rung)? {
                if !args.json {
                    println!("{figures}");
                }
                summary.add(figures);
            }
        }
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&summary.rows())?);
    } else {
        println!("\nmedian [least..greatest] of {}\n{summary}", args.rounds);
    }
    Ok(())
}

fn every() -> Vec<Rung> {
    let alone = |rate, connections| Rung::AppendAck { rate, alone: true, connections };
    let natural = |rate| Rung::AppendAck { rate, alone: false, connections: 1 };
    vec![
        Rung::Produce { bytes: 1 << 30 },
        Rung::SendFile { bytes: 1 << 30 },
        Rung::RoundTrip,
        alone(100_000.0, 1),
        alone(100_000.0, 4),
        natural(100_000.0),
        natural(1_000_000.0),
        Rung::Requests { connections: 1 },
        Rung::Requests { connections: 64 },
        Rung::Sync,
    ]
}

fn measure(args: &Args, rung: &Rung) -> Result<Vec<Figures>> {
    let (dir, duration) = (&args.dir, Duration::from_secs_f64(args.seconds));
    Ok(match *rung {
        Rung::All => Vec::new(),
        Rung::Produce { bytes } => {
            let depths = [Depth::Receive, Depth::Verify, Depth::Append];
            depths
                .map(|depth| produce::run(dir, bytes, depth))
                .into_iter()
                .collect::<Result<_, _>>()?
        }
        Rung::SendFile { bytes } => vec![send_file::run(dir, bytes)?],
        Rung::RoundTrip => {
            let waits = [Wait::Block, Wait::Spin];
            waits
                .map(|wait| round_trip::run(duration, wait))
                .into_iter()
                .collect::<Result<_, _>>()?
        }
        Rung::AppendAck { rate, alone: true, connections } => {
            vec![append_ack::run(dir, Arrival::Alone { rate, connections }, duration)?]
        }
        Rung::AppendAck { rate, .. } => {
            vec![append_ack::run(dir, Arrival::Natural { rate }, duration)?]
        }
        Rung::Requests { connections } => {
            vec![append_ack::run(dir, Arrival::Closed { connections }, duration)?]
        }
        Rung::Rings { connections } => {
            let missing = onrush_sys::ring::available().err();
            if let Some(error) = &missing {
                eprintln!("skipped: all of io_uring, which this machine has not: {error}");
            }
            let calls_only = missing.is_some();
            Sockets::ALL
                .into_iter()
                .filter(|sockets| !calls_only || *sockets == Sockets::Calls)
                .map(|by| append_ack::run_by(by, dir, Arrival::Closed { connections }, duration))
                .collect::<Result<_, _>>()?
        }
        Rung::Sync => {
            let sizes = [4 << 10, 64 << 10, 1 << 20];
            sizes.map(|len| sync::run(dir, len, duration)).into_iter().collect::<Result<_, _>>()?
        }
    })
}
