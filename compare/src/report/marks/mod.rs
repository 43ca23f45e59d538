//! The marks of the race: what Onrush is to reach beside its peers, and whether it did.

mod claim;
mod iggy;
mod series;

use std::fmt::Write as _;

use self::claim::Claim;
use self::series::{Field, Named, joined};
use super::column::{
    ACK_P99, ALL_CPU, BROKER_CPU, Better, CLIENT_CPU, Column, END_P99, LEAST_SHARE, RATE, RSS,
    SECONDS,
};
use super::findings::{Findings, Subject};
use crate::client::Client;
use crate::limits::Rung;
use crate::peer::{Durability, PeerName};

const PRODUCE: Subject<'static> = Subject { workload: "bulk, 100 B", part: "produce" };
const CONSUME: Subject<'static> = Subject { workload: "bulk, 100 B", part: "consume" };
const PACED: Subject<'static> =
    Subject { workload: "50,000 msg/s, no linger", part: "produce and consume" };
const PARTITIONS: Subject<'static> = Subject { workload: "1,000 partitions", part: "produce" };
const REQUESTS: Subject<'static> =
    Subject { workload: "one message a request, 64 connections", part: "produce" };
const IDLE: Subject<'static> = Subject { workload: "idle memory", part: "idle" };
const COLD: Subject<'static> = Subject { workload: "cold start", part: "to first ack" };
const RESTART: Subject<'static> =
    Subject { workload: "start with 1,000 partitions after kill -9", part: "to first ack" };

/// All marks as a table.
pub(super) fn markdown(findings: &Findings) -> String {
    let mut text = String::from(
        "Each peer with its own best client unless said; \"best\" is for each figure the best that any \
         of its clients gave. A ratio is the median of the rounds' ratios.\n\n\
         | | What | Measured | Mark | |\n|---|---|---|---|---|\n",
    );
    for claim in claims(findings) {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{claim}");
    }
    text += "\nR10 has the loads that stand in docs/performance.md too; the others stand there.\n";
    text += iggy::NOTE;
    text
}

fn claims(findings: &Findings) -> Vec<Claim> {
    let written = Field::new(findings, Durability::Written);
    let synced = Field::new(findings, Durability::Synced);
    let mut claims = bulk(written, synced);
    claims.extend(latency(written, synced));
    claims.extend(same_clients(written, synced));
    claims.extend(footprint([written, synced]));
    claims.extend([
        claim(
            "R8",
            "1,000 partitions: broker CPU/message to Kafka's",
            written.own(PARTITIONS, BROKER_CPU),
            written.best(PeerName::Kafka, PARTITIONS, BROKER_CPU),
        )
        .at_most(0.25),
        // Who gets less than half of what it should starves.
        claim(
            "R8",
            "1,000 partitions: of an even share, what the least partition got",
            written.own(PARTITIONS, LEAST_SHARE),
            None,
        )
        .absolute()
        .at_least(0.5),
        claim(
            "R9",
            "64 connections, one message a request: broker CPU/request to the best peer's",
            written.own(REQUESTS, BROKER_CPU),
            written.best_peer(REQUESTS, BROKER_CPU),
        )
        .at_most(1.0 / 3.0),
    ]);
    claims.extend(limits(written, synced));
    claims
}

