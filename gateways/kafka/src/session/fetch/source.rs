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
    /// Where the log ended before it was last read: what is appended since has not been seen.
    end: Offset,
    /// The end of the log at which the partition was asked to wake us.
    asked_at: Option<Offset>,
    /// There was more than was read; or it was not read at all.
    pub(super) cut: bool,
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
            end: Offset::ZERO,
            asked_at: None,
            cut: true,
        }
    }

    /// Reads at most `room` bytes, but at least one whole batch.
    pub(super) fn read(
        &mut self,
        partition: &Partition,
        room: u32,
    ) -> Result<Option<SliceRead>, Error> {
        let max_bytes = self.max_bytes.min(room);
        let ends = partition.ends();
        self.end = if self.committed { ends.last_stable } else { ends.readable };
        let read = if self.committed {
            partition.fetch_committed(self.from, max_bytes, &mut self.cursor)
        } else {
            partition.fetch(self.from, max_bytes, &mut self.cursor)
        }?;
        self.cut = read.as_ref().is_some_and(|read| read.next < self.end);
        Ok(read)
    }

    /// Makes sure to be woken when there is more to read than there was when it was read.
    pub(super) fn wait(&mut self, signal: &Arc<Signal>) {
        if let Ok(partition) = &self.partition {
            // Each time: what was asked for may have fired for another fetch of this connection.
            let end = self.end.max(self.from);
            self.asked_at = Some(end);
            if self.committed {
                partition.wake_on_stable(end, signal);
            } else {
                partition.wake_on_readable(end, signal);
            }
        }
    }

    /// Whether this has waited for what comes at the offset that is read.
    pub(super) fn waited_at_the_end(&self) -> bool {
        self.asked_at == Some(self.from)
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use onrush_broker::OffsetSpec;

    use super::*;
    use crate::handle::tests::{Server, now_ms};

    #[test]
    fn what_comes_between_reading_and_waiting_is_heard_of() {
        let server = Server::start();
        server.topic("t", 1);
        let partition = server.partition("t", 0);
        let asked = FetchRequestFetchPartition { partition_max_bytes: 100, ..Default::default() };
        for committed in [false, true] {
            let from = block_on(partition.list_offset(OffsetSpec::Latest)).unwrap().offset.unwrap();
            let fetch_offset = lookup::wire_offset(from);
            let asked = FetchRequestFetchPartition { fetch_offset, ..asked.clone() };
            let mut source = Source::new(&asked, Ok(Arc::clone(&partition)), committed);
            assert!(source.read(&partition, 100).unwrap().is_none());
            server.write("t", 0, &[now_ms()]);
            block_on(partition.list_offset(OffsetSpec::Latest)).unwrap();
            let signal = Signal::new();
            source.wait(&signal);
            assert!(signal.take(), "it waits for what is there, committed: {committed}");
        }
    }
}
