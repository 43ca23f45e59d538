//! The broker under test: a fresh `onrush serve` on ports of the system's choice.

use super::Places;
use anyhow::{Context, bail, ensure};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A running broker; dropping it kills it.
pub(crate) struct Broker {
    child: Child,
    kafka: String,
    data: PathBuf,
    log: PathBuf,
}

impl Broker {
    /// Starts one over an empty directory and waits for its ready line.
    pub(crate) fn start(places: &Places) -> anyhow::Result<Broker> {
        let data = places.cache.join(format!("data-{}", std::process::id()));
        let log = places.cache.join("logs/broker.log");
        std::fs::create_dir_all(&data).context("cannot make the broker's directory")?;
        let stderr = File::create(&log).context("cannot make the broker's log")?;
        let mut child = Command::new(places.binaries.join("onrush"))
            .arg("serve")
            .arg("--data")
            .arg(&data)
            .args(["--native", "127.0.0.1:0", "--kafka", "127.0.0.1:0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .context("cannot start the broker (cargo build --release -p onrush)")?;
        let stdout = child.stdout.take().context("the broker's output is piped")?;
        let mut broker = Broker { child, kafka: String::new(), data, log };
        let mut ready = String::new();
        BufReader::new(stdout).read_line(&mut ready).context("cannot read the ready line")?;
        let kafka = ready.split_whitespace().find_map(|word| word.strip_prefix("kafka="));
        let Some(kafka) = kafka else {
            bail!("the broker has no Kafka listener: {ready:?}; see {}", broker.log.display());
        };
        kafka.clone_into(&mut broker.kafka);
        Ok(broker)
    }

    /// The address of its Kafka listener.
    pub(crate) fn kafka(&self) -> &str {
        &self.kafka
    }

    /// Ends it, after a look at whether it is well: no client may bring it down.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let ended = self.child.try_wait().context("cannot look after the broker")?;
        ensure!(ended.is_none(), "the broker ended: {ended:?}; see {}", self.log.display());
        let log = std::fs::read_to_string(&self.log).context("cannot read the broker's log")?;
        let panic = log.lines().find(|line| line.contains("panicked at"));
        ensure!(panic.is_none(), "the broker panicked: {panic:?}; see {}", self.log.display());
        Ok(())
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // Nothing to be done about a broker that cannot be ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}
