//! A broker on a real directory with its two threads, and what tests do with one.
#![allow(dead_code, clippy::unwrap_used, reason = "tests use what they need of it, and may panic")]

pub(crate) mod committed;
pub(crate) mod faulty;

use std::sync::Arc;
use std::time::Duration;

use futures::executor::block_on;
use onrush_broker::{
    Acks, Broker, BrokerConfig, Cursor, Env, Error, NewTopic, OpenReport, Partition, Placed,
    ProduceBatch, ReadMode,
};
use onrush_record::batch::{BatchBuilder, Batches, Codec};
use onrush_record::{Offset, ProducerEpoch, ProducerId, Sequence};
use onrush_sys::thread::JoinHandle;
use onrush_sys::{Clock, Disk, DiskBackend, SystemClock, SystemRandom, TempDir, open_disk};

/// A broker whose loops run on threads.
pub(crate) struct Running {
    pub(crate) broker: Broker,
    pub(crate) report: OpenReport,
    threads: Vec<JoinHandle<()>>,
}

pub(crate) fn config() -> BrokerConfig {
    BrokerConfig {
        reserve_bytes: 64 << 10,
        free_min_bytes: 0,
        checkpoint_interval: Duration::from_millis(50),
        ..BrokerConfig::default()
    }
}

pub(crate) fn directory() -> TempDir {
    TempDir::new("onrush-broker").unwrap()
}

pub(crate) fn disk(directory: &TempDir) -> Arc<dyn Disk> {
    open_disk(directory.path(), DiskBackend::Plain).unwrap()
}

impl Running {
    pub(crate) fn start(directory: &TempDir) -> Running {
        Running::with(disk(directory), config(), Arc::new(SystemClock)).unwrap()
    }

    pub(crate) fn with(
        disk: Arc<dyn Disk>,
        config: BrokerConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Running, Error> {
        let env = Env { disk, clock, random: Arc::new(SystemRandom) };
        let (broker, background, report) = Broker::open(config, env)?;
        let (sync, io) = background.split();
        let threads = vec![
            onrush_sys::thread::spawn("sync", move || sync.run_blocking()).unwrap(),
            onrush_sys::thread::spawn("io", move || io.run_blocking()).unwrap(),
        ];
        Ok(Running { broker, report, threads })
    }

    /// Ends it in order.
    pub(crate) fn stop(self) {
        block_on(self.broker.stop()).unwrap();
        self.kill();
    }

    /// Ends it as if the process had been killed.
    pub(crate) fn kill(self) {
        let Running { broker, threads, .. } = self;
        drop(broker);
        for thread in threads {
            thread.join().unwrap();
        }
    }

    pub(crate) fn topic(&self, name: &str) -> Arc<Partition> {
        self.topic_with(name, &[])
    }

    pub(crate) fn topic_with(&self, name: &str, configs: &[(&str, &str)]) -> Arc<Partition> {
        let configs = configs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let new = NewTopic { name: name.to_owned(), configs, ..NewTopic::default() };
        block_on(self.broker.create_topic(new)).unwrap();
        self.partition(name)
    }

    pub(crate) fn partition(&self, name: &str) -> Arc<Partition> {
        self.broker.topic_by_name(name).unwrap().partition(0).unwrap()
    }
}

/// A batch of these values, made now: an older one would go by retention.
pub(crate) fn batch(values: &[&str]) -> Vec<u8> {
    batch_at(values, SystemClock.now_ms())
}

/// A batch of these values at a time.
pub(crate) fn batch_at(values: &[&str], timestamp: i64) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Codec::None);
    for value in values {
        builder.push(timestamp, None, Some(value.as_bytes()), &[]);
    }
    builder.finish().unwrap()
}

/// A batch of an idempotent producer.
pub(crate) fn numbered(producer: ProducerId, sequence: i32, values: &[&str]) -> Vec<u8> {
    let mut bytes = batch(values);
    let (epoch, sequence) = (ProducerEpoch::new(0), Sequence::new(sequence));
    onrush_record::batch::set_producer(&mut bytes, producer, epoch, sequence);
    bytes
}

pub(crate) fn produce(
    partition: &Partition,
    acks: Acks,
    mut bytes: Vec<u8>,
) -> Result<Placed, Error> {
    let mut results = Vec::new();
    let part = ProduceBatch { bytes: &mut bytes, expected_offset: None, acks };
    partition.produce(&mut [part], &mut results);
    assert_eq!(results.len(), 1);
    results.remove(0)
}

/// Produces and waits as a gateway would before it answers.
pub(crate) fn produce_durably(partition: &Partition, bytes: Vec<u8>) -> Result<Placed, Error> {
    let placed = produce(partition, Acks::All, bytes)?;
    block_on(partition.wait_durable(placed.await_durable.unwrap()))?;
    Ok(placed)
}

/// All that readers see, from the log's start.
pub(crate) fn read_all(partition: &Partition) -> Vec<String> {
    let mut values = Vec::new();
    let mut cursor = Cursor::default();
    let mut next = partition.ends().start;
    while let Some(read) = partition.fetch(next, 1 << 20, &mut cursor).unwrap() {
        let bytes = read.slice.to_bytes(ReadMode::Copied).unwrap();
        for batch in Batches::new(&bytes) {
            let batch = batch.unwrap();
            batch.verify().unwrap();
            for record in batch.records().unwrap() {
                let record = record.unwrap();
                assert_eq!(record.offset, Offset::new(record.offset.get()));
                values.push(String::from_utf8_lossy(record.value.unwrap()).into_owned());
            }
        }
        next = read.next;
    }
    values
}
