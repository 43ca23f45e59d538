//! W4, W5, W6, W9: latency and cost of small produces at a fixed arrival rate.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::{Advice, fadvise};

use super::broker::Broker;
use super::load::Load;
use super::{Goal, Reading, Setup, Workload};
use crate::memory::AtHand;
use crate::rungs::append_ack::{self, Arrival};
use crate::rungs::{Figures, send_file, sync, wire};
use crate::stats::Percentiles;

const RUNG: &str = "append+ack, 4 connections";
const P50: Goal = Goal::at_most(
    Workload::W4,
    "acks=1, visibility=written: end to end p50",
    "µs",
    RUNG,
    [1.5, 1.2],
);
const P99: Goal = Goal::at_most(
    Workload::W4,
    "acks=1, visibility=written: end to end p99",
    "µs",
    RUNG,
    [1.5, 1.2],
);
const DURABLE_P50: Goal =
    Goal::at_most(Workload::W4, "acks=all: end to end p50", "µs", "bare sync p50", [2.5, 2.0]);
const DURABLE_P99: Goal =
    Goal::at_most(Workload::W4, "acks=all: end to end p99", "µs", "bare sync p50", [8.0, 5.0]);

const MILLION_RATE: Goal = Goal::at_least(
    Workload::W5,
    "messages a second, sustained",
    "/s",
    "what was due",
    [0.999, 0.9995],
);
const MILLION_P99: Goal =
    Goal::at_most(Workload::W5, "end to end p99", "µs", "", [5_000.0, 2_000.0]);
const MILLION_CPU: Goal = Goal::at_most(
    Workload::W5,
    "broker CPU a message",
    "ns",
    "append+ack plus sendfile",
    [1.5, 1.2],
);
const MILLION_DURABLE_P99: Goal = Goal::told(Workload::W5, "end to end p99, acks=all", "µs", "");

const REQUEST_CPU: Goal = Goal::at_most(
    Workload::W6,
    "broker CPU a request",
    "ns",
    "append+ack, 64 connections",
    [1.4, 1.15],
);
const REQUEST_RATE: Goal =
    Goal::told(Workload::W6, "requests a second", "/s", "append+ack, 64 connections");

const BACKLOG_P99: Goal =
    Goal::at_most(Workload::W9, "end to end p99 beside a cold drain", "µs", "W4", [2.0, 1.3]);
const BACKLOG_DURABLE: Goal =
    Goal::at_most(Workload::W9, "acks=all: p99 beside a cold drain", "µs", "W4", [2.0, 1.3]);
const DRAIN: Goal = Goal::told(Workload::W9, "cold drain meanwhile", "MB/s", "");

/// Bytes that W4 adds to the page cache in a second, and room that is made ahead.
const FILLED_A_SECOND: u64 = 15_000_000;
/// W4's load without its acks.
const END_TO_END: &str = "--producers 4 --consumers 1 --partitions 1 --size 100 --rate 100000";
const WRITTEN: &str = "--acks 1 --config visibility=written";
const DURABLE: &str = "--acks all";

fn end_to_end(load: &Load, percentile: &str) -> Result<f64> {
    load.number(&format!("end_to_end_latency_us.{percentile}"))
}

fn percentiles(figures: &Figures) -> Percentiles {
    figures.latency_us.unwrap_or_default()
}

impl Setup {
    fn w4(&self, broker: &Broker, how: &str) -> Result<Load> {
        let seconds = self.seconds(10);
        self.load_filling(
            broker,
            seconds * FILLED_A_SECOND,
            &format!("{END_TO_END} {how} --warmup 1s --duration {seconds}s"),
        )
    }

    /// W4.
    pub(super) fn end_to_end(&self) -> Result<Vec<Reading>> {
        let scratch = self.scratch()?;
        let broker = Broker::start(self, &scratch.path().join("data"))?;
        let arrival = Arrival::Alone { rate: 100_000.0, connections: 4 };
        let memory = AtHand::take(self.rung_time().as_secs() * FILLED_A_SECOND)?;
        let rung = percentiles(&append_ack::run(&self.dir, arrival, self.rung_time())?);
        drop(memory);
        let written = self.w4(&broker, WRITTEN)?;
        let bare = percentiles(&sync::run(&self.dir, 4 << 10, self.rung_time())?);
        let durable = self.w4(&broker, DURABLE)?;
        broker.stop()?;
        Ok(vec![
            P50.reading(end_to_end(&written, "p50")?, rung.p50),
            P99.reading(end_to_end(&written, "p99")?, rung.p99),
            DURABLE_P50.reading(end_to_end(&durable, "p50")?, bare.p50),
            DURABLE_P99.reading(end_to_end(&durable, "p99")?, bare.p50),
        ])
    }

