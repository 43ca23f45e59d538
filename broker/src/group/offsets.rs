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

/// A committed offset, and its place among all commits: where several are made of one partition, the
/// one that was made last holds, whenever the transactions end that some of them are part of.
#[derive(Clone, Debug)]
struct Committed {
    offset: CommittedOffset,
    place: u64,
}

/// All that a group has committed.
#[derive(Debug)]
pub(crate) struct Offsets {
    committed: BTreeMap<TopicPartition, Committed>,
    /// None of them was committed before this.
    since_ms: i64,
}

impl Default for Offsets {
    fn default() -> Self {
        Self { committed: BTreeMap::new(), since_ms: i64::MAX }
    }
}

impl Offsets {
    /// Makes changes so that come at this place among all commits.
    pub(crate) fn apply(&mut self, changes: &OffsetChanges, place: u64) {
        for (partition, change) in changes {
            self.put(*partition, change.clone(), place);
        }
    }

    /// A change that was made at this place counts from now on, unless a later one does already.
    pub(crate) fn apply_ended(
        &mut self,
        partition: TopicPartition,
        change: Option<CommittedOffset>,
        place: u64,
    ) {
        if self.committed.get(&partition).is_none_or(|committed| committed.place < place) {
            self.put(partition, change, place);
        }
    }

    fn put(&mut self, partition: TopicPartition, change: Option<CommittedOffset>, place: u64) {
        match change {
            Some(offset) => {
                self.since_ms = self.since_ms.min(offset.committed_at_ms);
                self.committed.insert(partition, Committed { offset, place });
            }
            None => {
                self.committed.remove(&partition);
            }
        }
        if self.committed.is_empty() {
            self.since_ms = i64::MAX;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.committed.is_empty()
    }

    pub(crate) fn get(&self, partition: &TopicPartition) -> Option<&CommittedOffset> {
        self.committed.get(partition).map(|committed| &committed.offset)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&TopicPartition, &CommittedOffset)> {
        self.committed.iter().map(|(partition, committed)| (partition, &committed.offset))
    }

    /// The same, each with its place.
    pub(crate) fn places(&self) -> impl Iterator<Item = (u64, TopicPartition, &CommittedOffset)> {
        self.committed.iter().map(|(at, committed)| (committed.place, *at, &committed.offset))
    }

    /// When the first one may be forgotten by a group that has had no member since
    /// `emptied_at_ms`.
    pub(crate) fn due_ms(&self, emptied_at_ms: i64, retention_ms: i64) -> Option<i64> {
        let kept_since =
            self.iter().map(|(_, offset)| offset.committed_at_ms.max(emptied_at_ms)).min()?;
        Some(kept_since.saturating_add(retention_ms))
    }

    /// No sooner than this one may be forgotten that the members do not read; found without looking
    /// at each.
    pub(crate) fn unread_due_ms(&self, retention_ms: i64) -> Option<i64> {
        (!self.is_empty()).then(|| self.since_ms.saturating_add(retention_ms))
    }

    /// Those to be forgotten at `now_ms`, but for those that are held; and whether any is.
    pub(crate) fn expired(
        &mut self,
        emptied_at_ms: i64,
        retention_ms: i64,
        now_ms: i64,
        is_held: impl Fn(&TopicPartition) -> bool,
    ) -> (OffsetChanges, bool) {
        let due = |offset: &CommittedOffset| {
            offset.committed_at_ms.max(emptied_at_ms).saturating_add(retention_ms) <= now_ms
        };
        let all = self.committed.values().map(|committed| committed.offset.committed_at_ms);
        self.since_ms = all.min().unwrap_or(i64::MAX);
        let due = self.iter().filter(|(_, offset)| due(offset)).map(|(partition, _)| *partition);
        let (held, expired): (Vec<_>, Vec<_>) = due.partition(is_held);
        (expired.into_iter().map(|partition| (partition, None)).collect(), !held.is_empty())
    }
}
