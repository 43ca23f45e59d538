//! `onrush-loadgen`, by Onrush's own protocol or by librdkafka.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use onrush_bench::machine::{CLIENT_CORE, cores, spawn_on};
use serde_json::Value;

use super::{Beside, Client, Run};
use crate::reading::{Latency, Reading};

/// librdkafka's documented way to throughput: large batches that may wait for a few milliseconds.
const LIBRDKAFKA_BULK: &str = "--batch 1000000 --linger 5ms";
/// Messages a second up to which nothing lingers.
const UNTUNED_MAX: u64 = 100_000;

pub(super) fn produce(client: Client, run: &Run<'_>, messages: u64) -> Result<Reading> {
    let told = load(
        client,
        run,
        &format!("{} --rate max --message-count {messages} {}", producers(run), tuning(client)),
    )?;
    Ok(Reading { per_second: told.number("produced_per_second"), ..told.costs() })
}

pub(super) fn consume(client: Client, run: &Run<'_>) -> Result<Reading> {
    let told = load(client, run, "--producers 0 --consumers 1 --from start --duration 120s")?;
    let consumed = told.0.get("consumed").and_then(Value::as_u64);
    let per_second = told.number("consumed_per_second");
    Ok(Reading { messages: consumed, per_second, ..told.costs() })
}

pub(super) fn crowd(client: Client, run: &Run<'_>, messages: u64) -> Result<Reading> {
    let (producers, consumers) = (producers(run), run.shape.consumers);
    let told = load(
        client,
        run,
        &format!(
            "{producers} --consumers {consumers} --rate max --message-count {messages} {}",
            tuning(client)
        ),
    )?;
    Ok(Reading { per_second: told.number("produced_per_second"), ..told.costs() })
}

pub(super) fn single(client: Client, run: &Run<'_>, time: Duration) -> Result<Reading> {
    let seconds = time.as_secs();
    let told = load(
        client,
        run,
        &format!("{} --in-flight 1 --rate max --warmup 1s --duration {seconds}s", producers(run)),
    )?;
    let ack = told.latency("ack_latency_us");
    Ok(Reading { per_second: told.number("produced_per_second"), ack, ..told.costs() })
}

pub(super) fn paced(
    client: Client,
    run: &Run<'_>,
    rate: u64,
    time: Duration,
    beside: Option<Beside<'_>>,
) -> Result<Reading> {
    let (producers, consumers) = (producers(run), run.shape.consumers);
    let mut arguments = format!(
        "{producers} --consumers {consumers} --rate {rate} --warmup 1s --duration {}s",
        time.as_secs()
    );
    if let Some(Beside { topic, per_second }) = beside {
        arguments += &format!(" --drain {topic}");
        if let Some(per_second) = per_second {
            arguments += &format!(" --drain-rate {per_second}");
        }
    }
    // Without linger its batches are single messages, and a core is too little for so many.
    if rate > UNTUNED_MAX {
        arguments += &format!(" {}", tuning(client));
    }
    let told = load(client, run, &arguments)?;
    let drained = beside.and_then(|_| Some(told.number("drained")? / told.number("seconds")?));
    Ok(Reading {
        per_second: told.number("produced_per_second"),
        ack: told.latency("ack_latency_us"),
        end_to_end: told.latency("end_to_end_latency_us"),
        beside_per_second: drained,
        ..told.costs()
    })
}

/// Arguments that all loads with producers have.
fn producers(run: &Run<'_>) -> String {
    let Run { durability, shape, .. } = run;
    let compression = if shape.compressed { "--compression lz4" } else { "" };
    format!(
        "--producers {} --size {} --acks {} {compression}",
        shape.producers,
        shape.value_bytes,
        durability.acks()
    )
}

fn tuning(client: Client) -> &'static str {
    if client == Client::Librdkafka { LIBRDKAFKA_BULK } else { "" }
}

/// The JSON object that the load generator printed.
struct Told(Value);

impl Told {
    fn number(&self, name: &str) -> Option<f64> {
        self.0.get(name)?.as_f64()
    }

    fn latency(&self, name: &str) -> Option<Latency> {
        let of = |percentile| self.0.get(name)?.get(percentile)?.as_f64();
        Some(Latency { p50: of("p50")?, p99: of("p99")?, p999: of("p999")? })
    }

    fn costs(&self) -> Reading {
        Reading {
            messages: self.0.get("produced").and_then(Value::as_u64),
            broker_cpu: self.number("broker_cpu_ns_per_message"),
            client_cpu: self.number("client_cpu_ns_per_message"),
            ..Reading::default()
        }
    }
}

fn load(client: Client, run: &Run<'_>, arguments: &str) -> Result<Told> {
    let core = CLIENT_CORE % cores();
    let mut command = Command::new(run.setup.binary("onrush-loadgen"));
    command.args(["run", "--json", "--topic", run.topic, "--pin", &core.to_string()]);
    command.args(["--pid", &run.peer.server.pid().to_string()]);
    match client {
        Client::Native => {
            let address = run.peer.native.context("only Onrush has a native listener")?;
            command.args(["--target", &address.to_string()]);
        }
        _ => {
            command.args(["--kafka", &run.peer.address.to_string()]);
        }
    }
    command.args(arguments.split_whitespace());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = spawn_on(core, &mut command)?.wait_with_output()?;
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let told: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("the load generator ended with {}: {}", output.status, said()))?;
    let errors = told.get("errors").and_then(Value::as_u64);
    ensure!(
        errors == Some(0),
        "errors under load: {}",
        told.get("error_kinds").unwrap_or(&Value::Null)
    );
    ensure!(output.status.success(), "the load generator ended with {}", output.status);
    Ok(Told(told))
}
