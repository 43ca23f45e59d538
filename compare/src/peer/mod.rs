//! The brokers, started with settings that their documentation gives.

mod kafka;
mod nats;
mod notes;
mod onrush;
mod redis;

use std::net::SocketAddr;

use anyhow::Result;

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
}

impl PeerName {
    pub(crate) const ALL: [PeerName; 6] = [
        PeerName::Onrush,
        PeerName::Kafka,
        PeerName::Nats,
        PeerName::NatsSynced,
        PeerName::Redis,
        PeerName::RedisSynced,
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
        }
    }

    /// What can load it.
    pub(crate) fn clients(self) -> &'static [Client] {
        match self {
            PeerName::Onrush => &[Client::Native, Client::Librdkafka, Client::Java],
            PeerName::Kafka => &[Client::Librdkafka, Client::Java],
            PeerName::Nats | PeerName::NatsSynced | PeerName::Redis | PeerName::RedisSynced => {
                &[Client::Go]
            }
        }
    }

    /// Whether its acknowledgements can stand for that, and no less or more.
    pub(crate) fn offers(self, durability: Durability) -> bool {
        match self {
            PeerName::Onrush | PeerName::Kafka => true,
            PeerName::Nats | PeerName::Redis => durability == Durability::Written,
            PeerName::NatsSynced | PeerName::RedisSynced => durability == Durability::Synced,
        }
    }

    /// Starts it with an empty data directory.
    pub(crate) fn start(self, setup: &Setup) -> Result<Peer> {
        match self {
            PeerName::Onrush => onrush::start(setup),
            PeerName::Kafka => kafka::start(setup),
            PeerName::Nats | PeerName::NatsSynced => nats::start(self, setup),
            PeerName::Redis | PeerName::RedisSynced => redis::start(self, setup),
        }
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
