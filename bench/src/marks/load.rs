//! The load generator as a process on its core, and what it reports.

use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::Setup;
use super::broker::Broker;
use crate::machine::{CLIENT_CORE, cores, spawn_on};
use crate::memory::AtHand;

/// A finished run of the load generator.
#[derive(Clone, Debug)]
pub(super) struct Load(Value);

impl Load {
    /// What a load generator that has ended printed.
    fn of(output: &Output) -> Result<Load> {
        let text = String::from_utf8_lossy(&output.stdout);
        let value: Value = serde_json::from_str(&text)
            .with_context(|| format!("the load generator ended with {}", output.status))?;
        let load = Load(value);
        if load.number("errors")? > 0.0 {
            bail!("errors under load: {}", load.0.get("error_kinds").unwrap_or(&Value::Null));
        }
        ensure!(output.status.success(), "the load generator ended with {}", output.status);
        Ok(load)
    }

    /// A number by its name, `ack_latency_us.p99` for one within another.
    pub(super) fn number(&self, name: &str) -> Result<f64> {
        let value = name.split('.').try_fold(&self.0, |value, part| value.get(part));
        value.and_then(Value::as_f64).with_context(|| format!("the load generator told no {name}"))
    }
}

impl Setup {
    /// Runs a load that adds so many bytes to the page cache.
    pub(super) fn load_filling(&self, broker: &Broker, bytes: u64, args: &str) -> Result<Load> {
        let _memory = AtHand::take(bytes).context("cannot take memory for the load")?;
        self.load(broker, args)
    }

    /// Runs the load generator against `broker` with those arguments, a string with spaces.
    pub(super) fn load(&self, broker: &Broker, arguments: &str) -> Result<Load> {
        if self.verbose {
            eprintln!("  onrush-loadgen run {arguments}");
        }
        let core = CLIENT_CORE % cores();
        let mut command = Command::new(self.binary("onrush-loadgen"));
        command.args(["run", "--json", "--target", &broker.address]);
        command.args(["--pid", &broker.pid().to_string(), "--pin", &core.to_string()]);
        command.args(arguments.split_whitespace());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let output = spawn_on(core, &mut command)?.wait_with_output()?;
        Load::of(&output).with_context(|| format!("run {arguments}"))
    }
}
