//! A broker on a simulated disk, with its two loops as tasks of one thread: the same run gives the
//! same operations.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::executor::LocalPool;
use futures::task::LocalSpawnExt as _;
use onrush_broker::group::{GroupCommit, OffsetCommit};
use onrush_broker::transaction::TransactionalCommit;
use onrush_broker::{
    Acks, Broker, BrokerConfig, Cursor, Env, NewTopic, Partition, ProduceBatch, ReadMode,
};
use onrush_record::batch::{BatchBuilder, Batches, Codec};
use onrush_record::{Offset, ProducerEpoch, ProducerId, Sequence, TopicId};
use onrush_sim::SimDisk;
use onrush_sys::{Clock as _, ManualClock, SeededRandom};

pub const GROUP: &str = "readers";
pub const PARTITIONS: u32 = 3;
const NOW_MS: i64 = 1_700_000_000_000;
pub const TIMEOUT_MS: i32 = 30_000;

pub type Outcome<T = ()> = Result<T, String>;
pub type Who = (ProducerId, ProducerEpoch);

pub struct Site {
    pub broker: Broker,
    clock: ManualClock,
    pool: LocalPool,
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

impl Site {
    pub fn open(disk: &SimDisk, clock: &ManualClock, seed: u64) -> Outcome<Site> {
        let random = Arc::new(SeededRandom::new(seed));
        let env = Env { disk: disk.as_disk(), clock: Arc::new(clock.clone()), random };
        let config = BrokerConfig {
            reserve_bytes: 0,
            free_min_bytes: 0,
            journal_snapshot_bytes: 1500,
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
        pool.spawner().spawn_local(sync.run_local()).map_err(text)?;
        pool.spawner().spawn_local(io.run_local()).map_err(text)?;
        Ok(Site { broker, clock: clock.clone(), pool })
    }

    pub fn clock() -> ManualClock {
        ManualClock::new(NOW_MS)
    }

    pub fn run<T>(&mut self, work: impl Future<Output = T>) -> T {
        self.pool.run_until(work)
    }

    /// Lets all that can happen without time passing happen.
    pub fn rest(&mut self) {
        self.pool.run_until_stalled();
    }

    /// Lets time pass: checkpoints, snapshots and time-outs fall due.
    pub fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.clock.advance(Duration::from_secs(1));
            self.pool.run_until_stalled();
        }
    }

    pub fn create(&mut self) -> Outcome<TopicId> {
        let new = NewTopic {
            name: "orders".to_owned(),
            partitions: Some(PARTITIONS),
            ..NewTopic::default()
        };
        let broker = self.broker.clone();
        let made = self.run(broker.create_topic(new)).map_err(text)?;
        made.id.ok_or_else(|| "a topic without an id".to_owned())
    }

    pub fn stop(mut self) -> Outcome {
        let broker = self.broker.clone();
        self.run(broker.stop()).map_err(text)
    }

    pub fn init(&mut self, id: &str) -> Outcome<Who> {
        let broker = self.broker.clone();
        self.run(broker.init_transactional(id, TIMEOUT_MS, None)).map_err(text)
    }

    pub fn partition(&self, topic: TopicId, index: u32) -> Outcome<Arc<Partition>> {
        self.broker.partition(topic, index).map_err(text)
    }

    /// One record, as part of the transaction. Waits for its ack if told to.
    pub fn produce(
        &mut self,
        id: &str,
        who: Who,
        (topic, index): (TopicId, u32),
        sequence: i32,
        value: &str,
        wait: bool,
    ) -> Outcome {
        let broker = self.broker.clone();
        let at = [(topic, index)];
        self.run(broker.transaction_add_partitions(id, who.0, who.1, &at)).map_err(text)?;
        let mut builder = BatchBuilder::new(Codec::None);
        builder.push(self.clock.now_ms(), None, Some(value.as_bytes()), &[]);
        builder.set_producer(who.0, who.1, Sequence::new(sequence));
        builder.set_transactional(true);
        let mut bytes = builder.finish().map_err(text)?;
        let partition = self.partition(topic, index)?;
        let mut results = Vec::new();
        let part = ProduceBatch { bytes: &mut bytes, expected_offset: None, acks: Acks::Written };
        partition.produce(&mut [part], &mut results);
        let placed = results.remove(0).map_err(text)?;
        if placed.duplicate {
            return Err(format!("{value} was taken for a duplicate"));
        }
        match placed.await_durable.filter(|_| wait) {
            Some(mark) => self.run(partition.wait_durable(mark)).map_err(text),
            None => Ok(()),
        }
    }

