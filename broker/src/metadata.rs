//! What the broker knows of itself: a pure state machine over the records of its metadata journal.

use std::collections::{BTreeMap, HashMap};

use onrush_record::TopicId;

use crate::codec::{Decoder, Encoder};
use crate::quota::{QuotaEntity, QuotaLimits, QuotaTable};
use crate::settings::Overrides;

/// One thing that has been decided. Tags and layouts are a file format: add, never change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// The first record: the id by which clients tell this cluster from others.
    ClusterCreated { id: [u8; 16] },
    /// A topic, whose files exist already.
    TopicCreated { id: TopicId, name: String, partitions: u32, overrides: Overrides },
    /// No such topic any more; its files go next.
    TopicDeleted { id: TopicId },
    /// A topic's settings, all of them.
    TopicConfigured { id: TopicId, overrides: Overrides },
    /// A topic has so many partitions now.
    PartitionsAdded { id: TopicId, partitions: u32 },
    /// Producer ids below this may have been given out.
    ProducerIdsTaken { below: i64 },
    /// A client's quota, or that of any client; one that limits nothing is gone.
    QuotaSet { entity: QuotaEntity, limits: QuotaLimits },
}

impl Record {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        match self {
            Record::ClusterCreated { id } => out.u8(1).bytes(id),
            Record::TopicCreated { id, name, partitions, overrides } => {
                out.u8(2).bytes(&id.bytes()).str(name).u32(*partitions).map(overrides)
            }
            Record::TopicDeleted { id } => out.u8(3).bytes(&id.bytes()),
            Record::TopicConfigured { id, overrides } => {
                out.u8(4).bytes(&id.bytes()).map(overrides)
            }
            Record::PartitionsAdded { id, partitions } => {
                out.u8(5).bytes(&id.bytes()).u32(*partitions)
            }
            Record::ProducerIdsTaken { below } => out.u8(6).i64(*below),
            Record::QuotaSet { entity, limits } => {
                match entity {
                    QuotaEntity::AnyClient => out.u8(7).u8(0),
                    QuotaEntity::Client(name) => out.u8(7).u8(1).str(name),
                };
                let rate = |rate: Option<u64>| rate.unwrap_or(0).to_le_bytes();
                out.bytes(&rate(limits.produce)).bytes(&rate(limits.fetch))
            }
        };
        out.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Record> {
        let mut from = Decoder::new(bytes);
        let record = match from.u8()? {
            1 => Record::ClusterCreated { id: from.array()? },
            2 => Record::TopicCreated {
                id: TopicId::new(from.array()?),
                name: from.str()?,
                partitions: from.u32()?,
                overrides: from.map()?,
            },
            3 => Record::TopicDeleted { id: TopicId::new(from.array()?) },
            4 => {
                Record::TopicConfigured { id: TopicId::new(from.array()?), overrides: from.map()? }
            }
            5 => {
                Record::PartitionsAdded { id: TopicId::new(from.array()?), partitions: from.u32()? }
            }
            6 => Record::ProducerIdsTaken { below: from.i64()? },
            7 => {
                let entity = match from.u8()? {
                    0 => QuotaEntity::AnyClient,
                    1 => QuotaEntity::Client(from.str()?),
                    _ => return None,
                };
                let mut rate = || from.u64().map(|rate| (rate > 0).then_some(rate));
                let limits = QuotaLimits { produce: rate()?, fetch: rate()? };
                Record::QuotaSet { entity, limits }
            }
            _ => return None,
        };
        from.is_empty().then_some(record)
    }
}

/// A topic as it was decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TopicRecord {
    pub(crate) name: String,
    pub(crate) partitions: u32,
    pub(crate) overrides: Overrides,
}

/// All that was decided.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) cluster_id: [u8; 16],
    pub(crate) topics: BTreeMap<TopicId, TopicRecord>,
    names: HashMap<String, TopicId>,
    /// Producer ids from here on were never given out.
    pub(crate) next_producer_id: i64,
    pub(crate) quotas: QuotaTable,
}

