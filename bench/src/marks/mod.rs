//! The marks: workloads against the broker, each beside the rung that it is measured by.
//!
//! Every round runs a workload's rungs right before its load, so that both see the same machine;
//! ratios are taken round by round, and their median is what counts.

mod broker;
mod bulk;
mod footprint;
mod goal;
mod latency;
mod load;
mod many;
mod table;

pub use goal::{Goal, Reading, Sense};
pub use table::Table;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

/// The workloads.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
#[value(rename_all = "UPPER")]
pub enum Workload {
    /// Bulk produce, acks=1.
    W1,
    /// Bulk produce, acks=all.
    W2,
    /// Catch-up consume from page cache.
    W3,
    /// 100,000 messages a second, end to end.
    W4,
    /// 1,000,000 messages a second, produced and consumed at once.
    W5,
    /// One message a request, 64 connections.
    W6,
    /// Many partitions.
    W7,
    /// Idle: memory and start-up.
    W8,
    /// W4 while another consumer drains a cold backlog.
    W9,
}

impl Workload {
    /// All of them.
    pub const ALL: [Workload; 9] = [
        Workload::W1,
        Workload::W2,
        Workload::W3,
        Workload::W4,
        Workload::W5,
        Workload::W6,
        Workload::W7,
        Workload::W8,
        Workload::W9,
    ];
}

/// Runs one round of one workload.
type Round = fn(&Setup) -> Result<Vec<Reading>>;

/// Where and how long.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Directory on the disk to measure.
    pub dir: PathBuf,
    /// Directory of the release binaries.
    pub binaries: PathBuf,
    /// A tenth of the work: for trying things out, not for quoting.
    pub quick: bool,
    /// Prints what is run.
    pub verbose: bool,
}

impl Setup {
    /// Seconds of load at a fixed rate.
    fn seconds(&self, full: u64) -> u64 {
        if self.quick { full.div_ceil(10).max(2) } else { full }
    }

    /// Messages or bytes of bulk work.
    fn amount(&self, full: u64) -> u64 {
        if self.quick { full / 10 } else { full }
    }

    /// How long a timed rung runs.
    fn rung_time(&self) -> Duration {
        if self.quick { Duration::from_millis(700) } else { Duration::from_secs(3) }
    }

    /// Runs one round of the workloads asked for.
    pub fn round(&self, only: &[Workload]) -> Result<Vec<Reading>> {
        let wants = |workload: Workload| only.contains(&workload);
        let mut readings = Vec::new();
        if [Workload::W1, Workload::W2, Workload::W3].into_iter().any(wants) {
            readings.extend(self.bulk(wants(Workload::W2))?);
        }
        let separate: [(Workload, Round); 6] = [
            (Workload::W4, Setup::end_to_end),
            (Workload::W5, Setup::million),
            (Workload::W6, Setup::requests),
            (Workload::W7, Setup::many_partitions),
            (Workload::W8, Setup::footprint),
            (Workload::W9, Setup::cold_backlog),
        ];
        for (workload, run) in separate {
            if wants(workload) {
                readings.extend(run(self)?);
            }
        }
        readings.retain(|reading| wants(reading.goal.workload));
        Ok(readings)
    }
}
