//! The programs that load a broker, each as its authors mean it to be used.

pub(crate) mod go;
mod java;
mod loadgen;
mod tool;

use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::peer::{Durability, Peer};
use crate::reading::Reading;
use crate::setup::Setup;

/// What a topic is like, and how many load it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Bytes of each value.
    pub(crate) value_bytes: usize,
    pub(crate) partitions: u32,
    /// Each with a connection of its own.
    pub(crate) producers: u32,
    /// Likewise, where there are some at the same time; partitions are dealt out over them.
    pub(crate) consumers: u32,
    /// Whether batches are compressed, by LZ4.
    pub(crate) compressed: bool,
}

impl Shape {
    /// One of each, values of 100 bytes.
    pub(crate) const PLAIN: Shape =
        Shape { value_bytes: 100, partitions: 1, producers: 1, consumers: 1, compressed: false };
}

/// One more consumer, which reads a topic from its start while a load lasts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Beside<'a> {
    pub(crate) topic: &'a str,
    /// Messages a second that it takes; none: as many as it gets.
    pub(crate) per_second: Option<u64>,
}

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    /// Onrush's load generator with Onrush's own client.
    Native,
    /// The same load generator with librdkafka.
    Librdkafka,
    /// Apache Kafka's performance tools with Apache Kafka's client.
    Java,
    /// A program on the broker's own Go library.
    Go,
}

impl Client {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Client::Native => "own client",
            Client::Librdkafka => "librdkafka",
            Client::Java => "Java tools",
            Client::Go => "Go library",
        }
    }

    /// How many messages make a bulk load of some seconds.
    pub(crate) fn bulk_messages(self) -> u64 {
        match self {
            Client::Native => 20_000_000,
            Client::Librdkafka | Client::Java => 5_000_000,
            Client::Go => 2_000_000,
        }
    }

    /// Produces `messages` as fast as they are taken.
    pub(crate) fn produce(self, run: &Run<'_>, messages: u64) -> Result<Reading> {
        match self {
            Client::Java => java::produce(run, messages),
            Client::Go => go::produce(run, messages),
            Client::Native | Client::Librdkafka => loadgen::produce(self, run, messages),
        }
        .with_context(|| run.failed("producing"))
    }

    /// Consumes the `messages` that the topic holds.
    pub(crate) fn consume(self, run: &Run<'_>, messages: u64) -> Result<Reading> {
        match self {
            Client::Java => java::consume(run, messages),
            Client::Go => go::consume(run, messages),
            Client::Native | Client::Librdkafka => loadgen::consume(self, run),
        }
        .with_context(|| run.failed("consuming"))
    }

    /// Produces, and where the program can, consumes at once, at a fixed rate and without linger.
    pub(crate) fn paced(
        self,
        run: &Run<'_>,
        rate: u64,
        time: Duration,
        beside: Option<Beside<'_>>,
    ) -> Result<Reading> {
        match (self, beside) {
            (Client::Java, None) => java::paced(run, rate, time),
            (Client::Go, None) => go::paced(run, rate, time),
            (Client::Native | Client::Librdkafka, _) => {
                loadgen::paced(self, run, rate, time, beside)
            }
            (Client::Java | Client::Go, Some(_)) => bail!("it has no consumer to run beside"),
        }
        .with_context(|| run.failed("producing at a fixed rate"))
    }

    /// Produces and consumes as fast as it goes.
    pub(crate) fn crowd(self, run: &Run<'_>, messages: u64) -> Result<Reading> {
        match self {
            Client::Native | Client::Librdkafka => loadgen::crowd(self, run, messages),
            Client::Java | Client::Go => bail!("it does one thing at a time"),
        }
        .with_context(|| run.failed("producing and consuming"))
    }

    /// Keeps one message under way on each connection.
    pub(crate) fn single(self, run: &Run<'_>, time: Duration) -> Result<Reading> {
        match self {
            Client::Native | Client::Librdkafka => loadgen::single(self, run, time),
            Client::Go => go::single(run, time),
            Client::Java => bail!("it has no limit in flight"),
        }
        .with_context(|| run.failed("producing one by one"))
    }
}

/// What a client is run against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) peer: &'a Peer,
    pub(crate) topic: &'a str,
    pub(crate) durability: Durability,
    pub(crate) shape: Shape,
}

impl Run<'_> {
    fn failed(&self, doing: &str) -> String {
        format!("{doing} to topic {} of {}", self.topic, self.peer.name.title())
    }
}
