//! Offsets that are committed if and when a transaction is.
//!
//! They belong to a group and a producer, and are known beside what is committed: a group that is
//! deleted, or expires, meanwhile is there again once the transaction commits.

use std::collections::BTreeMap;

use onrush_record::{ProducerId, TopicId};

use super::TopicPartition;
use super::directory::TopicDirectory;
use super::error::GroupError;
use super::event::GroupEvent;
use super::groups::{Groups, check_group_id};
use super::offsets::{CommittedOffset, GroupCommit, METADATA_MAX_LEN, OffsetChanges, OffsetCommit};

/// Pending offsets of one transaction in one group.
type OfTransaction = BTreeMap<TopicPartition, Option<CommittedOffset>>;

/// All pending offsets.
#[derive(Debug, Default)]
pub(super) struct Pending(BTreeMap<String, BTreeMap<ProducerId, OfTransaction>>);

impl Pending {
    pub(super) fn put(&mut self, group: &str, producer: ProducerId, offsets: &OffsetChanges) {
        let group = self.0.entry(group.to_owned()).or_default();
        group.entry(producer).or_default().extend(offsets.iter().cloned());
    }

    /// The transaction has ended: these are no longer pending.
    pub(super) fn take(&mut self, group: &str, producer: ProducerId) -> OffsetChanges {
        let Some(of_group) = self.0.get_mut(group) else { return Vec::new() };
        let taken = of_group.remove(&producer);
        if of_group.is_empty() {
            self.0.remove(group);
        }
        taken.into_iter().flatten().collect()
    }

    fn concerns(&self, group: &str, partition: &TopicPartition) -> bool {
        let transactions = self.0.get(group).into_iter().flat_map(BTreeMap::values);
        transactions.into_iter().any(|offsets| offsets.contains_key(partition))
    }

    fn partitions(&self, group: &str) -> impl Iterator<Item = TopicPartition> {
        let transactions = self.0.get(group).into_iter().flat_map(BTreeMap::values);
        transactions.flat_map(|offsets| offsets.keys().copied())
    }

    pub(super) fn forget_topic(&mut self, topic: TopicId) {
        for offsets in self.0.values_mut().flat_map(BTreeMap::values_mut) {
            offsets.retain(|(of, _), _| *of != topic);
        }
    }

    pub(super) fn events(&self) -> impl Iterator<Item = GroupEvent> {
        self.0.iter().flat_map(|(group, transactions)| {
            transactions.iter().map(|(producer, offsets)| GroupEvent::OffsetsPending {
                group: group.clone(),
                producer: *producer,
                offsets: offsets.iter().map(|(at, offset)| (*at, offset.clone())).collect(),
            })
        })
    }
}

impl Groups {
    /// Judges a commit that is part of a transaction, as [`Groups::commit`] does one that is not.
    /// It need not come from a member: old clients do not say.
    #[expect(clippy::type_complexity, reason = "one result a part, and the event, named above")]
    pub(crate) fn commit_pending(
        &mut self,
        now_ms: i64,
        directory: &TopicDirectory,
        producer: ProducerId,
        commit: GroupCommit,
    ) -> Result<(Vec<Result<(), GroupError>>, Option<GroupEvent>), GroupError> {
        let pending = |group, offsets| GroupEvent::OffsetsPending { group, producer, offsets };
        if !commit.member_id.is_empty() {
            let (results, event) = self.judge_commit(now_ms, directory, commit, true)?;
            let event = event.map(|event| match event {
                GroupEvent::OffsetsCommitted { group, offsets } => pending(group, offsets),
                other => other,
            });
            return Ok((results, event));
        }
        check_group_id(&commit.group)?;
        let mut results = Vec::with_capacity(commit.offsets.len());
        let mut offsets = Vec::with_capacity(commit.offsets.len());
        for offset in commit.offsets {
            let result = check(directory, &offset);
            if result.is_ok() {
                let committed = offset.offset.map(|next| CommittedOffset {
                    offset: next,
                    leader_epoch: offset.leader_epoch,
                    metadata: offset.metadata,
                    committed_at_ms: now_ms,
                });
                offsets.push((offset.partition, committed));
            }
            results.push(result);
        }
        let event = (!offsets.is_empty()).then(|| pending(commit.group, offsets));
        Ok((results, event))
    }

    /// What a group has committed, but for partitions of which a transaction is still to decide.
    pub(crate) fn stable_offsets(
        &self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
    ) -> Vec<(TopicPartition, Result<Option<CommittedOffset>, GroupError>)> {
        let mut offsets = self.offsets(group, partitions);
        if partitions.is_none() {
            let known: Vec<_> = offsets.iter().map(|(partition, _)| *partition).collect();
            let only_pending = self.pending.partitions(group).filter(|at| !known.contains(at));
            offsets.extend(only_pending.map(|partition| (partition, None)));
            offsets.sort_by_key(|(partition, _)| *partition);
            offsets.dedup_by_key(|(partition, _)| *partition);
        }
        let stable = |(at, offset): (TopicPartition, _)| {
            let (topic, partition) = at;
            let unstable = self.pending.concerns(group, &at);
            let group = || group.to_owned();
            let offset = match unstable {
                true => Err(GroupError::UnstableOffset { group: group(), topic, partition }),
                false => Ok(offset),
            };
            (at, offset)
        };
        offsets.into_iter().map(stable).collect()
    }
}

fn check(directory: &TopicDirectory, commit: &OffsetCommit) -> Result<(), GroupError> {
    let (topic, partition) = commit.partition;
    let Some(partitions) = directory.partitions(topic) else {
        return Err(GroupError::UnknownTopic { topic });
    };
    if partition >= partitions {
        return Err(GroupError::UnknownPartition { topic, partition, partitions });
    }
    if commit.metadata.len() > METADATA_MAX_LEN {
        let len = commit.metadata.len();
        return Err(GroupError::MetadataTooLarge { len, max: METADATA_MAX_LEN });
    }
    Ok(())
}
