//! What share groups do with records: each call names its group and partition.

use std::collections::BTreeMap;

use onrush_record::TopicId;

use super::ack::ShareAcknowledgement;
use super::acquire::{AcquireMode, Found, HandedOut, Plan};
use super::error::{ShareError, unknown_group, unknown_member};
use super::event::{ShareEvent, What};
use super::group::ShareGroup;
use super::groups::ShareGroups;
use super::partition::{Judged, MemberId, Refusal, SharePartition};
use super::timers::arm_partition;
use super::{Partitions, TopicPartition};

/// What a group knows of one of its partitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) start: u64,
    /// Records after the start that are settled all the same.
    pub(crate) settled: u64,
}

impl ShareGroups {
    /// Whether a group has begun to read a partition.
    pub(crate) fn is_started(&self, group: &str, partition: TopicPartition) -> bool {
        self.groups.get(group).is_some_and(|group| group.partitions.contains_key(&partition))
    }

    /// Judges where a group begins to read a partition; None if it has begun already. Nothing has
    /// changed yet: journal the event, and [`Self::apply`] it.
    pub(crate) fn begin(
        &self,
        group: &str,
        partition: TopicPartition,
        start: u64,
    ) -> Result<Option<ShareEvent>, ShareError> {
        let found = self.groups.get(group).ok_or_else(|| unknown_group(group))?;
        let what = What::Started { partition, epoch: 0, start };
        let begun = found.partitions.contains_key(&partition);
        Ok((!begun).then(|| ShareEvent::new(group, what)))
    }

    /// What to read for a member that wants so many records; None when there is nothing now.
    pub(crate) fn plan(
        &mut self,
        group: &str,
        member: &str,
        partition: TopicPartition,
        max_records: u64,
        (log_start, readable_end): (u64, u64),
    ) -> Result<Option<Plan>, ShareError> {
        let found = self.groups.get_mut(group).ok_or_else(|| unknown_group(group))?;
        if !found.members.contains_key(member) {
            return Err(unknown_member(group, member));
        }
        let limits = found.config.limits();
        let state = found.partitions.get_mut(&partition);
        Ok(state.and_then(|state| state.plan(&limits, max_records, log_start, readable_end)))
    }

    /// The offset whose coming makes another look worth while; None when records have to be settled
    /// before that.
    pub(crate) fn next_wanted(
        &mut self,
        group: &str,
        partition: TopicPartition,
        log_start: u64,
        readable_end: u64,
    ) -> Option<u64> {
        let found = self.groups.get_mut(group)?;
        let limits = found.config.limits();
        let Some(state) = found.partitions.get_mut(&partition) else { return Some(readable_end) };
        match state.plan(&limits, 1, log_start, readable_end) {
            Some(plan) => Some(plan.from),
            None => state.next_new(&limits),
        }
    }

    /// Hands out to a member what was found, as much of it as is still free.
    pub(crate) fn acquire(
        &mut self,
        now_ms: i64,
        (group, member): (&str, &str),
        partition: TopicPartition,
        asked: (u64, AcquireMode),
        found: &Found,
    ) -> Result<HandedOut, ShareError> {
        let of = self.groups.get_mut(group).ok_or_else(|| unknown_group(group))?;
        let Some(member) = of.members.get(member).map(|member| MemberId::clone(&member.id)) else {
            return Err(unknown_member(group, member));
        };
        let limits = of.config.limits();
        let Some(state) = of.partitions.get_mut(&partition) else {
            return Ok(HandedOut::default());
        };
        let out = state.acquire(now_ms, &member, &limits, asked, found);
        if !out.ranges.is_empty() {
            let due_ms = now_ms.saturating_add(limits.lock_ms);
            arm_partition(&mut self.timers, &of.id, partition, state, due_ms);
        }
        Ok(out)
    }

