//! A workload's readings as a Markdown table.

use std::fmt::Write as _;

use onrush_bench::stats::Spread;

use super::column::{ACK_P99, BROKER_CPU, COLUMNS, Column, STOLEN, paired, spread};
use super::findings::{Findings, NotOffered, Rounds, Row, Subject};
use super::limit::{self, PARTS};
use crate::limits::Rung;
use crate::peer::PeerName;

/// Who a rung is in a table.
const THIS_MACHINE: &str = "this machine";

/// What is compared with Kafka's under the same client, in the same round.
const TO_KAFKA: [(&str, Column); 2] =
    [("CPU to Kafka's", BROKER_CPU), ("ack p99 to Kafka's", ACK_P99)];

/// One column's title, and its cell for each row. Empty columns stay out.
struct Cells {
    title: String,
    cells: Vec<String>,
}

/// A table of one subject: a row for each contender, and one for each rung that bounds it.
pub(super) fn markdown(findings: &Findings, subject: Subject<'_>) -> String {
    let rows = findings.of(subject);
    let rungs = rungs(findings, subject, &rows);
    let mut columns = vec![
        Cells::of("Acknowledged", &rows, |row| row.acknowledged.clone()),
        Cells::of("Broker", &rows, |row| match row.is_ours() {
            true => format!("**{}**", row.broker),
            false => row.broker.clone(),
        }),
        Cells::of("Client", &rows, |row| row.client.clone()),
    ];
    for (column, rung) in columns.iter_mut().zip(["", THIS_MACHINE, ""]) {
        column.cells.extend(rungs.iter().map(|_| rung.to_owned()));
    }
    if let Some(client) = columns.last_mut() {
        client.cells.truncate(rows.len());
        client.cells.extend(rungs.iter().map(|(rung, _)| rung.title().to_owned()));
    }
    for column in COLUMNS {
        let of = |rounds: &Rounds| {
            column.spread(rounds).map_or(String::new(), |spread| column.text(spread))
        };
        let mut cells = Cells::of(column.title, &rows, |row| of(&row.rounds));
        cells.cells.extend(rungs.iter().map(|(_, rounds)| of(rounds)));
        columns.push(cells);
    }
    columns.push(Cells::of(STOLEN.title, &rows, |row| {
        STOLEN.spread(&row.rounds).map_or(String::new(), |spread| STOLEN.text(spread))
    }));
    for (title, column) in TO_KAFKA {
        columns.push(Cells::of(title, &rows, |row| ratio(to_kafka(findings, row, column))));
    }
    for (title, part) in PARTS {
        columns.push(Cells::of(title, &rows, |row| {
            let bound = limit::bound(findings, row).filter(|_| row.is_ours());
            let percent = bound.and_then(|bound| {
                paired(&row.rounds, &bound, |row, bound| Some(part(row, bound)? * 100.0))
            });
            percent.map_or(String::new(), |percent| {
                let Spread { median, min, max } = percent;
                let digits = usize::from(median < 9.95);
                format!("{median:.digits$} [{min:.digits$}..{max:.digits$}]")
            })
        }));
    }
    // What only a rung tells is of no use beside brokers that do not.
    columns.retain(|column| column.cells.iter().take(rows.len()).any(|cell| !cell.is_empty()));
    lines(&columns, rows.len() + rungs.len()) + &not_offered(findings, subject)
}

/// Below a workload's first table: who has no such thing.
fn not_offered(findings: &Findings, subject: Subject<'_>) -> String {
    let mut text = String::new();
    let first = findings.subjects().into_iter().find(|other| other.workload == subject.workload);
    let none = findings.not_offered.iter().filter(|it| it.workload == subject.workload);
    for NotOffered { acknowledged, broker, client, why, .. } in
        none.filter(|_| first == Some(subject))
    {
        let _ = writeln!(text, "| {acknowledged} | {broker} | {client} | not offered: {why} |");
    }
    text
}

impl Cells {
    fn of(title: &str, rows: &[&Row], cell: impl Fn(&Row) -> String) -> Cells {
        Cells { title: title.to_owned(), cells: rows.iter().map(|row| cell(row)).collect() }
    }
}

fn lines(columns: &[Cells], rows: usize) -> String {
    let titles: Vec<&str> = columns.iter().map(|column| column.title.as_str()).collect();
    let mut text = format!("| {} |\n|{}\n", titles.join(" | "), "---|".repeat(columns.len()));
    for row in 0..rows {
        let cells: Vec<&str> =
            columns.iter().map(|column| column.cells.get(row).map_or("", String::as_str)).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text
}

/// The rungs that bound any of the rows, each once.
fn rungs(findings: &Findings, subject: Subject<'_>, rows: &[&Row]) -> Vec<(Rung, Rounds)> {
    let mut rungs: Vec<(Rung, Rounds)> = Vec::new();
    for row in rows {
        for rung in limit::rungs(subject, row.is_synced()) {
            let rounds = limit::rounds(findings, subject, *rung);
            if let Some(rounds) = rounds.filter(|_| rungs.iter().all(|(other, _)| other != rung)) {
                rungs.push((*rung, rounds));
            }
        }
    }
    rungs
}

/// A figure divided by Kafka's under the same client.
fn to_kafka(findings: &Findings, row: &Row, column: Column) -> Option<Spread> {
    let kafka = findings.of(row.subject()).into_iter().find(|other| {
        other.broker == PeerName::Kafka.title()
            && (&other.client, &other.acknowledged) == (&row.client, &row.acknowledged)
    })?;
    let apart = kafka.broker != row.broker;
    paired(&row.rounds, &kafka.rounds, |ours, theirs| {
        Some((column.of)(ours)? / (column.of)(theirs)?)
    })
    .filter(|_| apart)
}

/// Two digits are all that a ratio of noisy figures has.
pub(super) fn ratio(spread: Option<Spread>) -> String {
    let Some(Spread { median, min, max }) = spread else { return String::new() };
    let digits = if median < 0.1 { 3 } else { 2 };
    if min == max {
        return format!("{median:.digits$}");
    }
    format!("{median:.digits$} [{min:.digits$}..{max:.digits$}]")
}

/// The spread of one rung's column, for what is told on top.
pub(super) fn rung_spread(findings: &Findings, rung: Rung, column: Column) -> Option<Spread> {
    spread(findings.limit(rung)?.values().filter_map(column.of))
}
