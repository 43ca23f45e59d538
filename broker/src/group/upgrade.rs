//! A group changes its protocol while its members live.
//!
//! It goes up when the first member whom the broker assigns to joins a group of consumers under the
//! classic protocol, and down when the last such member is gone and others remain. Members keep
//! what they have. Going down begins a rebalance, for from there on a member has to assign again.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::TopicPartition;
use super::classic::{
    CONSUMER, Classic, ClassicState, ConsumerSubscription, Turn, encode_assignment,
    parse_assignment,
};
use super::directory::TopicDirectory;
use super::error::GroupError;
use super::event::GroupEvent;
use super::group::{Group, changed};
use super::member::{ClassicSide, Member};
use super::membership::Beat;
use super::subscription::{Compiled, Subscription};

impl Group {
    /// Puts a group without members under the classic protocol.
    pub(crate) fn begin_classic(&mut self) -> &mut Classic {
        let generation = self.epoch;
        self.classic.get_or_insert_with(|| Box::new(Classic::new(generation)))
    }

    /// Takes the group, with its members, from the classic protocol.
    pub(super) fn leave_classic(&mut self, turn: &mut Beat<'_>) -> Result<(), GroupError> {
        let Some(classic) = &self.classic else { return Ok(()) };
        let members = self.converted(classic, turn.directory)?;
        let Some(mut classic) = self.classic.take() else { return Ok(()) };
        let generation = classic.generation;
        let mut own = Turn {
            now_ms: turn.now_ms,
            settings: turn.settings,
            group: &self.id,
            events: turn.events,
            answers: turn.answers,
        };
        classic.end_waits(&mut own);
        if classic.record.is_some() {
            turn.events.push(GroupEvent::ClassicEnded { group: self.id.to_string() });
        }
        let last = classic.record.as_ref().map_or(self.epoch, |record| record.generation);
        (self.epoch, self.target_epoch) = (generation, generation);
        if generation != last {
            self.changed_at_ms = turn.now_ms;
            let group = self.id.to_string();
            turn.events.push(GroupEvent::GroupEpochBumped {
                group,
                epoch: generation,
                at_ms: turn.now_ms,
            });
        }
        for mut member in members {
            member.heard(turn.now_ms);
            member.changed = false;
            turn.events.push(changed(&self.id, &member));
            self.put_back(member);
        }
        self.stale |= !self.members.is_empty();
        Ok(())
    }

    /// A restored or converted member comes in with what it holds.
    pub(super) fn put_back(&mut self, mut member: Member) {
        if !member.away {
            // Only one can have a partition. No two do, unless a leader assigned it twice.
            let holders = &self.holders;
            let free = |partition: &TopicPartition| !holders.contains_key(partition);
            member.assigned.retain(free);
            member.revoking.retain(free);
            for partition in member.assigned.iter().chain(&member.revoking) {
                self.holders.insert(*partition, Arc::clone(&member.id));
            }
        }
        if let Some(instance) = &member.instance_id {
            self.instances.insert(instance.clone(), Arc::clone(&member.id));
        }
        self.touched.push(Arc::clone(&member.id));
        self.members.insert(Arc::clone(&member.id), member);
    }

    /// What the members of a classic group are as members whom the broker assigns to.
    fn converted(
        &self,
        classic: &Classic,
        directory: &TopicDirectory,
    ) -> Result<Vec<Member>, GroupError> {
        let strange = || GroupError::InconsistentProtocol { group: self.id.to_string() };
        if !classic.members.is_empty() && !classic.is_of_consumers() {
            return Err(strange());
        }
        let mut members = Vec::with_capacity(classic.members.len());
        for state in classic.members.values().filter(|state| !state.is_nameless()) {
            let said = classic.subscription(state).ok_or_else(strange)?;
            let given = parse_assignment(&state.assignment).ok_or_else(strange)?;
            let wanted = Subscription { topics: said.sorted_topics(), regex: None };
            let compiled = Compiled::new(wanted).map_err(|_| strange())?;
            let mut member = Member::new(&state.id, compiled);
            member.instance_id.clone_from(&state.instance_id);
            member.client_id.clone_from(&state.client_id);
            member.client_host.clone_from(&state.client_host);
            member.rebalance_timeout_ms = state.rebalance_timeout_ms;
            member.session_timeout_ms = state.session_timeout_ms;
            (member.epoch, member.epoch_before) = (classic.generation, classic.generation);
            member.assigned = ids(directory, &given).collect();
            member.target = member.assigned.clone();
            let protocols = state.protocols.clone();
            member.classic = Some(Box::new(ClassicSide { protocols, due_ms: None }));
            members.push(member);
        }
        Ok(members)
    }

    /// A member has gone: the others' target is another from here on; or, if all of them speak the
    /// classic protocol, they are left to it.
    pub(super) fn member_gone(&mut self, turn: &mut Beat<'_>) {
        let all_classic = self.members.values().all(|member| member.classic.is_some());
        if self.classic.is_some() || self.members.is_empty() || !all_classic {
            return self.raise_epoch(turn.now_ms, turn.events);
        }
        let mut classic = Classic::new(self.epoch);
        for member in std::mem::take(&mut self.members).into_values() {
            classic.take_over(as_classic(&member, turn.directory));
        }
        self.instances.clear();
        self.holders.clear();
        (self.stale, self.resolved) = (false, None);
        let (now_ms, settings) = (turn.now_ms, turn.settings);
        self.classic = Some(Box::new(classic));
        self.classic_turn(now_ms, settings, turn.events, turn.answers, |classic, turn| {
            classic.began_with_members(turn, CONSUMER);
        });
    }
}

/// What a member is under the classic protocol alone.
fn as_classic(member: &Member, directory: &TopicDirectory) -> ClassicState {
    let protocols = member.classic.as_ref().map(|side| side.protocols.clone()).unwrap_or_default();
    let mut state = ClassicState::known(&member.id, protocols);
    state.instance_id.clone_from(&member.instance_id);
    state.client_id.clone_from(&member.client_id);
    state.client_host.clone_from(&member.client_host);
    state.rebalance_timeout_ms = member.rebalance_timeout_ms;
    state.session_timeout_ms = member.session_timeout_ms;
    state.assignment = assignment(member, directory).into();
    state
}

/// What a member has been assigned, as consumers say it.
pub(super) fn assignment(member: &Member, directory: &TopicDirectory) -> Vec<u8> {
    let said = member.classic.as_ref().and_then(|side| side.protocols.first());
    let version = said.and_then(|(_, said)| ConsumerSubscription::parse(said));
    let mut topics: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (topic, partition) in &member.assigned {
        if let Some(name) = directory.name(*topic) {
            topics.entry(name.to_owned()).or_default().push(*partition);
        }
    }
    encode_assignment(version.map_or(0, |said| said.version), &topics)
}

/// Partitions by the ids of their topics, those that exist.
pub(super) fn ids<'a>(
    directory: &'a TopicDirectory,
    topics: &'a [(String, Vec<u32>)],
) -> impl Iterator<Item = TopicPartition> + 'a {
    topics.iter().flat_map(|(name, partitions)| {
        let entry = directory.get(name);
        let there = partitions
            .iter()
            .filter(move |partition| entry.is_some_and(|entry| **partition < entry.partitions));
        there.filter_map(move |partition| Some((entry?.id, *partition)))
    })
}
