//! A group under the classic protocol: its members, and how far its rebalance is.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::calls::{Answer, ClassicAnswer, ClassicJoined, ClassicSynced, Ticket};
use super::consumer::{CONSUMER, ConsumerSubscription};
use super::member::Member;
use super::record::ClassicRecord;
use crate::group::{GroupError, GroupEvent, GroupSettings};

/// Where a group is in its rebalance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// No members.
    Empty,
    /// Members are to join again.
    Preparing,
    /// The leader is to assign.
    Completing,
    /// Everybody has an assignment.
    Stable,
}

/// The first rebalance of a group without members waits a while for more of them.
#[derive(Debug)]
pub(super) struct First {
    /// Somebody has come since the wait began.
    pub(super) newcomer: bool,
    /// How long this wait is.
    pub(super) delay_ms: i64,
    /// What may be waited after it.
    pub(super) remaining_ms: i64,
}

/// Told an id, to join with it.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) due_ms: i64,
    pub(crate) armed_ms: Option<i64>,
}

/// A group under the classic protocol.
#[derive(Debug)]
pub(crate) struct Classic {
    pub(crate) phase: Phase,
    pub(crate) generation: i32,
    pub(crate) protocol_type: Option<String>,
    pub(crate) protocol_name: Option<String>,
    pub(crate) leader: Option<Arc<str>>,
    pub(crate) members: BTreeMap<Arc<str>, Member>,
    /// Which member has an instance id.
    pub(super) instances: HashMap<String, Arc<str>>,
    pub(crate) pending: BTreeMap<Arc<str>, Pending>,
    /// How many members know each protocol.
    known_by: HashMap<String, usize>,
    /// How many members wait for the others to join.
    pub(super) waiting: usize,
    pub(super) first: Option<First>,
    /// When the phase ends, come what may.
    pub(crate) phase_due_ms: Option<i64>,
    /// What a restart would make of the group; None while that is nothing.
    pub(crate) record: Option<ClassicRecord>,
    /// Members whose deadline may have come nearer.
    pub(crate) touched: Vec<Arc<str>>,
}

/// What one input has to work with, and where its outputs go.
pub(crate) struct Turn<'a> {
    pub(crate) now_ms: i64,
    pub(crate) settings: &'a GroupSettings,
    pub(crate) group: &'a str,
    pub(crate) events: &'a mut Vec<GroupEvent>,
    pub(crate) answers: &'a mut Vec<Answer>,
}

impl Turn<'_> {
    pub(crate) fn joined(&mut self, to: Ticket, result: Result<ClassicJoined, GroupError>) {
        self.answers.push(Answer { to, what: ClassicAnswer::Joined(result) });
    }

    pub(crate) fn synced(&mut self, to: Ticket, result: Result<ClassicSynced, GroupError>) {
        self.answers.push(Answer { to, what: ClassicAnswer::Synced(result) });
    }

    pub(crate) fn unknown(&self, member: &str) -> GroupError {
        GroupError::UnknownMember { group: self.group.to_owned(), member: member.to_owned() }
    }

    pub(crate) fn rebalancing(&self) -> GroupError {
        GroupError::RebalanceInProgress { group: self.group.to_owned() }
    }
}

impl Classic {
    /// One without members, which goes on from a generation.
    pub(crate) fn new(generation: i32) -> Classic {
        let record = ClassicRecord { generation, ..ClassicRecord::default() };
        Classic { record: None, ..Classic::from_record(&record) }
    }

    /// What a restart makes of a journalled generation.
    pub(crate) fn from_record(record: &ClassicRecord) -> Classic {
        let protocol = record.protocol_name.as_deref().unwrap_or_default();
        let mut classic = Classic {
            phase: if record.members.is_empty() { Phase::Empty } else { Phase::Stable },
            generation: record.generation,
            protocol_type: record.protocol_type.clone(),
            protocol_name: record.protocol_name.clone(),
            leader: None,
            members: BTreeMap::new(),
            instances: HashMap::new(),
            pending: BTreeMap::new(),
            known_by: HashMap::new(),
            waiting: 0,
            first: None,
            phase_due_ms: None,
            record: Some(record.clone()),
            touched: Vec::new(),
        };
        for member in &record.members {
            classic.insert(Member::from_record(member, protocol));
        }
        if let Some(leader) = &record.leader
            && let Some((id, _)) = classic.members.get_key_value(leader.as_str())
        {
            classic.leader = Some(Arc::clone(id));
        }
        // Their deadlines are set once the whole journal is read.
        classic.touched.clear();
        classic
    }

    /// Members restored from the journal get a whole session to be heard of again.
    pub(crate) fn start(&mut self, now_ms: i64) {
        self.members.values_mut().for_each(|member| member.heard(now_ms));
        self.touched.extend(self.members.keys().cloned());
    }

