//! What one partition knows of its idempotent producers: Kafka's rules, and nothing else.
//!
//! The table is a pure function of the batches in the log, so that recovery rebuilds it from the
//! last checkpoint's copy and the headers that follow it.

use std::collections::HashMap;

use onrush_record::batch::BatchHeader;
use onrush_record::{Offset, ProducerEpoch, ProducerId, Sequence, TimestampMs};

use crate::codec::Decoder;

/// How many batches of a producer are remembered: Kafka's clients have at most as many in flight.
const REMEMBERED: usize = 5;
const FORMAT: u8 = 1;

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
    /// The last batches of this epoch, oldest first; only the first `len` count.
    batches: [Appended; REMEMBERED],
    len: u8,
}

impl Known {
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
}

/// All producers of one partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct ProducerTable {
    /// None until the first producer comes: most partitions of a big broker never see one.
    #[expect(clippy::box_collection, reason = "8 bytes instead of 48 in each idle partition")]
    known: Option<Box<HashMap<ProducerId, Known>>>,
}

impl ProducerTable {
    /// Judges a batch; changes nothing.
    ///
    /// A producer that is not known may begin with any sequence: what was known of it may have
    /// expired or gone with the records. That is Kafka's rule since its clients stopped treating
    /// it as an error (KIP-360).
    pub(crate) fn judge(&self, header: &BatchHeader) -> Verdict {
        let Some(known) = self.known.as_ref().and_then(|known| known.get(&header.producer_id))
        else {
            return Verdict::Append;
        };
        if header.producer_epoch < known.epoch {
            return Verdict::Fenced { current: known.epoch };
        }
        if header.producer_epoch > known.epoch {
            return if header.base_sequence == Sequence::ZERO {
                Verdict::Append
            } else {
                Verdict::OutOfOrder { expected: Sequence::ZERO }
            };
        }
        let sent_before = known.batches().iter().find(|batch| {
            batch.first_sequence == header.base_sequence
                && batch.last_sequence == header.last_sequence()
        });
        if let Some(batch) = sent_before {
            return Verdict::Duplicate {
                base_offset: batch.base_offset,
                next_offset: batch.next_offset,
                timestamp: batch.timestamp,
            };
        }
        match known.batches().last() {
            Some(last) if header.base_sequence != last.last_sequence.plus(1) => {
                Verdict::OutOfOrder { expected: last.last_sequence.plus(1) }
            }
            _ => Verdict::Append,
        }
    }

    /// Is anything known of this producer?
    pub(crate) fn knows(&self, producer: ProducerId) -> bool {
        self.known.as_ref().is_some_and(|known| known.contains_key(&producer))
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
        let mut after = match before {
            Some(known) if known.epoch == header.producer_epoch => known,
            _ => Known {
                epoch: header.producer_epoch,
                seen_ms: now_ms,
                batches: [Appended::default(); REMEMBERED],
                len: 0,
            },
        };
        after.seen_ms = now_ms;
        after.push(batch);
        table.insert(header.producer_id, after);
        before
    }

    /// Takes back a [`ProducerTable::note`].
    pub(crate) fn restore(&mut self, producer: ProducerId, before: Option<Known>) {
        let Some(table) = self.known.as_mut() else { return };
        match before {
            Some(known) => table.insert(producer, known),
            None => table.remove(&producer),
        };
    }

    /// Notes a batch found by recovery, which was judged when it was appended.
    pub(crate) fn replay(&mut self, header: &BatchHeader) {
        if header.producer_id.is_some() && !header.attributes.is_control() {
            self.note(header, header.base_offset, -1, header.max_timestamp);
        }
    }

    /// Forgets producers not heard of since `before_ms`.
    pub(crate) fn expire(&mut self, before_ms: TimestampMs) {
        let Some(table) = self.known.as_mut() else { return };
        table.retain(|_, known| known.seen_ms >= before_ms);
        if table.is_empty() {
            self.known = None;
        }
    }

    /// Forgets batches from `end` on: the log lost them.
    pub(crate) fn forget_from(&mut self, end: Offset) {
        let Some(table) = self.known.as_mut() else { return };
        for known in table.values_mut() {
            let kept = known.batches().iter().take_while(|batch| batch.next_offset <= end).count();
            known.len = u8::try_from(kept).unwrap_or(known.len);
        }
        table.retain(|_, known| known.len > 0);
    }

    /// The table as bytes, for the log's checkpoint; none at all when nothing is known.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let Some(table) = self.known.as_ref() else { return Vec::new() };
        let mut out = Vec::with_capacity(5 + table.len() * 96);
        out.push(FORMAT);
        out.extend_from_slice(&u32::try_from(table.len()).unwrap_or(u32::MAX).to_le_bytes());
        for (producer, known) in table.iter() {
            out.extend_from_slice(&producer.get().to_le_bytes());
            out.extend_from_slice(&known.epoch.get().to_le_bytes());
            out.extend_from_slice(&known.seen_ms.to_le_bytes());
            out.push(known.len);
            for batch in known.batches() {
                out.extend_from_slice(&batch.first_sequence.get().to_le_bytes());
                out.extend_from_slice(&batch.last_sequence.get().to_le_bytes());
                out.extend_from_slice(&batch.base_offset.get().to_le_bytes());
                out.extend_from_slice(&batch.next_offset.get().to_le_bytes());
                out.extend_from_slice(&batch.timestamp.to_le_bytes());
            }
        }
        out
    }

    /// Reads what [`ProducerTable::encode`] wrote; None when it is not that.
    pub(crate) fn decode(bytes: &[u8]) -> Option<ProducerTable> {
        if bytes.is_empty() {
            return Some(ProducerTable::default());
        }
        let mut from = Decoder::new(bytes);
        if from.u8()? != FORMAT {
            return None;
        }
        let count = from.u32()?;
        let mut table = HashMap::new();
        for _ in 0..count {
            let producer = ProducerId::new(from.i64()?);
            let epoch = ProducerEpoch::new(from.i16()?);
            let seen_ms = from.i64()?;
            let len = from.u8()?;
            let mut known =
                Known { epoch, seen_ms, batches: [Appended::default(); REMEMBERED], len: 0 };
            for _ in 0..len {
                known.push(Appended {
                    first_sequence: Sequence::new(from.i32()?),
                    last_sequence: Sequence::new(from.i32()?),
                    base_offset: Offset::new(from.u64()?),
                    next_offset: Offset::new(from.u64()?),
                    timestamp: from.i64()?,
                });
            }
            table.insert(producer, known);
        }
        if !from.is_empty() {
            return None;
        }
        Some(ProducerTable { known: (!table.is_empty()).then(|| Box::new(table)) })
    }
}

