//! A broker process on its core, with a data directory that goes when it does.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use onrush_sys::process;
use rustix::process::{Pid, Signal, kill_process};

use super::Setup;
use crate::machine::{SERVER_CORE, Scratch, spawn_on};

/// A running broker. Killed when dropped.
#[derive(Debug)]
pub(super) struct Broker {
    child: Child,
    /// Where it listens.
    pub(super) address: String,
    /// When it was started.
    pub(super) started: Instant,
    /// From then until it was ready.
    pub(super) ready_after: Duration,
}

impl Broker {
    /// Starts one with its data in `data`, and waits until it is ready.
    pub(super) fn start(setup: &Setup, data: &Path) -> Result<Broker> {
        let mut command = Command::new(setup.binary("onrush"));
        command.arg("serve").arg("--data").arg(data).args([
            "--native",
            "127.0.0.1:0",
            "--no-kafka",
        ]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let started = Instant::now();
        let mut child = spawn_on(SERVER_CORE, &mut command)?;
        let output = child.stdout.take().context("the broker has no standard output")?;
        let mut lines = BufReader::new(output).lines();
        let ready =
            lines.by_ref().find_map(|line| line.ok()?.strip_prefix("ready ").map(String::from));
        let ready_after = started.elapsed();
        let Some(ready) = ready else {
            let status = child.wait()?;
            bail!("the broker ended with {status} before it was ready");
        };
        // What it prints later must not block it.
        std::thread::spawn(move || lines.for_each(drop));
        let address = ready.split(' ').find_map(|word| word.strip_prefix("native="));
        let address = address.context("the ready line names no native address")?.to_owned();
        Ok(Broker { child, address, started, ready_after })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory now.
    pub(super) fn rss_bytes(&self) -> Result<f64> {
        Ok(process::rss_bytes(Some(self.pid()))? as f64)
    }

    /// Stops it cleanly.
    pub(super) fn stop(mut self) -> Result<()> {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("no such process id")?, Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the broker ended with {status} when told to stop");
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Both fail if it has ended already, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Setup {
    pub(super) fn binary(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    /// A new data directory on the disk to measure.
    pub(super) fn scratch(&self) -> Result<Scratch> {
        Ok(Scratch::new(&self.dir)?)
    }
}
