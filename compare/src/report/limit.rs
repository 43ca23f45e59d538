//! What this machine could do at most of a workload, and how much of that a row is.

use super::findings::{Findings, Rounds, Row, Subject};
use crate::limits::{RECORD_BYTES, Rung};
use crate::reading::{Latency, Reading};

/// Bytes that a message of 1 KiB takes in a log.
const KIBIBYTE_RECORD_BYTES: f64 = 1_035.0;

/// Which rungs bound such rows; none where no rung does the same.
pub(super) fn rungs(subject: Subject<'_>, synced: bool) -> &'static [Rung] {
    let Subject { workload, part } = subject;
    // Of compressed batches the rungs know no size.
    if workload.contains("compress") {
        return &[];
    }
    match (part, synced) {
        (_, false) if workload == PACED => &[Rung::AppendAck, Rung::RoundTrip],
        (_, true) if workload == PACED => &[Rung::AppendAck, Rung::Sync],
        ("consume", _) => &[Rung::SendFile],
        ("produce", false) if workload.contains("64 connections") => &[Rung::Requests],
        ("produce", false) => &[Rung::Append],
        ("produce", true) if !workload.contains("64 connections") => {
            &[Rung::Append, Rung::SyncLarge]
        }
        _ => &[],
    }
}

/// A rung's rounds in messages of the workload's size.
pub(super) fn rounds(findings: &Findings, subject: Subject<'_>, rung: Rung) -> Option<Rounds> {
    let mut rounds = findings.limit(rung)?.clone();
    // What bounds bulk loads is bytes.
    if subject.workload.contains("1 KiB") {
        let larger = KIBIBYTE_RECORD_BYTES / RECORD_BYTES;
        for reading in rounds.values_mut() {
            reading.per_second = reading.per_second.map(|rate| rate / larger);
            reading.broker_cpu = reading.broker_cpu.map(|cpu| cpu * larger);
        }
    }
    Some(rounds)
}

/// The load that the rung of single messages is paced like.
const PACED: &str = "50,000 msg/s, no linger";

/// What no broker can be better than, round by round, where there is a rung for it: the least of the
/// rates, the processor time of the first rung, and the sum of the latencies that come one after the other.
pub(super) fn bound(findings: &Findings, row: &Row) -> Option<Rounds> {
    let rungs = rungs(row.subject(), row.is_synced());
    let (first, others) = rungs.split_first()?;
    let mut bound = rounds(findings, row.subject(), *first)?;
    if *first == Rung::AppendAck {
        // It gives the rate that it is told to.
        bound.values_mut().for_each(|reading| reading.per_second = None);
    }
    for other in others {
        let other_rounds = rounds(findings, row.subject(), *other)?;
        bound.retain(|round, _| other_rounds.contains_key(round));
        for (round, reading) in &mut bound {
            join(reading, *other, &other_rounds[round]);
        }
    }
    Some(bound)
}

fn join(bound: &mut Reading, rung: Rung, other: &Reading) {
    match rung {
        Rung::SyncLarge => {
            bound.per_second = bound.per_second.zip(other.per_second).map(|(a, b)| a.min(b));
        }
        Rung::Sync => {
            bound.ack = bound.ack.zip(other.ack).map(|(a, b)| Latency {
                p50: a.p50 + b.p50,
                p99: a.p99 + b.p99,
                p999: a.p999 + b.p999,
            });
        }
        // The round trip is part of what the first one does.
        _ => {}
    }
}

/// How a row's figure stands to the bound's, as a part of 1.
type Part = fn(&Reading, &Reading) -> Option<f64>;

/// What is told of our rows.
pub(super) const PARTS: [(&str, Part); 3] = [
    ("rate, % of the limit", |row, bound| Some(row.per_second? / bound.per_second?)),
    ("broker CPU, % of the limit", |row, bound| Some(bound.broker_cpu? / row.broker_cpu?)),
    ("ack p50, % of the limit", |row, bound| {
        Some(bound.ack?.p50 / row.ack.filter(|ack| ack.p50 > 0.0)?.p50)
    }),
];
