//! Committing offsets, and having them forgotten.

use super::TopicPartition;
use super::directory::TopicDirectory;
use super::error::GroupError;
use super::event::GroupEvent;
use super::group::Group;
use super::groups::{Groups, check_group_id};
use super::heartbeat::JOIN;
use super::offsets::{CommittedOffset, GroupCommit, METADATA_MAX_LEN, OffsetCommit};

/// One result for each part of a call, and the event that makes so what may be.
pub type Judged = (Vec<Result<(), GroupError>>, Option<GroupEvent>);

impl Groups {
    /// Judges a commit: for each offset whether it may be, and the event that makes those that may
    /// be so. Nothing is committed yet: journal the event, [`Self::apply`] it, and answer once it
    /// is durable.
    pub fn commit(
        &mut self,
        now_ms: i64,
        directory: &TopicDirectory,
        commit: GroupCommit,
    ) -> Result<Judged, GroupError> {
        self.judge_commit(now_ms, directory, commit, false)
    }

    /// Judges a commit that is part of a transaction or is not.
    pub(super) fn judge_commit(
        &mut self,
        now_ms: i64,
        directory: &TopicDirectory,
        commit: GroupCommit,
        in_transaction: bool,
    ) -> Result<Judged, GroupError> {
        check_group_id(&commit.group)?;
        if let Some(classic) =
            self.group_mut(&commit.group).and_then(|group| group.classic.as_deref_mut())
        {
            let instance = commit.instance_id.as_deref();
            let (generation, member) = (commit.member_epoch, commit.member_id.as_str());
            classic.check_commit(&commit.group, generation, member, instance, in_transaction)?;
            classic.committed(now_ms, member);
        }
        let judge = Judge::new(self.group(&commit.group), &commit)?;
        let mut results = Vec::with_capacity(commit.offsets.len());
        let mut offsets = Vec::with_capacity(commit.offsets.len());
        for offset in commit.offsets {
            let result = judge.check(directory, &offset);
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
        let group = commit.group;
        let event =
            (!offsets.is_empty()).then_some(GroupEvent::OffsetsCommitted { group, offsets });
        Ok((results, event))
    }

    /// Judges an administrator's wish to have offsets forgotten. Nothing has changed yet: journal
    /// the event, [`Self::apply`] it, and answer once it is durable.
    pub fn delete_offsets(
        &self,
        directory: &TopicDirectory,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Judged, GroupError> {
        let id = || group.to_owned();
        let Some(found) = self.group(group) else {
            return Err(GroupError::UnknownGroup { group: id() });
        };
        if let Some(classic) = &found.classic
            && !classic.members.is_empty()
            && !classic.is_of_consumers()
        {
            let members = classic.members.len();
            return Err(GroupError::GroupNotEmpty { group: id(), members });
        }
        let reads = found.reads(directory);
        let results: Vec<Result<(), GroupError>> = partitions
            .iter()
            .map(|(topic, _)| match reads.covers(*topic) {
                true => Err(GroupError::SubscribedToTopic { group: id(), topic: *topic }),
                false => Ok(()),
            })
            .collect();
        let allowed = partitions.iter().zip(&results).filter(|(_, result)| result.is_ok());
        let offsets: Vec<_> = allowed
            .filter(|(partition, _)| {
                found.offsets.get(partition).is_some() || self.pending.concerns(group, partition)
            })
            .map(|(partition, _)| (*partition, None))
            .collect();
        let event =
            (!offsets.is_empty()).then(|| GroupEvent::OffsetsCommitted { group: id(), offsets });
        Ok((results, event))
    }
}

/// Whoever commits, and what that allows.
struct Judge<'a> {
    group: Option<&'a Group>,
    member_id: String,
    /// The epoch if it is the one before the member's own: then only what it surely holds.
    before: Option<(i32, i32)>,
}

impl<'a> Judge<'a> {
    fn new(group: Option<&'a Group>, commit: &GroupCommit) -> Result<Self, GroupError> {
        let judge = |before| Ok(Self { group, member_id: commit.member_id.clone(), before });
        if group.is_some_and(|group| group.classic.is_some()) {
            // Whoever may speak for the group at all may commit what it likes.
            return Ok(Self { group, member_id: String::new(), before: None });
        }
        if commit.member_id.is_empty() {
            return match group.map_or(0, |group| group.members.len()) {
                0 => judge(None),
                members => Err(GroupError::GroupNotEmpty { group: commit.group.clone(), members }),
            };
        }
        if let (Some(group), Some(instance)) = (group, &commit.instance_id) {
            group.check_instance(instance, &commit.member_id)?;
        }
        let member = group.and_then(|group| group.members.get(commit.member_id.as_str()));
        let Some(member) = member.filter(|member| !member.away) else {
            let (group, member) = (commit.group.clone(), commit.member_id.clone());
            return Err(GroupError::UnknownMember { group, member });
        };
        let (found, current) = (commit.member_epoch, member.epoch);
        let (group, id) = (commit.group.clone(), commit.member_id.clone());
        if member.classic.is_some() && found != current {
            return Err(GroupError::IllegalGeneration { group, member: id, found, current });
        }
        match found {
            _ if found == current => judge(None),
            _ if found > current => {
                Err(GroupError::FencedMember { group, member: id, found, current })
            }
            _ if found == member.epoch_before && found != JOIN => judge(Some((found, current))),
            _ => Err(GroupError::StaleEpoch { group, member: id, found, current }),
        }
    }

    fn check(&self, directory: &TopicDirectory, commit: &OffsetCommit) -> Result<(), GroupError> {
        let (topic, partition) = commit.partition;
        // Forgetting is allowed for what is gone, or nobody could.
        if commit.offset.is_some() {
            let Some(partitions) = directory.partitions(topic) else {
                return Err(GroupError::UnknownTopic { topic });
            };
            if partition >= partitions {
                return Err(GroupError::UnknownPartition { topic, partition, partitions });
            }
        }
        if commit.metadata.len() > METADATA_MAX_LEN {
            let len = commit.metadata.len();
            return Err(GroupError::MetadataTooLarge { len, max: METADATA_MAX_LEN });
        }
        let Some(group) = self.group.filter(|_| !self.member_id.is_empty()) else { return Ok(()) };
        let name = || group.id.to_string();
        match (group.holder(&commit.partition), self.before) {
            (Some(holder), _) if **holder != *self.member_id => {
                Err(GroupError::HeldByAnother { group: name(), topic, partition })
            }
            (None, Some((found, current))) => {
                let member = self.member_id.clone();
                Err(GroupError::StaleEpoch { group: name(), member, found, current })
            }
            _ => Ok(()),
        }
    }
}
