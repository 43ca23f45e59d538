//! One partition: a log with producers in front and readers behind.

mod check;
mod decided;
mod judge;
mod produce;
mod recompress;
mod transactions;

use std::sync::Arc;

use onrush_record::{LeaderEpoch, Offset, TimestampMs, TopicId};
use onrush_storage::{Cursor, SliceRead};

pub use produce::{Placed, ProduceBatch};

use crate::services::Services;
use crate::shared_log::SharedLog;
use crate::topic::TopicCore;
use crate::{DurableMark, Error, Result, Settled, Signal};

/// One partition of a topic. Callers on any thread append and read; nothing here waits for the disk
/// but what says so.
#[derive(Debug)]
pub struct Partition {
    topic: Arc<TopicCore>,
    index: u32,
    log: Arc<SharedLog>,
    services: Arc<Services>,
}

/// Which offset to look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetSpec {
    /// The first there is.
    Earliest,
    /// The end, once all that was written when asked is durable.
    Latest,
    /// The last stable offset then: the end of what is decided.
    LastStable,
    /// That of the first record with this timestamp or a later one.
    Timestamp(TimestampMs),
    /// That of the record with the largest timestamp.
    MaxTimestamp,
}

/// The ends of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The first offset there is.
    pub start: Offset,
    /// Readers see what lies below.
    pub readable: Offset,
    /// What lies below is on stable storage.
    pub durable: Offset,
    /// What lies below is written; the next record gets this offset.
    pub written: Offset,
    /// Readers that want only what is decided see what lies below: the beginning of the earliest
    /// open transaction, else the readable end.
    pub last_stable: Offset,
}

/// An offset that was looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListedOffset {
    /// The offset; None when no record is that late.
    pub offset: Option<Offset>,
    /// The timestamp of the record found, -1 where none was asked for.
    pub timestamp: TimestampMs,
}

impl Partition {
    pub(crate) fn new(
        topic: Arc<TopicCore>,
        index: u32,
        log: Arc<SharedLog>,
        services: Arc<Services>,
    ) -> Arc<Partition> {
        Arc::new(Partition { topic, index, log, services })
    }

    /// The id of its topic.
    pub fn topic_id(&self) -> TopicId {
        self.topic.id
    }

    /// The name of its topic.
    pub fn topic_name(&self) -> &Arc<str> {
        &self.topic.name
    }

