//! All groups, and their timers.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use onrush_record::TopicId;

use super::TopicPartition;
use super::codec::{Reader, put_len};
use super::directory::TopicDirectory;
use super::error::GroupError;
use super::event::{EventError, GroupEvent};
use super::group::Group;
use super::heartbeat::{GroupHeartbeat, GroupHeartbeatReply, JOIN};
use super::offsets::{CommittedOffset, GroupCommit, METADATA_MAX_LEN, OffsetCommit};
use super::pending::Pending;
use super::view::{GroupDescription, GroupListing};

/// Longest group id and member id, in bytes.
const ID_MAX_LEN: usize = 249;

/// How long a group without members and commits is remembered, so that a consumer which comes
/// right back finds its group's epoch.
const EMPTY_LINGER_MS: i64 = 10 * 60 * 1000;

/// What holds for all groups.
#[derive(Clone, Debug)]
pub struct GroupSettings {
    /// A member silent for this long is removed, unless it asked for another time.
    pub session_timeout_ms: u32,
    /// When members are told to heartbeat.
    pub heartbeat_interval_ms: u32,
    /// How long a member may take to give up partitions, unless it asked for another time.
    pub rebalance_timeout_ms: u32,
    /// The most members of a group.
    pub members_max: usize,
    /// How long a group without members keeps its commits.
    pub offsets_retention_ms: i64,
}

impl Default for GroupSettings {
    fn default() -> Self {
        Self {
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 3_000,
            rebalance_timeout_ms: 300_000,
            members_max: 10_000,
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1000,
        }
    }
}

impl GroupSettings {
    /// A member that waits for partitions asks more often, for nobody can tell it when they are
    /// free.
    pub(crate) fn waiting_interval_ms(&self) -> u32 {
        (self.heartbeat_interval_ms / 10).max(50).min(self.heartbeat_interval_ms)
    }
}

/// When something may be due, and about whom: a member, or (None) the group itself.
type Timer = (i64, Arc<str>, Option<Arc<str>>);

/// Every group there is.
///
/// Timers are lazy: a heartbeat only moves the member's own deadline, and the one entry in the
/// heap is set anew when it fires too early. So a heartbeat costs two look-ups and no memory.
#[derive(Debug)]
pub struct Groups {
    settings: GroupSettings,
    groups: BTreeMap<Arc<str>, Group>,
    timers: BinaryHeap<Reverse<Timer>>,
    pub(super) pending: Pending,
    /// Makes member ids given out within one millisecond differ.
    ids_given: u64,
}

impl Groups {
    /// No groups.
    pub fn new(settings: GroupSettings) -> Self {
        let (groups, timers) = (BTreeMap::new(), BinaryHeap::new());
        Self { settings, groups, timers, pending: Pending::default(), ids_given: 0 }
    }

    /// What holds for all groups.
    pub fn settings(&self) -> &GroupSettings {
        &self.settings
    }

    /// Takes a heartbeat. It has taken effect already; the answer is to be sent once the events
    /// are durable, and with no events, once all earlier ones are.
    pub fn heartbeat(
        &mut self,
        now_ms: i64,
        directory: &TopicDirectory,
        mut beat: GroupHeartbeat,
    ) -> Result<(GroupHeartbeatReply, Vec<GroupEvent>), GroupError> {
        check_group_id(&beat.group)?;
        self.check_member(now_ms, &mut beat)?;
        let joins = beat.member_epoch == JOIN;
        if !self.groups.contains_key(beat.group.as_str()) {
            if !joins {
                let (group, member) = (beat.group, beat.member_id);
                return Err(GroupError::UnknownMember { group, member });
            }
            let id: Arc<str> = Arc::from(beat.group.as_str());
            self.groups.insert(Arc::clone(&id), Group::new(id));
        }
        let id = beat.group.clone();
        let mut events = Vec::new();
        let Some(group) = self.groups.get_mut(id.as_str()) else {
            return Err(GroupError::UnknownGroup { group: id });
        };
        match group.heartbeat(now_ms, &self.settings, directory, beat, &mut events) {
            Ok(reply) => {
                arm_member(&mut self.timers, group, &reply.member_id);
                arm_group(&mut self.timers, &self.settings, group);
                Ok((reply, events))
            }
            Err(error) => {
                if group.is_blank() {
                    self.groups.remove(id.as_str());
                }
                Err(error)
            }
        }
    }

