//! `onrush repair`: the operator's decision to give damaged ranges up.

use std::process::ExitCode;

use onrush_broker::{RepairMode, RepairReport};
use serde_json::{Value, json};

use crate::cli::arguments::RepairArguments;
use crate::cli::check;
use crate::cli::exit::Failure;
use crate::cli::output::print;
use crate::cli::progress;

/// Shows what would be given up; with `--apply`, gives it up.
pub(crate) fn run(arguments: &RepairArguments) -> Result<ExitCode, Failure> {
    let offline = check::open(&arguments.data)?;
    let mode = if arguments.apply { RepairMode::Apply } else { RepairMode::DryRun };
    let bar = progress::bar(offline.logs() as u64, "logs");
    let mut reports = Vec::new();
    for inspected in offline.repair(mode) {
        bar.inc(1);
        let name = format!("{} ({})", inspected.log.display(), inspected.holds);
        let report = inspected
            .outcome
            .map_err(|reason| Failure::refused(format!("{name} was not repaired: {reason}")))?;
        if !report.is_empty() {
            reports.push((name, report));
        }
    }
    bar.finish_and_clear();
    if arguments.json {
        let logs: Vec<Value> = reports.iter().map(|(name, report)| as_json(name, report)).collect();
        print(&format!("{}\n", json!({"applied": arguments.apply, "logs": logs})))?;
    } else {
        print(&as_text(&reports, arguments.apply))?;
    }
    let pending = !arguments.apply && !reports.is_empty();
    Ok(if pending { ExitCode::from(check::DAMAGED) } else { ExitCode::SUCCESS })
}

fn as_text(reports: &[(String, RepairReport)], applied: bool) -> String {
    let mut text = String::new();
    for (name, report) in reports {
        text.push_str(&format!("{name}\n"));
        for given_up in &report.given_up {
            text.push_str(&format!(
                "  offsets {} to {} given up: {} ({})\n",
                given_up.from, given_up.to, given_up.reason, given_up.file
            ));
        }
        for file in &report.rewritten {
            text.push_str(&format!("  {file} written anew\n"));
        }
        for file in &report.kept_aside {
            text.push_str(&format!("  the old bytes are kept in {file}\n"));
        }
        if report.state_rebuilt {
            text.push_str("  the state file is made anew from the data\n");
        }
    }
    text.push_str(match (reports.is_empty(), applied) {
        (true, _) => "nothing to repair\n",
        (false, true) => "repaired\n",
        (false, false) => "nothing was changed; this is what --apply would do\n",
    });
    text
}

fn as_json(name: &str, report: &RepairReport) -> Value {
    let given_up: Vec<Value> = report
        .given_up
        .iter()
        .map(|given_up| {
            json!({
                "from": given_up.from.get(),
                "to": given_up.to.get(),
                "file": given_up.file,
                "reason": given_up.reason,
            })
        })
        .collect();
    json!({
        "log": name,
        "given_up": given_up,
        "rewritten": report.rewritten,
        "kept_aside": report.kept_aside,
        "state_rebuilt": report.state_rebuilt,
    })
}
