//! Runs cases, several at a time, and tells of each in a line.

use super::Places;
use super::cases::Case;
use super::history;
use super::kits::Kits;
use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Instant;

/// How a case went.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Failed,
    /// The machine does not have the client.
    Skipped,
}

/// Runs every case against the broker at `kafka`; their verdicts, in the cases' order.
pub(crate) fn run_all(
    places: &Places,
    kits: &Kits,
    cases: &[Case],
    kafka: &str,
    jobs: usize,
) -> Vec<Verdict> {
    let next = AtomicUsize::new(0);
    let verdicts = Mutex::new(vec![Verdict::Failed; cases.len()]);
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(case) = cases.get(index) else { return };
                    let verdict = run(places, kits, case, kafka);
                    if let Ok(mut verdicts) = verdicts.lock() {
                        verdicts[index] = verdict;
                    }
                }
            });
        }
    });
    verdicts.into_inner().unwrap_or_default()
}

/// Runs one, and prints what there is to say in one go, so that no two mix.
fn run(places: &Places, kits: &Kits, case: &Case, kafka: &str) -> Verdict {
    if let Some(why) = kits.missing(case) {
        println!("  SKIPPED  {}: {why}", case.name);
        return Verdict::Skipped;
    }
    let log = places.cache.join("logs").join(case.file_name());
    let began = Instant::now();
    let problem = match execute(places, kits, case, kafka, &log) {
        Ok(Some(status)) => problem(status, &log).or_else(|| judged(places, case)),
        Ok(None) => Some(format!("did not end within {} s", case.limit(places.long).as_secs())),
        Err(error) => Some(format!("{error:#}")),
    };
    let took = began.elapsed().as_secs_f64();
    if let Some(problem) = problem {
        let tail = tail(&log);
        println!("  FAILED   {} in {took:.1} s: {problem}\n{tail}", case.name);
        return Verdict::Failed;
    }
    println!("  passed   {} in {took:.1} s: {} checks", case.name, lines(&log, "PASS ").len());
    Verdict::Passed
}

/// Runs one to its end; none: it was over time, and killed with all that it had started.
fn execute(
    places: &Places,
    kits: &Kits,
    case: &Case,
    kafka: &str,
    log: &Path,
) -> anyhow::Result<Option<ExitStatus>> {
    let output = File::create(log).with_context(|| format!("cannot make {}", log.display()))?;
    let mut command = kits.command(places, case)?;
    if places.long {
        command.env("ONRUSH_TESTS", "all");
    }
    if case.judged {
        let history = places.cache.join(case.history());
        // Of an earlier run nothing may be left.
        let _ = std::fs::remove_dir_all(&history);
        std::fs::create_dir_all(&history).context("cannot make the history's folder")?;
        command.env("HISTORY", history);
    }
    let mut child = command
        .env("KAFKA", kafka)
        .env("ONRUSH", places.binaries.join("onrush"))
        .stdin(Stdio::null())
        .stdout(output.try_clone().context("cannot share the log")?)
        .stderr(output)
        .process_group(0)
        .spawn()
        .with_context(|| format!("cannot start {}", case.name))?;
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let limit = case.limit(places.long);
    let (ended, wait) = channel::<()>();
    std::thread::scope(|scope| {
        let watchdog = scope.spawn(move || {
            let over = wait.recv_timeout(limit) == Err(RecvTimeoutError::Timeout);
            if let (true, Some(group)) = (over, group) {
                // It may just have ended, which is as good.
                let _ = kill_process_group(group, Signal::KILL);
            }
            over
        });
        let status = child.wait().context("cannot wait for it");
        drop(ended);
        let over = watchdog.join().unwrap_or(true);
        // What a case left running must not load the machine for the others.
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
        Ok(if over { None } else { Some(status?) })
    })
}

/// What is wrong with the history that a case has left.
fn judged(places: &Places, case: &Case) -> Option<String> {
    let folder = places.cache.join(case.history());
    match case.judged.then(|| history::judge(&folder))? {
        Ok(received) => {
            println!("  judged   {}: {received} records received", case.name);
            None
        }
        Err(error) => Some(format!("its history is wrong: {error:#}; see {}", folder.display())),
    }
}

/// What is wrong with a case that ended: a status, a failed check, or no check at all.
fn problem(status: ExitStatus, log: &Path) -> Option<String> {
    let failed = lines(log, "FAIL ");
    if let Some(first) = failed.first() {
        let more = failed.len() - 1;
        return Some(format!(
            "{}{}",
            first.trim_start_matches("FAIL "),
            match more {
                0 => String::new(),
                more => format!(" (and {more} more)"),
            }
        ));
    }
    if !status.success() {
        return Some(format!("ended with {status}"));
    }
    lines(log, "PASS ").is_empty().then(|| "checked nothing".to_owned())
}

fn lines(log: &Path, start: &str) -> Vec<String> {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect()
}

/// The end of a log, indented.
fn tail(log: &Path) -> String {
    const LINES: usize = 25;
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    let cut = |line: &str| line.chars().take(300).collect::<String>();
    let shown: Vec<String> = last.iter().map(|line| format!("    | {}", cut(line))).collect();
    format!("{}\n    | ({})", shown.join("\n"), log.display())
}
