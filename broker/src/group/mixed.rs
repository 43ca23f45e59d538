//! Members that speak the classic protocol in a group that the broker assigns.
//!
//! They join, ask for their assignment, heartbeat and leave as ever, and the broker makes of it
//! what the other members say in one heartbeat: a join says what they hold, its generation is the
//! member's epoch, asking for the assignment brings it, and a heartbeat tells of something new by
//! the error that makes them join again. None of these calls waits.

use std::sync::Arc;

use super::classic::{
    CONSUMER, ClassicHeartbeat, ClassicJoin, ClassicJoined, ClassicSync, ClassicSynced,
    ConsumerSubscription, LeavingMember, check_said,
};
use super::error::GroupError;
use super::group::{Group, changed};
use super::member::{ClassicSide, Member, MemberState};
use super::membership::Beat;
use super::subscription::Subscription;
use super::upgrade::{assignment, ids};
use super::{Partitions, TopicPartition};

impl Group {
    /// A member joins, or joins again.
    pub(super) fn mixed_join(
        &mut self,
        turn: &mut Beat<'_>,
        mut join: ClassicJoin,
        new_id: impl FnOnce(&str) -> String,
    ) -> Result<ClassicJoined, GroupError> {
        let said = self.check_mixed_join(turn, &mut join)?;
        if join.member_id.is_empty() {
            join.member_id = new_id(join.instance_id.as_deref().unwrap_or(&join.client_id));
            if join.instance_id.is_none() && join.member_id_required {
                let (group, member_id) = (join.group, join.member_id);
                return Err(GroupError::MemberIdRequired { group, member_id });
            }
        }
        let owned: Partitions = ids(turn.directory, &said.owned).collect();
        let wanted = Subscription { topics: said.sorted_topics(), regex: None };
        let compiled = self.compile(&wanted)?;
        let session_ms = u32::try_from(join.session_timeout_ms).unwrap_or_default();
        let rebalance_ms = u32::try_from(join.rebalance_timeout_ms).unwrap_or(session_ms);
        let id: Arc<str> = Arc::from(join.member_id.as_str());
        let replaced = join.instance_id.as_ref().and_then(|instance| self.instances.get(instance));
        let replaced = replaced.filter(|holder| **holder != id).cloned();
        if !self.members.contains_key(&id) {
            let mut member = Member::new(&id, Arc::clone(&compiled));
            member.instance_id.clone_from(&join.instance_id);
            member.classic = Some(Box::default());
            member.session_timeout_ms = session_ms;
            self.enter(turn, member, replaced.as_deref());
        }
        let Some(member) = self.members.get_mut(&id) else { return Err(self.unknown(&id)) };
        member.client_id = join.client_id;
        member.client_host = join.client_host;
        (member.session_timeout_ms, member.rebalance_timeout_ms) = (session_ms, rebalance_ms);
        member.session_of_group = false;
        if member.subscription.subscription != wanted {
            member.subscription = compiled;
            self.resolved = None;
        }
        let protocols: Vec<_> = join
            .protocols
            .iter()
            .map(|(name, said)| (name.clone(), bytes::Bytes::copy_from_slice(said)))
            .collect();
        let protocol_name = protocols.first().map(|(name, _)| name.clone());
        let due_ms = Some(turn.now_ms.saturating_add(i64::from(rebalance_ms)));
        member.changed |= member.classic.as_ref().is_none_or(|side| side.protocols != protocols);
        member.classic = Some(Box::new(ClassicSide { protocols, due_ms }));
        member.heard(turn.now_ms);
        member.report(owned);

        self.retarget(turn.now_ms, turn.directory, turn.events);
        let (holders, target_epoch) = (&mut self.holders, self.target_epoch);
        let Some(member) = self.members.get_mut(&id) else { return Err(self.unknown(&id)) };
        member.reconcile(holders, target_epoch, turn.now_ms, true);
        if std::mem::take(&mut member.changed) {
            turn.events.push(changed(&self.id, member));
        }
        self.touched.push(Arc::clone(&id));
        Ok(ClassicJoined {
            generation: member.epoch,
            protocol_type: Some(CONSUMER.to_owned()),
            protocol_name,
            // Nobody leads: the broker assigns.
            leader: String::new(),
            member_id: id.to_string(),
            skip_assignment: false,
            members: Vec::new(),
        })
    }

    /// A static member that comes back speaking the classic protocol, and was the last that did
    /// not, leaves the group to that protocol.
    pub(super) fn give_way(&mut self, turn: &mut Beat<'_>, join: &ClassicJoin) {
        let holder = join.instance_id.as_ref().and_then(|instance| self.instances.get(instance));
        let Some(holder) = holder.filter(|_| join.member_id.is_empty()).cloned() else { return };
        let mut others = self.members.values().filter(|member| member.id != holder);
        let last = self.members.get(&holder).is_some_and(|member| member.classic.is_none())
            && others.all(|member| member.classic.is_some());
        if last && self.check_mixed_join(turn, &mut join.clone()).is_ok() {
            self.remove(&holder, turn.events);
            self.member_gone(turn);
        }
    }

