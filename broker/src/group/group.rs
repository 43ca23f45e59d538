//! One group: its members, who holds what, and what it has committed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::assignor::{Assignor, Wants};
use super::classic::{Classic, ClassicRecord};
use super::directory::TopicDirectory;
use super::error::GroupError;
use super::event::{GroupEvent, MemberRecord};
use super::heartbeat::{GroupHeartbeat, GroupHeartbeatReply, JOIN, LEAVE, LEAVE_STATIC};
use super::member::{Holders, Member, MemberState};
use super::offsets::Offsets;
use super::settings::GroupSettings;
use super::subscription::{Compiled, Subscription, Topics};
use super::{Partitions, TopicPartition};

/// Bounds on what members may ask for as their timeouts.
const TIMEOUTS_MS: std::ops::RangeInclusive<u32> = 100..=3_600_000;

/// One group. See the module's own words for what holds at all times.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: Arc<str>,
    pub(crate) epoch: i32,
    /// The epoch that members' targets were made for.
    pub(crate) target_epoch: i32,
    /// Its members, unless it is under the classic protocol.
    pub(crate) members: BTreeMap<Arc<str>, Member>,
    /// Its members and their rebalance, if it is under the classic protocol.
    pub(crate) classic: Option<Box<Classic>>,
    /// Which member holds an instance id.
    instances: HashMap<String, Arc<str>>,
    pub(crate) holders: Holders,
    pub(crate) offsets: Offsets,
    /// When members last changed: without members, since when there are none.
    pub(crate) changed_at_ms: i64,
    /// Version of the directory that subscriptions were resolved against.
    resolved: Option<u64>,
    /// Members, subscriptions or topics have changed since `epoch` was last raised.
    stale: bool,
    /// When the group's own timer fires.
    pub(crate) armed_ms: Option<i64>,
}

impl Group {
    pub(crate) fn new(id: Arc<str>) -> Self {
        Self {
            id,
            epoch: 0,
            target_epoch: 0,
            members: BTreeMap::new(),
            classic: None,
            instances: HashMap::new(),
            holders: Holders::new(),
            offsets: Offsets::default(),
            changed_at_ms: 0,
            resolved: None,
            stale: false,
            armed_ms: None,
        }
    }

    /// Whether there is nothing worth keeping about it.
    pub(crate) fn is_blank(&self) -> bool {
        let was_classic = self.classic.as_ref().is_some_and(|classic| classic.record.is_some());
        self.epoch == 0 && !was_classic && self.is_vacant() && self.offsets.is_empty()
    }

    /// Whether nobody is in it, nor about to be.
    pub(crate) fn is_vacant(&self) -> bool {
        match &self.classic {
            Some(classic) => classic.is_empty(),
            None => self.members.is_empty(),
        }
    }

    /// How many members it has.
    pub(crate) fn member_count(&self) -> usize {
        self.classic.as_ref().map_or(self.members.len(), |classic| classic.members.len())
    }

    /// Puts a group without members under the classic protocol.
    pub(crate) fn begin_classic(&mut self) -> &mut Classic {
        let generation = self.epoch;
        self.classic.get_or_insert_with(|| Box::new(Classic::new(generation)))
    }

    /// Takes a group without members from the classic protocol.
    fn end_classic(&mut self, events: &mut Vec<GroupEvent>) {
        if let Some(classic) = self.classic.take()
            && classic.record.is_some()
        {
            self.epoch = classic.generation;
            self.target_epoch = self.epoch;
            events.push(GroupEvent::ClassicEnded { group: self.id.to_string() });
        }
    }

    /// Takes over a journalled generation of the classic protocol.
    pub(crate) fn restore_classic(&mut self, record: &ClassicRecord) {
        self.members.clear();
        self.instances.clear();
        self.holders.clear();
        self.epoch = record.generation;
        self.target_epoch = self.epoch;
        self.changed_at_ms = record.at_ms;
        self.classic = Some(Box::new(Classic::from_record(record)));
    }

    /// The assignor most members want; among equals the first, which is uniform.
    pub(crate) fn assignor(&self) -> Assignor {
        let mut votes: BTreeMap<Assignor, usize> = BTreeMap::new();
        for assignor in self.members.values().filter_map(|member| member.assignor) {
            *votes.entry(assignor).or_default() += 1;
        }
        let most = votes.into_iter().reduce(|best, next| if next.1 > best.1 { next } else { best });
        most.map_or_else(Assignor::default, |(assignor, _)| assignor)
    }

