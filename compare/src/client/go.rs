//! `compare/clients`: programs on the Go libraries of brokers that speak a protocol of their own.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use onrush_bench::machine::{CLIENT_CORE, cores, spawn_on};
use serde_json::Value;

use super::Run;
use super::tool::measured;
use crate::peer::{Peer, PeerName};
use crate::reading::{Latency, Reading};
use crate::setup::Setup;

/// A slower broker is not waited for until it has taken all.
const MOST: Duration = Duration::from_secs(15);

pub(super) fn produce(run: &Run<'_>, messages: u64) -> Result<Reading> {
    let most = format!("{}s", run.setup.time(MOST).as_secs());
    load(run, "produce", messages, &["--most", &most])
}

pub(super) fn consume(run: &Run<'_>, messages: u64) -> Result<Reading> {
    load(run, "consume", messages, &[])
}

pub(super) fn paced(run: &Run<'_>, rate: u64, time: Duration) -> Result<Reading> {
    let warm_up = Duration::from_secs(2);
    let seconds = (time + warm_up).as_secs();
    // Who cannot hold the rate is told to stop a little later.
    let most = format!("{}s", seconds + 1);
    let rate_wanted = rate.to_string();
    let more = ["--rate", &rate_wanted, "--warmup", "2s", "--most", &most];
    load(run, "paced", rate * seconds, &more)
}

pub(super) fn single(run: &Run<'_>, time: Duration) -> Result<Reading> {
    let (connections, most) = (run.shape.producers.to_string(), format!("{}s", time.as_secs()));
    load(run, "single", 1, &["--connections", &connections, "--most", &most])
}

/// Starts to send a first message to each of so many topics, which it makes, and tries until the broker
/// has taken them.
pub(crate) fn first(
    setup: &Setup,
    peer: PeerName,
    address: SocketAddr,
    topic: &str,
    topics: u32,
) -> Result<Child> {
    let mut command = program(setup, peer, address, "first", topic)?;
    command.args(["--topics", &topics.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    Ok(spawn_on(CLIENT_CORE % cores(), &mut command)?)
}

/// Makes a topic.
pub(crate) fn create(setup: &Setup, peer: &Peer, topic: &str) -> Result<()> {
    manage(setup, peer, topic, "create")
}

/// Takes it away.
pub(crate) fn remove(setup: &Setup, peer: &Peer, topic: &str) -> Result<()> {
    manage(setup, peer, topic, "remove")
}

fn manage(setup: &Setup, peer: &Peer, topic: &str, action: &str) -> Result<()> {
    let output = program(setup, peer.name, peer.address, action, topic)?.output()?;
    ensure!(
        output.status.success(),
        "cannot {action} {topic}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn load(run: &Run<'_>, action: &str, messages: u64, more: &[&str]) -> Result<Reading> {
    let mut command = program(run.setup, run.peer.name, run.peer.address, action, run.topic)?;
    command.args([
        "--messages",
        &messages.to_string(),
        "--size",
        &run.shape.value_bytes.to_string(),
    ]);
    let (said, cost) = measured(run, command.args(more))?;
    let told: Value = serde_json::from_str(&said).with_context(|| format!("not JSON: {said}"))?;
    let done = told.get("messages").and_then(Value::as_u64).context("it tells no messages")?;
    Ok(Reading {
        per_second: told.get("per_second").and_then(Value::as_f64),
        ack: latency(&told, "ack_latency_us"),
        end_to_end: latency(&told, "end_to_end_latency_us"),
        ..cost.of(done)
    })
}

/// Absent where none was measured.
fn latency(told: &Value, name: &str) -> Option<Latency> {
    let of = |percentile| told.get(name)?.get(percentile)?.as_f64().filter(|us| *us > 0.0);
    Some(Latency { p50: of("p50")?, p99: of("p99")?, p999: of("p999")? })
}

fn program(
    setup: &Setup,
    peer: PeerName,
    address: SocketAddr,
    action: &str,
    topic: &str,
) -> Result<Command> {
    let broker = match peer {
        PeerName::Nats | PeerName::NatsSynced => "nats",
        PeerName::Redis | PeerName::RedisSynced => "redis",
        PeerName::Rabbit => "rabbit",
        PeerName::Onrush | PeerName::Kafka => bail!("{} has clients of its own", peer.title()),
    };
    let mut command = Command::new(setup.peer_program("race")?);
    command.args([broker, action, "--address", &address.to_string(), "--topic", topic]);
    Ok(command)
}
