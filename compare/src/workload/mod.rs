//! What is run.

mod bulk;
mod footprint;
mod kind;
mod paced;

use anyhow::Result;
use clap::builder::PossibleValue;

pub(crate) use self::kind::Kind;
use crate::client::{Client, Run, go};
use crate::peer::{Durability, Peer};
use crate::reading::Reading;
use crate::setup::{Extent, Setup};
use crate::stolen::Ticks;
use crate::topics;

/// A kind of load, with what its acknowledgements have to stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Workload {
    pub(crate) kind: Kind,
    pub(crate) durability: Durability,
}

/// What one part of a workload measured.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Which part: a workload may produce first, and then consume.
    pub(crate) part: &'static str,
    pub(crate) durability: Durability,
    pub(crate) reading: Reading,
}

/// Parts with what they measured.
type Parts = Vec<(&'static str, Reading)>;

const fn written(kind: Kind) -> Workload {
    Workload { kind, durability: Durability::Written }
}

const fn synced(kind: Kind) -> Workload {
    Workload { kind, durability: Durability::Synced }
}

/// Every workload, those that brokers warm up with first.
const ALL: [Workload; 25] = [
    written(Kind::Bulk),
    synced(Kind::Bulk),
    written(Kind::Large),
    synced(Kind::Large),
    written(Kind::Partitions8),
    synced(Kind::Partitions8),
    written(Kind::Partitions1000),
    synced(Kind::Partitions1000),
    written(Kind::Compressed),
    synced(Kind::Compressed),
    written(Kind::Crowd),
    synced(Kind::Crowd),
    written(Kind::Single),
    synced(Kind::Single),
    written(Kind::Latency),
    synced(Kind::Latency),
    written(Kind::Backlog),
    synced(Kind::Backlog),
    written(Kind::Retention),
    synced(Kind::Retention),
    written(Kind::Slow),
    synced(Kind::Slow),
    written(Kind::Idle),
    written(Kind::ColdStart),
    written(Kind::Restart),
];

/// What is run unless something else is asked for: everything that a mark needs, and of the other loads
/// as many as an hour has room for.
const STANDARD: [Workload; 12] = [
    written(Kind::Bulk),
    synced(Kind::Bulk),
    written(Kind::Partitions1000),
    written(Kind::Crowd),
    written(Kind::Single),
    written(Kind::Latency),
    synced(Kind::Latency),
    written(Kind::Backlog),
    written(Kind::Retention),
    written(Kind::Idle),
    written(Kind::ColdStart),
    written(Kind::Restart),
];

/// What shows within minutes whether all works.
const QUICK: [Workload; 9] = [
    written(Kind::Bulk),
    synced(Kind::Bulk),
    written(Kind::Partitions1000),
    written(Kind::Single),
    written(Kind::Latency),
    synced(Kind::Latency),
    written(Kind::Backlog),
    written(Kind::Idle),
    written(Kind::ColdStart),
];

impl clap::ValueEnum for Workload {
    fn value_variants<'a>() -> &'a [Workload] {
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.kind.help()))
    }
}

impl Workload {
    /// What is run of all.
    pub(crate) fn selection(extent: Extent) -> Vec<Workload> {
        match extent {
            Extent::WarmUp | Extent::Quick => QUICK.to_vec(),
            Extent::Standard => STANDARD.to_vec(),
            Extent::Full => ALL.to_vec(),
        }
    }

    /// On the command line.
    pub(crate) fn name(self) -> &'static str {
        let (written, synced) = self.kind.names();
        if self.durability == Durability::Written { written } else { synced }
    }

    /// As tables name it. A load and the same load with durable acknowledgements have one title.
    pub(crate) fn title(self) -> &'static str {
        self.kind.title()
    }

    /// Runs it once, on a topic of its own.
    pub(crate) fn run(
        self,
        setup: &Setup,
        peer: &Peer,
        client: Client,
        topic: &str,
    ) -> Result<Vec<Line>> {
        let Workload { kind, durability } = self;
        let run = Run { setup, peer, topic, durability, shape: kind.shape() };
        let before = peer.server.disk_bytes();
        let parts = match kind {
            Kind::Idle => footprint::idle(setup, peer.name),
            Kind::ColdStart => footprint::cold_start(setup, peer.name),
            Kind::Restart => footprint::restart(setup, peer.name),
            _ => run.on_a_topic(kind.settings(), || match kind {
                Kind::Crowd => bulk::crowd(client, &run),
                Kind::Single => bulk::single(client, &run),
                Kind::Latency => paced::latency(client, &run),
                Kind::Backlog => paced::backlog(client, &run),
                Kind::Retention => paced::retention(client, &run),
                Kind::Slow => paced::slow(client, &run),
                _ => bulk::bulk(client, &run, kind.messages(client)),
            }),
        };
        // What one leaves to be deleted or written would slow down the next.
        peer.server.wait_until_disk_is_below(before);
        rustix::fs::sync();
        let lines = parts?.into_iter().map(|(part, reading)| Line { part, durability, reading });
        Ok(lines.collect())
    }
}

impl Run<'_> {
    /// Makes the topic, does what is to be done, and takes the topic away with all that it holds.
    fn on_a_topic<T>(
        &self,
        more: &[(&'static str, &'static str)],
        work: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let Run { setup, peer, topic, durability, shape } = *self;
        let settings = peer.name.topic_settings(durability);
        match settings {
            Some(mut settings) => {
                settings.extend_from_slice(more);
                topics::create(peer.address, topic, shape.partitions, &settings)?;
            }
            None => go::create(setup, peer, topic)?,
        }
        let done = work();
        let removed = match peer.name.speaks_kafka() {
            true => topics::delete(peer.address, topic),
            false => go::remove(setup, peer, topic),
        };
        let done = done?;
        removed?;
        Ok(done)
    }

    /// Runs a part, and adds what it made of the broker's memory and disk.
    fn watched(&self, part: impl FnOnce() -> Result<Reading>) -> Result<Reading> {
        let server = &self.peer.server;
        let before = server.disk_bytes();
        let peaks = server.forget_peak();
        let ticks = Ticks::now();
        let reading = part()?;
        let stolen = Ticks::now().zip(ticks).and_then(|(now, before)| now.stolen_since(before));
        let grown = server.disk_bytes().checked_sub(before).filter(|grown| *grown > 0);
        let each = |grown: u64| Some(grown as f64 / reading.messages? as f64);
        Ok(Reading {
            broker_rss: Some(server.rss_bytes()? as f64),
            broker_rss_peak: match peaks {
                true => Some(server.rss_peak_bytes()? as f64),
                false => None,
            },
            disk_bytes_per_message: grown.and_then(each),
            stolen,
            ..reading
        })
    }
}