    /// W5.
    pub(super) fn million(&self) -> Result<Vec<Reading>> {
        const RATE: f64 = 1_000_000.0;
        let scratch = self.scratch()?;
        let broker = Broker::start(self, &scratch.path().join("data"))?;
        let memory = AtHand::take(self.rung_time().as_secs() * 10 * FILLED_A_SECOND)?;
        let append = append_ack::run(&self.dir, Arrival::Natural { rate: RATE }, self.rung_time())?;
        drop(memory);
        let send = send_file::run(&self.dir, self.amount(1 << 30))?;
        let seconds = self.seconds(60);
        let load = format!("--producers 1 --consumers 1 --partitions 1 --size 100 --rate {RATE}");
        let timed = format!("--warmup 2s --duration {seconds}s");
        let filled = |seconds: u64| seconds * 10 * FILLED_A_SECOND;
        let written =
            self.load_filling(&broker, filled(seconds), &format!("{load} {WRITTEN} {timed}"))?;
        let durable = self.load_filling(
            &broker,
            filled(self.seconds(10)),
            &format!("{load} {DURABLE} --warmup 1s --duration {}s", self.seconds(10)),
        )?;
        broker.stop()?;
        let per_byte = send.server_cpu_seconds_per_gigabyte.unwrap_or(f64::NAN);
        let rung = append.server_cpu_ns.unwrap_or(f64::NAN) + per_byte * wire::RECORD_LEN as f64;
        let due = written.number("offered")? / written.number("seconds")?;
        let consumed = written.number("consumed_per_second")?;
        Ok(vec![
            MILLION_RATE.reading(consumed, due),
            MILLION_P99.absolute(end_to_end(&written, "p99")?),
            MILLION_CPU.reading(written.number("broker_cpu_ns_per_message")?, rung),
            MILLION_DURABLE_P99.absolute(end_to_end(&durable, "p99")?),
        ])
    }

    /// W6.
    pub(super) fn requests(&self) -> Result<Vec<Reading>> {
        let scratch = self.scratch()?;
        let broker = Broker::start(self, &scratch.path().join("data"))?;
        let arrival = Arrival::Closed { connections: 64 };
        let rung = append_ack::run(&self.dir, arrival, self.rung_time())?;
        let seconds = self.seconds(10);
        let load = format!(
            "--producers 64 --partitions 1 --size 100 --rate max --in-flight 1 --acks 1 \
             --warmup 1s --duration {seconds}s"
        );
        let load = self.load(&broker, &load)?;
        broker.stop()?;
        let rung_cpu = rung.server_cpu_ns.unwrap_or(f64::NAN);
        Ok(vec![
            REQUEST_CPU.reading(load.number("broker_cpu_ns_per_message")?, rung_cpu),
            REQUEST_RATE.reading(load.number("produced_per_second")?, rung.per_second),
        ])
    }

    /// W9: W4 alone, then W4 while one more consumer drains what the page cache has not. It belongs to the
    /// same load generator: two processes would share one core by the scheduler's slices, which are
    /// longer than what is measured.
    pub(super) fn cold_backlog(&self) -> Result<Vec<Reading>> {
        let scratch = self.scratch()?;
        let data = scratch.path().join("data");
        let broker = Broker::start(self, &data)?;
        let backlog = self.amount(90_000_000);
        let fill = format!(
            "--producers 1 --size 100 --rate max --acks all --topic cold --message-count {backlog}"
        );
        self.load(&broker, &fill)?;
        // All of it on disk: the first run must not share it with what the fill left behind.
        forget_cached(&data)?;
        let mut readings = Vec::new();
        for (how, goal) in [(WRITTEN, BACKLOG_P99), (DURABLE, BACKLOG_DURABLE)] {
            let how = format!("{how} --config segment.ms=1000");
            let alone = self.w4(&broker, &how)?;
            forget_cached(&data)?;
            let _memory = AtHand::take(backlog * 110)?;
            let beside = self.w4(&broker, &format!("{how} --drain cold"))?;
            readings.push(goal.reading(end_to_end(&beside, "p99")?, end_to_end(&alone, "p99")?));
            readings.push(DRAIN.absolute(beside.number("drained_megabytes_per_second")?));
        }
        broker.stop()?;
        Ok(readings)
    }
}

/// Makes the page cache forget every file below a directory, once it is on disk. What the broker
/// deletes meanwhile is none of its concern.
fn forget_cached(dir: &Path) -> Result<()> {
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("cannot list {}", dir.display()))?,
    };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            forget_cached(&path)?;
        } else if let Ok(file) = File::open(path) {
            file.sync_data()?;
            fadvise(&file, 0, None, Advice::DontNeed)?;
        }
    }
    Ok(())
}