/// R1 to R4.
fn bulk(written: Field<'_>, synced: Field<'_>) -> Vec<Claim> {
    let both = |produced: Option<Named>, consumed: Option<Named>| {
        Some(joined(produced?, &consumed?, |a, b| a + b)).filter(|sum| !sum.series.is_empty())
    };
    let ours = both(written.own(PRODUCE, ALL_CPU), written.own(CONSUME, ALL_CPU));
    let kafka_with = |client: Client| {
        let of = |subject| written.with(PeerName::Kafka, client, subject, ALL_CPU);
        both(of(PRODUCE), of(CONSUME))
    };
    let kafka = [Client::Librdkafka, Client::Java].into_iter().filter_map(kafka_with);
    let kafka = series::best(kafka, Better::Less);
    let to_iggy = |field: Field<'_>, mark, what, subject, column: Column, then| {
        let java = field.with(PeerName::Kafka, Client::Java, subject, column);
        iggy::claim(mark, what, then, field.own(subject, column), java)
    };
    vec![
        claim(
            "R1",
            "produce: messages/s to the best peer's",
            written.own(PRODUCE, RATE),
            written.best_peer(PRODUCE, RATE),
        )
        .at_least(8.0),
        to_iggy(written, "R1", "produce: messages/s", PRODUCE, RATE, iggy::PRODUCE_RATE)
            .at_least(2.5),
        claim(
            "R1",
            "produce: broker CPU/message to Kafka's",
            written.own(PRODUCE, BROKER_CPU),
            written.best(PeerName::Kafka, PRODUCE, BROKER_CPU),
        )
        .at_most(0.25),
        to_iggy(
            written,
            "R1",
            "produce: broker CPU/message",
            PRODUCE,
            BROKER_CPU,
            iggy::PRODUCE_CPU,
        )
        .at_most(1.0 / 3.0),
        claim(
            "R2",
            "produce, synced: messages/s to the best synced peer's",
            synced.own(PRODUCE, RATE),
            synced.best_peer(PRODUCE, RATE),
        )
        .at_least(8.0),
        to_iggy(synced, "R2", "produce, synced: messages/s", PRODUCE, RATE, iggy::DURABLE_RATE)
            .at_least(4.0),
        claim(
            "R2",
            "produce, synced: messages/s to our own from the page cache",
            synced.own(PRODUCE, RATE),
            written.own(PRODUCE, RATE),
        )
        .at_least(0.7),
        to_iggy(written, "R3", "consume: messages/s", CONSUME, RATE, iggy::CONSUME_RATE)
            .at_least(2.0),
        claim(
            "R3",
            "consume: broker CPU/message to Kafka's",
            written.own(CONSUME, BROKER_CPU),
            written.best(PeerName::Kafka, CONSUME, BROKER_CPU),
        )
        .below(1.0),
        to_iggy(
            written,
            "R3",
            "consume: broker CPU/message",
            CONSUME,
            BROKER_CPU,
            iggy::CONSUME_CPU,
        )
        .at_most(0.5),
        claim(
            "R4",
            "produced and consumed once: CPU of broker and clients to Kafka's",
            ours.clone(),
            kafka,
        )
        .at_most(0.1),
        iggy::claim(
            "R4",
            "produced and consumed once: CPU of broker and clients",
            iggy::ALL_CPU,
            ours,
            kafka_with(Client::Java),
        )
        .at_most(0.4),
    ]
}

/// R5.
fn latency(written: Field<'_>, synced: Field<'_>) -> Vec<Claim> {
    let mut claims = Vec::new();
    for (field, how) in [(written, "page cache"), (synced, "synced")] {
        let ours = || field.own(PACED, END_P99);
        for (peer, bound) in [
            (field.peer(PeerName::Kafka), Some(0.1)),
            (field.peer(PeerName::Nats), Some(1.0 / 3.0)),
            (field.peer(PeerName::Redis), None),
        ] {
            let what = format!("50,000/s, {how}: end-to-end p99 to that of {}", peer.title());
            let claim = claim("R5", what, ours(), field.best(peer, PACED, END_P99));
            claims.push(match bound {
                Some(bound) => claim.at_most(bound),
                None => claim,
            });
        }
    }
    for peer in [PeerName::Kafka, PeerName::Nats] {
        let what = format!(
            "50,000/s: end-to-end p99, ours synced, to that of {} from the page cache",
            peer.title()
        );
        let theirs = written.best(peer, PACED, END_P99);
        claims.push(claim("R5", what, synced.own(PACED, END_P99), theirs).below(1.0));
    }
    claims
}

