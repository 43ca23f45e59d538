//! The brokers, started with settings that their documentation gives.

mod kafka;
mod nats;
mod notes;
mod onrush;
mod rabbit;
mod redis;

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Result;
use onrush_bench::machine::Scratch;

use crate::client::Client;
use crate::server::Server;
use crate::setup::Setup;

/// Which broker. Where durability is a setting of the server, each kind of it is a peer of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub(crate) enum PeerName {
    /// Ours.
    Onrush,
    /// Apache Kafka.
    Kafka,
    /// NATS JetStream, synced every two minutes: its default.
    Nats,
    /// NATS JetStream with `sync_interval: always`.
    NatsSynced,
    /// Redis Streams with an append-only file, synced every second: its default.
    Redis,
    /// Redis Streams with `appendfsync always`.
    RedisSynced,
    /// RabbitMQ streams.
    Rabbit,
}

impl PeerName {
    pub(crate) const ALL: [PeerName; 7] = [
        PeerName::Onrush,
        PeerName::Kafka,
        PeerName::Nats,
        PeerName::NatsSynced,
        PeerName::Redis,
        PeerName::RedisSynced,
        PeerName::Rabbit,
    ];

    /// As people write it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            PeerName::Onrush => "Onrush",
            PeerName::Kafka => "Apache Kafka",
            PeerName::Nats => "NATS JetStream",
            PeerName::NatsSynced => "NATS JetStream, sync always",
            PeerName::Redis => "Redis Streams",
            PeerName::RedisSynced => "Redis Streams, fsync always",
            PeerName::Rabbit => "RabbitMQ streams",
        }
    }

    /// What can load it.
    pub(crate) fn clients(self) -> &'static [Client] {
        match self {
            PeerName::Onrush => &[Client::Native, Client::Librdkafka, Client::Java],
            PeerName::Kafka => &[Client::Librdkafka, Client::Java],
            PeerName::Nats
            | PeerName::NatsSynced
            | PeerName::Redis
            | PeerName::RedisSynced
            | PeerName::Rabbit => &[Client::Go],
        }
    }

    /// Whether its acknowledgements can stand for that, and no less or more.
    pub(crate) fn offers(self, durability: Durability) -> bool {
        match self {
            PeerName::Onrush | PeerName::Kafka => true,
            PeerName::Nats | PeerName::Redis | PeerName::Rabbit => {
                durability == Durability::Written
            }
            PeerName::NatsSynced | PeerName::RedisSynced => durability == Durability::Synced,
        }
    }

    /// Whether nothing that goes by its name offers that.
    pub(crate) fn never_offers(self, durability: Durability) -> Option<&'static str> {
        (self == PeerName::Rabbit && durability == Durability::Synced)
            .then_some("streams confirm from the page cache and never sync")
    }

    /// Whether it speaks the Kafka protocol.
    pub(crate) fn speaks_kafka(self) -> bool {
        matches!(self, PeerName::Onrush | PeerName::Kafka)
    }

    /// How to start it with an empty data directory.
    pub(crate) fn plan(self, setup: &Setup) -> Result<Plan> {
        match self {
            PeerName::Onrush => onrush::plan(setup),
            PeerName::Kafka => kafka::plan(setup),
            PeerName::Nats | PeerName::NatsSynced => nats::plan(self, setup),
            PeerName::Redis | PeerName::RedisSynced => redis::plan(self, setup),
            PeerName::Rabbit => rabbit::plan(setup),
        }
    }

    /// Starts it.
    pub(crate) fn start(self, setup: &Setup) -> Result<Peer> {
        self.plan(setup)?.start()
    }

    /// The settings of a topic that is as durable as that, and shows records to consumers no later than
    /// that; for those that speak the Kafka protocol.
    pub(crate) fn topic_settings(
        self,
        durability: Durability,
    ) -> Option<Vec<(&'static str, &'static str)>> {
        Some(match (self, durability) {
            (PeerName::Onrush, Durability::Written) => vec![("visibility", "written")],
            (PeerName::Kafka, Durability::Synced) => vec![("flush.messages", "1")],
            (PeerName::Onrush | PeerName::Kafka, _) => Vec::new(),
            _ => return None,
        })
    }
}

/// A broker that is ready to be started.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) name: PeerName,
    pub(crate) version: String,
    pub(crate) settings: String,
    /// Where it is going to speak the protocol that it is known for.
    pub(crate) address: SocketAddr,
    pub(crate) native: Option<SocketAddr>,
    pub(crate) command: Command,
    /// What it needs beside it, with where that listens.
    pub(crate) companion: Option<(Command, SocketAddr)>,
    pub(crate) data: Scratch,
}

impl Plan {
    /// Starts it and waits until it listens.
    pub(crate) fn start(self) -> Result<Peer> {
        let Plan { name, version, settings, address, native, command, companion, data } = self;
        let server = Server::start(command, address, companion, data)?;
        Ok(Peer { name, version, settings, server, address, native })
    }
}

/// A running broker and how to reach it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: PeerName,
    /// What it says its version is.
    pub(crate) version: String,
    /// How it is set, and what an acknowledgement of it stands for, in a line.
    pub(crate) settings: String,
    pub(crate) server: Server,
    /// Where it speaks the protocol that it is known for; Onrush, that of Kafka.
    pub(crate) address: SocketAddr,
    /// Where it speaks Onrush's own.
    pub(crate) native: Option<SocketAddr>,
}

/// What an acknowledgement stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Durability {
    /// In the page cache: gone with the power.
    Written,
    /// On stable storage, as far as the disk says so.
    Synced,
}

impl Durability {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Durability::Written => "page cache",
            Durability::Synced => "synced",
        }
    }

    /// What Kafka's clients and ours ask for.
    pub(crate) fn acks(self) -> &'static str {
        match self {
            Durability::Written => "1",
            Durability::Synced => "all",
        }
    }
}
