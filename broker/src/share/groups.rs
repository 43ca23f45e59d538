//! All share groups, and who is a member of which.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::config::{ShareConfig, ShareSettings};
use super::effects::Effects;
use super::error::{ShareError, unknown_group, unknown_member};
use super::event::{ShareEvent, What};
use super::group::ShareGroup;
use super::heartbeat::{JOIN, LEAVE, ShareHeartbeat, ShareHeartbeatReply};
use super::timers::{Timers, arm_member};
use super::view::{ShareDescription, ShareListing};
use crate::group::{GROUP_ID_MAX_LEN, TopicDirectory};
use crate::settings::Overrides;

/// Longest member id, in bytes.
const ID_MAX_LEN: usize = 249;
/// The most topics a member may name.
const TOPICS_MAX: usize = 10_000;

/// Every share group there is.
#[derive(Debug)]
pub(crate) struct ShareGroups {
    settings: ShareSettings,
    pub(super) groups: BTreeMap<Arc<str>, ShareGroup>,
    /// Of groups that were given any; they outlive the group.
    pub(super) overrides: BTreeMap<String, Overrides>,
    pub(super) timers: Timers,
}

impl ShareGroups {
    /// No groups.
    pub(crate) fn new(settings: ShareSettings) -> Self {
        let (groups, overrides) = (BTreeMap::new(), BTreeMap::new());
        Self { settings, groups, overrides, timers: Timers::new() }
    }

    /// Takes a heartbeat. It has taken effect already; the answer is to be sent once the events
    /// are durable, and with no events, once all earlier ones are.
    ///
    /// # Errors
    /// When it makes no sense, or comes from who is no member.
    pub(crate) fn heartbeat(
        &mut self,
        now_ms: i64,
        directory: &TopicDirectory,
        beat: &ShareHeartbeat,
    ) -> Result<(ShareHeartbeatReply, Effects), ShareError> {
        check(beat)?;
        let mut effects = Effects::default();
        if beat.member_epoch == LEAVE {
            return self.leave(beat, effects);
        }
        let id: Arc<str> = Arc::from(beat.group.as_str());
        if !self.groups.contains_key(&id) {
            if beat.member_epoch != JOIN {
                return Err(unknown_member(&beat.group, &beat.member_id));
            }
            let group = ShareGroup::new(Arc::clone(&id), self.config(&beat.group));
            self.groups.insert(Arc::clone(&id), group);
        }
        let Some(group) = self.groups.get_mut(&id) else { return Err(unknown_group(&id)) };
        let max = self.settings.members_max;
        let reply = group.heartbeat(now_ms, max, directory, beat, &mut effects)?;
        arm_member(&mut self.timers, group, &beat.member_id);
        Ok((reply, effects))
    }

    fn leave(
        &mut self,
        beat: &ShareHeartbeat,
        mut effects: Effects,
    ) -> Result<(ShareHeartbeatReply, Effects), ShareError> {
        let found = self.groups.get_mut(beat.group.as_str());
        if !found.is_some_and(|group| group.remove(&beat.member_id, &mut effects)) {
            return Err(unknown_member(&beat.group, &beat.member_id));
        }
        let member_id = beat.member_id.clone();
        let (member_epoch, interval_ms) = (LEAVE, self.config(&beat.group).heartbeat_interval_ms);
        Ok((
            ShareHeartbeatReply { member_id, member_epoch, interval_ms, assignment: None },
            effects,
        ))
    }

    /// Releases what a member has, though it stays a member: its share session is over. That has
    /// taken effect already; the events are to be journalled.
    pub(crate) fn release(&mut self, group: &str, member: &str) -> Effects {
        let mut effects = Effects::default();
        if let Some(group) = self.groups.get_mut(group) {
            group.release(member, &mut effects);
        }
        effects
    }

