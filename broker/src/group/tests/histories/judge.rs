//! What must hold of deliveries and commits: [`onrush_sim::Judge`], which judges real clients too.

pub(super) use onrush_sim::Reader;

use super::*;

#[derive(Debug, Default)]
pub(super) struct Judge(onrush_sim::Judge<TopicPartition>);

impl Judge {
    pub(super) fn add(&mut self, partition: TopicPartition) {
        self.0.add(partition);
    }

    pub(super) fn partitions(&self) -> Partitions {
        self.0.partitions()
    }

    pub(super) fn append(&mut self, partition: TopicPartition, records: u64) {
        self.0.append(partition, records);
    }

    pub(super) fn end(&self, partition: TopicPartition) -> u64 {
        self.0.end(partition)
    }

    pub(super) fn deliver(
        &mut self,
        partition: TopicPartition,
        offset: u64,
        generation: i32,
        reader: Reader,
    ) {
        self.0.deliver(partition, offset, generation, reader).unwrap();
    }

    pub(super) fn commit(&mut self, partition: TopicPartition, offset: u64) {
        self.0.commit(partition, offset).unwrap();
    }

    pub(super) fn committed(&self, partition: TopicPartition) -> u64 {
        self.0.committed(partition)
    }

    pub(super) fn is_done(&self) -> bool {
        self.0.is_done()
    }
}