impl Metadata {
    pub(crate) fn apply(&mut self, record: Record) {
        match record {
            Record::ClusterCreated { id } => self.cluster_id = id,
            Record::TopicCreated { id, name, partitions, overrides } => {
                self.names.insert(name.clone(), id);
                self.topics.insert(id, TopicRecord { name, partitions, overrides });
            }
            Record::TopicDeleted { id } => {
                if let Some(topic) = self.topics.remove(&id)
                    && self.names.get(&topic.name) == Some(&id)
                {
                    self.names.remove(&topic.name);
                }
            }
            Record::TopicConfigured { id, overrides } => {
                if let Some(topic) = self.topics.get_mut(&id) {
                    topic.overrides = overrides;
                }
            }
            Record::PartitionsAdded { id, partitions } => {
                if let Some(topic) = self.topics.get_mut(&id) {
                    topic.partitions = partitions;
                }
            }
            Record::ProducerIdsTaken { below } => {
                self.next_producer_id = self.next_producer_id.max(below);
            }
            Record::QuotaSet { entity, limits } if limits.is_empty() => {
                self.quotas.remove(&entity);
            }
            Record::QuotaSet { entity, limits } => {
                self.quotas.insert(entity, limits);
            }
        }
    }

    pub(crate) fn id_of(&self, name: &str) -> Option<TopicId> {
        self.names.get(name).copied()
    }

    /// Records that lead to the same state.
    pub(crate) fn snapshot(&self) -> Vec<Vec<u8>> {
        let first = [
            Record::ClusterCreated { id: self.cluster_id },
            Record::ProducerIdsTaken { below: self.next_producer_id },
        ];
        let topics = self.topics.iter().map(|(&id, topic)| Record::TopicCreated {
            id,
            name: topic.name.clone(),
            partitions: topic.partitions,
            overrides: topic.overrides.clone(),
        });
        let quotas = self
            .quotas
            .iter()
            .map(|(entity, limits)| Record::QuotaSet { entity: entity.clone(), limits: *limits });
        first.into_iter().chain(topics).chain(quotas).map(|record| record.encode()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quota(entity: QuotaEntity, produce: Option<u64>, fetch: Option<u64>) -> Record {
        Record::QuotaSet { entity, limits: QuotaLimits { produce, fetch } }
    }

    fn records() -> Vec<Record> {
        let id = |n| TopicId::new([n; 16]);
        let overrides = Overrides::from([("retention.ms".to_owned(), "1000".to_owned())]);
        let created = |n: u8, name: &str| Record::TopicCreated {
            id: id(n),
            name: name.to_owned(),
            partitions: 3,
            overrides: Overrides::new(),
        };
        vec![
            Record::ClusterCreated { id: [9; 16] },
            created(1, "one"),
            created(2, "two"),
            Record::TopicConfigured { id: id(2), overrides },
            Record::PartitionsAdded { id: id(2), partitions: 8 },
            Record::TopicDeleted { id: id(1) },
            created(3, "one"),
            Record::ProducerIdsTaken { below: 2000 },
            quota(QuotaEntity::AnyClient, Some(7), None),
            quota(QuotaEntity::Client("a".to_owned()), None, Some(1 << 40)),
            quota(QuotaEntity::Client("b".to_owned()), Some(1), Some(2)),
            quota(QuotaEntity::Client("b".to_owned()), None, None),
        ]
    }

    #[test]
    fn what_is_written_is_read() {
        for record in records() {
            let bytes = record.encode();
            assert_eq!(Record::decode(&bytes), Some(record));
            for cut in 0..bytes.len() {
                assert_eq!(Record::decode(&bytes[..cut]), None);
            }
        }
    }

    #[test]
    fn a_snapshot_leads_to_the_same_state() {
        let mut metadata = Metadata::default();
        records().into_iter().for_each(|record| metadata.apply(record));
        assert_eq!(metadata.id_of("one"), Some(TopicId::new([3; 16])));
        assert_eq!(metadata.topics.len(), 2);
        assert_eq!(metadata.quotas.len(), 2);
        let mut again = Metadata::default();
        for bytes in metadata.snapshot() {
            again.apply(Record::decode(&bytes).unwrap());
        }
        assert_eq!(again, metadata);
    }
}
