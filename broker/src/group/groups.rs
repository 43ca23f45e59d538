//! All groups.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use onrush_record::TopicId;

use super::classic::Answer;
use super::codec::{Reader, put_len};
use super::directory::TopicDirectory;
use super::error::GroupError;
use super::event::{EventError, GroupEvent};
use super::group::Group;
use super::heartbeat::{GroupHeartbeat, GroupHeartbeatReply, JOIN};
use super::membership::Beat;
use super::offsets::CommittedOffset;
use super::pending::{Pending, PendingOffset};
use super::settings::GroupSettings;
use super::timers::Timers;
use super::view::{GroupDescription, GroupListing};
use super::{Partitions, TopicPartition};
use crate::settings::Overrides;

/// Longest group id, in bytes: the longest text that Kafka's requests can carry.
pub(crate) const GROUP_ID_MAX_LEN: usize = 32_767;
/// Longest id of a member whom the broker assigns to, in bytes.
const ID_MAX_LEN: usize = 249;

/// Every group there is.
#[derive(Debug)]
pub struct Groups {
    pub(super) settings: GroupSettings,
    pub(super) groups: BTreeMap<Arc<str>, Group>,
    pub(super) timers: Timers,
    pub(super) pending: Pending,
    /// To calls that waited, until they are taken.
    pub(super) answers: Vec<Answer>,
    /// Makes member ids given out within one millisecond differ.
    pub(super) ids_given: u64,
    /// Of groups that were given settings of their own; they outlive the group.
    pub(super) overrides: BTreeMap<String, Overrides>,
    /// How many commits there were, pending ones included: the place of the next.
    commits: u64,
}