    /// Judges acknowledgements; they hold all or none. Nothing has changed yet: journal the event,
    /// [`Self::apply`] it, and [`Self::renew`] what is renewed.
    pub(crate) fn acknowledge(
        &self,
        group: &str,
        member: &str,
        partition: TopicPartition,
        acks: &[ShareAcknowledgement],
    ) -> Result<Judged, ShareError> {
        let found = self.groups.get(group).ok_or_else(|| unknown_group(group))?;
        let refused = |refusal| match refusal {
            Refusal::Malformed(reason) => {
                ShareError::InvalidRequest { group: group.to_owned(), reason }
            }
            Refusal::NotAcquired(offset) => {
                let (group, member) = (group.to_owned(), member.to_owned());
                ShareError::InvalidRecordState { group, member, offset }
            }
        };
        let Some(state) = found.partitions.get(&partition) else {
            let first = acks.first().map_or(0, |ack| ack.first.get());
            return Err(refused(Refusal::NotAcquired(first)));
        };
        let judged = state.judge(member, acks, &found.config.limits()).map_err(refused)?;
        if !judged.renewed.is_empty() && !found.config.renew {
            let reason = "the group's share.renew.acknowledge.enable is false";
            return Err(refused(Refusal::Malformed(reason)));
        }
        Ok(judged)
    }

    /// Begins locks anew.
    pub(crate) fn renew(
        &mut self,
        now_ms: i64,
        group: &str,
        partition: TopicPartition,
        runs: &[(u64, u64)],
    ) {
        let Some(group) = self.groups.get_mut(group) else { return };
        let due_ms = now_ms.saturating_add(i64::from(group.config.lock_duration_ms));
        if let Some(state) = group.partitions.get_mut(&partition) {
            state.renew(runs, due_ms);
        }
    }

    /// Judges new start offsets. Nothing has changed yet: journal the event, [`Self::apply`] it.
    pub(crate) fn alter(
        &self,
        group: &str,
        partition: TopicPartition,
        start: u64,
    ) -> Result<ShareEvent, ShareError> {
        let found = self.empty(group)?;
        let epoch = found.partitions.get(&partition).map_or(0, |state| state.epoch + 1);
        Ok(ShareEvent::new(group, What::Started { partition, epoch, start }))
    }

    /// Judges that a group forgets what it has done of a topic; None when it has done nothing.
    pub(crate) fn forget(
        &self,
        group: &str,
        topic: TopicId,
    ) -> Result<Option<ShareEvent>, ShareError> {
        let partitions: Vec<_> = of_topic(self.empty(group)?, topic);
        let what = What::Forgotten { partitions: partitions.clone() };
        Ok((!partitions.is_empty()).then(|| ShareEvent::new(group, what)))
    }

    /// How far a group has come, in the partitions it has begun to read.
    pub(crate) fn progress(
        &self,
        group: &str,
    ) -> Result<BTreeMap<TopicPartition, Progress>, ShareError> {
        let found = self.groups.get(group).ok_or_else(|| unknown_group(group))?;
        let of = |state: &SharePartition| Progress {
            start: state.start(),
            settled: state.settled_within(),
        };
        Ok(found.partitions.iter().map(|(key, state)| (*key, of(state))).collect())
    }

    /// Every partition that any group has begun to read.
    pub(crate) fn partitions(&self) -> Partitions {
        self.groups.values().flat_map(|group| group.partitions.keys().copied()).collect()
    }

    /// Of a group's partition, for tests.
    #[cfg(test)]
    pub(crate) fn partition(&self, group: &str, key: TopicPartition) -> Option<&SharePartition> {
        self.groups.get(group)?.partitions.get(&key)
    }

    /// A topic is gone for good. That has taken effect already; the events are to be journalled.
    pub(crate) fn topic_deleted(&mut self, topic: TopicId) -> Vec<ShareEvent> {
        let gone = |group: &ShareGroup| {
            let partitions = of_topic(group, topic);
            let what = What::Forgotten { partitions: partitions.clone() };
            (!partitions.is_empty()).then(|| ShareEvent::new(&group.id, what))
        };
        let events: Vec<_> = self.groups.values().filter_map(gone).collect();
        events.iter().for_each(|event| self.apply(event));
        events
    }

    /// A log ends here now, and has lost what came after. That has taken effect already; the events
    /// are to be journalled.
    pub(crate) fn truncated(&mut self, partition: TopicPartition, end: u64) -> Vec<ShareEvent> {
        let shorter = |group: &ShareGroup| {
            let past = group.partitions.get(&partition).is_some_and(|state| state.end() > end);
            past.then(|| ShareEvent::new(&group.id, What::Truncated { partition, end }))
        };
        let events: Vec<_> = self.groups.values().filter_map(shorter).collect();
        events.iter().for_each(|event| self.apply(event));
        events
    }
}

fn of_topic(group: &ShareGroup, topic: TopicId) -> Vec<TopicPartition> {
    let all = (topic, 0)..=(topic, u32::MAX);
    group.partitions.range(all).map(|(key, _)| *key).collect()
}
