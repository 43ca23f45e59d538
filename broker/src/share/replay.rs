//! Share groups from events, and as events.

use std::sync::Arc;

use super::event::{ShareEvent, What};
use super::group::ShareGroup;
use super::groups::ShareGroups;
use super::partition::{MemberId, SharePartition};
use super::timers::arm_member;

impl ShareGroups {
    /// Makes an event so: one that was judged, or one replayed from the journal. After replaying,
    /// call [`Self::start`].
    pub(crate) fn apply(&mut self, event: &ShareEvent) {
        let id = event.group.as_str();
        match &event.what {
            What::Configured { overrides } => {
                if overrides.is_empty() {
                    self.overrides.remove(id);
                } else {
                    self.overrides.insert(id.to_owned(), overrides.clone());
                }
                let config = self.resolve(id);
                if let Some(group) = self.groups.get_mut(id) {
                    group.config = config;
                }
                return;
            }
            What::Deleted => {
                self.groups.remove(id);
                return;
            }
            _ => {}
        }
        if !self.groups.contains_key(id) {
            let group = ShareGroup::new(Arc::from(id), self.resolve(id));
            self.groups.insert(Arc::clone(&group.id), group);
        }
        let Some(group) = self.groups.get_mut(id) else { return };
        match &event.what {
            What::EpochBumped { epoch } => group.epoch = *epoch,
            What::MemberChanged(record) => group.restore_member(record),
            What::MemberRemoved { member_id } => drop(group.members.remove(member_id.as_str())),
            What::Started { partition, epoch, start } => {
                group.partitions.insert(*partition, SharePartition::new(*start, *epoch));
            }
            What::Settled { partition, changes } => {
                if let Some(state) = group.partitions.get_mut(partition) {
                    state.apply(changes);
                }
            }
            What::Truncated { partition, end } => {
                if let Some(state) = group.partitions.get_mut(partition) {
                    state.truncate(*end);
                }
            }
            What::Forgotten { partitions } => {
                group.partitions.retain(|key, _| !partitions.contains(key));
            }
            What::Configured { .. } | What::Deleted => {}
        }
    }

    /// Ends a replay: timers start, and every member has a whole session to be heard of again.
    pub(crate) fn start(&mut self, now_ms: i64) {
        for group in self.groups.values_mut() {
            let session_ms = i64::from(group.config.session_timeout_ms);
            let members: Vec<MemberId> = group.members.keys().cloned().collect();
            for id in members {
                if let Some(member) = group.members.get_mut(&id) {
                    member.session_due_ms = now_ms.saturating_add(session_ms);
                }
                arm_member(&mut self.timers, group, &id);
            }
        }
    }

    /// All groups as events that lead to them.
    pub(crate) fn events(&self) -> Vec<ShareEvent> {
        let configured = self.overrides.iter().map(|(group, overrides)| {
            ShareEvent::new(group, What::Configured { overrides: overrides.clone() })
        });
        let mut events: Vec<_> = configured.collect();
        self.groups.values().for_each(|group| group.events(&mut events));
        events
    }
}