#[cfg(test)]
mod tests {
    use onrush_record::LeaderEpoch;
    use onrush_record::batch::Attributes;

    use super::*;

    fn batch(producer: i64, epoch: i16, sequence: i32, count: u32) -> BatchHeader {
        BatchHeader {
            base_offset: Offset::ZERO,
            total_len: 100,
            leader_epoch: LeaderEpoch::new(0),
            crc: 0,
            attributes: Attributes::default(),
            last_offset_delta: count - 1,
            base_timestamp: 0,
            max_timestamp: 0,
            producer_id: ProducerId::new(producer),
            producer_epoch: ProducerEpoch::new(epoch),
            base_sequence: Sequence::new(sequence),
            record_count: count,
        }
    }

    fn append(table: &mut ProducerTable, header: &BatchHeader, at: u64) {
        assert_eq!(table.judge(header), Verdict::Append);
        table.note(header, Offset::new(at), -1, 1_000);
    }

    #[test]
    fn the_last_five_batches_are_recognised_and_no_older_one() {
        let mut table = ProducerTable::default();
        for number in 0..6 {
            append(
                &mut table,
                &batch(7, 0, number * 10, 10),
                u64::from(number.unsigned_abs()) * 10,
            );
        }
        for number in 1..6u32 {
            let sent_again = batch(7, 0, i32::try_from(number * 10).unwrap(), 10);
            let base_offset = Offset::new(u64::from(number) * 10);
            assert_eq!(
                table.judge(&sent_again),
                Verdict::Duplicate {
                    base_offset,
                    next_offset: base_offset.plus(10),
                    timestamp: -1
                }
            );
        }
        let expected = Sequence::new(60);
        assert_eq!(table.judge(&batch(7, 0, 0, 10)), Verdict::OutOfOrder { expected });
        assert_eq!(table.judge(&batch(7, 0, 50, 5)), Verdict::OutOfOrder { expected });
        assert_eq!(table.judge(&batch(7, 0, 61, 1)), Verdict::OutOfOrder { expected });
    }

    #[test]
    fn sequences_wrap() {
        let mut table = ProducerTable::default();
        append(&mut table, &batch(7, 0, i32::MAX - 1, 2), 0);
        append(&mut table, &batch(7, 0, 0, 3), 2);
        let mut table = ProducerTable::default();
        append(&mut table, &batch(7, 0, i32::MAX, 2), 0);
        append(&mut table, &batch(7, 0, 1, 1), 2);
    }

    #[test]
    fn a_newer_epoch_begins_at_zero_and_fences_the_older() {
        let mut table = ProducerTable::default();
        append(&mut table, &batch(7, 0, 0, 1), 0);
        assert_eq!(
            table.judge(&batch(7, 1, 1, 1)),
            Verdict::OutOfOrder { expected: Sequence::ZERO }
        );
        append(&mut table, &batch(7, 1, 0, 1), 1);
        let current = ProducerEpoch::new(1);
        assert_eq!(table.judge(&batch(7, 0, 0, 1)), Verdict::Fenced { current });
    }

    #[test]
    fn an_unknown_producer_begins_anywhere() {
        let mut table = ProducerTable::default();
        append(&mut table, &batch(9, 3, 41, 1), 0);
    }

    #[test]
    fn a_note_can_be_taken_back() {
        let mut table = ProducerTable::default();
        let first = batch(7, 0, 0, 1);
        let before = table.note(&first, Offset::ZERO, -1, 5);
        table.restore(first.producer_id, before);
        assert!(!table.knows(first.producer_id));
    }

    #[test]
    fn what_is_written_is_read() {
        let mut table = ProducerTable::default();
        for producer in 0..20 {
            for number in 0..producer {
                let header = batch(producer, 2, i32::try_from(number).unwrap() * 2, 2);
                table.note(&header, Offset::new(number.unsigned_abs() * 2), 17, number);
            }
        }
        let bytes = table.encode();
        assert_eq!(ProducerTable::decode(&bytes).unwrap().known, table.known);
        for cut in 1..bytes.len() {
            assert!(ProducerTable::decode(&bytes[..cut]).is_none(), "cut at {cut}");
        }
        assert!(ProducerTable::default().encode().is_empty());
    }

    #[test]
    fn silent_producers_are_forgotten() {
        let mut table = ProducerTable::default();
        table.note(&batch(1, 0, 0, 1), Offset::ZERO, -1, 10);
        table.note(&batch(2, 0, 0, 1), Offset::ZERO, -1, 20);
        table.expire(15);
        assert!(!table.knows(ProducerId::new(1)));
        assert!(table.knows(ProducerId::new(2)));
        table.expire(30);
        assert!(table.known.is_none());
    }
}
