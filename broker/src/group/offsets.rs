//! Committed offsets.

use std::collections::BTreeMap;

use onrush_record::{LeaderEpoch, Offset};

use super::TopicPartition;

/// Longest metadata kept with a committed offset, in bytes.
pub(crate) const METADATA_MAX_LEN: usize = 4096;

/// How far a group has come in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedOffset {
    /// The next record to read.
    pub offset: Offset,
    /// Leader epoch of the last record read, if the member said.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The member's own text.
    pub metadata: String,
    /// When it was committed.
    pub committed_at_ms: i64,
}

/// Commits offsets of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupCommit {
    /// The group.
    pub group: String,
    /// The member; empty: an administrator or a lone consumer, while the group has no members.
    pub member_id: String,
    /// The member's epoch, or generation under the classic protocol.
    pub member_epoch: i32,
    /// The member's instance id, if it says it.
    pub instance_id: Option<String>,
    /// What to commit.
    pub offsets: Vec<OffsetCommit>,
}

/// An offset to commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetCommit {
    /// The partition.
    pub partition: TopicPartition,
    /// The next record to read; None: forget what is committed.
    pub offset: Option<Offset>,
    /// Leader epoch of the last record read, if known.
    pub leader_epoch: Option<LeaderEpoch>,
    /// The member's own text.
    pub metadata: String,
}

/// Changes to committed offsets; None forgets.
pub(crate) type OffsetChanges = Vec<(TopicPartition, Option<CommittedOffset>)>;

/// All that a group has committed.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    committed: BTreeMap<TopicPartition, CommittedOffset>,
}

impl Offsets {
    pub(crate) fn apply(&mut self, changes: &[(TopicPartition, Option<CommittedOffset>)]) {
        for (partition, change) in changes {
            match change {
                Some(offset) => self.committed.insert(*partition, offset.clone()),
                None => self.committed.remove(partition),
            };
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.committed.is_empty()
    }

    pub(crate) fn get(&self, partition: &TopicPartition) -> Option<&CommittedOffset> {
        self.committed.get(partition)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&TopicPartition, &CommittedOffset)> {
        self.committed.iter()
    }

    /// When the first one may be forgotten by a group that has had no member since
    /// `emptied_at_ms`.
    pub(crate) fn due_ms(&self, emptied_at_ms: i64, retention_ms: i64) -> Option<i64> {
        let kept_since = self
            .committed
            .values()
            .map(|offset| offset.committed_at_ms.max(emptied_at_ms))
            .min()?;
        Some(kept_since.saturating_add(retention_ms))
    }

    /// Those to be forgotten at `now_ms`.
    pub(crate) fn expired(
        &self,
        emptied_at_ms: i64,
        retention_ms: i64,
        now_ms: i64,
    ) -> OffsetChanges {
        let due = |offset: &CommittedOffset| {
            offset.committed_at_ms.max(emptied_at_ms).saturating_add(retention_ms) <= now_ms
        };
        let expired = self.committed.iter().filter(|(_, offset)| due(offset));
        expired.map(|(partition, _)| (*partition, None)).collect()
    }
}
