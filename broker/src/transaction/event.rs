//! What must survive a restart, as values to be journalled and replayed.
//!
//! An encoded event is a version byte (1), a kind byte, the transactional id, and fields: integers
//! little-endian, text and arrays behind a u32 count, optional values behind a byte that is 0 or 1.

use std::collections::BTreeMap;
use std::sync::Arc;

use onrush_record::{Offset, ProducerEpoch, ProducerId, TopicId};

use super::state::{Identity, Transaction, TransactionState};
use crate::codec::{Decoder, Encoder};
use crate::group::TopicPartition;

const VERSION: u8 = 1;

/// A change of a transactional id that must survive a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TransactionEvent {
    /// All of it as it is from here on.
    Changed(Box<Transaction>),
    /// These take part in its transaction, which is open from here on.
    Added { id: Arc<str>, at_ms: i64, partitions: Vec<TopicPartition>, groups: Vec<String> },
    /// It is forgotten.
    Removed { id: Arc<str> },
}

impl TransactionEvent {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            TransactionEvent::Changed(transaction) => {
                out.u8(VERSION).u8(1);
                put_transaction(&mut out, transaction);
            }
            TransactionEvent::Added { id, at_ms, partitions, groups } => {
                out.u8(VERSION).u8(2).str(id).i64(*at_ms);
                put_partitions(&mut out, partitions.iter());
                put_groups(&mut out, groups.iter());
            }
            TransactionEvent::Removed { id } => {
                out.u8(VERSION).u8(3).str(id);
            }
        }
        out.finish()
    }

    /// Reads an event that must end where `bytes` ends; says why it cannot.
    pub(crate) fn decode(bytes: &[u8]) -> Result<TransactionEvent, String> {
        let mut from = Decoder::new(bytes);
        match from.u8() {
            Some(VERSION) => {}
            Some(newer @ 2..) => {
                return Err(format!(
                    "an event of version {newer}, this broker knows up to {VERSION}: use a newer one"
                ));
            }
            _ => return Err("an event without a version".to_owned()),
        }
        let event = take_event(&mut from).filter(|_| from.is_empty());
        event.ok_or_else(|| "an event that makes no sense".to_owned())
    }
}

fn take_event(from: &mut Decoder<'_>) -> Option<TransactionEvent> {
    Some(match from.u8()? {
        1 => TransactionEvent::Changed(Box::new(take_transaction(from)?)),
        2 => TransactionEvent::Added {
            id: from.str()?.into(),
            at_ms: from.i64()?,
            partitions: take_partitions(from)?,
            groups: take_groups(from)?,
        },
        3 => TransactionEvent::Removed { id: from.str()?.into() },
        _ => return None,
    })
}

fn put_transaction(out: &mut Encoder, transaction: &Transaction) {
    out.str(&transaction.id);
    put_identity(out, transaction.current);
    out.u8(u8::from(transaction.previous.is_some()));
    if let Some(previous) = transaction.previous {
        put_identity(out, previous);
    }
    put_identity(out, transaction.marker);
    out.i32(transaction.timeout_ms).u8(state_code(transaction.state));
    out.i64(transaction.started_at_ms).i64(transaction.changed_at_ms);
    put_partitions(out, transaction.partitions.keys());
    put_groups(out, transaction.groups.keys());
}

fn take_transaction(from: &mut Decoder<'_>) -> Option<Transaction> {
    let id = from.str()?.into();
    let current = take_identity(from)?;
    let previous = match from.u8()? {
        0 => None,
        1 => Some(take_identity(from)?),
        _ => return None,
    };
    let marker = take_identity(from)?;
    let timeout_ms = from.i32()?;
    let state = state_of(from.u8()?)?;
    let (started_at_ms, changed_at_ms) = (from.i64()?, from.i64()?);
    // What is replayed is durable.
    let partitions: BTreeMap<_, _> =
        take_partitions(from)?.into_iter().map(|partition| (partition, Offset::ZERO)).collect();
    let groups = take_groups(from)?.into_iter().map(|group| (group, Offset::ZERO)).collect();
    Some(Transaction {
        id,
        current,
        previous,
        marker,
        timeout_ms,
        state,
        partitions,
        groups,
        started_at_ms,
        changed_at_ms,
        ending: None,
    })
}

fn put_identity(out: &mut Encoder, who: Identity) {
    out.i64(who.producer.get()).bytes(&who.epoch.get().to_le_bytes());
}

fn take_identity(from: &mut Decoder<'_>) -> Option<Identity> {
    let producer = ProducerId::new(from.i64()?);
    Some(Identity { producer, epoch: ProducerEpoch::new(from.i16()?) })
}

fn put_partitions<'a>(
    out: &mut Encoder,
    partitions: impl ExactSizeIterator<Item = &'a TopicPartition>,
) {
    out.u32(len(partitions.len()));
    for (topic, partition) in partitions {
        out.bytes(&topic.bytes()).u32(*partition);
    }
}

fn take_partitions(from: &mut Decoder<'_>) -> Option<Vec<TopicPartition>> {
    let count = from.u32()?;
    (0..count).map(|_| Some((TopicId::new(from.array()?), from.u32()?))).collect()
}

fn put_groups<'a>(out: &mut Encoder, groups: impl ExactSizeIterator<Item = &'a String>) {
    out.u32(len(groups.len()));
    for group in groups {
        out.str(group);
    }
}

fn take_groups(from: &mut Decoder<'_>) -> Option<Vec<String>> {
    let count = from.u32()?;
    (0..count).map(|_| from.str()).collect()
}

fn len(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

/// As Kafka numbers them.
fn state_code(state: TransactionState) -> u8 {
    match state {
        TransactionState::Empty => 0,
        TransactionState::Ongoing => 1,
        TransactionState::PrepareCommit => 2,
        TransactionState::PrepareAbort => 3,
        TransactionState::CompleteCommit => 4,
        TransactionState::CompleteAbort => 5,
    }
}

fn state_of(code: u8) -> Option<TransactionState> {
    TransactionState::ALL.into_iter().find(|state| state_code(*state) == code)
}
