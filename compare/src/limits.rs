//! This machine without a broker: once a round, what bare system calls give on the same cores.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use onrush_bench::memory::AtHand;
use onrush_bench::rungs::append_ack::{self, Arrival};
use onrush_bench::rungs::produce::{self, Depth};
use onrush_bench::rungs::round_trip::{self, Wait};
use onrush_bench::rungs::{Figures, send_file, sync};
use serde::{Deserialize, Serialize};

use crate::reading::{Latency, Reading};
use crate::setup::Setup;

/// Bytes that a message of 100 B takes in a log when many are together.
pub(crate) const RECORD_BYTES: f64 = 110.0;

/// One bare thing that a broker has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Rung {
    /// Receive, CRC, append.
    Append,
    /// From the page cache to a socket.
    SendFile,
    /// 128 bytes there and back.
    RoundTrip,
    /// CRC, append, acknowledge: 50,000 single messages a second.
    AppendAck,
    /// CRC, append, acknowledge: 64 connections with one message in flight each.
    Requests,
    /// A sync after 4 KiB.
    Sync,
    /// Syncs after 1 MiB each: what the disk takes of messages that must be on it.
    SyncLarge,
}

impl Rung {
    pub(crate) const ALL: [Rung; 7] = [
        Rung::Append,
        Rung::SendFile,
        Rung::RoundTrip,
        Rung::AppendAck,
        Rung::Requests,
        Rung::Sync,
        Rung::SyncLarge,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Rung::Append => "bare receive + CRC + append",
            Rung::SendFile => "bare sendfile",
            Rung::RoundTrip => "bare round trip",
            Rung::AppendAck => "bare CRC + append + ack",
            Rung::Requests => "bare CRC + append + ack, 64 connections",
            Rung::Sync => "bare fdatasync after 4 KiB",
            Rung::SyncLarge => "bare fdatasync after each 1 MiB",
        }
    }

    /// Measures it, for `time` or on so many `bytes`.
    fn run(self, dir: &Path, time: Duration, bytes: u64) -> Result<Figures> {
        Ok(match self {
            Rung::Append => {
                let _memory = AtHand::take(bytes)?;
                produce::run(dir, bytes, Depth::Append)?
            }
            Rung::SendFile => send_file::run(dir, bytes)?,
            Rung::RoundTrip => round_trip::run(time, Wait::Block)?,
            Rung::AppendAck => {
                append_ack::run(dir, Arrival::Alone { rate: 50_000.0, connections: 1 }, time)?
            }
            Rung::Requests => append_ack::run(dir, Arrival::Closed { connections: 64 }, time)?,
            Rung::Sync => sync::run(dir, 4 << 10, time)?,
            Rung::SyncLarge => sync::run(dir, 1 << 20, time)?,
        })
    }

    /// Its figures as those of messages of 100 B.
    fn reading(self, figures: &Figures) -> Reading {
        let latency = figures.latency_us.map(|latency| Latency {
            p50: latency.p50,
            p99: latency.p99,
            p999: latency.p999,
        });
        let reading = Reading {
            per_second: Some(figures.per_second),
            broker_cpu: figures.server_cpu_ns,
            ack: latency,
            ..Reading::default()
        };
        match self {
            // A sync is no message.
            Rung::Sync => Reading { broker_cpu: None, ..reading },
            Rung::SyncLarge => {
                let messages = |gigabytes: f64| gigabytes * 1e9 / RECORD_BYTES;
                let per_second = figures.gigabytes_per_second.map(messages);
                Reading { per_second, broker_cpu: None, ..reading }
            }
            _ => reading,
        }
    }
}

/// One round of all of them.
pub(crate) fn round(setup: &Setup) -> Result<Vec<(Rung, Reading)>> {
    let scratch = setup.scratch()?;
    let time = Duration::from_millis(setup.amount(3_000).max(500));
    let bytes = setup.amount(1 << 30);
    let measure = |rung: Rung| {
        let figures = rung.run(scratch.path(), time, bytes);
        let figures = figures.with_context(|| format!("cannot measure: {}", rung.title()))?;
        Ok((rung, rung.reading(&figures)))
    };
    Rung::ALL.into_iter().map(measure).collect()
}
