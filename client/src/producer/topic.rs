//! The partitions of one topic, as a producer sees them.

use std::sync::Arc;
use std::time::Duration;

use onrush_record::batch::BatchBuilder;
use onrush_record::{TimestampMs, TopicId, partition_for_key};
use parking_lot::Mutex;

use super::batch::{Batch, Identity};
use super::core::Core;
use super::delivery::Delivery;
use super::queue::PartitionQueue;
use super::record::NewRecord;
use crate::error::Error;
use crate::metadata::TopicInfo;

/// Records that share one reading of the clock, at most.
const RECORDS_PER_TIMESTAMP: u32 = 32;

/// The producer's buffer is handed out in pieces of this size.
const RESERVE_STEP: usize = 4 << 10;

/// Why a record was not taken.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The topic is not known yet, or may have changed.
    Unknown,
    /// The buffer is full.
    Full,
    /// It never will be.
    Failed(Error),
    /// No record is taken now: the producer is closed, or no transaction is open to it.
    Shut(Error),
}

/// One topic.
#[derive(Debug)]
pub(super) struct TopicQueue {
    pub(super) name: Arc<str>,
    pub(super) state: Mutex<TopicState>,
}

/// What is behind the topic's lock.
#[derive(Debug)]
pub(super) struct TopicState {
    pub(super) id: TopicId,
    pub(super) partitions: Vec<PartitionQueue>,
    /// How many of them records go to now: a topic made anew may have fewer than the one before, of
    /// which there may still be batches under way.
    count: usize,
    /// Where records without a key go until that partition's batch is sent.
    sticky: usize,
    sticky_used: bool,
    /// Size at which a batch is full: the producer's, or what the broker takes.
    batch_bytes: usize,
    /// The producer's.
    batch_bytes_max: usize,
    /// The broker did not know it any more.
    pub(super) stale: bool,
    pub(super) loaded: Duration,
    timestamp: TimestampMs,
    timestamp_uses: u32,
}

impl TopicQueue {
    pub(super) fn new(
        info: &TopicInfo,
        identity: Identity,
        seed: usize,
        batch_bytes: usize,
        now: Duration,
    ) -> Self {
        let mut state = TopicState {
            id: info.id,
            partitions: Vec::new(),
            count: 0,
            sticky: seed % (info.partitions.max(1) as usize),
            sticky_used: false,
            batch_bytes,
            batch_bytes_max: batch_bytes,
            stale: false,
            loaded: now,
            timestamp: 0,
            timestamp_uses: 0,
        };
        state.update(info, identity, now);
        Self { name: Arc::clone(&info.name), state: Mutex::new(state) }
    }

    /// Puts a record into its partition's open batch, if that is all there is to do. Everything
    /// out of the ordinary is left to [`Self::append`]: this is what most records cost.
    #[inline(always)]
    pub(super) fn append_fast(
        self: &Arc<Self>,
        core: &Core,
        record: &NewRecord<'_>,
    ) -> Option<Delivery> {
        let mut state = self.state.lock();
        let state = &mut *state;
        if state.stale || core.is_shut() {
            return None;
        }
        let index = match (record.partition, record.key) {
            (None, None) => state.sticky,
            _ => state.choose(record).ok()?,
        };
        let queue = state.partitions.get_mut(index)?;
        let open = queue.open.as_mut()?;
        let need = open.builder.len() + record.most_bytes();
        if need > state.batch_bytes || need > open.reserved {
            return None;
        }
        let timestamp = match record.timestamp {
            Some(timestamp) => timestamp,
            None => {
                state.timestamp_uses = state.timestamp_uses.checked_sub(1)?;
                state.timestamp
            }
        };
        let at = open.builder.push(timestamp, record.key, record.value, &record.headers);
        open.count = at + 1;
        let delivery = Delivery::new(Arc::clone(&open.completion), at);
        if !queue.listed && queue.can_progress(&core.limits) {
            queue.listed = true;
            core.list(self, index);
        }
        Some(delivery)
    }