    /// Takes a heartbeat. What must survive a restart is added to `events`.
    pub(crate) fn heartbeat(
        &mut self,
        now_ms: i64,
        settings: &GroupSettings,
        directory: &TopicDirectory,
        beat: GroupHeartbeat,
        events: &mut Vec<GroupEvent>,
    ) -> Result<GroupHeartbeatReply, GroupError> {
        let epoch = beat.member_epoch;
        if epoch == LEAVE || epoch == LEAVE_STATIC {
            let id = self.known(&beat)?;
            if epoch == LEAVE {
                self.remove(&id, events);
            } else {
                self.step_away(&id, now_ms, events)?;
            }
            self.raise_epoch(now_ms, events);
            return Ok(GroupHeartbeatReply {
                member_id: id.to_string(),
                member_epoch: epoch,
                heartbeat_interval_ms: settings.heartbeat_interval_ms,
                assignment: None,
            });
        }
        let fresh = beat.owned.is_some();
        let id = if epoch == JOIN {
            self.join(now_ms, settings, beat, events)?
        } else {
            self.stay(now_ms, beat)?
        };
        self.retarget(now_ms, directory, events);
        Ok(self.advance(&id, now_ms, settings, fresh || epoch == JOIN, epoch == JOIN, events))
    }

    /// Moves the member on and makes up what it is told.
    fn advance(
        &mut self,
        id: &Arc<str>,
        now_ms: i64,
        settings: &GroupSettings,
        fresh: bool,
        tell: bool,
        events: &mut Vec<GroupEvent>,
    ) -> GroupHeartbeatReply {
        let (holders, target_epoch) = (&mut self.holders, self.target_epoch);
        let mut reply = GroupHeartbeatReply {
            member_id: id.to_string(),
            member_epoch: 0,
            heartbeat_interval_ms: settings.heartbeat_interval_ms,
            assignment: None,
        };
        let Some(member) = self.members.get_mut(id) else { return reply };
        member.reconcile(holders, target_epoch, now_ms, fresh);
        if std::mem::take(&mut member.changed) {
            events.push(changed(&self.id, member));
        }
        reply.member_epoch = member.epoch;
        if tell || !member.confirmed {
            reply.assignment = Some(member.assigned.iter().copied().collect());
        }
        if member.state == MemberState::Waiting {
            reply.heartbeat_interval_ms = settings.waiting_interval_ms();
        }
        reply
    }

    /// The member a heartbeat speaks for, if it is one and has not lost its instance id.
    fn known(&self, beat: &GroupHeartbeat) -> Result<Arc<str>, GroupError> {
        if let Some(instance) = &beat.instance_id {
            self.check_instance(instance, &beat.member_id)?;
        }
        match self.members.get(beat.member_id.as_str()) {
            Some(member) if !member.away => Ok(Arc::clone(&member.id)),
            _ => Err(self.unknown(&beat.member_id)),
        }
    }