    /// Its number within the topic.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The epoch its appends are stamped with.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.services.epoch
    }

    pub(crate) fn log(&self) -> &Arc<SharedLog> {
        &self.log
    }

    /// Start, readable end, durable end, written end and last stable offset. They are of one moment,
    /// but for the last, which is no later than the readable end.
    pub fn ends(&self) -> Ends {
        let last_stable = self.log.last_stable();
        let onrush_storage::Ends { start, readable, durable, written } = self.log.ends();
        let last_stable = last_stable.max(start);
        Ends { start, readable, durable, written, last_stable }
    }

    /// Everything before this is on stable storage.
    pub fn durable_end(&self) -> Offset {
        self.log.ends().durable
    }

    /// Whether what an answer waits for is durable by now.
    pub fn settled(&self, mark: DurableMark) -> Settled {
        self.log.settled(mark)
    }

    /// Why it takes no writes, if a sync of it has failed or its topic is gone.
    pub fn failed(&self) -> Option<Error> {
        if self.log.is_deleted() {
            return Some(self.topic.unknown());
        }
        self.log.is_failed().then(|| Error::PartitionOffline {
            what: format!("partition {}", self.log.name),
            reason: "a sync failed; it is being opened anew".to_owned(),
        })
    }

    /// Fires `signal` once, when the durable end reaches `upto` or can no longer be said to; at
    /// once if that is so already. Registering again before it fires costs nothing more.
    pub fn wake_on_durable(&self, upto: Offset, signal: &Arc<Signal>) {
        if self.log.wake_on_durable(upto, signal) {
            self.services.sync.urge_for(&self.log);
        }
    }

    /// Fires `signal` once, when there is something to read at `from`; at once if there is.
    pub fn wake_on_readable(&self, from: Offset, signal: &Arc<Signal>) {
        // What is written but not durable yet is waited for: do not let the sync take its time.
        if self.log.wake_on_readable(from, signal) && self.log.ends().written > from {
            self.services.sync.urge_for(&self.log);
        }
    }

    /// Whole record batches from the one that holds `from` on: as many as fit `max_bytes`, at
    /// least one. None at the readable end. The cursor makes reading on cheap; give each reader its
    /// own.
    ///
    /// # Errors
    /// [`Error::OffsetOutOfRange`], or [`Error::Damaged`] with where to go on.
    pub fn fetch(
        &self,
        from: Offset,
        max_bytes: u32,
        cursor: &mut Cursor,
    ) -> Result<Option<SliceRead>> {
        self.fetch_below(from, max_bytes, Offset::new(u64::MAX), cursor)
    }

    fn fetch_below(
        &self,
        from: Offset,
        max_bytes: u32,
        below: Offset,
        cursor: &mut Cursor,
    ) -> Result<Option<SliceRead>> {
        if self.log.is_deleted() {
            return Err(self.topic.unknown());
        }
        let read = self.log.reader.read_below(from, max_bytes, below, cursor);
        let read = read.map_err(|error| Error::storage(&self.log.name, error))?;
        if let Some(read) = &read {
            self.services.metrics.bytes_out.inc_by(read.slice.len() as u64);
            self.services.metrics.records_out.inc_by(read.next.since(read.first));
        }
        Ok(read)
    }

    /// Looks an offset up. For the latest one it waits until what was written when it was asked is
    /// durable, so that a caller always finds its own writes below it.
    ///
    /// # Errors
    /// [`Error::Unknown`] when a sync fails meanwhile, or what reading the index gives.
    pub async fn list_offset(&self, spec: OffsetSpec) -> Result<ListedOffset> {
        if self.log.is_deleted() {
            return Err(self.topic.unknown());
        }
        let plain = |offset| ListedOffset { offset: Some(offset), timestamp: -1 };
        let storage = |error| Error::storage(&self.log.name, error);
        match spec {
            OffsetSpec::Earliest => Ok(plain(self.log.ends().start)),
            OffsetSpec::Latest | OffsetSpec::LastStable => {
                let mark = self.log.mark(self.log.ends().written);
                self.wait_durable(mark).await?;
                let ends = self.ends();
                let latest = spec == OffsetSpec::Latest;
                Ok(plain(if latest { ends.readable } else { ends.last_stable }))
            }
            OffsetSpec::Timestamp(timestamp) => {
                let found = self.log.reader.offset_for_timestamp(timestamp).map_err(storage)?;
                Ok(ListedOffset {
                    offset: found.map(|(offset, _)| offset),
                    timestamp: found.map_or(-1, |(_, timestamp)| timestamp),
                })
            }
            OffsetSpec::MaxTimestamp => {
                let found = self.log.reader.max_timestamp().map_err(storage)?;
                Ok(ListedOffset {
                    offset: found.map(|(offset, _)| offset),
                    timestamp: found.map_or(-1, |(_, timestamp)| timestamp),
                })
            }
        }
    }

    /// The end of a leader epoch: where a client that last saw it has to look for lost records.
    pub fn epoch_end(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.log.reader.epoch_end(epoch)
    }

    /// The leader epoch that the record at `offset` was, or would be, appended in.
    pub fn epoch_at(&self, offset: Offset) -> LeaderEpoch {
        self.log.reader.epoch_at(offset)
    }

    /// How many bytes of records its log holds.
    pub fn size_bytes(&self) -> u64 {
        self.log.reader.size_bytes()
    }

    /// Waits until `mark` is durable.
    ///
    /// # Errors
    /// [`Error::Unknown`] when it no longer can be said to become so.
    pub async fn wait_durable(&self, mark: DurableMark) -> Result<()> {
        wait_durable(&self.log, &self.services, mark).await
    }
}

/// Waits until `mark` of `log` is durable.
pub(crate) async fn wait_durable(
    log: &Arc<SharedLog>,
    services: &Services,
    mark: DurableMark,
) -> Result<()> {
    let signal = Signal::new();
    loop {
        match log.settled(mark) {
            Settled::Durable => return Ok(()),
            Settled::Failed(error) => return Err(error),
            Settled::Pending => {}
        }
        if services.is_closed() {
            let reason = "the broker stopped before it was durable".to_owned();
            return Err(Error::Unknown { reason });
        }
        if log.wake_on_durable(mark.upto, &signal) {
            services.sync.urge_for(log);
        }
        signal.notified().await;
    }
}