    /// Judges a deletion.
    pub(crate) fn delete(&self, group: &str) -> Result<ShareEvent, ShareError> {
        self.empty(group).map(|_| ShareEvent::new(group, What::Deleted))
    }

    /// A group that may be changed by an operator: one without members.
    pub(super) fn empty(&self, group: &str) -> Result<&ShareGroup, ShareError> {
        let found = self.groups.get(group).ok_or_else(|| unknown_group(group))?;
        match found.members.len() {
            0 => Ok(found),
            members => Err(ShareError::GroupNotEmpty { group: group.to_owned(), members }),
        }
    }

    /// The settings a group was given itself.
    pub(crate) fn overrides(&self, group: &str) -> Overrides {
        self.overrides.get(group).cloned().unwrap_or_default()
    }

    /// The groups that were given any.
    pub(crate) fn configured(&self) -> impl Iterator<Item = &str> {
        self.overrides.keys().map(String::as_str)
    }

    /// A group's settings in force.
    pub(crate) fn config(&self, group: &str) -> ShareConfig {
        match self.groups.get(group) {
            Some(found) => found.config.clone(),
            None => self.resolve(group),
        }
    }

    /// A group's settings, from those it was given.
    pub(super) fn resolve(&self, group: &str) -> ShareConfig {
        let defaults = &self.settings.defaults;
        let with = self.overrides.get(group).map(|overrides| defaults.with(overrides));
        // They were checked when they were set; another version may have allowed something else.
        with.and_then(Result::ok).unwrap_or_else(|| defaults.clone())
    }

    /// What holds for groups that were given no settings.
    pub(crate) fn defaults(&self) -> &ShareConfig {
        &self.settings.defaults
    }

    /// All groups in order of id.
    pub(crate) fn list(&self) -> Vec<ShareListing> {
        self.groups.values().map(ShareGroup::listing).collect()
    }

    /// Refuses who is no member.
    pub(crate) fn check_member(&self, group: &str, member: &str) -> Result<(), ShareError> {
        let found = self.groups.get(group).ok_or_else(|| unknown_group(group))?;
        let is = found.members.contains_key(member);
        if is { Ok(()) } else { Err(unknown_member(group, member)) }
    }

    pub(crate) fn contains(&self, group: &str) -> bool {
        self.groups.contains_key(group)
    }

    /// One group in full.
    ///
    /// # Errors
    /// When there is no such group.
    pub(crate) fn describe(&self, group: &str) -> Result<ShareDescription, ShareError> {
        self.groups.get(group).map(ShareGroup::describe).ok_or_else(|| unknown_group(group))
    }
}

/// Holds a heartbeat to the rules.
fn check(beat: &ShareHeartbeat) -> Result<(), ShareError> {
    let invalid = |reason| {
        let group = beat.group.chars().take(ID_MAX_LEN).collect();
        Err(ShareError::InvalidRequest { group, reason })
    };
    if !(1..=GROUP_ID_MAX_LEN).contains(&beat.group.len()) {
        return invalid("group ids are 1 to 32767 bytes");
    }
    if !(1..=ID_MAX_LEN).contains(&beat.member_id.len()) {
        return invalid("member ids are 1 to 249 bytes");
    }
    if beat.member_epoch < LEAVE {
        return invalid("member epochs are -1 or more");
    }
    if beat.rack.as_ref().is_some_and(|rack| rack.is_empty() || rack.len() > ID_MAX_LEN) {
        return invalid("a rack has 1 to 249 bytes");
    }
    if beat.member_epoch == JOIN && beat.topics.as_ref().is_none_or(Vec::is_empty) {
        return invalid("who joins names the topics it wants to read");
    }
    let topics = beat.topics.as_deref().unwrap_or_default();
    if topics.len() > TOPICS_MAX || topics.iter().any(|name| name.len() > ID_MAX_LEN) {
        return invalid("a member names at most 10000 topics, of at most 249 bytes each");
    }
    Ok(())
}
