//! The topic of a run: an existing one, or one made for it.

use anyhow::{Context, Result, anyhow, bail};
use futures::executor::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaErrorCode;

use super::super::topic::{RunTopic, passing_name};
use super::{PATIENCE, settings};
use crate::args::{From, RunArgs};

/// Looks the topic up, or makes it.
pub(in super::super) fn prepare(address: &str, args: &RunArgs) -> Result<RunTopic> {
    let client: BaseConsumer = settings(address).create().context("cannot make a Kafka client")?;
    let there = match &args.topic {
        Some(name) => partitions(&client, name).with_context(|| format!("cannot ask {address}"))?,
        None => None,
    };
    if let (Some(partitions), Some(name)) = (there, &args.topic) {
        let holds = match args.from {
            From::Start => held(&client, name, partitions)?,
            From::End => 0,
        };
        return Ok(RunTopic { name: name.clone(), partitions, holds, passing: false });
    }
    if args.producers == 0 {
        bail!("there is no topic {:?} to consume", args.topic.as_deref().unwrap_or_default());
    }
    let passing = args.topic.is_none();
    let name = args.topic.clone().unwrap_or_else(|| passing_name("loadgen"));
    create(address, &name, args).with_context(|| format!("cannot create the topic {name}"))?;
    wait_for_leaders(&client, &name, args.partitions)?;
    Ok(RunTopic { name, partitions: args.partitions, holds: 0, passing })
}

/// Deletes a topic.
pub(in super::super) fn remove(address: &str, name: &str) -> Result<()> {
    let deleted = block_on(admin(address)?.delete_topics(&[name], &options()));
    first(deleted?).with_context(|| format!("cannot delete the topic {name}"))
}

fn admin(address: &str) -> Result<AdminClient<DefaultClientContext>> {
    settings(address).create().context("cannot make a Kafka client")
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(PATIENCE)).operation_timeout(Some(PATIENCE))
}

fn create(address: &str, name: &str, args: &RunArgs) -> Result<()> {
    let partitions = i32::try_from(args.partitions).context("so many partitions")?;
    // As many replicas as the cluster thinks right.
    let mut topic = NewTopic::new(name, partitions, TopicReplication::Fixed(-1));
    for (key, value) in &args.configs {
        topic = topic.set(key, value);
    }
    first(block_on(admin(address)?.create_topics([&topic], &options()))?)
}

/// The outcome for the one topic that was asked about.
fn first(outcomes: Vec<Result<String, (String, RDKafkaErrorCode)>>) -> Result<()> {
    match outcomes.into_iter().next() {
        Some(Ok(_)) => Ok(()),
        Some(Err((_, code))) => Err(anyhow!(code)),
        None => bail!("the broker's answer names no topic"),
    }
}

/// How many partitions a topic has; none if it is not there. All topics are asked for, since asking
/// for one may make it.
fn partitions(client: &BaseConsumer, name: &str) -> Result<Option<u32>> {
    let metadata = client.fetch_metadata(None, PATIENCE)?;
    let topic = metadata.topics().iter().find(|topic| topic.name() == name);
    let Some(topic) = topic.filter(|topic| topic.error().is_none()) else { return Ok(None) };
    // Without a leader it cannot be used yet.
    let led = topic.partitions().iter().filter(|partition| partition.leader() >= 0).count();
    Ok(Some(u32::try_from(led).context("so many partitions")?))
}

/// Waits until the topic can be used.
fn wait_for_leaders(client: &BaseConsumer, name: &str, wanted: u32) -> Result<()> {
    /// Each asks the broker, which takes a while of its own.
    const TRIES: usize = 1000;
    for _ in 0..TRIES {
        if partitions(client, name)? == Some(wanted) {
            return Ok(());
        }
    }
    bail!("the topic {name} was created, but its partitions have no leaders")
}

/// How many records a topic's partitions hold.
fn held(client: &BaseConsumer, name: &str, partitions: u32) -> Result<u64> {
    let mut held = 0;
    for partition in 0..partitions {
        let (first, end) = ends(client, name, partition)?;
        held += u64::try_from(end - first).unwrap_or(0);
    }
    Ok(held)
}

/// A partition's first offset and its end.
pub(super) fn ends(client: &BaseConsumer, name: &str, partition: u32) -> Result<(i64, i64)> {
    let number = i32::try_from(partition).context("so many partitions")?;
    let ends = client.fetch_watermarks(name, number, PATIENCE);
    ends.with_context(|| format!("cannot ask for the offsets of {name}-{partition}"))
}

/// How many partitions a topic has that must be there.
pub(super) fn count(address: &str, name: &str) -> Result<u32> {
    let client: BaseConsumer = settings(address).create().context("cannot make a Kafka client")?;
    partitions(&client, name)?.with_context(|| format!("there is no topic {name:?}"))
}
