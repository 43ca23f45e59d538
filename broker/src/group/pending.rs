//! Offsets that are committed if and when a transaction is.
//!
//! They belong to a group and a producer, and are known beside what is committed. As in Kafka, where
//! a partition is committed both in a transaction and outside of it, the commit that was made last
//! holds, not the one whose transaction ended last; and what is forgotten, by an operator or with
//! its topic or group, is forgotten of what is pending, too.

use std::collections::BTreeMap;

use onrush_record::ProducerId;

use super::TopicPartition;
use super::directory::TopicDirectory;
use super::error::GroupError;
use super::event::GroupEvent;
use super::groups::{Groups, check_group_id};
use super::offsets::{
    CommittedOffset, GroupCommit, METADATA_MAX_LEN, OffsetChanges, OffsetCommit, Offsets,
};

/// One pending offset, or (None) what is to be forgotten.
#[derive(Clone, Debug)]
pub(super) struct PendingOffset {
    pub(super) partition: TopicPartition,
    pub(super) offset: Option<CommittedOffset>,
    /// Its place among all commits, by which it holds or does not.
    pub(super) place: u64,
}

/// Pending offsets of one transaction in one group.
type OfTransaction = BTreeMap<TopicPartition, PendingOffset>;

/// All pending offsets.
#[derive(Debug, Default)]
pub(super) struct Pending(BTreeMap<String, BTreeMap<ProducerId, OfTransaction>>);

impl Pending {
    pub(super) fn put(
        &mut self,
        group: &str,
        producer: ProducerId,
        offsets: &OffsetChanges,
        place: u64,
    ) {
        let group = self.0.entry(group.to_owned()).or_default();
        let pending = |(partition, offset): &(TopicPartition, Option<CommittedOffset>)| {
            (*partition, PendingOffset { partition: *partition, offset: offset.clone(), place })
        };
        group.entry(producer).or_default().extend(offsets.iter().map(pending));
    }

    /// The transaction has ended: these are no longer pending.
    pub(super) fn take(&mut self, group: &str, producer: ProducerId) -> Vec<PendingOffset> {
        let Some(of_group) = self.0.get_mut(group) else { return Vec::new() };
        let taken = of_group.remove(&producer);
        if of_group.is_empty() {
            self.0.remove(group);
        }
        taken.into_iter().flat_map(BTreeMap::into_values).collect()
    }

    pub(super) fn concerns(&self, group: &str, partition: &TopicPartition) -> bool {
        let transactions = self.0.get(group).into_iter().flat_map(BTreeMap::values);
        transactions.into_iter().any(|offsets| offsets.contains_key(partition))
    }

    /// Whether a transaction is to decide of anything of this group.
    pub(super) fn has(&self, group: &str) -> bool {
        self.0.contains_key(group)
    }

    /// Every partition of which a transaction is to decide, with its group.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, TopicPartition)> {
        self.0.iter().flat_map(|(group, transactions)| {
            let partitions = transactions.values().flat_map(BTreeMap::keys);
            partitions.map(move |partition| (group.as_str(), *partition))
        })
    }

    fn partitions(&self, group: &str) -> impl Iterator<Item = TopicPartition> {
        let transactions = self.0.get(group).into_iter().flat_map(BTreeMap::values);
        transactions.flat_map(|offsets| offsets.keys().copied())
    }

    /// What was committed of these partitions is forgotten, by whomever.
    pub(super) fn forget(&mut self, group: &str, changes: &OffsetChanges) {
        let Some(transactions) = self.0.get_mut(group) else { return };
        for (partition, _) in changes.iter().filter(|(_, offset)| offset.is_none()) {
            transactions.values_mut().for_each(|offsets| drop(offsets.remove(partition)));
        }
        transactions.retain(|_, offsets| !offsets.is_empty());
        if transactions.is_empty() {
            self.0.remove(group);
        }
    }

    /// The group is gone, with all it has committed.
    pub(super) fn forget_group(&mut self, group: &str) {
        self.0.remove(group);
    }

    /// The groups of which something is pending.
    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What was committed and what is pending of a group as events. Where both are, they come in
    /// their order, by which it is decided which of them holds in the end.
    pub(super) fn offset_events(
        &self,
        group: &str,
        committed: Option<&Offsets>,
    ) -> Vec<GroupEvent> {
        let mut places: Vec<_> = committed.into_iter().flat_map(Offsets::places).collect();
        let transactions = self.0.get(group).into_iter().flatten();
        let mut pending: Vec<(u64, ProducerId, &PendingOffset)> = transactions
            .flat_map(|(producer, offsets)| {
                offsets.values().map(|offset| (offset.place, *producer, offset))
            })
            .collect();
        if !pending.is_empty() {
            places.sort_by_key(|(place, ..)| *place);
            pending.sort_by_key(|(place, ..)| *place);
        }
        let mut events = Vec::new();
        let mut rest = places.as_slice();
        let mut emit = |events: &mut Vec<GroupEvent>, before: u64| {
            let (these, after) = rest.split_at(rest.partition_point(|(place, ..)| *place < before));
            rest = after;
            if !these.is_empty() {
                let offset =
                    |(_, at, offset): &(u64, _, &CommittedOffset)| (*at, Some((*offset).clone()));
                let offsets = these.iter().map(offset).collect();
                events.push(GroupEvent::OffsetsCommitted { group: group.to_owned(), offsets });
            }
        };
        for same in pending.chunk_by(|one, other| one.0 == other.0) {
            let (place, producer, _) = same[0];
            emit(&mut events, place);
            let offsets =
                same.iter().map(|(.., one)| (one.partition, one.offset.clone())).collect();
            events.push(GroupEvent::OffsetsPending { group: group.to_owned(), producer, offsets });
        }
        emit(&mut events, u64::MAX);
        events
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
        let says_who =
            !commit.member_id.is_empty() || commit.member_epoch > 0 || commit.instance_id.is_some();
        if says_who {
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
