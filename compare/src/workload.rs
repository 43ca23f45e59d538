//! What is run.

use std::time::Duration;

use anyhow::Result;
use onrush_bench::memory::AtHand;

use crate::client::{Client, Run, VALUE_BYTES, go};
use crate::peer::{Durability, Peer};
use crate::reading::Reading;
use crate::setup::Setup;
use crate::topics;

/// Bytes that a message adds to a log besides its value, at the most.
const AROUND_VALUE: u64 = 20;
/// Messages a second where latency is measured.
const PACE: u64 = 50_000;
/// How long it is.
const PACED_SECONDS: u64 = 20;

/// A kind of load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub(crate) enum Workload {
    /// Produce as fast as it goes, acknowledged from the page cache; then consume it all.
    Bulk,
    /// Produce as fast as it goes, each acknowledgement durable.
    BulkDurable,
    /// 50,000 messages a second, without linger.
    Latency,
    /// The same, each acknowledgement durable.
    LatencyDurable,
}

/// What one part of a workload measured.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    /// Which part: a workload may produce first, and then consume.
    pub(crate) part: &'static str,
    pub(crate) durability: Durability,
    pub(crate) reading: Reading,
}

impl Workload {
    pub(crate) const ALL: [Workload; 4] =
        [Workload::Bulk, Workload::BulkDurable, Workload::Latency, Workload::LatencyDurable];

    /// As tables name it. A load and the same load with durable acknowledgements have one title.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Workload::Bulk | Workload::BulkDurable => "bulk, 100 B",
            Workload::Latency | Workload::LatencyDurable => "50,000 msg/s, no linger",
        }
    }

    /// What its acknowledgements have to stand for.
    pub(crate) fn durability(self) -> Durability {
        match self {
            Workload::Bulk | Workload::Latency => Durability::Written,
            Workload::BulkDurable | Workload::LatencyDurable => Durability::Synced,
        }
    }

    /// Runs it once, on a topic of its own with one partition.
    pub(crate) fn run(
        self,
        setup: &Setup,
        peer: &Peer,
        client: Client,
        topic: &str,
    ) -> Result<Vec<Line>> {
        let durability = self.durability();
        let settings = peer.name.topic_settings(durability);
        match &settings {
            Some(settings) => topics::create(peer.address, topic, 1, settings)?,
            None => go::create(setup, peer, topic)?,
        }
        let run = Run { setup, peer, topic, durability };
        let readings = match self {
            Workload::Bulk => bulk(client, &run, true),
            Workload::BulkDurable => bulk(client, &run, false),
            Workload::Latency | Workload::LatencyDurable => {
                let time = Duration::from_secs(setup.amount(PACED_SECONDS));
                quiet_memory(PACE * time.as_secs()).and_then(|_memory| {
                    Ok(vec![("produce and consume", client.paced(&run, PACE, time)?)])
                })
            }
        };
        match settings {
            Some(_) => topics::delete(peer.address, topic)?,
            None => go::remove(setup, peer, topic)?,
        }
        // What one leaves to be written would slow down the next.
        rustix::fs::sync();
        let rss = peer.server.rss_bytes()? as f64;
        let lines = readings?.into_iter().map(|(part, reading)| Line {
            part,
            durability,
            reading: Reading { broker_rss: Some(rss), ..reading },
        });
        Ok(lines.collect())
    }
}

fn bulk(client: Client, run: &Run<'_>, consume: bool) -> Result<Vec<(&'static str, Reading)>> {
    let messages = run.setup.amount(client.bulk_messages());
    let memory = quiet_memory(messages)?;
    let produced = client.produce(run, messages)?;
    drop(memory);
    // Some give up before all is sent.
    let messages = produced.messages.unwrap_or(messages);
    let mut readings = vec![("produce", produced)];
    if consume {
        readings.push(("consume", client.consume(run, messages)?));
    }
    Ok(readings)
}

/// Memory at hand for a log of so many messages.
fn quiet_memory(messages: u64) -> Result<AtHand> {
    Ok(AtHand::take(messages * (VALUE_BYTES as u64 + AROUND_VALUE))?)
}
