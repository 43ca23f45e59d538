//! What transactions need of a partition: that their batches belong to them, markers at their end,
//! and what readers that want only what is decided have to know.

use std::sync::Arc;

use onrush_record::batch::{BatchHeader, Marker};
use onrush_record::{Offset, ProducerEpoch, ProducerId};
use onrush_storage::{Cursor, SliceRead, StorageError, Visibility};

use super::Partition;
use crate::producer::{AbortedTransaction, ActiveProducer};
use crate::{DurableMark, Error, Result, Signal};

impl Partition {
    /// As [`Partition::fetch`], but only what is decided: up to the last stable offset. What it gives
    /// still holds the records of aborted transactions: [`Partition::aborted`] says which to skip.
    ///
    /// # Errors
    /// As [`Partition::fetch`].
    pub fn fetch_committed(
        &self,
        from: Offset,
        max_bytes: u32,
        cursor: &mut Cursor,
    ) -> Result<Option<SliceRead>> {
        self.fetch_below(from, max_bytes, self.log.last_stable(), cursor)
    }

    /// The aborted transactions that overlap what was fetched from `from` up to `to`, in order of
    /// their ends: of each, a reader skips the batches of its producer from its first offset up to
    /// the control batch that ends it.
    pub fn aborted(&self, from: Offset, to: Offset) -> Vec<AbortedTransaction> {
        self.log.lock().producers.aborted(from, to)
    }

    /// Fires `signal` once, when something decided is to be read at `from`; at once if it is.
    pub fn wake_on_stable(&self, from: Offset, signal: &Arc<Signal>) {
        if self.log.wake_on_stable(from, signal) && self.log.ends().written > from {
            self.services.sync.urge_for(&self.log);
        }
    }

    /// The producers it knows, in order of id.
    pub fn producers(&self) -> Vec<ActiveProducer> {
        self.log.lock().producers.producers()
    }

    /// Whether a batch is part of its producer's open transaction, by the coordinator's word.
    pub(super) fn admits(&self, header: &BatchHeader) -> Result<()> {
        let partition = (self.topic.id, self.index);
        let coordinator = self.services.transactions()?;
        coordinator.admits(header.producer_id, header.producer_epoch, partition)
    }

    /// What has to be durable before a transaction of this producer may be committed.
    pub(crate) fn before_commit(&self, producer: ProducerId) -> Result<DurableMark> {
        if let Some(error) = self.failed() {
            return Err(error);
        }
        let state = self.log.lock();
        if state.producers.has_lost(producer) {
            let reason = format!(
                "the disk lost records of its transaction in {}; abort it, and send them again",
                self.log.name
            );
            return Err(Error::Unknown { reason });
        }
        Ok(self.log.mark(state.writer.written_end()))
    }

    /// Ends the transaction that this producer has open here, if it has one: so doing it again
    /// changes nothing. It has ended once the mark is durable. Gives None when its topic is gone.
    pub(crate) fn end_transaction(
        &self,
        producer: ProducerId,
        epoch: ProducerEpoch,
        marker: Marker,
    ) -> Result<Option<DurableMark>> {
        let now_ms = self.services.clock.now_ms();
        let mut state = self.log.lock();
        if self.log.is_deleted() {
            return Ok(None);
        }
        if self.services.is_stopping() {
            return Err(Error::ShuttingDown);
        }
        if state.producers.open(producer).is_none() {
            // An earlier attempt's marker may still wait for the disk.
            return Ok(Some(self.log.mark(state.writer.written_end())));
        }
        let mut batch = marker.batch(producer, epoch, now_ms);
        let header = BatchHeader::parse(&batch).map_err(Error::BatchInvalid)?;
        let mut appended = state.writer.append(&mut [&mut batch], &[header], now_ms);
        if let Err(StorageError::Full { .. }) = appended
            && self.services.space.release()
        {
            appended = state.writer.append(&mut [&mut batch], &[header], now_ms);
        }
        let appended = appended.map_err(|error| Error::storage(&self.log.name, error))?;
        state.producers.note_marker(&header, marker, appended.first, now_ms);
        // With `visibility=written` what was written is readable at once, the marker with it.
        self.log.tell_unstable(&state.producers);
        let bytes = u64::from(header.total_len);
        state.unsynced += bytes;
        self.services.budget.wrote(bytes);
        let mark = self.log.mark(appended.end);
        drop(state);
        if self.topic.settings().config.visibility == Visibility::Written {
            self.log.readable.fire(self.log.ends().readable);
        }
        self.services.sync.wrote(&self.log, bytes, true);
        Ok(Some(mark))
    }
}
