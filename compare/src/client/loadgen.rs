//! `onrush-loadgen`, by Onrush's own protocol or by librdkafka.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use onrush_bench::machine::{CLIENT_CORE, cores, spawn_on};
use serde_json::Value;

use super::{Client, Run, VALUE_BYTES};
use crate::reading::{Latency, Reading};

/// librdkafka's documented way to throughput: large batches that may wait for a few milliseconds.
const LIBRDKAFKA_BULK: &str = "--batch 1000000 --linger 5ms";

pub(super) fn produce(client: Client, run: &Run<'_>, messages: u64) -> Result<Reading> {
    let tuned = if client == Client::Librdkafka { LIBRDKAFKA_BULK } else { "" };
    let acks = run.durability.acks();
    let told = load(
        client,
        run,
        &format!(
            "--producers 1 --size {VALUE_BYTES} --rate max --acks {acks} --message-count {messages} {tuned}"
        ),
    )?;
    Ok(Reading { per_second: told.number("produced_per_second"), ..told.costs() })
}

pub(super) fn consume(client: Client, run: &Run<'_>) -> Result<Reading> {
    let told = load(client, run, "--producers 0 --consumers 1 --from start --duration 120s")?;
    Ok(Reading { per_second: told.number("consumed_per_second"), ..told.costs() })
}

pub(super) fn paced(client: Client, run: &Run<'_>, rate: u64, time: Duration) -> Result<Reading> {
    let (acks, seconds) = (run.durability.acks(), time.as_secs());
    let told = load(
        client,
        run,
        &format!(
            "--producers 1 --consumers 1 --size {VALUE_BYTES} --rate {rate} --acks {acks} \
             --warmup 2s --duration {seconds}s"
        ),
    )?;
    Ok(Reading {
        per_second: told.number("produced_per_second"),
        ack: told.latency("ack_latency_us"),
        end_to_end: told.latency("end_to_end_latency_us"),
        ..told.costs()
    })
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
