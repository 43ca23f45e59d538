//! Members whom the broker assigns to: joining, staying, leaving, all by heartbeats.

use std::sync::Arc;

use super::Partitions;
use super::assignor::Assignor;
use super::classic::Answer;
use super::directory::TopicDirectory;
use super::error::GroupError;
use super::event::GroupEvent;
use super::group::{Group, changed};
use super::heartbeat::{GroupHeartbeat, GroupHeartbeatReply, JOIN, LEAVE, LEAVE_STATIC};
use super::member::{Member, MemberState};
use super::settings::GroupSettings;
use super::subscription::Subscription;

/// Bounds on what members may ask for as their timeouts.
const TIMEOUTS_MS: std::ops::RangeInclusive<u32> = 100..=3_600_000;

/// What a heartbeat, or a call that is as good as one, has to work with.
pub(crate) struct Beat<'a> {
    pub(crate) now_ms: i64,
    pub(crate) settings: &'a GroupSettings,
    pub(crate) directory: &'a TopicDirectory,
    pub(crate) events: &'a mut Vec<GroupEvent>,
    /// To calls that waited.
    pub(crate) answers: &'a mut Vec<Answer>,
}

impl Group {
    /// Takes a heartbeat. What must survive a restart is added to the events.
    pub(crate) fn heartbeat(
        &mut self,
        turn: &mut Beat<'_>,
        beat: GroupHeartbeat,
    ) -> Result<GroupHeartbeatReply, GroupError> {
        let epoch = beat.member_epoch;
        if epoch == LEAVE || epoch == LEAVE_STATIC {
            let id = self.known(&beat)?;
            if epoch == LEAVE {
                self.remove(&id, turn.events);
            } else {
                self.step_away(&id, turn.now_ms, turn.events)?;
            }
            self.member_gone(turn);
            return Ok(GroupHeartbeatReply {
                member_id: id.to_string(),
                member_epoch: epoch,
                heartbeat_interval_ms: self.config.heartbeat_interval_ms,
                assignment: None,
            });
        }
        let fresh = beat.owned.is_some();
        let id = if epoch == JOIN { self.join(turn, beat)? } else { self.stay(turn.now_ms, beat)? };
        self.retarget(turn.now_ms, turn.directory, turn.events);
        Ok(self.advance(turn, &id, fresh || epoch == JOIN, epoch == JOIN))
    }

    /// Moves the member on and makes up what it is told.
    fn advance(
        &mut self,
        turn: &mut Beat<'_>,
        id: &Arc<str>,
        fresh: bool,
        tell: bool,
    ) -> GroupHeartbeatReply {
        let (holders, target_epoch) = (&mut self.holders, self.target_epoch);
        let mut reply = GroupHeartbeatReply {
            member_id: id.to_string(),
            member_epoch: 0,
            heartbeat_interval_ms: self.config.heartbeat_interval_ms,
            assignment: None,
        };
        let Some(member) = self.members.get_mut(id) else { return reply };
        member.reconcile(holders, target_epoch, turn.now_ms, fresh);
        if std::mem::take(&mut member.changed) {
            turn.events.push(changed(&self.id, member));
        }
        reply.member_epoch = member.epoch;
        if tell || !member.confirmed {
            reply.assignment = Some(member.assigned.iter().copied().collect());
        }
        if member.state == MemberState::Waiting {
            reply.heartbeat_interval_ms = self.config.waiting_interval_ms();
        }
        reply
    }

    /// The member a heartbeat speaks for, if it is one and has not lost its instance id.
    fn known(&self, beat: &GroupHeartbeat) -> Result<Arc<str>, GroupError> {
        if let Some(instance) = &beat.instance_id {
            self.check_instance(instance, &beat.member_id)?;
        }
        match self.members.get(beat.member_id.as_str()) {
            Some(member) if !member.away && member.classic.is_none() => Ok(Arc::clone(&member.id)),
            _ => Err(self.unknown(&beat.member_id)),
        }
    }

    fn stay(&mut self, now_ms: i64, beat: GroupHeartbeat) -> Result<Arc<str>, GroupError> {
        let id = self.known(&beat)?;
        let assignor = beat.assignor.as_deref().map(assignor).transpose()?;
        let Some(member) = self.members.get(&id) else { return Err(self.unknown(&id)) };
        let wanted = wanted(&beat, &member.subscription.subscription);
        let subscription = match &wanted {
            Some(wanted) if *wanted != member.subscription.subscription => {
                Some(self.compile(wanted)?)
            }
            _ => None,
        };
        let found = beat.member_epoch;
        let owned: Option<Partitions> = beat.owned.map(|owned| owned.into_iter().collect());
        let Some(member) = self.members.get_mut(&id) else { return Err(self.unknown(&id)) };
        let lost_answer = found != member.epoch;
        if lost_answer {
            let holds = owned.as_ref().unwrap_or(&member.owned);
            if found != member.epoch_before || !holds.is_subset(&member.assigned) {
                return Err(GroupError::FencedMember {
                    group: self.id.to_string(),
                    member: id.to_string(),
                    found,
                    current: member.epoch,
                });
            }
        }
        member.epoch_before = found;
        member.heard(now_ms);
        if let Some(owned) = owned {
            member.report(owned);
        }
        if lost_answer {
            member.confirmed = false;
        }
        if let Some(subscription) = subscription {
            member.subscription = subscription;
            member.changed = true;
            self.resolved = None;
        }
        if assignor.is_some() && member.assignor != assignor {
            member.assignor = assignor;
            member.changed = true;
            self.stale = true;
        }
        Ok(id)
    }

