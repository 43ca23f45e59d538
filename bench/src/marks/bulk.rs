//! W1, W2, W3: bulk produce, and catching up on what was produced.

use anyhow::Result;

use super::broker::Broker;
use super::{Goal, Reading, Setup, Workload};
use crate::memory::AtHand;
use crate::rungs::produce::{self, Depth};
use crate::rungs::{send_file, sync};

/// Messages of 100 B in each bulk run: about 1.1 GB of log.
const MESSAGES: u64 = 10_000_000;
/// Bytes of a record with a 100 B value in a large batch.
const RECORD_LEN: f64 = 110.0;
/// The same, as a count.
const RUNG_RECORD_LEN: u64 = 110;

const CPU: Goal =
    Goal::at_most(Workload::W1, "broker CPU a message", "ns", "receive+crc+append", [1.5, 1.15]);
const RATE: Goal =
    Goal::at_least(Workload::W1, "messages a second", "/s", "receive+crc+append", [0.4, 0.7]);
const CLIENT: Goal =
    Goal::at_most(Workload::W1, "client CPU a message produced", "ns", "", [60.0, 60.0]);
const DURABLE: Goal = Goal::at_least(
    Workload::W2,
    "messages a second",
    "/s",
    "W1, or what the disk allows",
    [0.7, 0.9],
);
const DURABLE_RAW: Goal = Goal::told(Workload::W2, "messages a second, acks=all", "/s", "W1");
const DISK: Goal = Goal::told(Workload::W2, "1 MiB appends with fdatasync", "GB/s", "");
const CATCH_UP_CPU: Goal =
    Goal::at_most(Workload::W3, "broker CPU", "s/GB", "sendfile", [1.15, 1.05]);
const CATCH_UP_RATE: Goal =
    Goal::at_least(Workload::W3, "throughput", "GB/s", "sendfile", [0.8, 0.9]);
const CONSUMER: Goal =
    Goal::at_most(Workload::W3, "client CPU a message consumed", "ns", "", [40.0, 40.0]);

impl Setup {
    /// One round of all three; acks=all only if asked for.
    pub(super) fn bulk(&self, durable: bool) -> Result<Vec<Reading>> {
        let scratch = self.scratch()?;
        let broker = Broker::start(self, &scratch.path().join("data"))?;
        let messages = self.amount(MESSAGES);
        let produce_args = "--producers 1 --partitions 1 --size 100 --rate max";
        // Code paths, buffers and the clock speed get warm on something that is not measured.
        self.load(&broker, &format!("{produce_args} --acks 1 --message-count {}", messages / 10))?;

        let memory = AtHand::take(messages * RUNG_RECORD_LEN)?;
        let rung = produce::run(&self.dir, messages * RUNG_RECORD_LEN, Depth::Append)?;
        drop(memory);
        let produced = format!("{produce_args} --acks 1 --topic bulk --message-count {messages}");
        let filled = messages * RUNG_RECORD_LEN;
        let produced = self.load_filling(&broker, filled, &produced)?;
        let rate = produced.number("produced_per_second")?;
        let rung_cpu = rung.server_cpu_ns.unwrap_or(f64::NAN);
        let mut readings = vec![
            CPU.reading(produced.number("broker_cpu_ns_per_message")?, rung_cpu),
            RATE.reading(rate, rung.per_second),
            CLIENT.absolute(produced.number("client_cpu_ns_per_message")?),
        ];

        let rung = send_file::run(&self.dir, messages * RUNG_RECORD_LEN)?;
        let consumed = "--producers 0 --consumers 1 --topic bulk --from start --duration 120s";
        let consumed = self.load(&broker, consumed)?;
        let cpu = consumed.number("broker_cpu_ns_per_message")? / RECORD_LEN;
        let rung_cpu = rung.server_cpu_seconds_per_gigabyte.unwrap_or(f64::NAN);
        let gigabytes = consumed.number("consumed_per_second")? * RECORD_LEN / 1e9;
        readings.extend([
            CATCH_UP_CPU.reading(cpu, rung_cpu),
            CATCH_UP_RATE.reading(gigabytes, rung.gigabytes_per_second.unwrap_or(f64::NAN)),
            CONSUMER.absolute(consumed.number("client_cpu_ns_per_message")?),
        ]);

        if durable {
            let rung = sync::run(&self.dir, 1 << 20, self.rung_time())?;
            let disk = rung.gigabytes_per_second.unwrap_or(f64::NAN);
            let produced = format!("{produce_args} --acks all --message-count {messages}");
            let durable = self.load_filling(&broker, filled, &produced)?;
            let durable_rate = durable.number("produced_per_second")?;
            let allowed = rate.min(disk * 1e9 / RECORD_LEN);
            readings.extend([
                DURABLE.reading(durable_rate, allowed),
                DURABLE_RAW.reading(durable_rate, rate),
                DISK.absolute(disk),
            ]);
        }
        broker.stop()?;
        Ok(readings)
    }
}