    /// Puts a record into its partition's batch, if `transaction` is still the one that is open.
    #[cold]
    pub(super) fn append(
        self: &Arc<Self>,
        core: &Core,
        record: &NewRecord<'_>,
        transaction: u64,
    ) -> Result<Delivery, Refusal> {
        let mut state = self.state.lock();
        let state = &mut *state;
        core.check_takes(transaction)?;
        if state.stale {
            return Err(Refusal::Unknown);
        }
        let most = record.most_bytes();
        let mut index = state.choose(record)?;
        let mut queue = &mut state.partitions[index];
        if let Some(open) = &queue.open
            && open.builder.len() + most > state.batch_bytes
        {
            if queue.full_batches() >= core.full_batches_max {
                return Err(Refusal::Full);
            }
            queue.close_open();
            core.ask_to_yield();
            index = state.choose(record)?;
            queue = &mut state.partitions[index];
        }
        if queue.open.is_none() {
            if let Some(error) = queue.refused() {
                return Err(Refusal::Failed(error.clone()));
            }
            queue.open = Some(open_batch(core, most)?);
            state.timestamp_uses = 0;
        }
        let Some(open) = &mut queue.open else { return Err(Refusal::Full) };
        let need = open.builder.len() + most;
        if need > open.reserved {
            // As much again as it has, so that a batch asks a few times only.
            let room = state.batch_bytes.saturating_sub(open.reserved);
            let more = (need - open.reserved).max(open.reserved.min(room));
            let more = more.next_multiple_of(RESERVE_STEP);
            if !core.reserve(more) {
                return Err(Refusal::Full);
            }
            open.reserved += more;
        }
        let timestamp = match record.timestamp {
            Some(timestamp) => timestamp,
            None => {
                if state.timestamp_uses == 0 {
                    state.timestamp = core.clock().now_ms();
                    state.timestamp_uses = RECORDS_PER_TIMESTAMP;
                }
                state.timestamp_uses -= 1;
                state.timestamp
            }
        };
        let at = open.builder.push(timestamp, record.key, record.value, &record.headers);
        open.count = at + 1;
        let delivery = Delivery::new(Arc::clone(&open.completion), at);
        if !queue.listed && queue.can_progress(&core.limits) {
            queue.listed = true;
            core.list(self, index);
        }
        Ok(delivery)
    }
}

fn open_batch(core: &Core, most: usize) -> Result<Batch, Refusal> {
    if most > core.max_record_bytes() {
        return Err(Refusal::Failed(Error::invalid(format_args!(
            "a record of about {most} bytes is more than the producer's buffer or a frame can hold"
        ))));
    }
    let reserved = (most + onrush_record::batch::HEADER_LEN).next_multiple_of(RESERVE_STEP);
    if !core.reserve(reserved) {
        return Err(Refusal::Full);
    }
    let builder = BatchBuilder::with_buffer(core.codec, core.pool.take());
    let mut batch = Batch::new(builder, core.clock().monotonic(), core.opened_batch());
    batch.reserved = reserved;
    Ok(batch)
}

impl TopicState {
    /// Takes over what the broker says about the topic.
    pub(super) fn update(&mut self, info: &TopicInfo, identity: Identity, now: Duration) {
        if self.id != info.id {
            // Another topic of the same name, which knows nothing of what the old one was sent.
            self.partitions.iter_mut().for_each(|queue| queue.restart(identity));
            self.batch_bytes = self.batch_bytes_max;
            self.count = 0;
        }
        self.id = info.id;
        self.stale = false;
        self.loaded = now;
        self.count = self.count.max(info.partitions as usize);
        while self.partitions.len() < self.count {
            self.partitions.push(PartitionQueue::new(identity));
        }
        self.sticky %= self.count.max(1);
    }

    /// Makes later batches no larger than this.
    pub(super) fn keep_to(&mut self, bytes: usize) {
        self.batch_bytes = self.batch_bytes.min(bytes);
    }

    /// The partition that a record goes to.
    #[inline]
    fn choose(&mut self, record: &NewRecord<'_>) -> Result<usize, Refusal> {
        let count = self.count;
        match (record.partition, record.key) {
            (Some(partition), _) if (partition as usize) < count => Ok(partition as usize),
            (Some(partition), _) => Err(Refusal::Failed(Error::invalid(format_args!(
                "topic {} has no partition {partition}: it has {count}",
                record.topic
            )))),
            (None, Some(_)) if count == 1 => Ok(0),
            (None, Some(key)) => {
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                Ok(partition_for_key(key, count) as usize)
            }
            (None, None) => {
                if self.sticky_used && self.partitions[self.sticky].open.is_none() {
                    self.sticky = (self.sticky + 1) % count;
                }
                self.sticky_used = true;
                Ok(self.sticky)
            }
        }
    }
}
