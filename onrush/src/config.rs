//! How a broker is opened.

use std::path::PathBuf;
use std::sync::Arc;

use onrush_broker::BrokerConfig;
use onrush_gateway_kafka::Options as KafkaOptions;
use onrush_gateway_native::{Options, ReadMode};
use onrush_sys::{Clock, DiskBackend, ManualClock, SystemClock};

use crate::error::Result;

/// When a manual clock starts unless told otherwise: 2024-01-01, so that timestamps look like some.
const MANUAL_START_MS: i64 = 1_704_067_200_000;

/// Where the data is.
#[derive(Clone, Debug)]
pub(crate) enum Storage {
    /// In a directory made here (or in the system's temporary place), gone with the broker.
    Ephemeral(Option<PathBuf>),
    /// In this directory.
    At(PathBuf),
}

/// Which threads a broker runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Threads {
    /// All on one: for many small brokers in one process.
    One,
    /// One for each of so many shards, one that syncs, one for other disk work.
    Shards(usize),
}

#[derive(Clone, Debug)]
pub(crate) enum ClockChoice {
    System,
    Manual(ManualClock),
}

/// How a broker is opened. Begin with [`Config::ephemeral`] or [`Config::at`].
///
/// ```
/// use onrush::Config;
///
/// let config = Config::ephemeral().topic_default("retention.ms", "60000")?.default_partitions(4);
/// # Ok::<(), onrush::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Config {
    pub(crate) storage: Storage,
    pub(crate) threads: Threads,
    pub(crate) disk: DiskBackend,
    pub(crate) clock: ClockChoice,
    pub(crate) insecure_listen: bool,
    pub(crate) broker: BrokerConfig,
    pub(crate) gateway: Options,
    pub(crate) kafka: KafkaOptions,
}

impl Config {
    fn new(storage: Storage) -> Self {
        Self {
            storage,
            threads: Threads::One,
            disk: DiskBackend::Auto,
            clock: ClockChoice::System,
            insecure_listen: false,
            broker: BrokerConfig::default(),
            gateway: Options::default(),
            kafka: KafkaOptions::default(),
        }
    }

    /// A broker for a test: its files are gone with it, so it never waits for the disk to have
    /// them for good. An acknowledgement of `acks=all` means no more than one of `acks=1` here:
    /// no such broker is ever opened again.
    pub fn ephemeral() -> Self {
        Self::gone_afterwards(None)
    }

    /// The same, with its files in a directory of their own within `parent` meanwhile.
    pub fn ephemeral_in(parent: impl Into<PathBuf>) -> Self {
        Self::gone_afterwards(Some(parent.into()))
    }

    fn gone_afterwards(parent: Option<PathBuf>) -> Self {
        let mut config = Self::new(Storage::Ephemeral(parent));
        // Nothing is to be kept going on a full disk.
        config.broker.reserve_bytes = 0;
        config.broker.free_min_bytes = 0;
        // Many of them share a process.
        config.gateway.receive_buffer_bytes = 64 * 1024;
        config
    }

    /// A broker whose data is in `directory`, which is made if it is not there. One at a time can
    /// be open on it.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self::new(Storage::At(directory.into()))
    }

    /// Serves connections from so many threads, and syncs and does other disk work on two more,
    /// instead of doing all on one thread. 0: as many as there are cores.
    pub fn shards(mut self, shards: usize) -> Self {
        let shards = if shards == 0 { onrush_sys::thread::cores() } else { shards };
        self.threads = Threads::Shards(shards);
        self
    }

    /// Which system calls reach the disk.
    pub fn disk(mut self, disk: DiskBackend) -> Self {
        self.disk = disk;
        self
    }

    /// Time stands still until [`Onrush::advance`](crate::Onrush::advance) moves it.
    pub fn manual_clock(self) -> Self {
        self.manual_clock_from(MANUAL_START_MS)
    }

    /// The same, beginning at a moment given in milliseconds since 1970.
    pub fn manual_clock_from(mut self, start_ms: i64) -> Self {
        self.clock = ClockChoice::Manual(ManualClock::new(start_ms));
        self
    }

    /// Settings of topics that do not say otherwise, by Kafka's names: `retention.ms`,
    /// `segment.bytes`, `visibility` …
    ///
    /// # Errors
    /// An unknown key, or a value it cannot have.
    pub fn topic_default(mut self, key: &str, value: &str) -> Result<Self> {
        self.broker.topic_defaults.set(key, value)?;
        Ok(self)
    }

    /// The partitions of a topic that does not say.
    pub fn default_partitions(mut self, partitions: u32) -> Self {
        self.broker.default_partitions = partitions;
        self
    }

    /// What the broker may hold of requests that have not wholly arrived.
    pub fn memory_budget_bytes(mut self, bytes: u64) -> Self {
        self.broker.memory_budget_bytes = bytes;
        self
    }

    /// Lets [`Onrush::listen`](crate::Onrush::listen) listen where other machines can connect.
    /// There is neither authentication nor encryption yet.
    pub fn insecure_listen(mut self, allowed: bool) -> Self {
        self.insecure_listen = allowed;
        self
    }

    /// The host and port that native clients are told to connect to, where it is not the address
    /// listened on.
    pub fn advertise(mut self, host: &str, port: u16) -> Self {
        self.gateway.advertised = Some((host.to_owned(), port));
        self
    }

    /// Hands consumers within the process copies of record batches instead of the log's mapped
    /// files. Slower, but a failing disk is an error then, not a `SIGBUS`.
    pub fn copied_reads(mut self) -> Self {
        self.gateway.reads = ReadMode::Copied;
        self
    }

    /// All that can be said about the broker itself.
    pub fn broker(mut self, change: impl FnOnce(&mut BrokerConfig)) -> Self {
        change(&mut self.broker);
        self
    }

    /// All that can be said about Kafka clients and their connections.
    pub fn kafka(mut self, change: impl FnOnce(&mut KafkaOptions)) -> Self {
        change(&mut self.kafka);
        self
    }

    /// All that can be said about connections of the native protocol.
    pub fn connections(mut self, change: impl FnOnce(&mut Options)) -> Self {
        change(&mut self.gateway);
        self
    }

    pub(crate) fn make_clock(&self) -> Arc<dyn Clock> {
        match &self.clock {
            ClockChoice::System => Arc::new(SystemClock),
            ClockChoice::Manual(clock) => Arc::new(clock.clone()),
        }
    }
}