    /// A member comes over from a group that the broker assigned.
    pub(crate) fn take_over(&mut self, member: Member) {
        self.insert(member);
    }

    /// Nobody is in it, and nobody was told an id to join with.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.pending.is_empty() && self.phase == Phase::Empty
    }

    pub(super) fn insert(&mut self, member: Member) {
        let id = Arc::clone(&member.id);
        for (protocol, _) in &member.protocols {
            *self.known_by.entry(protocol.clone()).or_default() += 1;
        }
        if let Some(instance) = &member.instance_id {
            self.instances.insert(instance.clone(), Arc::clone(&id));
        }
        self.waiting += usize::from(member.join.is_some());
        self.leader.get_or_insert_with(|| Arc::clone(&id));
        self.touched.push(Arc::clone(&id));
        if let Some(before) = self.members.insert(id, member) {
            self.uncount(&before);
        }
    }

    /// Takes a member out, with nobody told.
    pub(super) fn take(&mut self, id: &str) -> Option<Member> {
        let member = self.members.remove(id)?;
        self.uncount(&member);
        if let Some(instance) = &member.instance_id
            && self.instances.get(instance).is_some_and(|holder| **holder == *id)
        {
            self.instances.remove(instance);
        }
        if self.leader.as_deref() == Some(id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    fn uncount(&mut self, member: &Member) {
        self.waiting -= usize::from(member.join.is_some());
        for (protocol, _) in &member.protocols {
            if let Some(count) = self.known_by.get_mut(protocol) {
                *count -= 1;
                if *count == 0 {
                    self.known_by.remove(protocol);
                }
            }
        }
    }

    pub(crate) fn is_leader(&self, id: &str) -> bool {
        self.leader.as_deref() == Some(id)
    }

    /// Whether all members know this protocol.
    pub(super) fn all_know(&self, protocol: &str) -> bool {
        self.known_by.get(protocol).is_some_and(|count| *count == self.members.len())
    }

    /// The way of assigning that all know and most like best; among equals, what the leader likes.
    pub(super) fn select_protocol(&self) -> Option<String> {
        let liked = |member: &'_ Member| {
            let mut known = member.protocols.iter().map(|(name, _)| name);
            known.find(|name| self.all_know(name)).cloned()
        };
        let leader = self.leader.as_ref().and_then(|id| self.members.get(id));
        // What the leader likes comes first, to win among equals.
        let mut votes: Vec<(String, usize)> =
            leader.and_then(liked).map(|name| (name, 0)).into_iter().collect();
        for name in self.members.values().filter_map(liked) {
            match votes.iter_mut().find(|(voted, _)| *voted == name) {
                Some((_, count)) => *count += 1,
                None => votes.push((name, 1)),
            }
        }
        let best = votes.into_iter().reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map(|(name, _)| name)
    }

    /// The most any member may take to join again.
    pub(super) fn rebalance_timeout_ms(&self) -> i64 {
        self.members
            .values()
            .map(|member| i64::from(member.rebalance_timeout_ms))
            .max()
            .unwrap_or(0)
    }

    /// Whether its members are consumers, and so say what consumers say.
    pub(crate) fn is_of_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(CONSUMER)
    }

    /// What a member of consumers wants to read.
    pub(crate) fn subscription(&self, member: &Member) -> Option<ConsumerSubscription> {
        let protocol = match &self.protocol_name {
            Some(name) => name,
            None => member.protocols.first().map(|(name, _)| name)?,
        };
        ConsumerSubscription::parse(&member.metadata(protocol))
    }

    /// The topics its members read; None if a member says what no consumer says.
    pub(crate) fn subscribed(&self) -> Option<BTreeSet<String>> {
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(self.subscription(member)?.topics);
        }
        Some(topics)
    }

    /// Holds who speaks to being a member, and not one whose place another has taken.
    pub(super) fn check_member(
        &self,
        group: &str,
        member_id: &str,
        instance_id: Option<&str>,
    ) -> Result<(), GroupError> {
        let unknown =
            || GroupError::UnknownMember { group: group.to_owned(), member: member_id.to_owned() };
        if let Some(instance) = instance_id {
            let holder = self.instances.get(instance).ok_or_else(unknown)?;
            if **holder != *member_id {
                let (group, instance) = (group.to_owned(), instance.to_owned());
                return Err(GroupError::FencedInstance { group, instance });
            }
        }
        if self.members.contains_key(member_id) { Ok(()) } else { Err(unknown()) }
    }

    pub(super) fn check_generation(
        &self,
        group: &str,
        member_id: &str,
        found: i32,
    ) -> Result<(), GroupError> {
        if found == self.generation {
            return Ok(());
        }
        Err(GroupError::IllegalGeneration {
            group: group.to_owned(),
            member: member_id.to_owned(),
            found,
            current: self.generation,
        })
    }
}