    /// What may keep anybody from joining; and what it says.
    fn check_mixed_join(
        &self,
        turn: &Beat<'_>,
        join: &mut ClassicJoin,
    ) -> Result<ConsumerSubscription, GroupError> {
        check_said(&self.id, join)?;
        let strange = || GroupError::InconsistentProtocol { group: self.id.to_string() };
        let all_know = |name: &String| {
            let mut sides = self.members.values().filter_map(|member| member.classic.as_ref());
            sides.all(|side| side.protocols.iter().any(|(known, _)| known == name))
        };
        if join.protocol_type != CONSUMER || !join.protocols.iter().any(|(name, _)| all_know(name))
        {
            return Err(strange());
        }
        let said = join.protocols.first().and_then(|(_, said)| ConsumerSubscription::parse(said));
        let said = said.ok_or_else(strange)?;
        let known = self.members.get(join.member_id.as_str());
        if known.is_some_and(|member| member.classic.is_none()) {
            return Err(self.unknown(&join.member_id));
        }
        let holder = join.instance_id.as_ref().and_then(|instance| self.instances.get(instance));
        if let Some(instance) = &join.instance_id
            && !join.member_id.is_empty()
        {
            self.check_instance(instance, &join.member_id)?;
            if known.is_none() {
                return Err(self.unknown(&join.member_id));
            }
        }
        // One that was a member once, and does not know that it is none any more, may hold what
        // others have now: it has to hear of it before it comes in anew.
        if known.is_none() && !join.member_id.is_empty() && !said.owned.is_empty() {
            return Err(self.unknown(&join.member_id));
        }
        let max = turn.settings.members_max;
        if known.is_none() && holder.is_none() && self.members.len() >= max {
            return Err(GroupError::GroupFull { group: self.id.to_string(), max });
        }
        Ok(said)
    }

    /// A member asks for its assignment.
    pub(super) fn mixed_sync(
        &mut self,
        turn: &mut Beat<'_>,
        sync: &ClassicSync,
    ) -> Result<ClassicSynced, GroupError> {
        let (id, instance) = (sync.member_id.as_str(), sync.instance_id.as_deref());
        self.check_classic(id, instance, sync.generation)?;
        self.retarget(turn.now_ms, turn.directory, turn.events);
        let (epoch, group) = (self.epoch, self.id.to_string());
        let Some(member) = self.members.get_mut(id) else { return Err(self.unknown(id)) };
        let Some(side) = &mut member.classic else { return Err(self.unknown(id)) };
        let chosen = side.protocols.first().map(|(name, _)| name.clone());
        if sync.protocol_type.as_ref().is_some_and(|said| said != CONSUMER)
            || sync.protocol_name.is_some() && sync.protocol_name != chosen
        {
            return Err(GroupError::InconsistentProtocol { group });
        }
        let rebalance_ms = i64::from(member.rebalance_timeout_ms);
        if member.epoch < epoch && member.state != MemberState::Revoking {
            side.due_ms = Some(turn.now_ms.saturating_add(rebalance_ms));
            return Err(GroupError::RebalanceInProgress { group });
        }
        side.due_ms = None;
        member.heard(turn.now_ms);
        Ok(ClassicSynced {
            protocol_type: Some(CONSUMER.to_owned()),
            protocol_name: chosen,
            assignment: assignment(member, turn.directory).into(),
        })
    }

    /// A member is still there; it is told when it has to join again.
    pub(super) fn mixed_heartbeat(
        &mut self,
        turn: &mut Beat<'_>,
        beat: &ClassicHeartbeat<'_>,
    ) -> Result<(), GroupError> {
        let id = beat.member_id;
        self.check_classic(id, beat.instance_id, beat.generation)?;
        self.retarget(turn.now_ms, turn.directory, turn.events);
        let (epoch, holders) = (self.epoch, &self.holders);
        let Some(member) = self.members.get_mut(id) else { return Err(self.unknown(id)) };
        member.heard(turn.now_ms);
        let free = |partition: &TopicPartition| {
            !member.assigned.contains(partition) && !holders.contains_key(partition)
        };
        let joins_again = member.epoch < epoch
            || match member.state {
                MemberState::Stable => false,
                MemberState::Revoking => true,
                MemberState::Waiting => member.target.iter().any(free),
            };
        if !joins_again {
            return Ok(());
        }
        let due_ms = turn.now_ms.saturating_add(i64::from(member.rebalance_timeout_ms));
        if let Some(side) = &mut member.classic {
            side.due_ms.get_or_insert(due_ms);
        }
        self.touched.push(Arc::clone(&member.id));
        Err(GroupError::RebalanceInProgress { group: self.id.to_string() })
    }

    /// Members leave, or are made to; one result for each.
    pub(super) fn mixed_leave(
        &mut self,
        turn: &mut Beat<'_>,
        members: &[LeavingMember],
    ) -> Vec<Result<(), GroupError>> {
        let results = members.iter().map(|leaving| {
            let id = match &leaving.instance_id {
                Some(instance) if leaving.member_id.is_empty() => {
                    self.instances.get(instance).map(|id| id.to_string()).unwrap_or_default()
                }
                Some(instance) => {
                    self.check_instance(instance, &leaving.member_id)?;
                    leaving.member_id.clone()
                }
                None => leaving.member_id.clone(),
            };
            if self.members.get(id.as_str()).is_none_or(|member| member.classic.is_none()) {
                return Err(self.unknown(&id));
            }
            self.remove(&id, turn.events);
            Ok(())
        });
        let results = results.collect();
        self.member_gone(turn);
        results
    }

    /// Holds who speaks to being a member that speaks the classic protocol, in this generation.
    fn check_classic(
        &self,
        id: &str,
        instance: Option<&str>,
        found: i32,
    ) -> Result<(), GroupError> {
        if let Some(instance) = instance {
            self.check_instance(instance, id)?;
        }
        let member = self.members.get(id).filter(|member| member.classic.is_some());
        let current = member.ok_or_else(|| self.unknown(id))?.epoch;
        if found == current {
            return Ok(());
        }
        let (group, member) = (self.id.to_string(), id.to_owned());
        Err(GroupError::IllegalGeneration { group, member, found, current })
    }
}
