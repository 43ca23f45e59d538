//! The programs that load a broker, each as its authors mean it to be used.

pub(crate) mod go;
mod java;
mod loadgen;
mod tool;

use std::time::Duration;

use anyhow::{Context, Result};

use crate::peer::{Durability, Peer};
use crate::reading::Reading;
use crate::setup::Setup;

/// Bytes of a value in every workload.
pub(crate) const VALUE_BYTES: usize = 100;

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
    pub(crate) fn paced(self, run: &Run<'_>, rate: u64, time: Duration) -> Result<Reading> {
        match self {
            Client::Java => java::paced(run, rate, time),
            Client::Go => go::paced(run, rate, time),
            Client::Native | Client::Librdkafka => loadgen::paced(self, run, rate, time),
        }
        .with_context(|| run.failed("producing at a fixed rate"))
    }
}

/// What a client is run against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    pub(crate) setup: &'a Setup,
    pub(crate) peer: &'a Peer,
    pub(crate) topic: &'a str,
    pub(crate) durability: Durability,
}

impl Run<'_> {
    fn failed(&self, doing: &str) -> String {
        format!("{doing} to topic {} of {}", self.topic, self.peer.name.title())
    }
}
