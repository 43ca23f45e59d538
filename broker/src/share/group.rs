//! One share group: its members, and what it has done of each partition.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::ShareConfig;
use super::effects::Effects;
use super::error::ShareError;
use super::event::{MemberRecord, ShareEvent, What};
use super::heartbeat::{JOIN, ShareHeartbeat, ShareHeartbeatReply};
use super::member::Member;
use super::partition::{MemberId, SharePartition};
use super::view::{ShareDescription, ShareGroupState, ShareListing};
use super::{TopicPartition, assignor};
use crate::group::TopicDirectory;

#[derive(Debug)]
pub(crate) struct ShareGroup {
    pub(crate) id: Arc<str>,
    pub(crate) config: ShareConfig,
    pub(crate) epoch: i32,
    pub(crate) members: BTreeMap<MemberId, Member>,
    pub(crate) partitions: BTreeMap<TopicPartition, SharePartition>,
    /// The version of the topics that targets were made for.
    resolved: Option<u64>,
    /// Something has changed since the epoch was last raised.
    stale: bool,
    /// The epoch that targets were made for.
    target_epoch: i32,
}

impl ShareGroup {
    pub(crate) fn new(id: Arc<str>, config: ShareConfig) -> ShareGroup {
        ShareGroup {
            id,
            config,
            epoch: 0,
            members: BTreeMap::new(),
            partitions: BTreeMap::new(),
            resolved: None,
            stale: false,
            target_epoch: -1,
        }
    }

    /// A member joins or stays.
    pub(crate) fn heartbeat(
        &mut self,
        now_ms: i64,
        members_max: usize,
        directory: &TopicDirectory,
        beat: &ShareHeartbeat,
        effects: &mut Effects,
    ) -> Result<ShareHeartbeatReply, ShareError> {
        let mut changed = self.find(beat, members_max)?;
        let session_ms = i64::from(self.config.session_timeout_ms);
        let Some(member) = self.members.get_mut(beat.member_id.as_str()) else {
            let (group, member) = (self.id.to_string(), beat.member_id.clone());
            return Err(ShareError::UnknownMember { group, member });
        };
        member.session_due_ms = now_ms.saturating_add(session_ms);
        let (other, other_topics) = member.describe_itself(beat);
        if changed || other_topics {
            self.stale = true;
            self.resolved = None;
        }
        changed |= other;
        self.retarget(directory, effects);
        let joins = beat.member_epoch == JOIN;
        let Some(member) = self.members.get_mut(beat.member_id.as_str()) else {
            let (group, member) = (self.id.to_string(), beat.member_id.clone());
            return Err(ShareError::UnknownMember { group, member });
        };
        if !joins {
            member.epoch_before = beat.member_epoch;
        }
        if member.epoch != self.epoch {
            member.epoch = self.epoch;
            changed = true;
        }
        if changed {
            let record = Box::new(member.record());
            effects.push(&self.id, What::MemberChanged(record));
        }
        let news = member.told.as_ref() != Some(&member.target);
        let tell = joins || beat.topics.is_some() || news;
        if news {
            member.told = Some(member.target.clone());
        }
        Ok(ShareHeartbeatReply {
            member_id: beat.member_id.clone(),
            member_epoch: member.epoch,
            interval_ms: self.config.heartbeat_interval_ms,
            assignment: tell.then(|| member.target.iter().copied().collect()),
        })
    }

    /// Finds who speaks, or takes it in; true if it is new.
    fn find(&mut self, beat: &ShareHeartbeat, members_max: usize) -> Result<bool, ShareError> {
        let Some(member) = self.members.get(beat.member_id.as_str()) else {
            let group = self.id.to_string();
            if beat.member_epoch != JOIN {
                return Err(ShareError::UnknownMember { group, member: beat.member_id.clone() });
            }
            if self.members.len() >= members_max {
                return Err(ShareError::GroupFull { group, max: members_max });
            }
            let member = Member::new(beat);
            self.members.insert(MemberId::clone(&member.id), member);
            return Ok(true);
        };
        let epoch = beat.member_epoch;
        if epoch == JOIN || epoch == member.epoch || epoch == member.epoch_before {
            return Ok(false);
        }
        Err(ShareError::FencedMember {
            group: self.id.to_string(),
            member: beat.member_id.clone(),
            found: epoch,
            current: member.epoch,
        })
    }

    /// Removes a member for good, and releases what it has.
    pub(crate) fn remove(&mut self, member: &str, effects: &mut Effects) -> bool {
        if self.members.remove(member).is_none() {
            return false;
        }
        let member_id = member.to_owned();
        effects.push(&self.id, What::MemberRemoved { member_id });
        self.raise_epoch(effects);
        self.release(member, effects);
        true
    }

    /// Releases what a member has. That has taken effect already.
    pub(crate) fn release(&mut self, member: &str, effects: &mut Effects) {
        let limits = self.config.limits();
        for (key, partition) in &mut self.partitions {
            let judged = partition.left_by(member, &limits);
            partition.apply(&judged.changes);
            effects.settled(&self.id, *key, judged);
        }
    }

    /// Makes new targets if members, subscriptions or topics have changed.
    fn retarget(&mut self, directory: &TopicDirectory, effects: &mut Effects) {
        if self.resolved != Some(directory.version()) {
            for member in self.members.values_mut() {
                self.stale |= member.resolve(directory);
            }
            self.resolved = Some(directory.version());
        }
        if std::mem::take(&mut self.stale) {
            self.raise_epoch(effects);
        }
        if self.target_epoch == self.epoch {
            return;
        }
        let wants = self.members.iter().map(|(id, member)| (&**id, member.topics.clone()));
        let mut targets = assignor::assign(&wants.collect());
        for (id, member) in &mut self.members {
            member.target = targets.remove(&**id).unwrap_or_default();
        }
        self.target_epoch = self.epoch;
    }

    fn raise_epoch(&mut self, effects: &mut Effects) {
        self.epoch = self.epoch.saturating_add(1);
        effects.push(&self.id, What::EpochBumped { epoch: self.epoch });
    }

    pub(crate) fn restore_member(&mut self, record: &MemberRecord) {
        let member = Member::restore(record);
        self.members.insert(MemberId::clone(&member.id), member);
    }

    pub(crate) fn state(&self) -> ShareGroupState {
        if self.members.is_empty() { ShareGroupState::Empty } else { ShareGroupState::Stable }
    }

    pub(crate) fn listing(&self) -> ShareListing {
        let members = self.members.len();
        ShareListing { group: self.id.to_string(), state: self.state(), members }
    }

    pub(crate) fn describe(&self) -> ShareDescription {
        ShareDescription {
            group: self.id.to_string(),
            state: self.state(),
            epoch: self.epoch,
            assignment_epoch: self.target_epoch.max(0),
            assignor: assignor::NAME,
            members: self.members.values().map(Member::view).collect(),
        }
    }

    /// The group as events that lead to it.
    pub(crate) fn events(&self, out: &mut Vec<ShareEvent>) {
        out.push(ShareEvent::new(&self.id, What::EpochBumped { epoch: self.epoch }));
        for member in self.members.values() {
            let record = Box::new(member.record());
            out.push(ShareEvent::new(&self.id, What::MemberChanged(record)));
        }
        for (&key, partition) in &self.partitions {
            let (epoch, start) = (partition.epoch, partition.start());
            let started = What::Started { partition: key, epoch, start };
            out.push(ShareEvent::new(&self.id, started));
            let changes = partition.changes();
            if !changes.is_empty() {
                let settled = What::Settled { partition: key, changes };
                out.push(ShareEvent::new(&self.id, settled));
            }
        }
    }
}