    fn join(&mut self, turn: &mut Beat<'_>, beat: GroupHeartbeat) -> Result<Arc<str>, GroupError> {
        let invalid = |reason| GroupError::InvalidRequest { group: beat.group.clone(), reason };
        let Some(wanted) = wanted(&beat, &Subscription::default()) else {
            return Err(invalid("a joining member must say what it subscribes to"));
        };
        if beat.owned.as_ref().is_some_and(|owned| !owned.is_empty()) {
            return Err(invalid("a joining member must have given up all partitions"));
        }
        let subscription = self.compile(&wanted)?;
        let assignor = beat.assignor.as_deref().map(assignor).transpose()?;
        let replaced = beat.instance_id.as_ref().and_then(|instance| self.instances.get(instance));
        let replaced = replaced.filter(|holder| ***holder != *beat.member_id).cloned();
        if beat.refuse_unreleased
            && let Some(instance) = &beat.instance_id
            && let Some(holder) = replaced.as_ref().and_then(|id| self.members.get(id))
            && !holder.away
            && holder.classic.is_none()
        {
            let (group, instance) = (self.id.to_string(), instance.clone());
            return Err(GroupError::UnreleasedInstance { group, instance });
        }
        let rejoins = self.members.contains_key(beat.member_id.as_str());
        let full = self.member_count() >= turn.settings.members_max;
        if full && replaced.is_none() && !rejoins {
            let (group, max) = (self.id.to_string(), turn.settings.members_max);
            return Err(GroupError::GroupFull { group, max });
        }
        self.leave_classic(turn)?;
        // A group that was under the classic protocol until now may know the instance.
        let replaced = beat.instance_id.as_ref().and_then(|instance| self.instances.get(instance));
        let replaced = replaced.filter(|holder| ***holder != *beat.member_id).cloned();

        let timeout = |asked: u32| asked.clamp(*TIMEOUTS_MS.start(), *TIMEOUTS_MS.end());
        let settings = turn.settings;
        let mut member = Member::new(&beat.member_id, subscription);
        member.instance_id = beat.instance_id;
        member.client_id = beat.client_id;
        member.client_host = beat.client_host;
        member.rebalance_timeout_ms = match beat.rebalance_timeout_ms {
            0 => settings.rebalance_timeout_ms,
            asked => timeout(asked),
        };
        member.session_of_group = beat.session_timeout_ms.is_none();
        member.session_timeout_ms = beat.session_timeout_ms.map_or(0, timeout);
        member.follow(&self.config);
        member.assignor = assignor;
        Ok(self.enter(turn, member, replaced.as_deref()))
    }

    /// A new member comes in; it may take the place of one with the same instance id or member id.
    pub(super) fn enter(
        &mut self,
        turn: &mut Beat<'_>,
        mut member: Member,
        replaced: Option<&str>,
    ) -> Arc<str> {
        let before = replaced.and_then(|old| self.take_out(old, turn.events));
        let known = match self.members.remove(&member.id) {
            Some(mut member) => {
                member.release_all(&mut self.holders);
                self.forget_instance(&member);
                Some(member)
            }
            None => None,
        };
        self.stale |= before.is_some() && known.is_some();
        member.heard(turn.now_ms);
        // A new instance of a static member steps into the place of the old one, with its target.
        match before.or(known) {
            Some(before) => {
                self.stale |=
                    before.assignor != member.assignor || before.instance_id != member.instance_id;
                member.topics = before.topics;
                member.target = before.target;
            }
            None => self.stale = true,
        }
        // If it means other topics than before, resolving finds out.
        self.resolved = None;
        let id = Arc::clone(&member.id);
        if let Some(instance) = &member.instance_id {
            self.instances.insert(instance.clone(), Arc::clone(&id));
        }
        self.members.insert(Arc::clone(&id), member);
        id
    }

    /// A static member leaves to come back: it holds nothing, but its target stays its own.
    fn step_away(
        &mut self,
        id: &Arc<str>,
        now_ms: i64,
        events: &mut Vec<GroupEvent>,
    ) -> Result<(), GroupError> {
        let Some(member) = self.members.get_mut(id) else { return Ok(()) };
        if member.instance_id.is_none() {
            let group = self.id.to_string();
            let reason = "only a member with an instance id can leave by epoch -2; use -1";
            return Err(GroupError::InvalidRequest { group, reason });
        }
        member.release_all(&mut self.holders);
        member.assigned = member.target.clone();
        member.state = MemberState::Stable;
        member.away = true;
        member.heard(now_ms);
        member.changed = false;
        events.push(changed(&self.id, member));
        Ok(())
    }
}

/// What a heartbeat says it wants to read, where it may say only what is new; None: nothing.
fn wanted(beat: &GroupHeartbeat, before: &Subscription) -> Option<Subscription> {
    if beat.topics.is_none() && beat.regex.is_none() {
        return None;
    }
    let topics = beat.topics.as_ref().unwrap_or(&before.topics).clone();
    let regex = beat.regex.as_ref().or(before.regex.as_ref());
    Some(Subscription { topics, regex: regex.filter(|regex| !regex.is_empty()).cloned() })
}

fn assignor(name: &str) -> Result<Assignor, GroupError> {
    let unknown = || GroupError::UnknownAssignor { name: name.to_owned() };
    Assignor::by_name(name).ok_or_else(unknown)
}
