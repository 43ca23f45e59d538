//! The brokers, started with settings that their documentation gives.

mod kafka;
mod onrush;

use std::net::SocketAddr;

use anyhow::Result;

use crate::server::Server;
use crate::setup::Setup;

/// Which broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub(crate) enum PeerName {
    /// Ours.
    Onrush,
    /// Apache Kafka.
    Kafka,
}

impl PeerName {
    pub(crate) const ALL: [PeerName; 2] = [PeerName::Onrush, PeerName::Kafka];

    /// As people write it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            PeerName::Onrush => "Onrush",
            PeerName::Kafka => "Apache Kafka",
        }
    }

    /// Starts it with an empty data directory.
    pub(crate) fn start(self, setup: &Setup) -> Result<Peer> {
        match self {
            PeerName::Onrush => onrush::start(setup),
            PeerName::Kafka => kafka::start(setup),
        }
    }
}

/// A running broker and how to reach it.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: PeerName,
    /// What it says its version is.
    pub(crate) version: String,
    pub(crate) server: Server,
    /// Where it speaks the Kafka protocol.
    pub(crate) kafka: SocketAddr,
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

    /// What clients ask for.
    pub(crate) fn acks(self) -> &'static str {
        match self {
            Durability::Written => "1",
            Durability::Synced => "all",
        }
    }
}

impl PeerName {
    /// The settings of a topic that is as durable as that, and shows records to consumers no later than
    /// that.
    pub(crate) fn topic_settings(
        self,
        durability: Durability,
    ) -> Vec<(&'static str, &'static str)> {
        match (self, durability) {
            (PeerName::Onrush, Durability::Written) => vec![("visibility", "written")],
            (PeerName::Kafka, Durability::Synced) => vec![("flush.messages", "1")],
            (PeerName::Onrush, Durability::Synced) | (PeerName::Kafka, Durability::Written) => {
                Vec::new()
            }
        }
    }
}
