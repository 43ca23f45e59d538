//! A broker on a simulated disk, with its two loops as tasks of one thread: the same run gives the
//! same operations.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::LocalPool;
use futures::task::LocalSpawnExt as _;
use onrush_broker::group::{GroupCommit, OffsetCommit};
use onrush_broker::{
    Acks, Broker, BrokerConfig, Cursor, Env, Partition, Placed, ProduceBatch, ReadMode,
};
use onrush_record::batch::{BatchBuilder, Batches, Codec, set_producer};
use onrush_record::{Offset, ProducerEpoch, ProducerId, Sequence, TopicId};
use onrush_sim::SimDisk;
use onrush_sys::{ManualClock, SeededRandom};

pub const GROUP: &str = "readers";
const NOW_MS: i64 = 1_700_000_000_000;

pub type Outcome<T = ()> = Result<T, String>;

pub struct Site {
    pub broker: Broker,
    pub clean: bool,
    clock: ManualClock,
    pool: LocalPool,
}

impl Site {
    pub fn open(disk: &SimDisk, seed: u64) -> Outcome<Site> {
        let clock = ManualClock::new(NOW_MS);
        let random = Arc::new(SeededRandom::new(seed));
        let env = Env { disk: disk.as_disk(), clock: Arc::new(clock.clone()), random };
        let config = BrokerConfig {
            reserve_bytes: 0,
            free_min_bytes: 0,
            journal_snapshot_bytes: 2000,
            open_files_max: Some(16),
            ..BrokerConfig::default()
        };
        let opened = Broker::open(config, env);
        let (broker, background, report) = opened.map_err(|e| format!("does not open: {e}"))?;
        for finding in &report.findings {
            if !finding.contains(": cut ") {
                return Err(format!("a crash was taken for damage: {finding}"));
            }
        }
        let pool = LocalPool::new();
        let (sync, io) = background.split();
        pool.spawner().spawn_local(sync.run_local()).map_err(|e| e.to_string())?;
        pool.spawner().spawn_local(io.run_local()).map_err(|e| e.to_string())?;
        Ok(Site { broker, clean: report.clean, clock, pool })
    }

    pub fn run<T>(&mut self, work: impl Future<Output = T>) -> T {
        self.pool.run_until(work)
    }

    /// Lets time pass: checkpoints and snapshots fall due.
    pub fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.clock.advance(Duration::from_secs(1));
            self.pool.run_until_stalled();
        }
    }

    pub fn partition(&self, id: TopicId) -> Outcome<Arc<Partition>> {
        self.broker.partition(id, 0).map_err(|error| error.to_string())
    }

    /// One batch; with `acks=all` it waits as a gateway does before it answers.
    pub fn produce(&mut self, id: TopicId, mut bytes: Vec<u8>, acks: Acks) -> Outcome<Placed> {
        let partition = self.partition(id)?;
        let mut results = Vec::new();
        let part = ProduceBatch { bytes: &mut bytes, expected_offset: None, acks };
        partition.produce(&mut [part], &mut results);
        let placed = results.remove(0).map_err(|error| format!("produce: {error}"))?;
        if let Some(mark) = placed.await_durable {
            self.run(partition.wait_durable(mark)).map_err(|error| error.to_string())?;
        }
        Ok(placed)
    }

    pub fn commit(&mut self, id: TopicId, offset: u64) -> Outcome {
        let offsets = vec![OffsetCommit {
            partition: (id, 0),
            offset: Some(Offset::new(offset)),
            leader_epoch: None,
            metadata: String::new(),
        }];
        let group = GROUP.to_owned();
        let commit = GroupCommit {
            group,
            member_id: String::new(),
            member_epoch: -1,
            offsets,
            ..GroupCommit::default()
        };
        let broker = self.broker.clone();
        let done = self.run(broker.group_commit(commit)).map_err(|error| error.to_string())?;
        done.into_iter().collect::<Result<Vec<()>, _>>().map(drop).map_err(|e| e.to_string())
    }

    pub fn committed(&mut self, id: TopicId) -> Outcome<Option<u64>> {
        let broker = self.broker.clone();
        let asked = [(id, 0)];
        let found = self.run(broker.group_offsets(GROUP, Some(&asked)));
        match found {
            Ok(found) => Ok(found.into_iter().find_map(|(_, at)| at).map(|at| at.offset.get())),
            Err(onrush_broker::Error::Group(_)) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Every record, with its offset.
    pub fn read(&mut self, id: TopicId) -> Outcome<Vec<String>> {
        let partition = self.partition(id)?;
        let mut values = Vec::new();
        let mut cursor = Cursor::default();
        let mut next = Offset::ZERO;
        while let Some(read) =
            partition.fetch(next, 1 << 20, &mut cursor).map_err(|error| error.to_string())?
        {
            let bytes = read.slice.to_bytes(ReadMode::Copied).map_err(|e| e.to_string())?;
            for batch in Batches::new(&bytes) {
                let batch = batch.map_err(|error| error.to_string())?;
                batch.verify().map_err(|error| error.to_string())?;
                for record in batch.records().map_err(|error| error.to_string())? {
                    let record = record.map_err(|error| error.to_string())?;
                    if record.offset.get() != values.len() as u64 {
                        return Err(format!("offset {} is out of turn", record.offset));
                    }
                    let value = record.value.unwrap_or_default();
                    values.push(String::from_utf8_lossy(value).into_owned());
                }
            }
            next = read.next;
        }
        Ok(values)
    }
}

/// A batch of one record that says its sequence.
pub fn batch(producer: ProducerId, sequence: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.push(NOW_MS, None, Some(value(sequence).as_bytes()), &[]);
    let mut bytes = builder.finish().unwrap();
    let sequence = Sequence::new(i32::try_from(sequence).unwrap());
    set_producer(&mut bytes, producer, ProducerEpoch::new(0), sequence);
    bytes
}

pub fn value(sequence: usize) -> String {
    format!("record {sequence}")
}