    /// Refuses a member whose instance id another has.
    pub(crate) fn check_instance(&self, instance: &str, member_id: &str) -> Result<(), GroupError> {
        match self.instances.get(instance) {
            Some(holder) if **holder != *member_id => {
                let (group, instance) = (self.id.to_string(), instance.to_owned());
                Err(GroupError::FencedInstance { group, instance })
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn unknown(&self, member: &str) -> GroupError {
        GroupError::UnknownMember { group: self.id.to_string(), member: member.to_owned() }
    }

    fn stay(&mut self, now_ms: i64, beat: GroupHeartbeat) -> Result<Arc<str>, GroupError> {
        let id = self.known(&beat)?;
        let now = self.members.get(&id).map(|member| &member.subscription.subscription);
        let subscription = match &beat.subscription {
            Some(subscription) if Some(subscription) != now => Some(self.compile(subscription)?),
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
        Ok(id)
    }

    fn join(
        &mut self,
        now_ms: i64,
        settings: &GroupSettings,
        beat: GroupHeartbeat,
        events: &mut Vec<GroupEvent>,
    ) -> Result<Arc<str>, GroupError> {
        let invalid = |reason| GroupError::InvalidRequest { group: beat.group.clone(), reason };
        let Some(subscription) = &beat.subscription else {
            return Err(invalid("a joining member must say what it subscribes to"));
        };
        if beat.owned.as_ref().is_some_and(|owned| !owned.is_empty()) {
            return Err(invalid("a joining member must have given up all partitions"));
        }
        let subscription = self.compile(subscription)?;
        let assignor = match beat.assignor.as_deref() {
            None => None,
            Some(name) => Some(
                Assignor::by_name(name)
                    .ok_or_else(|| GroupError::UnknownAssignor { name: name.to_owned() })?,
            ),
        };
        let replaced = beat.instance_id.as_ref().and_then(|instance| self.instances.get(instance));
        let replaced = replaced.filter(|holder| ***holder != *beat.member_id).cloned();
        let rejoins = self.members.contains_key(beat.member_id.as_str());
        let full = self.members.len() >= settings.members_max;
        if full && replaced.is_none() && !rejoins {
            let (group, max) = (self.id.to_string(), settings.members_max);
            return Err(GroupError::GroupFull { group, max });
        }
        if !self.is_vacant() && self.classic.is_some() {
            return Err(GroupError::InconsistentProtocol { group: self.id.to_string() });
        }
        self.end_classic(events);

        let before = match &replaced {
            Some(old) => self.take_out(old, events),
            None => None,
        };
        let known = match self.members.remove(beat.member_id.as_str()) {
            Some(mut member) => {
                member.release_all(&mut self.holders);
                self.forget_instance(&member);
                Some(member)
            }
            None => None,
        };
        self.stale |= before.is_some() && known.is_some();
        // A new instance of a static member steps into the place of the old one, with its target.
        let before = before.or(known);
        let id: Arc<str> = Arc::from(beat.member_id.as_str());
        let timeout = |asked: u32| asked.clamp(*TIMEOUTS_MS.start(), *TIMEOUTS_MS.end());
        let mut member = Member {
            id: Arc::clone(&id),
            instance_id: beat.instance_id,
            client_id: beat.client_id,
            client_host: beat.client_host,
            rebalance_timeout_ms: match beat.rebalance_timeout_ms {
                0 => settings.rebalance_timeout_ms,
                asked => timeout(asked),
            },
            session_timeout_ms: beat
                .session_timeout_ms
                .map_or(settings.session_timeout_ms, timeout),
            assignor,
            subscription,
            topics: Arc::default(),
            epoch: JOIN,
            epoch_before: JOIN,
            state: MemberState::Stable,
            assigned: Partitions::new(),
            revoking: Partitions::new(),
            target: Partitions::new(),
            owned: Partitions::new(),
            confirmed: false,
            away: false,
            session_due_ms: 0,
            revoke_due_ms: None,
            armed_ms: None,
            changed: true,
        };
        member.heard(now_ms);
        match before {
            Some(before) => {
                self.stale |=
                    before.assignor != member.assignor || before.instance_id != member.instance_id;
                member.topics = before.topics;
                member.target = before.target;
                // If it means other topics than before, resolving finds out.
                self.resolved = None;
            }
            None => {
                self.stale = true;
                self.resolved = None;
            }
        }
        if let Some(instance) = &member.instance_id {
            self.instances.insert(instance.clone(), Arc::clone(&id));
        }
        self.members.insert(Arc::clone(&id), member);
        Ok(id)
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

    /// Removes a member for good.
    pub(crate) fn remove(&mut self, id: &str, events: &mut Vec<GroupEvent>) {
        if self.take_out(id, events).is_some() {
            self.stale = true;
        }
    }

    fn take_out(&mut self, id: &str, events: &mut Vec<GroupEvent>) -> Option<Member> {
        let mut member = self.members.remove(id)?;
        member.release_all(&mut self.holders);
        self.forget_instance(&member);
        let (group, member_id) = (self.id.to_string(), id.to_owned());
        events.push(GroupEvent::MemberRemoved { group, member_id });
        Some(member)
    }

    fn forget_instance(&mut self, member: &Member) {
        if let Some(instance) = &member.instance_id
            && self.instances.get(instance) == Some(&member.id)
        {
            self.instances.remove(instance);
        }
    }

    /// The subscription ready to be matched; the one another member uses already, if it is equal.
    fn compile(&self, subscription: &Subscription) -> Result<Arc<Compiled>, GroupError> {
        let equal = |member: &&Member| member.subscription.subscription == *subscription;
        if let Some(member) = self.members.values().find(equal) {
            return Ok(Arc::clone(&member.subscription));
        }
        Compiled::new(subscription.clone())
            .map_err(|reason| GroupError::InvalidRegex { group: self.id.to_string(), reason })
    }

    /// Raises the epoch if something has changed since it was last raised.
    pub(crate) fn raise_epoch(&mut self, now_ms: i64, events: &mut Vec<GroupEvent>) {
        if std::mem::take(&mut self.stale) {
            self.epoch = self.epoch.saturating_add(1);
            self.changed_at_ms = now_ms;
            let (group, epoch) = (self.id.to_string(), self.epoch);
            events.push(GroupEvent::GroupEpochBumped { group, epoch, at_ms: now_ms });
        }
    }

    /// Makes a new target if members, subscriptions or topics have changed.
    fn retarget(&mut self, now_ms: i64, directory: &TopicDirectory, events: &mut Vec<GroupEvent>) {
        if self.resolved != Some(directory.version()) {
            self.resolve(directory);
            self.resolved = Some(directory.version());
        }
        self.raise_epoch(now_ms, events);
        if self.epoch == self.target_epoch {
            return;
        }
        let wants = |member: &Member| Arc::clone(&member.topics);
        let members: BTreeMap<&str, Wants<'_>> = self
            .members
            .iter()
            .map(|(id, member)| {
                let instance_id = member.instance_id.as_deref();
                (&**id, Wants { instance_id, topics: wants(member), before: &member.target })
            })
            .collect();
        let mut targets = self.assignor().assign(&members);
        for (id, member) in &mut self.members {
            let target = targets.remove(&**id).unwrap_or_default();
            if member.away && member.assigned != target {
                member.assigned.clone_from(&target);
                events.push(changed(&self.id, member));
            }
            member.target = target;
        }
        self.target_epoch = self.epoch;
    }

    /// Looks up what each subscription means now.
    fn resolve(&mut self, directory: &TopicDirectory) {
        let mut resolved: Vec<(Arc<Compiled>, Arc<Topics>)> = Vec::new();
        for member in self.members.values_mut() {
            let same =
                |(compiled, _): &&(Arc<Compiled>, _)| Arc::ptr_eq(compiled, &member.subscription);
            let topics = match resolved.iter().find(same) {
                Some((_, topics)) => Arc::clone(topics),
                None => {
                    let topics = Arc::new(member.subscription.resolve(directory));
                    resolved.push((Arc::clone(&member.subscription), Arc::clone(&topics)));
                    topics
                }
            };
            self.stale |= *topics != *member.topics;
            member.topics = topics;
        }
    }

    /// Takes over a journalled member.
    pub(crate) fn restore_member(&mut self, record: &MemberRecord) {
        self.restore_removal(&record.member_id);
        let member = Member::from_record(record);
        if !member.away {
            for partition in member.assigned.iter().chain(&member.revoking) {
                self.holders.entry(*partition).or_insert_with(|| Arc::clone(&member.id));
            }
        }
        if let Some(instance) = &member.instance_id {
            self.instances.insert(instance.clone(), Arc::clone(&member.id));
        }
        self.members.insert(Arc::clone(&member.id), member);
    }

    /// Members restored from the journal get a whole session to be heard of again.
    pub(crate) fn start(&mut self, now_ms: i64) {
        if let Some(classic) = &mut self.classic {
            classic.start(now_ms);
        }
        self.stale = !self.members.is_empty();
        for member in self.members.values_mut() {
            member.heard(now_ms);
            let timeout = i64::from(member.rebalance_timeout_ms);
            let revoking = member.state == MemberState::Revoking;
            member.revoke_due_ms = revoking.then(|| now_ms.saturating_add(timeout));
        }
    }

    /// Takes over a journalled removal.
    pub(crate) fn restore_removal(&mut self, member_id: &str) {
        self.take_out(member_id, &mut Vec::new());
    }

    /// Who holds a partition now.
    pub(crate) fn holder(&self, partition: &TopicPartition) -> Option<&Arc<str>> {
        self.holders.get(partition)
    }
}

fn changed(group: &str, member: &Member) -> GroupEvent {
    let member = Box::new(member.to_record());
    GroupEvent::MemberChanged { group: group.to_owned(), member }
}
