//! Named steps run one after the other, timed, with a summary that hides nothing.

use std::collections::HashMap;
use std::fs;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What has not ended by then hangs. CI has 90 minutes: what hangs must leave time for the rest,
/// and for saying so.
pub(crate) const LIMIT: Duration = Duration::from_secs(40 * 60);

/// The same for the long versions of tests, which CI does not run.
pub(crate) const LONG_LIMIT: Duration = Duration::from_secs(4 * 60 * 60);

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed(String),
    /// Not run, and why the machine cannot.
    Skipped(String),
}

/// The steps so far.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<(String, Outcome, Duration)>,
}

impl Steps {
    /// Runs `step`, says how it went, and goes on to the next whatever the outcome: one run shows
    /// everything that is broken.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> Outcome) {
        println!("\n=== {name}");
        let began = Instant::now();
        let outcome = step();
        let took = began.elapsed();
        match &outcome {
            Outcome::Passed => println!("=== {name}: passed in {:.1} s", took.as_secs_f64()),
            Outcome::Failed(why) => println!("=== {name}: FAILED: {why}"),
            Outcome::Skipped(why) => println!("=== {name}: SKIPPED: {why}"),
        }
        self.done.push((name.to_owned(), outcome, took));
    }

    /// Prints the summary; true when nothing failed.
    pub(crate) fn summary(&self) -> bool {
        println!("\nSteps");
        let (mut passed, mut failed, mut skipped) = (0, 0, 0);
        for (name, outcome, took) in &self.done {
            let word = match outcome {
                Outcome::Passed => {
                    passed += 1;
                    "passed".to_owned()
                }
                Outcome::Failed(why) => {
                    failed += 1;
                    format!("FAILED: {why}")
                }
                Outcome::Skipped(why) => {
                    skipped += 1;
                    format!("SKIPPED: {why}")
                }
            };
            println!("  {:>7.1} s  {name}: {word}", took.as_secs_f64());
        }
        println!("\nsteps: {passed} passed, {failed} failed, {skipped} skipped");
        failed == 0
    }
}

/// Runs a command with its output shown, for as long as it takes within reason.
pub(crate) fn command(command: &mut Command) -> Outcome {
    command_within(command, LIMIT)
}

/// Runs a command with its output shown, and kills it when it takes longer than that.
pub(crate) fn command_within(command: &mut Command, limit: Duration) -> Outcome {
    println!("$ {}", shown(command));
    let child = command.stdin(Stdio::null()).spawn();
    let ended = child.and_then(|mut child| within(&mut child, limit));
    match ended {
        Ok(Some(status)) if status.success() => Outcome::Passed,
        Ok(Some(status)) => Outcome::Failed(format!("`{}` ended with {status}", shown(command))),
        Ok(None) => Outcome::Failed(format!(
            "`{}` had not ended after {} minutes and was killed; the last line of its output tells \
             where it was",
            shown(command),
            limit.as_secs() / 60
        )),
        Err(error) => Outcome::Failed(format!("cannot run `{}`: {error}", shown(command))),
    }
}

/// Waits for a child; None: it took longer, and was killed with all that it had started.
fn within(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if began.elapsed() > limit {
            // First those it started: a test that spins would go on without cargo.
            let pids = descendants(child.id()).into_iter().map(|pid| pid.to_string());
            let _ = Command::new("kill").arg("-KILL").args(pids).status();
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The processes that a process has started, and those that they have.
fn descendants(of: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // proc(5): pid (name) state parent; the name may hold anything, even parentheses.
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
        if let Some(parent) = parent.and_then(|parent| parent.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![of];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children.remove(pid).unwrap_or_default());
        next += 1;
    }
    found.split_off(1)
}

/// True when a command can be started and succeeds; its output is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|a| a.to_string_lossy().into_owned()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hangs_is_killed_with_what_it_started() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 1000 & wait"]);
        let mut child = shell.spawn().unwrap();
        let mut started = descendants(child.id());
        while started.is_empty() {
            thread::yield_now();
            started = descendants(child.id());
        }
        assert!(within(&mut child, Duration::ZERO).unwrap().is_none());
        let gone = |pid: &u32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        };
        while !started.iter().all(gone) {
            thread::yield_now();
        }
    }
}
