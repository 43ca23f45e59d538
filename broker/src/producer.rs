//! What one partition knows of its idempotent and transactional producers: Kafka's rules, and
//! nothing else.
//!
//! The table is a pure function of the batches in the log, so that recovery rebuilds it from the
//! last checkpoint's copy, the headers that follow it, and the markers among them.

mod coding;
#[cfg(test)]
mod tests;
mod transactions;

use std::collections::HashMap;

use onrush_record::batch::{BatchHeader, Marker};
use onrush_record::{Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};

use transactions::Transactions;

pub use transactions::AbortedTransaction;

/// How many batches of a producer are remembered: Kafka's clients have at most as many in flight.
const REMEMBERED: usize = 5;

/// Before the first marker.
const NO_COORDINATOR: i32 = -1;

/// One batch that was appended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Appended {
    first_sequence: Sequence,
    last_sequence: Sequence,
    base_offset: Offset,
    next_offset: Offset,
    timestamp: TimestampMs,
}

/// What is known of one producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    epoch: ProducerEpoch,
    /// When it was last heard of, by the broker's clock (by the batch's own, after recovery).
    seen_ms: TimestampMs,
    /// Which reign of the coordinator wrote its last marker; -1: there was none.
    coordinator_epoch: i32,
    /// Where its open transaction began.
    open: Option<Offset>,
    /// The last batches of this epoch, oldest first; only the first `len` count.
    batches: [Appended; REMEMBERED],
    len: u8,
}

impl Known {
    fn new(epoch: ProducerEpoch, seen_ms: TimestampMs) -> Known {
        let batches = [Appended::default(); REMEMBERED];
        Known { epoch, seen_ms, coordinator_epoch: NO_COORDINATOR, open: None, batches, len: 0 }
    }

    /// A newer epoch begins its sequences anew. A transaction that is open stays so.
    fn raise(&mut self, epoch: ProducerEpoch) {
        if epoch > self.epoch {
            (self.epoch, self.batches, self.len) = (epoch, [Appended::default(); REMEMBERED], 0);
        }
    }

    fn batches(&self) -> &[Appended] {
        &self.batches[..usize::from(self.len)]
    }

    fn push(&mut self, batch: Appended) {
        if usize::from(self.len) == REMEMBERED {
            self.batches.copy_within(1.., 0);
            self.len -= 1;
        }
        self.batches[usize::from(self.len)] = batch;
        self.len += 1;
    }
}

/// A producer as an operator sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveProducer {
    /// Its id.
    pub producer: ProducerId,
    /// Its epoch.
    pub epoch: ProducerEpoch,
    /// The last sequence it has sent in this epoch, if it has.
    pub last_sequence: Option<Sequence>,
    /// When it was last heard of.
    pub last_timestamp_ms: TimestampMs,
    /// Which reign of the coordinator ended its last transaction here; -1: none did.
    pub coordinator_epoch: i32,
    /// Where its open transaction begins, if it has one.
    pub transaction_start: Option<Offset>,
}

/// What the table says of a batch that a producer sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It comes next.
    Append,
    /// It is in the log already.
    Duplicate { base_offset: Offset, next_offset: Offset, timestamp: TimestampMs },
    /// A batch before it is missing, or it is too old to be recognised.
    OutOfOrder { expected: Sequence },
    /// A newer epoch of this producer is at work.
    Fenced { current: ProducerEpoch },
    /// It is no part of the transaction that its producer has open here.
    OutsideTransaction,
}

/// All producers of one partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProducerTable {
    /// None until the first producer comes: most partitions of a big broker never see one.
    #[expect(clippy::box_collection, reason = "8 bytes instead of 48 in each idle partition")]
    known: Option<Box<HashMap<ProducerId, Known>>>,
    /// None until the first transaction comes.
    transactions: Option<Box<Transactions>>,
}

