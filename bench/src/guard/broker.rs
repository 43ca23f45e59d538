//! A broker that is all on one thread, whose clock stands still: each run of it does the same.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use onrush_broker::{
    Acks, Broker, BrokerConfig, Cursor, Env, NewTopic, Partition, ProduceBatch, SliceRead,
};
use onrush_record::{Offset, TopicId};
use onrush_sys::{DiskBackend, ManualClock, SeededRandom, TempDir, open_disk};
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::spawn_local;

/// Like some moment, so that timestamps have the usual length.
const NOW_MS: i64 = 1_704_067_200_000;
/// The one topic, of one partition.
pub(super) const TOPIC: &str = "guard";

/// The broker and its one partition.
pub(super) struct Guarded {
    pub(super) broker: Broker,
    pub(super) partition: Arc<Partition>,
}

/// Runs `body` beside a broker on a directory of its own.
pub(super) fn with(body: impl AsyncFnOnce(&Guarded) -> Result<u64>) -> Result<u64> {
    let dir = TempDir::new("onrush-guard")?;
    let env = Env {
        // What valgrind and every machine can do.
        disk: open_disk(dir.path(), DiskBackend::Plain)?,
        clock: Arc::new(ManualClock::new(NOW_MS)),
        random: Arc::new(SeededRandom::new(1)),
    };
    let config = BrokerConfig {
        // Nothing is synced but what creating a topic waits for.
        sync_bytes: u64::MAX,
        unsynced_max_bytes: u64::MAX,
        // What it has to spare is no matter here.
        reserve_bytes: 0,
        free_min_bytes: 0,
        ..BrokerConfig::default()
    };
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let (broker, background, _) = Broker::open(config, env)?;
        let (sync, io) = background.split();
        spawn_local(sync.run_local());
        spawn_local(io.run_local());
        let topic = NewTopic {
            name: TOPIC.to_owned(),
            partitions: Some(1),
            // Read without waiting for a sync.
            configs: vec![("visibility".to_owned(), "written".to_owned())],
            ..NewTopic::default()
        };
        let Some(id) = broker.create_topic(topic).await?.id else { bail!("no topic was made") };
        let partition = broker.partition(id, 0)?;
        body(&Guarded { broker, partition }).await
    })
}

impl Guarded {
    /// The id of the topic.
    pub(super) fn topic(&self) -> TopicId {
        self.partition.topic_id()
    }

    /// The offset after the last record.
    pub(super) fn end(&self) -> Offset {
        self.partition.ends().written
    }

    /// Appends the batch so many times, as the gateways do, without waiting for a sync; now and then
    /// lets the broker do what it does beside.
    pub(super) async fn append(&self, batch: &mut [u8], times: u32) -> Result<()> {
        let mut results = Vec::new();
        for turn in 0..times {
            let bytes = std::hint::black_box(&mut *batch);
            let part = ProduceBatch { bytes, expected_offset: None, acks: Acks::Written };
            self.partition.produce(&mut [part], &mut results);
            for result in results.drain(..) {
                result?;
            }
            if turn % 16 == 15 {
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    }

    /// What so many fetches find, one after the other.
    pub(super) fn reads(&self, fetches: u32, max_bytes: u32) -> Result<Vec<SliceRead>> {
        let (mut from, mut cursor) = (Offset::ZERO, Cursor::default());
        let mut next = || {
            let read = self.partition.fetch(from, max_bytes, &mut cursor)?;
            let read = read.context("the log is too short")?;
            from = read.next;
            Ok(read)
        };
        (0..fetches).map(|_| next()).collect()
    }
}
