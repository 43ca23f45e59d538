//! What must hold of deliveries and commits, whoever made them.

use std::collections::{BTreeMap, HashMap};

use super::*;

/// Who received: the client, and which of its lives.
pub(super) type Reader = (usize, u32);

/// What is known of one partition.
#[derive(Debug, Default)]
struct Log {
    end: u64,
    committed: u64,
    /// Who received each record, by generation.
    delivered: Vec<HashMap<i32, Reader>>,
}

#[derive(Debug, Default)]
pub(super) struct Judge(BTreeMap<TopicPartition, Log>);

impl Judge {
    pub(super) fn add(&mut self, partition: TopicPartition) {
        self.0.entry(partition).or_default();
    }

    pub(super) fn partitions(&self) -> Partitions {
        self.0.keys().copied().collect()
    }

    pub(super) fn append(&mut self, partition: TopicPartition, records: u64) {
        let log = self.0.get_mut(&partition).unwrap();
        log.end += records;
        log.delivered.resize_with(usize::try_from(log.end).unwrap(), HashMap::new);
    }

    pub(super) fn end(&self, partition: TopicPartition) -> u64 {
        self.0[&partition].end
    }

    /// Nothing goes to two members of one generation.
    pub(super) fn deliver(
        &mut self,
        partition: TopicPartition,
        offset: u64,
        generation: i32,
        reader: Reader,
    ) {
        let log = self.0.get_mut(&partition).unwrap();
        let record = &mut log.delivered[usize::try_from(offset).unwrap()];
        let first = *record.entry(generation).or_insert(reader);
        assert_eq!(
            first, reader,
            "record {offset} of {partition:?} went to two members of generation {generation}"
        );
    }

    /// A commit was accepted: nothing before it is skipped, and it takes nothing back.
    pub(super) fn commit(&mut self, partition: TopicPartition, offset: u64) {
        let log = self.0.get_mut(&partition).unwrap();
        assert!(offset >= log.committed, "{partition:?} went back to {offset}");
        let skipped =
            log.delivered[..usize::try_from(offset).unwrap()].iter().position(HashMap::is_empty);
        assert_eq!(skipped, None, "skipped in {partition:?}");
        log.committed = offset;
    }

    pub(super) fn committed(&self, partition: TopicPartition) -> u64 {
        self.0[&partition].committed
    }

    /// Everything was delivered, and committed.
    pub(super) fn is_done(&self) -> bool {
        self.0.values().all(|log| log.committed == log.end)
    }
}