impl ProducerTable {
    /// Judges a batch; changes nothing.
    ///
    /// A producer that is not known may begin with any sequence: what was known of it may have
    /// expired or gone with the records. That is Kafka's rule since its clients stopped treating
    /// it as an error (KIP-360). One whose epoch a marker has raised begins at 0.
    pub(crate) fn judge(&self, header: &BatchHeader) -> Verdict {
        let Some(known) = self.get(header.producer_id) else {
            return Verdict::Append;
        };
        if header.producer_epoch < known.epoch {
            return Verdict::Fenced { current: known.epoch };
        }
        let newer = header.producer_epoch > known.epoch;
        let sent_before = known.batches().iter().find(|batch| {
            !newer
                && batch.first_sequence == header.base_sequence
                && batch.last_sequence == header.last_sequence()
        });
        if let Some(batch) = sent_before {
            return Verdict::Duplicate {
                base_offset: batch.base_offset,
                next_offset: batch.next_offset,
                timestamp: batch.timestamp,
            };
        }
        let expected = match known.batches().last() {
            Some(last) if !newer => last.last_sequence.plus(1),
            _ => Sequence::ZERO,
        };
        if header.base_sequence != expected {
            return Verdict::OutOfOrder { expected };
        }
        if known.open.is_some() && !header.attributes.is_transactional() {
            return Verdict::OutsideTransaction;
        }
        Verdict::Append
    }

    fn get(&self, producer: ProducerId) -> Option<&Known> {
        self.known.as_ref()?.get(&producer)
    }

    /// Is anything known of this producer?
    pub(crate) fn knows(&self, producer: ProducerId) -> bool {
        self.get(producer).is_some()
    }

    /// Notes a batch that was appended at `base_offset`; gives what was known before, for
    /// [`ProducerTable::restore`] should the append fail after all.
    pub(crate) fn note(
        &mut self,
        header: &BatchHeader,
        base_offset: Offset,
        timestamp: TimestampMs,
        now_ms: TimestampMs,
    ) -> Option<Known> {
        let batch = Appended {
            first_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            base_offset,
            next_offset: base_offset.plus(u64::from(header.last_offset_delta) + 1),
            timestamp,
        };
        let table = self.known.get_or_insert_default();
        let before = table.get(&header.producer_id).copied();
        let mut after = before.unwrap_or_else(|| Known::new(header.producer_epoch, now_ms));
        after.raise(header.producer_epoch);
        after.seen_ms = now_ms;
        after.push(batch);
        if header.attributes.is_transactional() && after.open.is_none() {
            after.open = Some(base_offset);
            self.transactions.get_or_insert_default().begun(base_offset);
        }
        table.insert(header.producer_id, after);
        before
    }

    /// Takes back a [`ProducerTable::note`].
    pub(crate) fn restore(&mut self, producer: ProducerId, before: Option<Known>) {
        let Some(table) = self.known.as_mut() else { return };
        let after = match before {
            Some(known) => table.insert(producer, known),
            None => table.remove(&producer),
        };
        let (before, after) = (before.and_then(|known| known.open), after.and_then(|k| k.open));
        if let Some(began) = after.filter(|_| before.is_none())
            && let Some(transactions) = self.transactions.as_mut()
        {
            transactions.not_begun(began);
        }
    }

    /// Notes a marker that was appended at `offset`. One that ends nothing changes nothing but the
    /// producer's epoch.
    pub(crate) fn note_marker(
        &mut self,
        header: &BatchHeader,
        marker: Marker,
        offset: Offset,
        now_ms: TimestampMs,
    ) {
        let (producer, epoch) = (header.producer_id, header.producer_epoch);
        let table = self.known.get_or_insert_default();
        let known = table.entry(producer).or_insert_with(|| Known::new(epoch, now_ms));
        known.raise(epoch);
        known.seen_ms = now_ms;
        known.coordinator_epoch = marker.coordinator_epoch;
        if let Some(first) = known.open.take() {
            let transactions = self.transactions.get_or_insert_default();
            transactions.ended(producer, first, offset, marker.commits);
        }
    }

    /// Notes a batch found by recovery, which was judged when it was appended.
    pub(crate) fn replay(&mut self, header: &BatchHeader, marker: Option<Marker>) {
        if !header.producer_id.is_some() {
            return;
        }
        match marker {
            Some(marker) => {
                self.note_marker(header, marker, header.base_offset, header.max_timestamp);
            }
            None if header.attributes.is_control() => {}
            None => {
                self.note(header, header.base_offset, -1, header.max_timestamp);
            }
        }
    }

    /// Where the earliest transaction begins whose end is not known to be durable.
    pub(crate) fn first_unstable(&self) -> Option<Offset> {
        self.transactions.as_ref()?.first_unstable()
    }

    /// All below `durable` is on stable storage, markers included; true when that changes
    /// [`ProducerTable::first_unstable`].
    pub(crate) fn settle(&mut self, durable: Offset) -> bool {
        self.transactions.as_mut().is_some_and(|transactions| transactions.settle(durable))
    }

