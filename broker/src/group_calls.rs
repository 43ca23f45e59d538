//! What callers ask of consumer groups.

use onrush_record::Offset;

use crate::group::{
    CommittedOffset, GroupCommit, GroupDescription, GroupHeartbeat, GroupHeartbeatReply,
    GroupListing, TopicPartition,
};
use crate::{Broker, Result};

/// How far behind a group is in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionLag {
    /// The partition.
    pub partition: TopicPartition,
    /// The next record the group reads.
    pub committed: Offset,
    /// The end of what it could read.
    pub readable_end: Offset,
}

impl PartitionLag {
    /// Records between the two.
    pub fn records(&self) -> u64 {
        self.readable_end.since(self.committed)
    }
}

impl Broker {
    /// A member joins, stays or leaves. The answer holds even if the broker crashes right after.
    ///
    /// # Errors
    /// What the group says, or that groups are disabled.
    pub async fn group_heartbeat(&self, beat: GroupHeartbeat) -> Result<GroupHeartbeatReply> {
        self.inner.coordinator.heartbeat(beat).await
    }

    /// Commits offsets; one result for each. They are durable when this returns.
    ///
    /// # Errors
    /// What the group says of the whole commit, or that groups are disabled.
    pub async fn group_commit(&self, commit: GroupCommit) -> Result<Vec<Result<()>>> {
        self.inner.coordinator.commit(commit).await
    }

    /// What a group has committed, for these partitions or all it has.
    ///
    /// # Errors
    /// When groups are disabled.
    pub async fn group_offsets(
        &self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<Vec<(TopicPartition, Option<CommittedOffset>)>> {
        self.inner.coordinator.offsets(group, partitions).await
    }

    /// How far behind a group is, in every partition it has committed for.
    ///
    /// # Errors
    /// When groups are disabled.
    pub async fn group_lag(&self, group: &str) -> Result<Vec<PartitionLag>> {
        let offsets = self.group_offsets(group, None).await?;
        let lag = offsets.into_iter().filter_map(|(partition, committed)| {
            let committed = committed?.offset;
            let readable_end = self.partition(partition.0, partition.1).ok()?.ends().readable;
            Some(PartitionLag { partition, committed, readable_end })
        });
        Ok(lag.collect())
    }

    /// All groups.
    ///
    /// # Errors
    /// When groups are disabled.
    pub fn group_list(&self) -> Result<Vec<GroupListing>> {
        self.inner.coordinator.list()
    }

    /// One group in full.
    ///
    /// # Errors
    /// When there is none of that name, or groups are disabled.
    pub fn group_describe(&self, group: &str) -> Result<GroupDescription> {
        self.inner.coordinator.describe(group)
    }

    /// Deletes a group that has no members, with its offsets.
    ///
    /// # Errors
    /// When it has members, does not exist, or groups are disabled.
    pub async fn group_delete(&self, group: &str) -> Result<()> {
        self.inner.coordinator.delete(group).await
    }
}
