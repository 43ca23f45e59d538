//! Apache Kafka's `kafka-producer-perf-test.sh` and `kafka-consumer-perf-test.sh`, started as those
//! scripts start them.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Run;
use super::tool::measured;
use crate::reading::{Latency, Reading};

/// Part of the messages that are sent before the tool measures: its JVM is cold at first.
const WARM_UP_PART: u64 = 5;

const BULK: [&str; 2] = ["linger.ms=5", "batch.size=131072"];
const PACED: [&str; 1] = ["linger.ms=0"];

pub(super) fn produce(run: &Run<'_>, messages: u64) -> Result<Reading> {
    let (line, costs) = producer(run, messages, "-1", &BULK)?;
    Ok(Reading { per_second: rate(&line), ..costs })
}

pub(super) fn paced(run: &Run<'_>, rate_wanted: u64, time: Duration) -> Result<Reading> {
    let messages = rate_wanted * time.as_secs() * WARM_UP_PART / (WARM_UP_PART - 1);
    let (line, costs) = producer(run, messages, &rate_wanted.to_string(), &PACED)?;
    Ok(Reading { per_second: rate(&line), ack: percentiles(&line), ..costs })
}

fn producer(
    run: &Run<'_>,
    messages: u64,
    rate: &str,
    tuning: &[&str],
) -> Result<(String, Reading)> {
    let mut command = tool(run, "org.apache.kafka.tools.ProducerPerformance")?;
    command.args(["--topic", run.topic, "--num-records", &messages.to_string()]);
    command.args(["--record-size", &run.shape.value_bytes.to_string(), "--throughput", rate]);
    command.args(["--warmup-records", &(messages / WARM_UP_PART).to_string()]);
    command.arg("--command-property").args(tuning);
    command.arg(format!("acks={}", run.durability.acks()));
    if run.shape.compressed {
        command.arg("compression.type=lz4");
    }
    let (said, cost) = measured(run, &mut command)?;
    let line = said.lines().rfind(|line| line.contains("steady state records sent"));
    let line = line.with_context(|| format!("no result in what the tool said: {said}"))?;
    Ok((line.to_owned(), cost.of(messages)))
}

pub(super) fn consume(run: &Run<'_>, messages: u64) -> Result<Reading> {
    let mut command = tool(run, "org.apache.kafka.tools.ConsumerPerformance")?;
    command.args(["--topic", run.topic, "--num-records", &messages.to_string()]);
    command.args(["--timeout", "60000"]);
    let (said, cost) = measured(run, &mut command)?;
    // The last column: messages a second without the time in which the group came together.
    let last =
        said.lines().rfind(|line| line.contains(':')).and_then(|line| line.rsplit(", ").next());
    let per_second = last.and_then(|number| number.trim().parse().ok());
    ensure!(per_second.is_some(), "no result in what the tool said: {said}");
    Ok(Reading { per_second, ..cost.of(messages) })
}

fn tool(run: &Run<'_>, class: &str) -> Result<Command> {
    let mut command = Command::new("java");
    command.args(["-Xmx512M", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-cp"]);
    command.arg(run.setup.kafka_class_path()?).arg(class);
    command.args(["--bootstrap-server", &run.peer.address.to_string()]);
    Ok(command)
}

/// The number before ` records/sec`.
fn rate(line: &str) -> Option<f64> {
    line.split(" records/sec").next()?.rsplit(' ').next()?.parse().ok()
}

/// The numbers before ` ms 50th` and so on, as microseconds.
fn percentiles(line: &str) -> Option<Latency> {
    let of = |name: &str| -> Option<f64> {
        let ms: f64 = line.split(name).next()?.rsplit(' ').next()?.parse().ok()?;
        Some(ms * 1e3)
    };
    Some(Latency { p50: of(" ms 50th")?, p99: of(" ms 99th")?, p999: of(" ms 99.9th")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "200000 steady state records sent, 82236.842105 records/sec (7.84 MB/sec), \
        616.48 ms avg latency, 1076.00 ms max latency, 585 ms 50th, 1045 ms 95th, 1075 ms 99th, \
        1076 ms 99.9th.";

    #[test]
    fn the_tools_words_are_understood() {
        assert_eq!(rate(LINE), Some(82_236.842_105));
        let latency = Latency { p50: 585e3, p99: 1_075e3, p999: 1_076e3 };
        assert_eq!(percentiles(LINE), Some(latency));
        assert_eq!(percentiles("nothing of the kind"), None);
    }
}