    pub fn commit_offset(&mut self, id: &str, who: Who, topic: TopicId, offset: u64) -> Outcome {
        let broker = self.broker.clone();
        self.run(broker.transaction_add_group(id, who.0, who.1, GROUP)).map_err(text)?;
        let offset = OffsetCommit {
            partition: (topic, 0),
            offset: Some(Offset::new(offset)),
            leader_epoch: None,
            metadata: String::new(),
        };
        let mut commit = GroupCommit { group: GROUP.to_owned(), ..GroupCommit::default() };
        (commit.member_epoch, commit.offsets) = (-1, vec![offset]);
        let commit =
            TransactionalCommit { id: id.to_owned(), producer: who.0, epoch: who.1, commit };
        let done = self.run(broker.transaction_commit_offsets(commit)).map_err(text)?;
        done.into_iter().collect::<Result<Vec<()>, _>>().map(drop).map_err(text)
    }

    pub fn end(&mut self, id: &str, who: Who, commit: bool, bump: bool) -> Outcome<Who> {
        let broker = self.broker.clone();
        self.run(broker.transaction_end(id, who.0, who.1, commit, bump)).map_err(text)
    }

    pub fn committed_offset(&mut self, topic: TopicId) -> Outcome<Option<u64>> {
        let broker = self.broker.clone();
        let asked = [(topic, 0)];
        let found = self.run(broker.group_offsets_stable(GROUP, Some(&asked))).map_err(text)?;
        let (_, offset) = found.into_iter().next().ok_or("nothing was found")?;
        Ok(offset.map_err(text)?.map(|offset| offset.offset.get()))
    }

    /// Every record of a partition whose transaction has committed, and how often it is there; by
    /// the rules of Kafka's clients.
    pub fn committed(&self, topic: TopicId, index: u32) -> Outcome<BTreeMap<String, usize>> {
        let partition = self.partition(topic, index)?;
        let (mut found, mut cursor, mut next) =
            (BTreeMap::new(), Cursor::default(), partition.ends().start);
        while let Some(read) = partition.fetch_committed(next, 300, &mut cursor).map_err(text)? {
            let mut aborted = partition.aborted(next, read.next);
            let mut skipped: Vec<ProducerId> = Vec::new();
            let bytes = read.slice.to_bytes(ReadMode::Copied).map_err(text)?;
            for batch in Batches::new(&bytes) {
                let batch = batch.map_err(text)?;
                let header = batch.header();
                aborted.retain(|aborted| {
                    let begins = aborted.first_offset <= header.last_offset();
                    if begins {
                        skipped.push(aborted.producer);
                    }
                    !begins
                });
                if header.attributes.is_control() {
                    skipped.retain(|producer| *producer != header.producer_id);
                } else if !skipped.contains(&header.producer_id) {
                    for record in batch.records().map_err(text)? {
                        let value = record.map_err(text)?.value.unwrap_or_default();
                        let value = String::from_utf8_lossy(value).into_owned();
                        *found.entry(value).or_default() += 1;
                    }
                }
            }
            next = read.next;
        }
        Ok(found)
    }

    /// Nothing is open any more, anywhere.
    pub fn check_settled(&self, topic: TopicId) -> Outcome {
        for index in 0..PARTITIONS {
            let ends = self.partition(topic, index)?.ends();
            if ends.last_stable != ends.readable {
                return Err(format!("partition {index} is held up: {ends:?}"));
            }
        }
        let hanging = self.broker.hanging_transactions().map_err(text)?;
        if hanging.is_empty() { Ok(()) } else { Err(format!("hanging: {hanging:?}")) }
    }
}
