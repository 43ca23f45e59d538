//! `onrush check`: reads every byte of a data directory and names what is damaged.

use std::path::Path;
use std::process::ExitCode;

use onrush_broker::{CheckReport, Error, Finding, Inspected, Offline, Severity};
use onrush_sys::{DiskBackend, open_disk};
use serde_json::{Value, json};

use crate::cli::arguments::CheckArguments;
use crate::cli::exit::Failure;
use crate::cli::output::print;
use crate::cli::progress;

/// The status that says "damaged".
pub(crate) const DAMAGED: u8 = 1;

/// Takes a data directory that no broker uses.
pub(crate) fn open(data: &Path) -> Result<Offline, Failure> {
    if !data.is_dir() {
        return Err(Failure::usage(format!("there is no directory {}", data.display())));
    }
    let disk = open_disk(data, DiskBackend::Plain)
        .map_err(|error| Failure::usage(format!("cannot look into {}: {error}", data.display())))?;
    Offline::open(disk, data).map_err(|error| could_not_look(&error))
}

fn could_not_look(error: &Error) -> Failure {
    Failure::usage(error.to_string())
}

/// Checks and reports; status 1 when something is damaged.
pub(crate) fn run(arguments: &CheckArguments) -> Result<ExitCode, Failure> {
    let offline = open(&arguments.data)?;
    let directory = offline.check_directory().map_err(|error| could_not_look(&error))?;
    let bar = progress::bar(offline.logs() as u64, "logs");
    let mut report = Report { directory, ..Report::default() };
    for inspected in offline.check() {
        bar.inc(1);
        report.add(inspected)?;
    }
    bar.finish_and_clear();
    if arguments.json {
        print(&format!("{}\n", report.json()))?;
    } else {
        print(&report.text())?;
    }
    Ok(if report.is_damaged() { ExitCode::from(DAMAGED) } else { ExitCode::SUCCESS })
}

#[derive(Default)]
struct Report {
    directory: Vec<String>,
    logs: u64,
    batches: u64,
    bytes: u64,
    findings: Vec<(String, Finding)>,
}

impl Report {
    fn add(&mut self, inspected: Inspected<CheckReport>) -> Result<(), Failure> {
        let name = format!("{} ({})", inspected.log.display(), inspected.holds);
        let found = inspected
            .outcome
            .map_err(|reason| Failure::usage(format!("cannot look into {name}: {reason}")))?;
        self.logs += 1;
        self.batches += found.batches;
        self.bytes += found.bytes;
        self.findings.extend(found.findings.into_iter().map(|finding| (name.clone(), finding)));
        Ok(())
    }

    fn is_damaged(&self) -> bool {
        !self.directory.is_empty()
            || self.findings.iter().any(|(_, finding)| finding.severity == Severity::Damage)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for damage in &self.directory {
            text.push_str(&format!("DAMAGED  {damage}\n"));
        }
        for (log, finding) in &self.findings {
            let word = match finding.severity {
                Severity::Damage => "DAMAGED",
                Severity::Note => "note   ",
            };
            text.push_str(&format!("{word}  {log}: {}", finding.file));
            if let Some((from, to)) = finding.bytes {
                text.push_str(&format!(", bytes {from} to {to}"));
            }
            if let Some((from, to)) = finding.offsets {
                text.push_str(&format!(", offsets {from} to {to}"));
            }
            text.push_str(&format!(": {}\n", finding.what));
        }
        let verdict = if self.is_damaged() { "damaged" } else { "sound" };
        text.push_str(&format!(
            "{verdict}: {} logs, {} sound batches, {} bytes read\n",
            self.logs, self.batches, self.bytes
        ));
        if self.is_damaged() {
            text.push_str("`onrush repair` shows what can be given up, and what stays\n");
        }
        text
    }

    fn json(&self) -> Value {
        let range = |(from, to): (u64, u64)| json!({"from": from, "to": to});
        let findings: Vec<Value> = self
            .findings
            .iter()
            .map(|(log, finding)| {
                json!({
                    "log": log,
                    "severity": format!("{:?}", finding.severity).to_lowercase(),
                    "file": finding.file,
                    "bytes": finding.bytes.map(range),
                    "offsets": finding.offsets.map(|(from, to)| range((from.get(), to.get()))),
                    "what": finding.what,
                })
            })
            .collect();
        json!({
            "sound": !self.is_damaged(),
            "logs": self.logs,
            "batches": self.batches,
            "bytes": self.bytes,
            "directory": self.directory,
            "findings": findings,
        })
    }
}
