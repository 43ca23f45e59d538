//! Programs that tell only what they did: what it cost is read beside them.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Result, ensure};
use onrush_bench::machine::{CLIENT_CORE, cores, spawn_on};
use onrush_sys::process;

use super::Run;
use crate::reading::Reading;

/// How often the tool's processor time is read: what it uses after the last look is not counted.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Processor time that a run took.
pub(super) struct Cost {
    broker: Duration,
    client: Duration,
}

impl Cost {
    /// What each of so many messages cost.
    pub(super) fn of(&self, messages: u64) -> Reading {
        let each = |time: Duration| Some(time.as_nanos() as f64 / messages as f64);
        Reading {
            messages: Some(messages),
            broker_cpu: each(self.broker),
            client_cpu: each(self.client),
            ..Reading::default()
        }
    }
}

/// Runs a tool to its end: what it said, and what that cost.
pub(super) fn measured(run: &Run<'_>, command: &mut Command) -> Result<(String, Cost)> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let before = run.peer.server.cpu()?;
    let mut child = spawn_on(CLIENT_CORE % cores(), command)?;
    let mut client = Duration::ZERO;
    while child.try_wait()?.is_none() {
        // It may end between the two.
        client = process::cpu_time(Some(child.id())).unwrap_or(client);
        std::thread::sleep(LOOK_EVERY);
    }
    let output = child.wait_with_output()?;
    let broker = run.peer.server.cpu()?.saturating_sub(before);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "the tool ended with {}: {said} {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok((said, Cost { broker, client }))
}
