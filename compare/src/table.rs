//! All rounds in one table, and what is behind it as JSON.

use std::collections::BTreeMap;
use std::fmt;

use onrush_bench::stats::{Spread, short};
use serde_json::{Value, json};

use crate::client::Client;
use crate::peer::{Durability, Peer, PeerName};
use crate::reading::Reading;
use crate::workload::{Line, Workload};

/// A broker under a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Contender {
    pub(crate) peer: PeerName,
    pub(crate) client: Client,
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.peer.title(), self.client.title())
    }
}

/// What a row is of.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Key {
    workload: &'static str,
    part: &'static str,
    durability: Durability,
    contender: Contender,
}

/// Readings by row and round.
#[derive(Debug, Default)]
pub(crate) struct Table {
    peers: Vec<String>,
    rows: Vec<(Key, BTreeMap<usize, Reading>)>,
    /// Peers that could not be installed or started.
    missing: Vec<String>,
    /// Runs that a peer or a client did not survive.
    failures: Vec<String>,
}

/// A column: its title, and its figure of one reading.
type Column = (&'static str, fn(&Reading) -> Option<f64>);

const COLUMNS: [Column; 8] = [
    ("messages/s", |reading| reading.per_second),
    ("broker CPU ns/message", |reading| reading.broker_cpu),
    ("client CPU ns/message", |reading| reading.client_cpu),
    ("ack p50 µs", |reading| Some(reading.ack?.p50)),
    ("ack p99 µs", |reading| Some(reading.ack?.p99)),
    ("end to end p50 µs", |reading| Some(reading.end_to_end?.p50)),
    ("end to end p99 µs", |reading| Some(reading.end_to_end?.p99)),
    ("broker RSS MiB", |reading| Some(reading.broker_rss? / f64::from(1 << 20))),
];

/// What is compared with Kafka's under the same client, in the same round.
const RATIOS: [Column; 2] = [
    ("CPU to Kafka's", |reading| reading.broker_cpu),
    ("ack p99 to Kafka's", |reading| Some(reading.ack?.p99)),
];

impl Table {
    /// A broker is there.
    pub(crate) fn started(&mut self, peer: &Peer) {
        let seconds = peer.server.started_in.as_secs_f64();
        let line = format!(
            "{} {}: listening after {seconds:.3} s; {}",
            peer.name.title(),
            peer.version,
            peer.settings
        );
        eprintln!("{line}");
        self.peers.push(line);
    }

    /// A broker is not.
    pub(crate) fn missing(&mut self, peer: PeerName, error: &anyhow::Error) {
        let line = format!("{} is missing: {error:#}", peer.title());
        eprintln!("{line}");
        self.missing.push(line);
    }

    /// A run came to nothing.
    pub(crate) fn failed(&mut self, load: Workload, contender: Contender, error: &anyhow::Error) {
        let line = format!("{load:?}, {contender}, came to no end: {error:#}");
        eprintln!("{line}");
        self.failures.push(line);
    }

    /// Adds what a contender's run measured.
    pub(crate) fn add(
        &mut self,
        round: usize,
        workload: Workload,
        contender: Contender,
        lines: Vec<Line>,
    ) {
        for Line { part, durability, reading } in lines {
            let key = Key { workload: workload.title(), part, durability, contender };
            let at = self.rows.iter().position(|(other, _)| *other == key);
            let at = at.unwrap_or_else(|| {
                self.rows.push((key, BTreeMap::new()));
                self.rows.len() - 1
            });
            self.rows[at].1.insert(round, reading);
        }
    }

    /// Whether no peer is missing. A run that a peer did not survive is a result.
    pub(crate) fn is_whole(&self) -> bool {
        self.missing.is_empty()
    }

    /// For docs/comparison.md.
    pub(crate) fn markdown(&self) -> String {
        let mut out = String::new();
        for peer in &self.peers {
            out += &format!("- {peer}\n");
        }
        for line in self.missing.iter().chain(&self.failures) {
            out += &format!("- {line}\n");
        }
        let titles = COLUMNS.iter().chain(&RATIOS).map(|(title, _)| *title);
        let titles: Vec<&str> = ["Workload", "Part", "Acknowledged", "Broker", "Client"]
            .into_iter()
            .chain(titles)
            .collect();
        out += &format!("\n| {} |\n|{}\n", titles.join(" | "), "---|".repeat(titles.len()));
        for (key, rounds) in &self.rows {
            let contender = key.contender;
            let mut cells = vec![
                key.workload.to_owned(),
                key.part.to_owned(),
                key.durability.word().to_owned(),
                contender.peer.title().to_owned(),
                contender.client.title().to_owned(),
            ];
            for (_, of) in &COLUMNS {
                cells.push(spread(rounds.values().filter_map(of)));
            }
            for (_, of) in &RATIOS {
                cells.push(spread(self.to_kafka(key, rounds, *of)));
            }
            out += &format!("| {} |\n", cells.join(" | "));
        }
        out
    }

    /// A figure divided by Kafka's of the same round under the same client.
    fn to_kafka(
        &self,
        key: &Key,
        rounds: &BTreeMap<usize, Reading>,
        of: fn(&Reading) -> Option<f64>,
    ) -> Vec<f64> {
        let contender = Contender { peer: PeerName::Kafka, ..key.contender };
        let kafka = Key { contender, ..*key };
        let kafka = self.rows.iter().find(|(other, _)| *other == kafka);
        let Some((_, kafka)) = kafka.filter(|_| key.contender.peer != PeerName::Kafka) else {
            return Vec::new();
        };
        let ratio = |(round, reading)| Some(of(reading)? / of(kafka.get(round)?)?);
        rounds.iter().filter_map(ratio).collect()
    }

    /// Every reading.
    pub(crate) fn json(&self) -> Value {
        let rows = self.rows.iter().map(|(key, rounds)| {
            json!({
                "workload": key.workload,
                "part": key.part,
                "acknowledged": key.durability.word(),
                "broker": key.contender.peer.title(),
                "client": key.contender.client.title(),
                "rounds": rounds.values().collect::<Vec<_>>(),
            })
        });
        json!({
            "peers": self.peers,
            "missing": self.missing,
            "failures": self.failures,
            "rows": rows.collect::<Vec<_>>(),
        })
    }
}

/// Median, least and greatest; nothing for nothing.
fn spread(values: impl IntoIterator<Item = f64>) -> String {
    let values: Vec<f64> = values.into_iter().collect();
    match values.as_slice() {
        [] => String::new(),
        [one] => short(*one),
        _ => Spread::of(values).to_string(),
    }
}
