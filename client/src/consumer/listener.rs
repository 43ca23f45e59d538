//! Telling the application which partitions come and go.

use onrush_record::Offset;

use crate::metadata::TopicPartition;

/// Called from [`poll`](crate::Consumer::poll) when a group's partitions are spread anew.
pub trait RebalanceListener: Send + Sync {
    /// These partitions are now this consumer's.
    fn assigned(&self, partitions: &[TopicPartition]) {
        let _ = partitions;
    }

    /// These partitions are about to go to another member; everything polled of them was handed
    /// out. Offsets put into `commits` are committed before they go.
    fn revoked(&self, partitions: &[TopicPartition], commits: &mut Commits) {
        let _ = (partitions, commits);
    }

    /// These partitions are no longer this consumer's, and may be another's already: the group
    /// gave it up. Nothing can be committed for them.
    fn lost(&self, partitions: &[TopicPartition]) {
        let _ = partitions;
    }
}

/// Offsets to commit.
#[derive(Clone, Debug, Default)]
pub struct Commits {
    pub(super) offsets: Vec<(TopicPartition, Offset)>,
}

impl Commits {
    /// Commits that the next record to read of this partition is the one at `offset`.
    pub fn add(&mut self, partition: TopicPartition, offset: Offset) {
        self.offsets.push((partition, offset));
    }
}