    /// Holds member id and epoch to their rules; gives an id to who joins without one.
    fn check_member(&mut self, now_ms: i64, beat: &mut GroupHeartbeat) -> Result<(), GroupError> {
        let invalid =
            |group: &str, reason| GroupError::InvalidRequest { group: group.to_owned(), reason };
        let instance_len = beat.instance_id.as_ref().map_or(1, String::len);
        if beat.member_id.len() > ID_MAX_LEN || !(1..=ID_MAX_LEN).contains(&instance_len) {
            return Err(invalid(&beat.group, "member and instance ids have at most 249 bytes"));
        }
        if beat.member_epoch < super::LEAVE_STATIC {
            return Err(invalid(&beat.group, "member epochs are -2 or more"));
        }
        if beat.member_id.is_empty() {
            if beat.member_epoch != JOIN {
                return Err(invalid(&beat.group, "only a joining member may leave its id empty"));
            }
            let client = &beat.client_id[..beat.client_id.floor_char_boundary(64)];
            beat.member_id = format!("{client}-{now_ms:x}-{:x}", self.ids_given);
            self.ids_given += 1;
        }
        Ok(())
    }

    /// Judges a commit: for each offset whether it may be, and the event that makes those that may
    /// be so. Nothing has changed yet: journal the event, [`Self::apply`] it, and answer once it
    /// is durable.
    #[expect(clippy::type_complexity, reason = "one result a part, and the event, named above")]
    pub fn commit(
        &self,
        now_ms: i64,
        directory: &TopicDirectory,
        commit: GroupCommit,
    ) -> Result<(Vec<Result<(), GroupError>>, Option<GroupEvent>), GroupError> {
        check_group_id(&commit.group)?;
        let group = self.groups.get(commit.group.as_str());
        let judge = Judge::new(group, &commit)?;
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

    /// What a group has committed: for the partitions asked for, or all it has, in order. A group
    /// that is not there has committed nothing.
    pub fn offsets(
        &self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
    ) -> Vec<(TopicPartition, Option<CommittedOffset>)> {
        let group = self.groups.get(group);
        match partitions {
            Some(partitions) => {
                let committed = |partition| group.and_then(|group| group.offsets.get(partition));
                partitions.iter().map(|asked| (*asked, committed(asked).cloned())).collect()
            }
            None => group
                .into_iter()
                .flat_map(|group| group.offsets.iter())
                .map(|(partition, offset)| (*partition, Some(offset.clone())))
                .collect(),
        }
    }

    /// All groups in order of id.
    pub fn list(&self) -> Vec<GroupListing> {
        self.groups.values().map(Group::listing).collect()
    }

    /// One group in full.
    pub fn describe(&self, group: &str) -> Result<GroupDescription, GroupError> {
        self.groups
            .get(group)
            .map(Group::describe)
            .ok_or_else(|| GroupError::UnknownGroup { group: group.to_owned() })
    }

    /// Judges a deletion. Nothing has changed yet: journal the event, [`Self::apply`] it, and
    /// answer once it is durable.
    pub fn delete(&self, group: &str) -> Result<GroupEvent, GroupError> {
        let id = group.to_owned();
        let Some(found) = self.groups.get(group) else {
            return Err(GroupError::UnknownGroup { group: id });
        };
        match found.members.len() {
            0 => Ok(GroupEvent::GroupDeleted { group: id }),
            members => Err(GroupError::GroupNotEmpty { group: id, members }),
        }
    }

    /// A topic is gone for good: every group forgets what it committed for it. That has taken
    /// effect already; the events are to be journalled.
    pub fn topic_deleted(&mut self, topic: TopicId) -> Vec<GroupEvent> {
        let mut events = Vec::new();
        self.pending.forget_topic(topic);
        for group in self.groups.values_mut() {
            let of_topic = group.offsets.iter().map(|(partition, _)| *partition);
            let offsets: Vec<_> = of_topic
                .filter(|(id, _)| *id == topic)
                .map(|partition| (partition, None))
                .collect();
            if !offsets.is_empty() {
                group.offsets.apply(&offsets);
                let group = group.id.to_string();
                events.push(GroupEvent::OffsetsCommitted { group, offsets });
            }
        }
        events
    }

    /// When [`Self::expire`] has something to look at, at the latest.
    pub fn next_due(&self) -> Option<i64> {
        self.timers.peek().map(|Reverse((due_ms, ..))| *due_ms)
    }

    /// Does all that is due by `now_ms`: removes members that were silent too long or did not give
    /// up partitions in time, forgets commits of groups long empty. That has taken effect already;
    /// the events are to be journalled.
    pub fn expire(&mut self, now_ms: i64) -> Vec<GroupEvent> {
        let mut events = Vec::new();
        while self.timers.peek().is_some_and(|Reverse((due_ms, ..))| *due_ms <= now_ms) {
            let Some(Reverse((due_ms, id, member))) = self.timers.pop() else { break };
            let Some(group) = self.groups.get_mut(&id) else { continue };
            match &member {
                Some(member) => expire_member(group, member, due_ms, now_ms, &mut events),
                None if group.armed_ms == Some(due_ms) => {
                    group.armed_ms = None;
                    expire_offsets(group, &self.settings, now_ms, &mut events);
                }
                None => continue,
            }
            if let Some(member) = &member {
                arm_member(&mut self.timers, group, member);
            }
            if matches!(events.last(), Some(GroupEvent::GroupDeleted { group }) if **group == *id) {
                self.groups.remove(&id);
            } else {
                arm_group(&mut self.timers, &self.settings, group);
            }
        }
        events
    }

    /// Makes an event so: one that [`Self::commit`] or [`Self::delete`] gave, or one replayed from
    /// the journal. After replaying, call [`Self::start`].
    pub fn apply(&mut self, event: &GroupEvent) {
        if let GroupEvent::GroupDeleted { group } = event {
            self.groups.remove(group.as_str());
            return;
        }
        let ended = match event {
            GroupEvent::OffsetsPending { group, producer, offsets } => {
                return self.pending.put(group, *producer, offsets);
            }
            GroupEvent::PendingEnded { group, producer, commits } => {
                let offsets = self.pending.take(group, *producer);
                if !commits || offsets.is_empty() {
                    return;
                }
                offsets
            }
            _ => Vec::new(),
        };
        let id = event.group();
        if !self.groups.contains_key(id) {
            let id: Arc<str> = Arc::from(id);
            self.groups.insert(Arc::clone(&id), Group::new(id));
        }
        let Some(group) = self.groups.get_mut(id) else { return };
        match event {
            GroupEvent::GroupEpochBumped { epoch, at_ms, .. } => {
                group.epoch = *epoch;
                group.target_epoch = *epoch;
                group.changed_at_ms = *at_ms;
            }
            GroupEvent::MemberChanged { member, .. } => group.restore_member(member),
            GroupEvent::MemberRemoved { member_id, .. } => group.restore_removal(member_id),
            GroupEvent::OffsetsCommitted { offsets, .. } => group.offsets.apply(offsets),
            GroupEvent::PendingEnded { .. } => group.offsets.apply(&ended),
            GroupEvent::OffsetsPending { .. } | GroupEvent::GroupDeleted { .. } => {}
        }
        arm_group(&mut self.timers, &self.settings, group);
    }

    /// Ends a replay: timers start, and every member has a whole session to be heard of again.
    pub fn start(&mut self, now_ms: i64) {
        for group in self.groups.values_mut() {
            group.start(now_ms);
            let members: Vec<Arc<str>> = group.members.keys().cloned().collect();
            for member in members {
                arm_member(&mut self.timers, group, &member);
            }
            arm_group(&mut self.timers, &self.settings, group);
        }
    }

    /// The events that make an empty [`Groups`] into this one.
    pub fn events(&self) -> Vec<GroupEvent> {
        self.groups.values().flat_map(events_of).chain(self.pending.events()).collect()
    }

    /// All of it as bytes: a u32 count, then each event behind its u32 length.
    pub fn snapshot(&self) -> Vec<u8> {
        let events = self.events();
        let mut out = Vec::new();
        put_len(&mut out, events.len());
        for event in events {
            let start = out.len();
            out.extend_from_slice(&[0; 4]);
            event.encode(&mut out);
            let len = u32::try_from(out.len() - start - 4).unwrap_or(u32::MAX);
            out[start..start + 4].copy_from_slice(&len.to_le_bytes());
        }
        out
    }

    /// What [`Self::snapshot`] gave; call [`Self::start`] once later events are replayed.
    pub fn restore(settings: GroupSettings, snapshot: &[u8]) -> Result<Self, EventError> {
        let mut groups = Self::new(settings);
        let mut input = Reader(snapshot);
        for _ in 0..input.u32()? {
            let len = input.u32()? as usize;
            groups.apply(&GroupEvent::decode(input.bytes(len)?)?);
        }
        if input.0.is_empty() { Ok(groups) } else { Err(EventError::Trailing) }
    }

    /// One group, for tests of what holds inside.
    #[cfg(test)]
    pub(crate) fn group(&self, id: &str) -> Option<&Group> {
        self.groups.get(id)
    }
}

pub(super) fn check_group_id(id: &str) -> Result<(), GroupError> {
    if (1..=ID_MAX_LEN).contains(&id.len()) {
        Ok(())
    } else {
        Err(GroupError::InvalidGroupId { len: id.len() })
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
        if commit.member_id.is_empty() {
            return match group.map_or(0, |group| group.members.len()) {
                0 => judge(None),
                members => Err(GroupError::GroupNotEmpty { group: commit.group.clone(), members }),
            };
        }
        let member = group.and_then(|group| group.members.get(commit.member_id.as_str()));
        let Some(member) = member.filter(|member| !member.away) else {
            let (group, member) = (commit.group.clone(), commit.member_id.clone());
            return Err(GroupError::UnknownMember { group, member });
        };
        let (found, current) = (commit.member_epoch, member.epoch);
        let (group, id) = (commit.group.clone(), commit.member_id.clone());
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

/// Sees to it that a timer fires when the member's first deadline comes, or earlier.
fn arm_member(timers: &mut BinaryHeap<Reverse<Timer>>, group: &mut Group, member: &str) {
    let id = Arc::clone(&group.id);
    let Some(member) = group.members.get_mut(member) else { return };
    let due_ms = member.due_ms();
    if member.armed_ms.is_none_or(|armed_ms| due_ms < armed_ms) {
        member.armed_ms = Some(due_ms);
        timers.push(Reverse((due_ms, id, Some(Arc::clone(&member.id)))));
    }
}

/// Sees to it that a timer fires when a group without members has something to forget.
fn arm_group(timers: &mut BinaryHeap<Reverse<Timer>>, settings: &GroupSettings, group: &mut Group) {
    if !group.members.is_empty() || group.armed_ms.is_some() {
        return;
    }
    let due_ms = forget_due_ms(group, settings);
    group.armed_ms = Some(due_ms);
    timers.push(Reverse((due_ms, Arc::clone(&group.id), None)));
}

/// When a group without members has something to forget next.
fn forget_due_ms(group: &Group, settings: &GroupSettings) -> i64 {
    let linger_ms = EMPTY_LINGER_MS.min(settings.offsets_retention_ms);
    group
        .offsets
        .due_ms(group.changed_at_ms, settings.offsets_retention_ms)
        .unwrap_or_else(|| group.changed_at_ms.saturating_add(linger_ms))
}

fn expire_member(
    group: &mut Group,
    id: &Arc<str>,
    due_ms: i64,
    now_ms: i64,
    events: &mut Vec<GroupEvent>,
) {
    let Some(member) = group.members.get_mut(id) else { return };
    if member.armed_ms == Some(due_ms) {
        member.armed_ms = None;
    }
    if member.due_ms() <= now_ms {
        group.remove(id, events);
        group.raise_epoch(now_ms, events);
    }
}

fn expire_offsets(
    group: &mut Group,
    settings: &GroupSettings,
    now_ms: i64,
    events: &mut Vec<GroupEvent>,
) {
    if !group.members.is_empty() {
        return;
    }
    let retention_ms = settings.offsets_retention_ms;
    let offsets = group.offsets.expired(group.changed_at_ms, retention_ms, now_ms);
    let id = group.id.to_string();
    let forgot = !offsets.is_empty();
    if forgot {
        group.offsets.apply(&offsets);
        events.push(GroupEvent::OffsetsCommitted { group: id.clone(), offsets });
    }
    if group.offsets.is_empty() && (forgot || forget_due_ms(group, settings) <= now_ms) {
        events.push(GroupEvent::GroupDeleted { group: id });
    }
}

fn events_of(group: &Group) -> Vec<GroupEvent> {
    let name = || group.id.to_string();
    let (epoch, at_ms) = (group.epoch, group.changed_at_ms);
    let mut events = vec![GroupEvent::GroupEpochBumped { group: name(), epoch, at_ms }];
    events.extend(group.members.values().map(|member| {
        let member = Box::new(member.to_record());
        GroupEvent::MemberChanged { group: name(), member }
    }));
    let committed = group.offsets.iter();
    let offsets: Vec<_> =
        committed.map(|(partition, offset)| (*partition, Some(offset.clone()))).collect();
    if !offsets.is_empty() {
        events.push(GroupEvent::OffsetsCommitted { group: name(), offsets });
    }
    events
}
