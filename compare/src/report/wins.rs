//! Where a peer is better than Onrush: every figure of every row, by its median.

use super::column::{COLUMNS, Column};
use super::findings::{Findings, Row};

/// Medians nearer to each other than this part are told apart by nobody.
const TIE: f64 = 0.01;

/// One line for each row of a peer that beats ours, none for who never does.
///
/// A peer's row stands beside ours under the same client, and where that client cannot speak to the
/// peer, beside our own client's.
pub(super) fn lines(findings: &Findings) -> Vec<String> {
    findings
        .rows
        .iter()
        .filter(|row| !row.is_ours())
        .filter_map(|row| line(findings, row))
        .collect()
}

fn line(findings: &Findings, row: &Row) -> Option<String> {
    let head = format!("**{}**, {}: {}", row.subject(), row.acknowledged, row.contender());
    let Some(ours) = counterpart(findings, row) else {
        let measured = COLUMNS.iter().any(|column| column.spread(&row.rounds).is_some());
        return measured.then(|| format!("{head} came to an end, and Onrush has no figure"));
    };
    let beaten: Vec<String> =
        COLUMNS.iter().filter_map(|column| beaten(*column, row, ours)).collect();
    (!beaten.is_empty())
        .then(|| format!("{head} beats Onrush ({}): {}", ours.client, beaten.join("; ")))
}

/// What both measured and the peer has better.
fn beaten(column: Column, row: &Row, ours: &Row) -> Option<String> {
    let (theirs, ours) = (column.spread(&row.rounds)?, column.spread(&ours.rounds)?);
    let better = match column.better {
        super::column::Better::More => theirs.median > ours.median * (1.0 + TIE),
        super::column::Better::Less => theirs.median < ours.median * (1.0 - TIE),
    };
    let overlap = theirs.min <= ours.max && ours.min <= theirs.max;
    let overlap = if overlap { " (the spreads overlap)" } else { "" };
    let name = column.title;
    better.then(|| {
        format!(
            "{name} {} to our {}{overlap}",
            column.median_text(theirs),
            column.median_text(ours)
        )
    })
}

fn counterpart<'a>(findings: &'a Findings, row: &Row) -> Option<&'a Row> {
    let ours = || {
        findings.rows.iter().filter(|other| {
            other.is_ours()
                && other.subject() == row.subject()
                && other.acknowledged == row.acknowledged
        })
    };
    ours().find(|other| other.client == row.client).or_else(|| ours().next())
}