impl Groups {
    /// No groups.
    pub fn new(settings: GroupSettings) -> Self {
        Self {
            settings,
            groups: BTreeMap::new(),
            timers: Timers::default(),
            pending: Pending::default(),
            answers: Vec::new(),
            ids_given: 0,
            overrides: BTreeMap::new(),
            commits: 0,
        }
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
            self.add_group(&beat.group);
        }
        let id = beat.group.clone();
        let mut events = Vec::new();
        let Some(group) = self.groups.get_mut(id.as_str()) else {
            return Err(GroupError::UnknownGroup { group: id });
        };
        let mut turn = Beat {
            now_ms,
            settings: &self.settings,
            directory,
            events: &mut events,
            answers: &mut self.answers,
        };
        match group.heartbeat(&mut turn, beat) {
            Ok(reply) => {
                self.timers.arm_member(group, &reply.member_id);
                self.timers.arm(&self.settings, group);
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
            beat.member_id = made_id(&beat.client_id, now_ms, &mut self.ids_given);
        }
        Ok(())
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
    pub fn describe(
        &self,
        directory: &TopicDirectory,
        group: &str,
    ) -> Result<GroupDescription, GroupError> {
        self.groups
            .get(group)
            .map(|group| group.describe(directory))
            .ok_or_else(|| GroupError::UnknownGroup { group: group.to_owned() })
    }

    /// Judges a deletion. Nothing has changed yet: journal the event, [`Self::apply`] it, and
    /// answer once it is durable.
    pub fn delete(&self, group: &str) -> Result<GroupEvent, GroupError> {
        let id = group.to_owned();
        let Some(found) = self.groups.get(group) else {
            return Err(GroupError::UnknownGroup { group: id });
        };
        match found.member_count() {
            0 => Ok(GroupEvent::GroupDeleted { group: id }),
            members => Err(GroupError::GroupNotEmpty { group: id, members }),
        }
    }

    /// A topic is gone for good: every group forgets what it committed for it. That has taken
    /// effect already; the events are to be journalled.
    pub fn topic_deleted(&mut self, topic: TopicId) -> Vec<GroupEvent> {
        let committed = self.committed().filter(|(_, (id, _))| *id == topic);
        let mut gone: BTreeMap<String, Partitions> = BTreeMap::new();
        for (group, partition) in committed {
            gone.entry(group.to_owned()).or_default().insert(partition);
        }
        let forget = |(group, partitions): (String, Partitions)| {
            let offsets = partitions.into_iter().map(|partition| (partition, None)).collect();
            GroupEvent::OffsetsCommitted { group, offsets }
        };
        let events: Vec<_> = gone.into_iter().map(forget).collect();
        events.iter().for_each(|event| self.apply(event));
        events
    }

    /// Every topic that any group has committed for, or is to if a transaction commits.
    pub(crate) fn topics(&self) -> BTreeSet<TopicId> {
        self.committed().map(|(_, (topic, _))| topic).collect()
    }

    fn committed(&self) -> impl Iterator<Item = (&str, TopicPartition)> {
        let committed = self
            .groups
            .values()
            .flat_map(|group| group.offsets.iter().map(|(partition, _)| (&*group.id, *partition)));
        committed.chain(self.pending.all())
    }

    /// Makes an event so: one that [`Self::commit`] or [`Self::delete`] gave, or one replayed from
    /// the journal. After replaying, call [`Self::start`].
    pub fn apply(&mut self, event: &GroupEvent) {
        if let GroupEvent::GroupDeleted { group } = event {
            self.groups.remove(group.as_str());
            self.pending.forget_group(group);
            return;
        }
        if let GroupEvent::GroupConfigured { group, overrides } = event {
            match overrides.is_empty() {
                true => drop(self.overrides.remove(group)),
                false => drop(self.overrides.insert(group.clone(), overrides.clone())),
            }
            let config = self.config(group);
            if let Some(group) = self.groups.get_mut(group.as_str()) {
                group.configure(config);
            }
            return;
        }
        let place = self.commits;
        let ended = match event {
            GroupEvent::OffsetsPending { group, producer, offsets } => {
                self.commits += 1;
                return self.pending.put(group, *producer, offsets, place);
            }
            GroupEvent::OffsetsCommitted { group, offsets } => {
                self.commits += 1;
                self.pending.forget(group, offsets);
                let forgets = offsets.iter().all(|(_, offset)| offset.is_none());
                if forgets && !self.groups.contains_key(group.as_str()) {
                    return;
                }
                Vec::new()
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
            self.add_group(id);
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
            GroupEvent::OffsetsCommitted { offsets, .. } => group.offsets.apply(offsets, place),
            GroupEvent::PendingEnded { .. } => {
                for PendingOffset { partition, offset, place } in ended {
                    group.offsets.apply_ended(partition, offset, place);
                }
            }
            GroupEvent::ClassicGeneration { record, .. } => group.restore_classic(record),
            GroupEvent::ClassicEnded { .. } => group.classic = None,
            GroupEvent::OffsetsPending { .. }
            | GroupEvent::GroupConfigured { .. }
            | GroupEvent::GroupDeleted { .. } => {}
        }
        self.timers.arm(&self.settings, group);
    }

    /// Ends a replay: timers start, and every member has a whole session to be heard of again.
    pub fn start(&mut self, now_ms: i64) {
        for group in self.groups.values_mut() {
            group.start(now_ms);
            let members: Vec<Arc<str>> = group.members.keys().cloned().collect();
            for member in members {
                self.timers.arm_member(group, &member);
            }
            self.timers.arm(&self.settings, group);
        }
    }

    /// The events that make an empty [`Groups`] into this one.
    pub fn events(&self) -> Vec<GroupEvent> {
        let configured = self.overrides.iter().map(|(group, overrides)| {
            let (group, overrides) = (group.clone(), overrides.clone());
            GroupEvent::GroupConfigured { group, overrides }
        });
        let offsets = |group: &Group| self.pending.offset_events(&group.id, Some(&group.offsets));
        let known = self.groups.values();
        let mut events: Vec<_> = configured.collect();
        events.extend(known.flat_map(|group| events_of(group).into_iter().chain(offsets(group))));
        let unknown = self.pending.groups().filter(|group| !self.groups.contains_key(*group));
        events.extend(unknown.flat_map(|group| self.pending.offset_events(group, None)));
        events
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

    /// Takes in a group that is not there yet.
    pub(super) fn add_group(&mut self, id: &str) {
        let (config, id) = (self.config(id), Arc::from(id));
        self.groups.insert(Arc::clone(&id), Group::new(id, config));
    }

    pub(super) fn group_mut(&mut self, id: &str) -> Option<&mut Group> {
        self.groups.get_mut(id)
    }

    /// One group.
    pub(crate) fn group(&self, id: &str) -> Option<&Group> {
        self.groups.get(id)
    }
}

pub(super) fn check_group_id(id: &str) -> Result<(), GroupError> {
    if (1..=GROUP_ID_MAX_LEN).contains(&id.len()) {
        Ok(())
    } else {
        Err(GroupError::InvalidGroupId { len: id.len() })
    }
}

/// An id for a member that has none: after a name, and unlike all given out before.
pub(super) fn made_id(name: &str, now_ms: i64, given: &mut u64) -> String {
    let name = &name[..name.floor_char_boundary(64)];
    let id = format!("{name}-{now_ms:x}-{given:x}");
    *given += 1;
    id
}

fn events_of(group: &Group) -> Vec<GroupEvent> {
    let name = || group.id.to_string();
    let (epoch, at_ms) = (group.epoch, group.changed_at_ms);
    let record = group.classic.as_ref().and_then(|classic| classic.record.clone());
    let mut events = vec![match record {
        Some(record) => GroupEvent::ClassicGeneration { group: name(), record: Box::new(record) },
        None => GroupEvent::GroupEpochBumped { group: name(), epoch, at_ms },
    }];
    events.extend(group.members.values().map(|member| {
        let member = Box::new(member.to_record());
        GroupEvent::MemberChanged { group: name(), member }
    }));
    events
}
