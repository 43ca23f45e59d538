//! The table as bytes, for a log's checkpoint.
//!
//! Little-endian. Format 1 knows producers only: a count u32, then each with id i64, epoch i16, last
//! heard of i64, count u8 of batches, and these with first and last sequence i32, first offset and
//! the one after the last u64, timestamp i64. Format 2 adds to each producer, before its batches, the
//! coordinator's epoch i32 and the first offset of its open transaction u64 (all ones: none); and at
//! the end a count u32 of aborted transactions, each with producer id i64, first offset, marker's
//! offset and last stable offset u64. It is written only where there is something of that to say.

use std::collections::{HashMap, VecDeque};

use onrush_record::{Offset, ProducerEpoch, ProducerId, Sequence};

use super::transactions::{Aborted, Transactions};
use super::{Appended, Known, ProducerTable};
use crate::codec::Decoder;

const PLAIN: u8 = 1;
const TRANSACTIONAL: u8 = 2;
const NOT_OPEN: u64 = u64::MAX;

impl ProducerTable {
    /// The table as bytes; none at all when nothing is known.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let empty = HashMap::new();
        let table = self.known.as_deref().unwrap_or(&empty);
        let aborted = self.transactions.as_ref().map(|transactions| transactions.index());
        let aborted = aborted.filter(|aborted| !aborted.is_empty());
        if table.is_empty() && aborted.is_none() {
            return Vec::new();
        }
        let seen = |known: &Known| known.open.is_some() || known.coordinator_epoch >= 0;
        let format = match aborted {
            None if !table.values().any(seen) => PLAIN,
            _ => TRANSACTIONAL,
        };
        let mut out = Vec::with_capacity(
            16 + table.len() * 112 + aborted.map_or(0, |aborted| aborted.len() * 32),
        );
        out.push(format);
        out.extend_from_slice(&count(table.len()));
        for (producer, known) in table {
            put_known(&mut out, format, *producer, known);
        }
        if format == TRANSACTIONAL {
            out.extend_from_slice(&count(aborted.map_or(0, VecDeque::len)));
            for aborted in aborted.into_iter().flatten() {
                out.extend_from_slice(&aborted.producer.get().to_le_bytes());
                for offset in [aborted.first, aborted.last, aborted.last_stable] {
                    out.extend_from_slice(&offset.get().to_le_bytes());
                }
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
        let format = from.u8()?;
        if format != PLAIN && format != TRANSACTIONAL {
            return None;
        }
        let mut table = HashMap::new();
        for _ in 0..from.u32()? {
            let (producer, known) = take_known(&mut from, format)?;
            table.insert(producer, known);
        }
        let mut aborted = VecDeque::new();
        if format == TRANSACTIONAL {
            for _ in 0..from.u32()? {
                aborted.push_back(Aborted {
                    producer: ProducerId::new(from.i64()?),
                    first: Offset::new(from.u64()?),
                    last: Offset::new(from.u64()?),
                    last_stable: Offset::new(from.u64()?),
                });
            }
        }
        if !from.is_empty() {
            return None;
        }
        let open = table.values().filter_map(|known| known.open);
        let transactions = Transactions::restored(open, aborted);
        Some(ProducerTable {
            known: (!table.is_empty()).then(|| Box::new(table)),
            transactions: (!transactions.is_blank()).then(|| Box::new(transactions)),
        })
    }
}

fn count(len: usize) -> [u8; 4] {
    u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes()
}

fn put_known(out: &mut Vec<u8>, format: u8, producer: ProducerId, known: &Known) {
    out.extend_from_slice(&producer.get().to_le_bytes());
    out.extend_from_slice(&known.epoch.get().to_le_bytes());
    out.extend_from_slice(&known.seen_ms.to_le_bytes());
    if format == TRANSACTIONAL {
        out.extend_from_slice(&known.coordinator_epoch.to_le_bytes());
        out.extend_from_slice(&known.open.map_or(NOT_OPEN, Offset::get).to_le_bytes());
    }
    out.push(known.len);
    for batch in known.batches() {
        out.extend_from_slice(&batch.first_sequence.get().to_le_bytes());
        out.extend_from_slice(&batch.last_sequence.get().to_le_bytes());
        out.extend_from_slice(&batch.base_offset.get().to_le_bytes());
        out.extend_from_slice(&batch.next_offset.get().to_le_bytes());
        out.extend_from_slice(&batch.timestamp.to_le_bytes());
    }
}

fn take_known(from: &mut Decoder<'_>, format: u8) -> Option<(ProducerId, Known)> {
    let producer = ProducerId::new(from.i64()?);
    let epoch = ProducerEpoch::new(from.i16()?);
    let mut known = Known::new(epoch, from.i64()?);
    if format == TRANSACTIONAL {
        known.coordinator_epoch = from.i32()?;
        known.open = Some(from.u64()?).filter(|open| *open != NOT_OPEN).map(Offset::new);
    }
    for _ in 0..from.u8()? {
        known.push(Appended {
            first_sequence: Sequence::new(from.i32()?),
            last_sequence: Sequence::new(from.i32()?),
            base_offset: Offset::new(from.u64()?),
            next_offset: Offset::new(from.u64()?),
            timestamp: from.i64()?,
        });
    }
    Some((producer, known))
}
