//! What becomes due in share groups: sessions that end, locks that time out.
//!
//! Timers are lazy: a heartbeat only moves the member's own deadline, and the one entry in the
//! heap is set anew when it fires too early. A partition has one entry, for its first lock. What is
//! put off to the end of time never comes: its timer would be due again as soon as it had fired.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::TopicPartition;
use super::effects::Effects;
use super::group::ShareGroup;
use super::groups::ShareGroups;
use super::partition::{MemberId, SharePartition};

/// Whose time has come.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whose {
    Member(MemberId),
    Partition(TopicPartition),
}

/// The heap of them.
pub(crate) type Timers = BinaryHeap<Reverse<(i64, Arc<str>, Whose)>>;

impl ShareGroups {
    /// When [`Self::expire`] has something to look at, at the latest.
    pub(crate) fn next_due(&self) -> Option<i64> {
        self.timers.peek().map(|Reverse((due_ms, ..))| *due_ms)
    }

    /// Does all that is due by `now_ms`: removes members that were silent too long, and releases
    /// records whose lock has timed out. That has taken effect already; the events are to be
    /// journalled.
    pub(crate) fn expire(&mut self, now_ms: i64) -> Effects {
        let mut effects = Effects::default();
        while self.timers.peek().is_some_and(|Reverse((due_ms, ..))| *due_ms <= now_ms) {
            let Some(Reverse((due_ms, id, whose))) = self.timers.pop() else { break };
            let Some(group) = self.groups.get_mut(&id) else { continue };
            match whose {
                Whose::Member(member) => {
                    let Some(found) = group.members.get_mut(&member) else { continue };
                    if found.armed_ms != Some(due_ms) {
                        continue;
                    }
                    found.armed_ms = None;
                    if found.session_due_ms <= now_ms {
                        group.remove(&member, &mut effects);
                    } else {
                        arm_member(&mut self.timers, group, &member);
                    }
                }
                Whose::Partition(key) => {
                    let limits = group.config.limits();
                    let Some(state) = group.partitions.get_mut(&key) else { continue };
                    if state.armed_ms != Some(due_ms) {
                        continue;
                    }
                    state.armed_ms = None;
                    let judged = state.timed_out(now_ms, &limits);
                    state.apply(&judged.changes);
                    effects.settled(&id, key, judged);
                    if let Some(due_ms) = state.due_ms() {
                        arm_partition(&mut self.timers, &id, key, state, due_ms);
                    }
                }
            }
        }
        effects
    }
}

/// Sees to it that a member's session ends in time.
pub(super) fn arm_member(timers: &mut Timers, group: &mut ShareGroup, member: &str) {
    let Some(member) = group.members.get_mut(member) else { return };
    let due_ms = member.session_due_ms;
    if due_ms < i64::MAX && member.armed_ms.is_none_or(|armed| armed > due_ms) {
        member.armed_ms = Some(due_ms);
        let whose = Whose::Member(MemberId::clone(&member.id));
        timers.push(Reverse((due_ms, Arc::clone(&group.id), whose)));
    }
}

/// Sees to it that a partition's locks time out.
pub(super) fn arm_partition(
    timers: &mut Timers,
    group: &Arc<str>,
    key: TopicPartition,
    state: &mut SharePartition,
    due_ms: i64,
) {
    if due_ms < i64::MAX && state.armed_ms.is_none_or(|armed| armed > due_ms) {
        state.armed_ms = Some(due_ms);
        timers.push(Reverse((due_ms, Arc::clone(group), Whose::Partition(key))));
    }
}
