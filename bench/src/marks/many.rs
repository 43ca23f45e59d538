//! W7: a thousand partitions under load, ten thousand idle.

use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::broker::Broker;
use super::{Goal, Reading, Setup, Workload};

const CPU: Goal = Goal::at_most(
    Workload::W7,
    "1,000 partitions, acks=1: broker CPU a message",
    "ns",
    "1 partition, same batches",
    [2.0, 1.3],
);
const DURABLE_P99: Goal =
    Goal::at_most(Workload::W7, "1,000 partitions, acks=all: ack p99", "ms", "", [100.0, 40.0]);
const START: Goal =
    Goal::at_most(Workload::W7, "start with 10,000 partitions", "ms", "", [1_000.0, 500.0]);
const MEMORY: Goal = Goal::at_most(Workload::W7, "RSS an idle partition", "KiB", "", [8.0, 4.0]);

/// Partitions that stay idle.
const IDLE: u32 = 10_000;
/// Partitions of each topic of them: creating is durable, and a request for all would time out.
const IDLE_EACH: u32 = 500;

impl Setup {
    /// W7.
    pub(super) fn many_partitions(&self) -> Result<Vec<Reading>> {
        let mut readings = self.thousand_partitions()?;
        readings.extend(self.idle_partitions()?);
        Ok(readings)
    }

    fn thousand_partitions(&self) -> Result<Vec<Reading>> {
        let scratch = self.scratch()?;
        let broker = Broker::start(self, &scratch.path().join("data"))?;
        // Keyless records go to one partition until its batch is full, so batches are equal.
        let messages = self.amount(5_000_000);
        let bulk = format!(
            "--producers 1 --size 100 --rate max --acks 1 --batch 16384 --message-count {messages}"
        );
        let filled = messages * 130;
        let one = self.load_filling(&broker, filled, &format!("{bulk} --partitions 1"))?;
        let many = self.load_filling(&broker, filled, &format!("{bulk} --partitions 1000"))?;
        let seconds = self.seconds(10);
        // A millisecond of coarseness is little beside these syncs, and the file system's own
        // threads, which a thousand files need, find a core that nobody spins on.
        let durable = format!(
            "--producers 4 --size 100 --rate 100000 --acks all --partitions 1000 \
             --keys uniform:100000 --pacing timer --warmup 2s --duration {seconds}s"
        );
        let durable = self.load(&broker, &durable)?;
        broker.stop()?;
        let cpu = "broker_cpu_ns_per_message";
        Ok(vec![
            CPU.reading(many.number(cpu)?, one.number(cpu)?),
            DURABLE_P99.absolute(durable.number("ack_latency_us.p99")? / 1e3),
        ])
    }

    fn idle_partitions(&self) -> Result<Vec<Reading>> {
        let scratch = self.scratch()?;
        let data = scratch.path().join("data");
        Broker::start(self, &data)?.stop()?;
        let without = self.settled_rss(&Broker::start(self, &data)?)?;
        let broker = Broker::start(self, &data)?;
        for number in 0..IDLE / IDLE_EACH {
            self.create_topic(&broker, &format!("idle-{number}"), IDLE_EACH)?;
        }
        broker.stop()?;
        let broker = Broker::start(self, &data)?;
        let start = broker.ready_after.as_secs_f64() * 1e3;
        let each = (self.settled_rss(&broker)? - without) / f64::from(IDLE) / 1024.0;
        broker.stop()?;
        Ok(vec![START.absolute(start), MEMORY.absolute(each)])
    }

    fn create_topic(&self, broker: &Broker, name: &str, partitions: u32) -> Result<()> {
        let mut create = Command::new(self.binary("onrush"));
        create.args(["topic", "create", name, "--partitions", &partitions.to_string()]);
        create.args(["--server", &broker.address]);
        let created = create.output().context("cannot run onrush topic create")?;
        let said = String::from_utf8_lossy(&created.stderr);
        ensure!(
            created.status.success(),
            "cannot create {name} of {partitions} partitions: {said}"
        );
        Ok(())
    }
}
