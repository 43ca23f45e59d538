//! Named steps run one after the other, timed, with a summary that hides nothing.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

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

/// Runs a command with its output shown.
pub(crate) fn command(command: &mut Command) -> Outcome {
    println!("$ {}", shown(command));
    match command.stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Outcome::Passed,
        Ok(status) => Outcome::Failed(format!("`{}` ended with {status}", shown(command))),
        Err(error) => Outcome::Failed(format!("cannot start `{}`: {error}", shown(command))),
    }
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
