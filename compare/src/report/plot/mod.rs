//! Plots of what was measured: bars of medians, with a line from the least to the greatest.
//!
//! On paper of their own, so that they can be read on any page.

mod draw;
mod panel;

use anyhow::Result;

use self::panel::{Bar, Line, Panel};
use super::column::{ACK_P50, ACK_P99, BROKER_CPU, Column, END_P50, END_P99, RATE, RSS, SECONDS};
use super::findings::{Findings, Rounds, Row, Subject};
use super::limit;
use crate::limits::Rung;

/// A picture and where it goes.
#[derive(Debug)]
pub(super) struct Plot {
    pub(super) file: String,
    pub(super) title: String,
    pub(super) svg: String,
}

/// What a panel shows: its title and one or two columns.
const PANELS: [(&str, &[Column]); 5] = [
    ("messages per second", &[RATE]),
    ("broker CPU, ns per message", &[BROKER_CPU]),
    ("ack latency, µs", &[ACK_P50, ACK_P99]),
    ("end-to-end latency, µs", &[END_P50, END_P99]),
    ("seconds", &[SECONDS]),
];

/// How many of them fit beside each other.
const PANELS_MAX: usize = 3;

/// One for each subject.
pub(super) fn all(findings: &Findings) -> Result<Vec<Plot>> {
    let mut plots = Vec::new();
    for subject in findings.subjects() {
        let lines = lines(findings, subject);
        let panels = panels(subject, &lines);
        if panels.is_empty() {
            continue;
        }
        let lines: Vec<Line> = lines.into_iter().map(|(line, _)| line).collect();
        plots.push(Plot {
            file: format!("{}.svg", slug(&subject.to_string())),
            title: subject.to_string(),
            svg: draw::svg(&subject.to_string(), &lines, &panels)?,
        });
    }
    Ok(plots)
}

fn panels(subject: Subject<'_>, lines: &[(Line, Rounds)]) -> Vec<Panel> {
    // Where the rate is given it tells nothing.
    let paced = subject.workload.contains("msg/s");
    let wanted = PANELS.iter().filter(|(_, columns)| !(paced && columns[0].title == RATE.title));
    let panels = wanted.filter_map(|(title, columns)| panel(title, columns, lines));
    let panels: Vec<Panel> = panels.take(PANELS_MAX).collect();
    match panels.is_empty() {
        // Memory is all that there is of what does nothing.
        true => panel("broker memory, MiB", &[RSS], lines).into_iter().collect(),
        false => panels,
    }
}

/// A line for each contender and each rung, under a heading for each kind of acknowledgement.
fn lines(findings: &Findings, subject: Subject<'_>) -> Vec<(Line, Rounds)> {
    let mut lines = Vec::new();
    let rows = findings.of(subject);
    for synced in [false, true] {
        let rows: Vec<&&Row> = rows.iter().filter(|row| row.is_synced() == synced).collect();
        let Some(first) = rows.first() else { continue };
        lines.push((Line::heading(&first.acknowledged), Rounds::new()));
        for row in &rows {
            lines.push((Line::contender(&row.broker, &row.contender()), row.rounds.clone()));
        }
        for rung in limit::rungs(subject, synced) {
            // It has a scale of its own.
            let rounds = limit::rounds(findings, subject, *rung);
            if let Some(rounds) = rounds.filter(|_| *rung != Rung::RoundTrip) {
                lines.push((Line::contender("", rung.title()), rounds));
            }
        }
    }
    lines
}

/// Nothing where no line has any of the columns.
fn panel(title: &str, columns: &[Column], lines: &[(Line, Rounds)]) -> Option<Panel> {
    let mut bars = Vec::new();
    for (index, (_, rounds)) in lines.iter().enumerate() {
        for (place, column) in columns.iter().enumerate() {
            // A logarithm has no place for zero, which is what a tool says that counts whole
            // milliseconds.
            if let Some(spread) = column.spread(rounds).filter(|spread| spread.min > 0.0) {
                let text = column.median_text(spread);
                bars.push(Bar { line: index, place, spread, text });
            }
        }
    }
    let of_brokers = |bar: &Bar| lines[bar.line].0.is_broker();
    bars.iter().any(of_brokers).then(|| Panel {
        title: title.to_owned(),
        places: columns.iter().map(|column| column.title.to_owned()).collect(),
        bars,
    })
}

/// A file's name of a workload's.
fn slug(workload: &str) -> String {
    let plain: String = workload
        .replace("msg/s", "a second")
        .chars()
        .filter(|letter| *letter != ',')
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { ' ' })
        .collect();
    plain.to_lowercase().split_whitespace().collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_name_is_plain() {
        assert_eq!(slug("50,000 msg/s, no linger"), "50000-a-second-no-linger");
        assert_eq!(slug("produce 1 KiB"), "produce-1-kib");
    }
}
