//! One partition that a fetch reads.

use std::sync::Arc;

use onrush_broker::{Cursor, Error, Partition, Signal, SliceRead};
use onrush_kafka_protocol::ErrorCode;
use onrush_kafka_protocol::messages::FetchRequestFetchPartition;
use onrush_record::Offset;

use crate::lookup;
use crate::session::topic::Refusal;

/// A partition, and what is asked of it.
pub(super) struct Source {
    pub(super) index: i32,
    pub(super) partition: Result<Arc<Partition>, ErrorCode>,
    from: Offset,
    max_bytes: u32,
    /// Whether only committed records are wanted.
    pub(super) committed: bool,
    cursor: Cursor,
    /// The end of the log at which the partition was asked to wake us.
    asked_at: Option<Offset>,
}

impl Source {
    pub(super) fn new(
        asked: &FetchRequestFetchPartition,
        partition: Result<Arc<Partition>, Refusal>,
        committed: bool,
    ) -> Source {
        let from = u64::try_from(asked.fetch_offset).map(Offset::new);
        let partition = partition.map_err(|refusal| refusal.code).and_then(|partition| {
            lookup::check_epoch(&partition, asked.current_leader_epoch)?;
            Ok(partition)
        });
        let (partition, from) = match (partition, from) {
            (Ok(_), Err(_)) => (Err(ErrorCode::OFFSET_OUT_OF_RANGE), Offset::ZERO),
            (partition, from) => (partition, from.unwrap_or(Offset::ZERO)),
        };
        let max_bytes = u32::try_from(asked.partition_max_bytes).unwrap_or(0);
        let index = asked.partition;
        Source {
            index,
            partition,
            from,
            max_bytes,
            committed,
            cursor: Cursor::default(),
            asked_at: None,
        }
    }

    /// Reads at most `room` bytes, but at least one whole batch.
    pub(super) fn read(
        &mut self,
        partition: &Partition,
        room: u32,
    ) -> Result<Option<SliceRead>, Error> {
        let max_bytes = self.max_bytes.min(room);
        if self.committed {
            partition.fetch_committed(self.from, max_bytes, &mut self.cursor)
        } else {
            partition.fetch(self.from, max_bytes, &mut self.cursor)
        }
    }

    /// Makes sure to be woken when there is more to read than there was.
    pub(super) fn wait(&mut self, signal: &Arc<Signal>) {
        if let Ok(partition) = &self.partition {
            let ends = partition.ends();
            let end = if self.committed { ends.last_stable } else { ends.readable }.max(self.from);
            if self.asked_at != Some(end) {
                self.asked_at = Some(end);
                if self.committed {
                    partition.wake_on_stable(end, signal);
                } else {
                    partition.wake_on_readable(end, signal);
                }
            }
        }
    }

    /// Whether this has waited for what comes at the offset that is read.
    pub(super) fn waited_at_the_end(&self) -> bool {
        self.asked_at == Some(self.from)
    }
}