    /// Where the transaction begins that a producer has open here.
    pub(crate) fn open(&self, producer: ProducerId) -> Option<(ProducerEpoch, Offset)> {
        let known = self.get(producer)?;
        Some((known.epoch, known.open?))
    }

    /// Did the log lose records of the transaction that this producer has open?
    pub(crate) fn has_lost(&self, producer: ProducerId) -> bool {
        self.transactions.as_ref().is_some_and(|transactions| transactions.has_lost(producer))
    }

    /// The aborted transactions with records from `from` up to `to`.
    pub(crate) fn aborted(&self, from: Offset, to: Offset) -> Vec<AbortedTransaction> {
        let transactions = self.transactions.as_ref();
        transactions.map_or_else(Vec::new, |transactions| transactions.aborted(from, to))
    }

    /// The end of the last aborted transaction.
    pub(crate) fn aborted_below(&self) -> Offset {
        let last = self.transactions.as_ref().and_then(|transactions| transactions.index().back());
        last.map_or(Offset::ZERO, |aborted| aborted.last.plus(1))
    }

    /// Every producer, in order of id.
    pub(crate) fn producers(&self) -> Vec<ActiveProducer> {
        let known = self.known.iter().flat_map(|known| known.iter());
        let mut producers: Vec<_> = known
            .map(|(producer, known)| ActiveProducer {
                producer: *producer,
                epoch: known.epoch,
                last_sequence: known.batches().last().map(|last| last.last_sequence),
                last_timestamp_ms: known.seen_ms,
                coordinator_epoch: known.coordinator_epoch,
                transaction_start: known.open,
            })
            .collect();
        producers.sort_unstable_by_key(|producer| producer.producer);
        producers
    }

    /// Forgets producers not heard of since `before_ms` that have no transaction open, and aborted
    /// transactions that lie below the log's start.
    pub(crate) fn expire(&mut self, before_ms: TimestampMs, start: Offset) {
        if let Some(table) = self.known.as_mut() {
            table.retain(|_, known| known.seen_ms >= before_ms || known.open.is_some());
            if table.is_empty() {
                self.known = None;
            }
        }
        if let Some(transactions) = self.transactions.as_mut() {
            transactions.trim(start);
            if transactions.is_blank() {
                self.transactions = None;
            }
        }
    }

    /// The last offset of each producer's last batch: compaction leaves that batch there, so that
    /// the table can be made from the log again.
    pub(crate) fn last_batches(&self) -> impl Iterator<Item = Offset> {
        let known = self.known.iter().flat_map(|table| table.values());
        let last = known.filter_map(|known| known.batches().last());
        last.map(|batch| Offset::new(batch.next_offset.get().saturating_sub(1)))
    }

    /// Where the markers of the aborted transactions are that readers are told of.
    pub(crate) fn aborted_markers(&self) -> Vec<Offset> {
        self.transactions.as_ref().map_or_else(Vec::new, |transactions| {
            transactions.index().iter().map(|aborted| aborted.last).collect()
        })
    }

    /// Nothing is left of the aborted transactions with these markers, given in order: readers need
    /// not be told of them, and must not be once the markers have gone, too.
    pub(crate) fn forget_aborted(&mut self, markers: &[Offset]) {
        if let Some(transactions) = self.transactions.as_mut().filter(|_| !markers.is_empty()) {
            transactions.forget_aborted(markers);
        }
    }

    /// Forgets batches from `end` on: the log lost them. Transactions whose marker was among them
    /// are open again.
    pub(crate) fn forget_from(&mut self, end: Offset) {
        let Some(table) = self.known.as_mut() else { return };
        let transactions = self.transactions.get_or_insert_default();
        for (producer, first) in transactions.reopen_from(end) {
            if let Some(known) = table.get_mut(&producer) {
                known.open = Some(first);
            }
        }
        for (producer, known) in table.iter_mut() {
            let kept = known.batches().iter().take_while(|batch| batch.next_offset <= end).count();
            let kept = u8::try_from(kept).unwrap_or(known.len);
            if kept < known.len && known.open.is_some() {
                transactions.lost(*producer);
            }
            known.len = kept;
            known.open = known.open.filter(|first| *first < end);
        }
        transactions.forget_open_from(end);
        table.retain(|_, known| known.len > 0 || known.open.is_some());
    }
}
