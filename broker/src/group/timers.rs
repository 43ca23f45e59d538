//! What time does to groups.
//!
//! Timers are lazy: a heartbeat only moves the member's own deadline, and the one entry in the heap
//! is set anew when it fires too early. So a heartbeat costs two look-ups and no memory.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::TopicPartition;
use super::directory::TopicDirectory;
use super::event::GroupEvent;
use super::group::Group;
use super::groups::Groups;
use super::membership::Beat;
use super::pending::Pending;
use super::settings::GroupSettings;

/// How long a group without members and commits is remembered, so that a consumer which comes
/// right back finds its group's epoch.
const EMPTY_LINGER_MS: i64 = 10 * 60 * 1000;

/// Commits that are due and still needed are looked at again after this.
const LOOK_AGAIN_MS: i64 = 10 * 60 * 1000;

/// When something may be due, and about whom: a member, or (None) the group itself.
type Timer = (i64, Arc<str>, Option<Arc<str>>);

/// Everything that may become due.
#[derive(Debug, Default)]
pub(super) struct Timers(BinaryHeap<Reverse<Timer>>);

impl Groups {
    /// When [`Self::expire`] has something to look at, at the latest.
    pub fn next_due(&self) -> Option<i64> {
        self.timers.0.peek().map(|Reverse((due_ms, ..))| *due_ms)
    }

    /// Does all that is due by `now_ms`: removes members that were silent too long or did not give
    /// up partitions in time, goes on with rebalances, forgets commits of groups long empty. That
    /// has taken effect already; the events are to be journalled.
    pub fn expire(&mut self, now_ms: i64, directory: &TopicDirectory) -> Vec<GroupEvent> {
        let mut events = Vec::new();
        let Groups { settings, groups, timers, answers, pending, .. } = self;
        while timers.0.peek().is_some_and(|Reverse((due_ms, ..))| *due_ms <= now_ms) {
            let Some(Reverse((due_ms, id, member))) = timers.0.pop() else { break };
            let Some(group) = groups.get_mut(&id) else { continue };
            let mut out = Beat { now_ms, settings, directory, events: &mut events, answers };
            match &member {
                Some(member) => expire_member(group, member, due_ms, &mut out),
                None if group.armed_ms == Some(due_ms) => {
                    group.armed_ms = None;
                    expire_phase(group, &mut out);
                    expire_offsets(group, &mut out, pending);
                }
                None => continue,
            }
            let deleted =
                matches!(events.last(), Some(GroupEvent::GroupDeleted { group }) if **group == *id);
            if deleted || group.is_blank() {
                groups.remove(&id);
                continue;
            }
            if let Some(member) = &member {
                timers.arm_member(group, member);
            }
            timers.arm(settings, group);
        }
        events
    }
}

impl Timers {
    /// Sees to it that timers fire for the group and for those of its members whose deadlines may
    /// have come nearer.
    pub(super) fn arm(&mut self, settings: &GroupSettings, group: &mut Group) {
        let mut touched = std::mem::take(&mut group.touched);
        if let Some(classic) = &mut group.classic {
            touched.append(&mut classic.touched);
        }
        for member in touched {
            self.arm_member(group, &member);
        }
        let Some(due_ms) = group_due_ms(group, settings) else { return };
        if group.armed_ms.is_none_or(|armed_ms| due_ms < armed_ms) {
            group.armed_ms = Some(due_ms);
            self.0.push(Reverse((due_ms, Arc::clone(&group.id), None)));
        }
    }

    /// Sees to it that a timer fires when the member's first deadline comes, or earlier.
    pub(super) fn arm_member(&mut self, group: &mut Group, member: &str) {
        let Some(Deadline { id, due_ms: Some(due_ms), armed_ms }) = deadline(group, member) else {
            return;
        };
        if due_ms < i64::MAX && armed_ms.is_none_or(|armed_ms| due_ms < armed_ms) {
            *armed_ms = Some(due_ms);
            self.0.push(Reverse((due_ms, Arc::clone(&group.id), Some(id))));
        }
    }
}

/// What timers look at in a member.
struct Deadline<'a> {
    id: Arc<str>,
    /// The first thing that is due, if anything is.
    due_ms: Option<i64>,
    /// When its timer fires.
    armed_ms: &'a mut Option<i64>,
}

