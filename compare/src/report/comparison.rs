//! The document: what machine and which settings, what cannot be compared, where a peer wins, then tables,
//! marks and plots.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use onrush_bench::stats::short;

use super::column::{ACK_P50, ACK_P99};
use super::findings::{Findings, Row};
use super::table::rung_spread;
use super::{marks, plot, table, wins};
use crate::limits::Rung;

/// What holds whoever takes part.
const NOT_COMPARABLE: [&str; 6] = [
    "Clients differ. Where a broker has a client of its own, its figures are those of both; only rows with the \
     same client (librdkafka, Java tools) tell brokers apart.",
    "*page cache* means that an acknowledged message is lost with the power; *synced* that it was given to the \
     disk before. Whether a virtual disk keeps what it was given cannot be seen from inside the machine.",
    "Java's tools count latency in whole milliseconds, from when a message was sent instead of when it was due.",
    "One node each, on one core: copies to other nodes, which most of these are made for, are left out.",
    "Processor time is compared rather than rates where a client is the limit: most clients here are.",
    "*Taken by the host*: what a virtual machine's host kept of the cores' time meanwhile. A host that limits \
     it by the clock stops all cores at once, some for tens of milliseconds; no broker can answer then.",
];

/// Writes the document to `path` and its plots into `plots` beside it.
pub(crate) fn write(findings: &Findings, path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new(".")).join("plots");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for plot in plot::all(findings)? {
        let file = folder.join(&plot.file);
        fs::write(&file, &plot.svg).with_context(|| format!("cannot write {}", file.display()))?;
    }
    fs::write(path, markdown(findings)?).with_context(|| format!("cannot write {}", path.display()))
}

/// The document. Its plots are where [`write()`] puts them.
pub(crate) fn markdown(findings: &Findings) -> Result<String> {
    let mut text = String::from("# Onrush beside its peers\n\n");
    introduction(&mut text, findings);
    contenders(&mut text, findings);
    list(
        &mut text,
        "What is not comparable",
        NOT_COMPARABLE.iter().map(|line| (*line).to_owned()).chain(caveats(findings)),
    );
    let mut wins = wins::lines(findings);
    if wins.is_empty() {
        // Who ran alone has beaten nobody.
        let told = match findings.rows.iter().any(|row| !row.is_ours()) {
            true => "Nowhere: no row of a peer has a better median than ours.",
            false => "No peer ran.",
        };
        wins.push(told.to_owned());
    }
    list(&mut text, "Where a peer wins", wins);
    text += "## The tables\n\nMedian [least..greatest] of the rounds. Ratios and parts are taken within each \
             round; their median stands here. A limit is what bare system calls gave in the same round, \
             without a broker: 100 % cannot be passed by doing the same better, only by doing something \
             else (larger batches, fewer copies).\n\n";
    for subject in findings.subjects() {
        let _ = writeln!(text, "### {subject}\n\n{}", table::markdown(findings, subject));
    }
    text += "## The marks\n\n";
    text += &marks::markdown(findings);
    text += "\n## The plots\n\nThe line through a bar's end spans the least and the greatest of the rounds.\n\n";
    for plot in plot::all(findings)? {
        let _ = writeln!(text, "![{}](plots/{})\n", plot.title, plot.file);
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    Ok(text)
}

fn introduction(text: &mut String, findings: &Findings) {
    let about = &findings.about;
    let machine = &about.machine;
    let _ = writeln!(
        text,
        "Written by `{}` on {}; rounds: {}. Every contender runs a workload before the next workload begins; \
         brokers run on one core, clients on another, and stay up for all rounds, after a short one that does \
         not count.\n",
        about.command, about.date, about.rounds
    );
    let kind = if machine.is_virtual { "a virtual machine" } else { "a machine" };
    let gibibytes = short(machine.memory_bytes as f64 / f64::from(1 << 30));
    let _ = write!(
        text,
        "The machine: {kind} with {} cores ({}), {gibibytes} GiB of memory, Linux {}, {}",
        machine.cores, machine.processor, machine.kernel, machine.disk
    );
    let sync = |column| rung_spread(findings, Rung::Sync, column);
    if let Some((p50, p99)) = sync(ACK_P50).zip(sync(ACK_P99)) {
        let _ = write!(
            text,
            "; fdatasync after 4 KiB takes {} µs at the median, {} µs at p99",
            ACK_P50.text(p50),
            ACK_P99.text(p99)
        );
    }
    *text += ".\n\n";
}

fn contenders(text: &mut String, findings: &Findings) {
    *text += "| Broker | Version | Settings | Listening after |\n|---|---|---|---|\n";
    for peer in &findings.peers {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.3} s |",
            peer.broker, peer.version, peer.settings, peer.listening_after_seconds
        );
    }
    text.push('\n');
    let missing = findings.missing.iter();
    let missing: Vec<String> =
        missing.map(|it| format!("{} is missing: {}", it.broker, it.why)).collect();
    for line in missing.iter().chain(&findings.failures) {
        // What a program said may have lines of its own.
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = writeln!(text, "- {line}");
    }
    if !missing.is_empty() || !findings.failures.is_empty() {
        text.push('\n');
    }
}

fn caveats(findings: &Findings) -> impl Iterator<Item = String> {
    let told = |broker: &str| findings.rows.iter().any(|row: &Row| row.broker == broker);
    let peers = findings.peers.iter().filter(move |peer| told(&peer.broker));
    peers
        .filter(|peer| !peer.caveat.is_empty())
        .map(|peer| format!("{}: {}", peer.broker, peer.caveat))
}

fn list(text: &mut String, title: &str, lines: impl IntoIterator<Item = String>) {
    let _ = writeln!(text, "## {title}\n");
    for line in lines {
        let _ = writeln!(text, "- {line}");
    }
    text.push('\n');
}
