//! Commands run to their end, with what they said.

use crate::binary;
use std::io::Write;
use std::process::{Child, Command, Stdio};

/// What a command that has ended left behind.
#[derive(Debug)]
pub struct Finished {
    /// The exit status; -1 when a signal ended it.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    /// The command's output, when it succeeded.
    ///
    /// # Panics
    /// With everything it printed, when it did not.
    pub fn succeeded(self) -> String {
        assert_eq!(self.status, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self.stdout
    }
}

/// Starts one of our programs with its output captured.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn spawn(program: &str, arguments: &[&str]) -> Child {
    Command::new(binary(program))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} cannot be started: {error}"))
}

/// Runs one of our programs to its end with nothing on standard input.
#[must_use]
pub fn run(program: &str, arguments: &[&str]) -> Finished {
    run_with_input(program, arguments, b"")
}

/// Runs one of our programs to its end, feeding it `input`.
///
/// # Panics
/// When it cannot be run.
#[must_use]
pub fn run_with_input(program: &str, arguments: &[&str], input: &[u8]) -> Finished {
    let mut child = spawn(program, arguments);
    let mut stdin = child.stdin.take().expect("standard input is piped");
    let input = input.to_vec();
    // A program that ends early closes the pipe; that is its answer, not an error of ours.
    let feeder = std::thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("the program's output can be read");
    feeder.join().expect("the feeder does not panic");
    Finished {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