fn deadline<'a>(group: &'a mut Group, member: &str) -> Option<Deadline<'a>> {
    if let Some(classic) = &mut group.classic {
        if let Some(member) = classic.members.get_mut(member) {
            let (id, due_ms) = (Arc::clone(&member.id), member.due_ms());
            return Some(Deadline { id, due_ms, armed_ms: &mut member.armed_ms });
        }
        let id = classic.pending.get_key_value(member).map(|(id, _)| Arc::clone(id))?;
        let pending = classic.pending.get_mut(&id)?;
        let due_ms = Some(pending.due_ms);
        return Some(Deadline { id, due_ms, armed_ms: &mut pending.armed_ms });
    }
    let member = group.members.get_mut(member)?;
    let (id, due_ms) = (Arc::clone(&member.id), Some(member.due_ms()));
    Some(Deadline { id, due_ms, armed_ms: &mut member.armed_ms })
}

/// When the phase of a rebalance ends, or a group may have something to forget. What is put off to
/// the end of time never comes: a timer there would be due again as soon as it had fired. So it is
/// with members.
fn group_due_ms(group: &Group, settings: &GroupSettings) -> Option<i64> {
    let phase_ms = group.classic.as_ref().and_then(|classic| classic.phase_due_ms);
    let forget_ms = match group.is_vacant() {
        true => Some(forget_due_ms(group, settings)),
        false => group.offsets.unread_due_ms(settings.offsets_retention_ms),
    };
    let forget_ms = forget_ms.map(|due_ms| due_ms.max(group.look_again_ms));
    [phase_ms, forget_ms].into_iter().flatten().min().filter(|due_ms| *due_ms < i64::MAX)
}

/// When a group without members has something to forget next.
fn forget_due_ms(group: &Group, settings: &GroupSettings) -> i64 {
    let linger_ms = EMPTY_LINGER_MS.min(settings.offsets_retention_ms);
    group
        .offsets
        .due_ms(group.changed_at_ms, settings.offsets_retention_ms)
        .unwrap_or_else(|| group.changed_at_ms.saturating_add(linger_ms))
}

fn expire_member(group: &mut Group, id: &Arc<str>, due_ms: i64, turn: &mut Beat<'_>) {
    let now_ms = turn.now_ms;
    if let Some(Deadline { armed_ms, .. }) = deadline(group, id) {
        armed_ms.take_if(|armed_ms| *armed_ms == due_ms);
    }
    if group.classic.is_some() {
        let Beat { settings, events, answers, .. } = turn;
        group.classic_turn(now_ms, settings, events, answers, |classic, turn| {
            classic.member_due(turn, id);
        });
        return;
    }
    let due = group.members.get(id).is_some_and(|member| member.due_ms() <= now_ms);
    if due {
        group.remove(id, turn.events);
        group.member_gone(turn);
    }
}

fn expire_phase(group: &mut Group, turn: &mut Beat<'_>) {
    if group.classic.is_some() {
        let Beat { now_ms, settings, events, answers, .. } = turn;
        group.classic_turn(*now_ms, settings, events, answers, |classic, turn| {
            classic.phase_due(turn);
        });
    }
}

/// Forgets what was committed long ago: all of it if there are no members, else what they do not
/// read. What a transaction is still to decide of stays until then.
fn expire_offsets(group: &mut Group, turn: &mut Beat<'_>, pending: &Pending) {
    let (now_ms, retention_ms) = (turn.now_ms, turn.settings.offsets_retention_ms);
    let vacant = group.is_vacant();
    let id = group.id.to_string();
    let is_pending = |at: &TopicPartition| pending.concerns(&id, at);
    let mut offsets = std::mem::take(&mut group.offsets);
    let (expired, held) = if vacant {
        offsets.expired(group.changed_at_ms, retention_ms, now_ms, is_pending)
    } else {
        let reads = group.reads(turn.directory);
        let unsure = group.is_rebalancing();
        let is_held = |at: &TopicPartition| unsure || reads.covers(at.0) || is_pending(at);
        offsets.expired(i64::MIN, retention_ms, now_ms, is_held)
    };
    group.offsets = offsets;
    // Nor is a group over for which anything is pending: it would come back with that.
    let is_awaited = pending.has(&id);
    group.look_again_ms = match held || (vacant && is_awaited) {
        true => now_ms.saturating_add(LOOK_AGAIN_MS.min(retention_ms).max(1)),
        false => i64::MIN,
    };
    let forgot = !expired.is_empty();
    if forgot {
        // They leave, so it does not matter at which place.
        group.offsets.apply(&expired, 0);
        turn.events.push(GroupEvent::OffsetsCommitted { group: id.clone(), offsets: expired });
    }
    let is_over = vacant && group.offsets.is_empty() && !is_awaited;
    if is_over && (forgot || forget_due_ms(group, turn.settings) <= now_ms) {
        turn.events.push(GroupEvent::GroupDeleted { group: id });
    }
}
