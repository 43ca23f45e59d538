//! One group: its members, who holds what, and what it has committed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::TopicPartition;
use super::assignor::{Assignor, Wants};
use super::classic::{Classic, ClassicRecord};
use super::config::ConsumerConfig;
use super::directory::TopicDirectory;
use super::error::GroupError;
use super::event::{GroupEvent, MemberRecord};
use super::member::{Holders, Member, MemberState};
use super::offsets::Offsets;
use super::subscription::{Compiled, Subscription, Topics};

/// One group. See the module's own words for what holds at all times.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: Arc<str>,
    pub(super) config: ConsumerConfig,
    pub(crate) epoch: i32,
    /// The epoch that members' targets were made for.
    pub(crate) target_epoch: i32,
    /// Its members, unless it is under the classic protocol.
    pub(crate) members: BTreeMap<Arc<str>, Member>,
    /// Its members and their rebalance, if it is under the classic protocol.
    pub(crate) classic: Option<Box<Classic>>,
    /// Which member holds an instance id.
    pub(super) instances: HashMap<String, Arc<str>>,
    pub(crate) holders: Holders,
    pub(crate) offsets: Offsets,
    /// When members last changed: without members, since when there are none.
    pub(crate) changed_at_ms: i64,
    /// Version of the directory that subscriptions were resolved against.
    pub(super) resolved: Option<u64>,
    /// Members, subscriptions or topics have changed since `epoch` was last raised.
    pub(super) stale: bool,
    /// When the group's own timer fires.
    pub(crate) armed_ms: Option<i64>,
    /// What was committed long ago and is still needed is not looked at before this.
    pub(super) look_again_ms: i64,
    /// Members whose deadline may have come nearer.
    pub(crate) touched: Vec<Arc<str>>,
}

impl Group {
    pub(crate) fn new(id: Arc<str>, config: ConsumerConfig) -> Self {
        Self {
            id,
            config,
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
            look_again_ms: i64::MIN,
            touched: Vec::new(),
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

    /// Removes a member for good.
    pub(crate) fn remove(&mut self, id: &str, events: &mut Vec<GroupEvent>) {
        if self.take_out(id, events).is_some() {
            self.stale = true;
        }
    }

    pub(super) fn take_out(&mut self, id: &str, events: &mut Vec<GroupEvent>) -> Option<Member> {
        let mut member = self.members.remove(id)?;
        member.release_all(&mut self.holders);
        self.forget_instance(&member);
        let (group, member_id) = (self.id.to_string(), id.to_owned());
        events.push(GroupEvent::MemberRemoved { group, member_id });
        Some(member)
    }

    pub(super) fn forget_instance(&mut self, member: &Member) {
        if let Some(instance) = &member.instance_id
            && self.instances.get(instance) == Some(&member.id)
        {
            self.instances.remove(instance);
        }
    }

    /// The subscription ready to be matched; the one another member uses already, if it is equal.
    pub(super) fn compile(&self, subscription: &Subscription) -> Result<Arc<Compiled>, GroupError> {
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
    pub(super) fn retarget(
        &mut self,
        now_ms: i64,
        directory: &TopicDirectory,
        events: &mut Vec<GroupEvent>,
    ) {
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
        let mut member = Member::from_record(record);
        member.follow(&self.config);
        self.put_back(member);
    }

    /// Other settings are in force; for sessions from each member's next heartbeat on.
    pub(super) fn configure(&mut self, config: ConsumerConfig) {
        self.members.values_mut().for_each(|member| member.follow(&config));
        self.config = config;
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

pub(super) fn changed(group: &str, member: &Member) -> GroupEvent {
    let member = Box::new(member.to_record());
    GroupEvent::MemberChanged { group: group.to_owned(), member }
}
