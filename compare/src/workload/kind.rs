//! The kinds of load: their names, what a topic is like for them, and who can run them.

use crate::client::{Client, Shape};
use crate::peer::PeerName;

/// A kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// Produce as fast as it goes; then consume it all.
    Bulk,
    /// The same with larger values.
    Large,
    /// The same over eight partitions.
    Partitions8,
    /// The same over a thousand.
    Partitions1000,
    /// The same in compressed batches.
    Compressed,
    /// Many producers and consumers at once, as fast as it goes.
    Crowd,
    /// Connections that each await an answer to every message.
    Single,
    /// A fixed rate, each message when it is due.
    Latency,
    /// The same while another consumer catches up with a backlog.
    Backlog,
    /// The same while old data is deleted.
    Retention,
    /// The same while another consumer falls behind.
    Slow,
    /// A broker that nobody uses.
    Idle,
    /// From a broker's start to its first acknowledgement.
    ColdStart,
    /// The same where it was killed and has many partitions.
    Restart,
}

/// Retention that deletes while the load lasts: a few segments a second are filled, and few are kept.
const RETENTION: [(&str, &str); 2] =
    [("segment.bytes", "16777216"), ("retention.bytes", "67108864")];

impl Kind {
    /// On the command line: as it is, and with durable acknowledgements.
    pub(super) fn names(self) -> (&'static str, &'static str) {
        match self {
            Kind::Bulk => ("bulk", "bulk-durable"),
            Kind::Large => ("large", "large-durable"),
            Kind::Partitions8 => ("partitions-8", "partitions-8-durable"),
            Kind::Partitions1000 => ("partitions-1000", "partitions-1000-durable"),
            Kind::Compressed => ("compressed", "compressed-durable"),
            Kind::Crowd => ("crowd", "crowd-durable"),
            Kind::Single => ("single", "single-durable"),
            Kind::Latency => ("latency", "latency-durable"),
            Kind::Backlog => ("backlog", "backlog-durable"),
            Kind::Retention => ("retention", "retention-durable"),
            Kind::Slow => ("slow", "slow-durable"),
            Kind::Idle => ("idle", "idle-durable"),
            Kind::ColdStart => ("cold-start", "cold-start-durable"),
            Kind::Restart => ("restart", "restart-durable"),
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Kind::Bulk => "bulk, 100 B",
            Kind::Large => "bulk, 1 KiB",
            Kind::Partitions8 => "8 partitions",
            Kind::Partitions1000 => "1,000 partitions",
            Kind::Compressed => "bulk, 100 B, compressed by LZ4",
            Kind::Crowd => "16 producers and 16 consumers at once",
            Kind::Single => "one message a request, 64 connections",
            Kind::Latency => "50,000 msg/s, no linger",
            Kind::Backlog => "400,000 msg/s beside a backlog that is drained",
            Kind::Retention => "400,000 msg/s while retention deletes",
            Kind::Slow => "50,000 msg/s to fast consumers and a slow one",
            Kind::Idle => "idle memory",
            Kind::ColdStart => "cold start",
            Kind::Restart => "start with 1,000 partitions after kill -9",
        }
    }

    pub(super) fn help(self) -> &'static str {
        match self {
            Kind::Bulk => "Produce as fast as it goes, then consume it all",
            Kind::Large => "The same with values of 1 KiB",
            Kind::Partitions8 => "The same over 8 partitions",
            Kind::Partitions1000 => "The same over 1,000 partitions",
            Kind::Compressed => "The same in batches compressed by LZ4",
            Kind::Crowd => "16 producers and 16 consumers at once, as fast as it goes",
            Kind::Single => "64 connections that each await an answer to every message",
            Kind::Latency => "50,000 messages a second, each when it is due, without linger",
            Kind::Backlog => "400,000 messages a second while another consumer drains a backlog",
            Kind::Retention => "400,000 messages a second while old segments are deleted",
            Kind::Slow => "50,000 messages a second while another consumer falls behind",
            Kind::Idle => "Memory of a broker that nobody uses",
            Kind::ColdStart => "From a broker's start to its first acknowledgement",
            Kind::Restart => "The same with 1,000 partitions, after kill -9",
        }
    }

    /// What the topic is like, and how many load it.
    pub(super) fn shape(self) -> Shape {
        let plain = Shape::PLAIN;
        match self {
            Kind::Large => Shape { value_bytes: 1024, ..plain },
            Kind::Partitions8 => Shape { partitions: 8, ..plain },
            Kind::Partitions1000 => Shape { partitions: 1000, ..plain },
            Kind::Compressed => Shape { compressed: true, ..plain },
            Kind::Crowd => Shape { partitions: 16, producers: 16, consumers: 16, ..plain },
            Kind::Single => Shape { producers: 64, consumers: 0, ..plain },
            Kind::Slow => Shape { partitions: 4, consumers: 4, ..plain },
            _ => plain,
        }
    }

    /// Settings of the topic besides those that make it as durable as asked, by Kafka's names.
    pub(super) fn settings(self) -> &'static [(&'static str, &'static str)] {
        if self == Kind::Retention { &RETENTION } else { &[] }
    }

    /// How many messages make a bulk load of some seconds.
    pub(super) fn messages(self, client: Client) -> u64 {
        let part = match self {
            Kind::Large => 8,
            Kind::Partitions1000 | Kind::Crowd => 2,
            _ => 1,
        };
        client.bulk_messages() / part
    }

    /// Who runs it against that broker: most loads with each of its clients, what a broker is like alone
    /// only once.
    pub(crate) fn clients(self, peer: PeerName) -> &'static [Client] {
        let all = peer.clients();
        match self {
            Kind::Idle | Kind::ColdStart | Kind::Restart => &all[..1],
            _ => all,
        }
    }

    /// Why a broker is not loaded so by that client; nothing if it is.
    pub(crate) fn not_offered(self, peer: PeerName, client: Client) -> Option<&'static str> {
        let is_of_its_own = !peer.speaks_kafka();
        match self {
            Kind::Partitions8 | Kind::Partitions1000 if peer == PeerName::Rabbit => {
                Some("a stream has one log; super streams are several streams, and not driven here")
            }
            Kind::Partitions8 | Kind::Partitions1000 if is_of_its_own => {
                Some("a stream has one log")
            }
            Kind::Compressed if is_of_its_own && peer != PeerName::Rabbit => {
                Some("its client compresses nothing")
            }
            Kind::Compressed if is_of_its_own => Some("its client is not driven so here"),
            Kind::Single if client == Client::Java => Some("the tool has no limit in flight"),
            Kind::Partitions1000 if client == Client::Java => {
                Some("it takes a minute, and librdkafka shows the same brokers")
            }
            Kind::Restart if peer == PeerName::Rabbit => {
                Some("its thousand streams take a minute, and no mark is judged by them")
            }
            Kind::Crowd | Kind::Backlog | Kind::Retention | Kind::Slow => match client {
                Client::Java => Some("the tool does one thing at a time"),
                Client::Go => Some("its client is not driven so here"),
                Client::Native | Client::Librdkafka => None,
            },
            _ => None,
        }
    }
}