/// R6.
fn same_clients(written: Field<'_>, synced: Field<'_>) -> Vec<Claim> {
    let mut claims = Vec::new();
    for client in [Client::Java, Client::Librdkafka] {
        let to_kafka = |field: Field<'_>, what, subject, column| {
            let ours = field.with(PeerName::Onrush, client, subject, column);
            let theirs = field.with(PeerName::Kafka, client, subject, column);
            claim(
                "R6",
                format!("Apache Kafka under the same {}: {what}", client.title()),
                ours,
                theirs,
            )
        };
        claims.extend([
            to_kafka(written, "produce, broker CPU/message", PRODUCE, BROKER_CPU).at_most(0.4),
            to_kafka(written, "consume, broker CPU/message", CONSUME, BROKER_CPU).at_most(0.9),
            to_kafka(written, "50,000/s, p99 ack", PACED, ACK_P99).at_most(0.7),
            to_kafka(synced, "produce, synced, messages/s", PRODUCE, RATE).above(1.0),
        ]);
    }
    claims
}

/// R7. What is idle acknowledges nothing, and a first acknowledgement is of the kind that a broker gives by
/// default: the first of both fields that has it.
fn footprint(fields: [Field<'_>; 2]) -> Vec<Claim> {
    let either = |get: &dyn Fn(Field<'_>) -> Option<Named>| fields.into_iter().find_map(get);
    let mut claims = Vec::new();
    for (what, subject, column, bound) in [
        ("idle memory", IDLE, RSS, 1.0 / 20.0),
        ("memory after bulk loads", PRODUCE, RSS, 1.0 / 10.0),
        ("cold start to first acknowledgement", COLD, SECONDS, 1.0 / 50.0),
        ("start with 1,000 partitions after kill -9", RESTART, SECONDS, 1.0 / 50.0),
    ] {
        for (peer, bound) in [(PeerName::Kafka, bound), (PeerName::Nats, 1.0)] {
            let what = format!("{what} to that of {}", peer.title());
            let ours = either(&|field| field.own(subject, column));
            let theirs = either(&|field| field.best(field.peer(peer), subject, column));
            claims.push(claim("R7", what, ours, theirs).at_most(bound));
        }
    }
    claims
}

/// R10, for the loads that the race and docs/performance.md have in common.
fn limits(written: Field<'_>, synced: Field<'_>) -> Vec<Claim> {
    let to_limit = |field: Field<'_>, what, subject, column| {
        let what = format!("{what}, to the limit");
        claim("R10", what, field.own(subject, column), field.limit(subject, column))
    };
    // What W2 is measured by: the disk, or our own rate without it, whichever is less.
    let disk = synced.rung(Rung::SyncLarge, RATE);
    let allowed = written.own(PRODUCE, RATE).zip(disk);
    let allowed = allowed.map(|(own, disk)| joined(own, &disk, f64::min));
    vec![
        to_limit(written, "W1 messages/s", PRODUCE, RATE).at_least(0.7),
        to_limit(written, "W1 broker CPU/message", PRODUCE, BROKER_CPU).at_most(1.15),
        claim("R10", "W1 client CPU/message, ns", written.own(PRODUCE, CLIENT_CPU), None)
            .absolute()
            .at_most(60.0),
        claim(
            "R10",
            "W2 messages/s, to W1 or what the disk allows",
            synced.own(PRODUCE, RATE),
            allowed.map(|allowed| Named {
                broker: String::new(),
                client: String::new(),
                ..allowed
            }),
        )
        .at_least(0.9),
        to_limit(written, "W3 messages/s", CONSUME, RATE).at_least(0.9),
        to_limit(written, "W3 broker CPU/message", CONSUME, BROKER_CPU).at_most(1.05),
        claim("R10", "W3 client CPU/message, ns", written.own(CONSUME, CLIENT_CPU), None)
            .absolute()
            .at_most(40.0),
        to_limit(written, "W6 broker CPU/request", REQUESTS, BROKER_CPU).at_most(1.15),
    ]
}

fn claim(
    mark: &'static str,
    what: impl Into<String>,
    ours: Option<Named>,
    theirs: Option<Named>,
) -> Claim {
    Claim::ratio(mark, what.into(), ours, theirs)
}
