//! Commands run to their end, with what they said.

use crate::binary;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

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

/// No command in a test takes this long; one that hangs fails its test, by name.
const LIMIT: Duration = Duration::from_secs(300);

/// Kills a process whose time is over.
struct Watchdog {
    ended: SyncSender<()>,
    thread: JoinHandle<bool>,
}

impl Watchdog {
    fn over(process: u32) -> Watchdog {
        let (ended, wait) = sync_channel(1);
        let thread = std::thread::spawn(move || {
            let in_time = wait.recv_timeout(LIMIT).is_ok();
            let process = i32::try_from(process).ok().and_then(Pid::from_raw);
            if let (false, Some(process)) = (in_time, process) {
                // It may just have ended, which is as good.
                let _ = kill_process(process, Signal::KILL);
            }
            in_time
        });
        Watchdog { ended, thread }
    }

    /// The process has ended: whether by itself.
    fn ended_in_time(self) -> bool {
        let _ = self.ended.send(());
        self.thread.join().expect("the watchdog does not panic")
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
    let watched = Watchdog::over(child.id());
    let output = child.wait_with_output().expect("the program's output can be read");
    let in_time = watched.ended_in_time();
    assert!(in_time, "{program} {arguments:?} did not end within {LIMIT:?}: {output:?}");
    feeder.join().expect("the feeder does not panic");
    Finished {
        status: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
