//! The two phases of a rebalance.

use std::sync::Arc;

use super::calls::{ClassicJoined, ClassicMember};
use super::record::ClassicRecord;
use super::state::{Classic, First, Phase, Turn};
use crate::group::{GroupError, GroupEvent};

impl Classic {
    /// Begins a rebalance, or, if one has begun, sees whether it can go on.
    pub(super) fn rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.phase == Phase::Preparing {
            self.joined_by_all(turn);
        } else {
            self.prepare(turn);
        }
    }

    /// Begins the first phase: everybody has to join again.
    pub(super) fn prepare(&mut self, turn: &mut Turn<'_>) {
        if self.phase == Phase::Completing {
            let error = turn.rebalancing();
            self.drop_assignments(turn, &error);
        }
        self.members.values_mut().for_each(|member| member.owes_sync = false);
        let timeout_ms = self.rebalance_timeout_ms();
        if self.phase == Phase::Empty {
            let delay_ms = i64::from(turn.settings.initial_rebalance_delay_ms);
            let remaining_ms = (timeout_ms - delay_ms).max(0);
            self.first = Some(First { newcomer: false, delay_ms, remaining_ms });
            self.phase_due_ms = Some(turn.now_ms.saturating_add(delay_ms));
            self.phase = Phase::Preparing;
            return;
        }
        self.phase = Phase::Preparing;
        self.phase_due_ms = Some(turn.now_ms.saturating_add(timeout_ms));
        self.joined_by_all(turn);
    }

    /// Its members have come over from a group that the broker assigned: what they have is the last
    /// generation, and one of them is to assign the next.
    pub(crate) fn began_with_members(&mut self, turn: &mut Turn<'_>, protocol_type: &str) {
        self.protocol_type = Some(protocol_type.to_owned());
        self.protocol_name = self.select_protocol();
        self.phase = Phase::Stable;
        self.members.values_mut().for_each(|member| member.heard(turn.now_ms));
        self.journal(turn);
        self.prepare(turn);
    }

    /// Its members go over to a group that the broker assigns: nobody waits any longer.
    pub(crate) fn end_waits(&mut self, turn: &mut Turn<'_>) {
        for member in self.members.values_mut() {
            let error = match member.is_nameless {
                true => turn.unknown(&member.id),
                false => turn.rebalancing(),
            };
            if let Some(ticket) = member.join.take() {
                turn.joined(ticket, Err(error.clone()));
            }
            if let Some(ticket) = member.sync.take() {
                turn.synced(ticket, Err(error));
            }
        }
    }

    /// Ends the first phase if nobody is missing. A group's first rebalance takes its time anyway.
    pub(super) fn joined_by_all(&mut self, turn: &mut Turn<'_>) {
        let all = self.waiting == self.members.len() && self.pending.is_empty();
        if self.phase == Phase::Preparing && self.first.is_none() && all {
            self.complete(turn);
        }
    }

    /// The phase has lasted as long as it may.
    pub(crate) fn phase_due(&mut self, turn: &mut Turn<'_>) {
        let Some(due_ms) = self.phase_due_ms.take_if(|due_ms| *due_ms <= turn.now_ms) else {
            return;
        };
        match self.phase {
            Phase::Empty => {}
            Phase::Preparing => match &mut self.first {
                Some(first) if first.newcomer && first.remaining_ms > 0 => {
                    first.newcomer = false;
                    let delay_ms = first.delay_ms.min(first.remaining_ms);
                    first.remaining_ms = (first.remaining_ms - first.delay_ms).max(0);
                    first.delay_ms = delay_ms;
                    self.phase_due_ms = Some(due_ms.saturating_add(delay_ms));
                }
                _ => self.complete(turn),
            },
            Phase::Completing | Phase::Stable => self.give_up_unsynced(turn),
        }
    }

    /// Ends the first phase with those who have joined. Static members keep their place.
    fn complete(&mut self, turn: &mut Turn<'_>) {
        let late = self.members.values().filter(|m| m.join.is_none() && !m.is_static());
        let late: Vec<Arc<str>> = late.map(|member| Arc::clone(&member.id)).collect();
        for id in late {
            self.take(&id);
        }
        if !self.members.is_empty() && !self.elect_leader() {
            // Only static members that are away: either they come back or their sessions end.
            let timeout_ms = self.rebalance_timeout_ms().max(1);
            self.first = None;
            self.phase_due_ms = Some(turn.now_ms.saturating_add(timeout_ms));
            return;
        }
        self.first = None;
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        if self.members.is_empty() {
            self.phase = Phase::Empty;
            self.phase_due_ms = None;
            self.protocol_name = None;
            self.leader = None;
            self.journal(turn);
            return;
        }
        self.protocol_name = self.select_protocol();
        self.phase = Phase::Completing;
        self.phase_due_ms = Some(turn.now_ms.saturating_add(self.rebalance_timeout_ms()));
        let ids: Vec<Arc<str>> = self.members.keys().cloned().collect();
        for id in &ids {
            let answer = self.joined(id);
            let Some(member) = self.members.get_mut(id) else { continue };
            member.heard(turn.now_ms);
            (member.is_new, member.is_nameless, member.owes_sync) = (false, false, true);
            if let Some(ticket) = member.join.take() {
                self.waiting -= 1;
                turn.joined(ticket, Ok(answer));
            }
        }
        self.touched.extend(ids);
    }

    /// Keeps the leader if it has joined again; false if nobody has.
    fn elect_leader(&mut self) -> bool {
        let there = |id: &Arc<str>| self.members.get(id).is_some_and(|m| m.join.is_some());
        if self.leader.as_ref().is_some_and(there) {
            return true;
        }
        let Some(new) = self.members.values().find(|member| member.join.is_some()) else {
            return false;
        };
        self.leader = Some(Arc::clone(&new.id));
        true
    }

    /// What a member that joined is told of the present generation.
    pub(super) fn joined(&self, id: &str) -> ClassicJoined {
        ClassicJoined {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.as_deref().unwrap_or_default().to_owned(),
            member_id: id.to_owned(),
            skip_assignment: false,
            members: if self.is_leader(id) { self.for_leader() } else { Vec::new() },
        }
    }

    pub(super) fn for_leader(&self) -> Vec<ClassicMember> {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let members = self.members.values().map(|member| ClassicMember {
            member_id: member.id.to_string(),
            instance_id: member.instance_id.clone(),
            metadata: member.metadata(protocol),
        });
        members.collect()
    }

    /// Tells all that wait for the leader that they wait in vain.
    pub(super) fn drop_assignments(&mut self, turn: &mut Turn<'_>, error: &GroupError) {
        for member in self.members.values_mut() {
            if let Some(ticket) = member.sync.take() {
                member.heard(turn.now_ms);
                self.touched.push(Arc::clone(&member.id));
                turn.synced(ticket, Err(error.clone()));
            }
        }
    }

    /// Who did not ask for its assignment in time is no member any more.
    fn give_up_unsynced(&mut self, turn: &mut Turn<'_>) {
        let owing = self.members.values().filter(|member| member.owes_sync);
        let owing: Vec<Arc<str>> = owing.map(|member| Arc::clone(&member.id)).collect();
        if owing.is_empty() {
            return;
        }
        for id in owing {
            self.take(&id);
        }
        self.prepare(turn);
    }

    /// A member is gone. Calls of its own are told so.
    pub(super) fn remove(&mut self, turn: &mut Turn<'_>, id: &str) {
        let Some(member) = self.take(id) else { return };
        // Its client joins anew, should it be alive.
        if let Some(ticket) = member.join {
            let error = turn.unknown(id);
            turn.joined(ticket, Err(error));
        }
        if let Some(ticket) = member.sync {
            let error = turn.unknown(id);
            turn.synced(ticket, Err(error));
        }
    }

    /// After members have gone: the others take over.
    pub(super) fn members_gone(&mut self, turn: &mut Turn<'_>) {
        match self.phase {
            Phase::Empty => {}
            Phase::Preparing => self.joined_by_all(turn),
            Phase::Completing | Phase::Stable => self.prepare(turn),
        }
    }

    /// Writes down the generation.
    pub(super) fn journal(&mut self, turn: &mut Turn<'_>) {
        let protocol = self.protocol_name.as_deref().unwrap_or_default();
        let record = ClassicRecord {
            generation: self.generation,
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            leader: self.leader.as_deref().map(str::to_owned),
            at_ms: turn.now_ms,
            members: self.members.values().map(|member| member.to_record(protocol)).collect(),
        };
        self.record = Some(record.clone());
        let (group, record) = (turn.group.to_owned(), Box::new(record));
        turn.events.push(GroupEvent::ClassicGeneration { group, record });
    }
}
