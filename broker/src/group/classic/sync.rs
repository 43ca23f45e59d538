//! Asking for assignments, and handing them in; heartbeats; commits.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::calls::{ClassicHeartbeat, ClassicSync, ClassicSynced, Ticket};
use super::state::{Classic, Phase, Turn};
use crate::group::GroupError;

/// The most that all members of a group may say and be assigned, in bytes: it is journalled as one
/// record.
const ASSIGNED_MAX_LEN: usize = 32 << 20;

impl Classic {
    /// A member asks for its assignment. The answer may come later.
    pub(crate) fn sync(&mut self, turn: &mut Turn<'_>, ticket: Ticket, sync: &ClassicSync) {
        if let Err(error) = self.check_sync(turn.group, sync) {
            return turn.synced(ticket, Err(error));
        }
        let id = sync.member_id.as_str();
        match self.phase {
            Phase::Empty => turn.synced(ticket, Err(turn.unknown(id))),
            Phase::Preparing => turn.synced(ticket, Err(turn.rebalancing())),
            Phase::Completing => {
                if let Some(member) = self.members.get_mut(id) {
                    member.owes_sync = false;
                    if let Some(before) = member.sync.replace(ticket) {
                        let error = turn.rebalancing();
                        turn.synced(before, Err(error));
                    }
                }
                if self.is_leader(id) {
                    self.assign(turn, &sync.assignments);
                }
            }
            Phase::Stable => {
                if let Some(member) = self.members.get_mut(id) {
                    member.owes_sync = false;
                    member.heard(turn.now_ms);
                    let assignment = member.assignment.clone();
                    turn.synced(ticket, Ok(self.synced(assignment)));
                }
            }
        }
    }

    fn check_sync(&self, group: &str, sync: &ClassicSync) -> Result<(), GroupError> {
        let (id, instance) = (sync.member_id.as_str(), sync.instance_id.as_deref());
        self.check_member(group, id, instance)?;
        self.check_generation(group, id, sync.generation)?;
        let other = |said: &Option<String>, own: &Option<String>| said.is_some() && said != own;
        if other(&sync.protocol_type, &self.protocol_type)
            || other(&sync.protocol_name, &self.protocol_name)
        {
            return Err(GroupError::InconsistentProtocol { group: group.to_owned() });
        }
        Ok(())
    }

    fn synced(&self, assignment: Bytes) -> ClassicSynced {
        ClassicSynced {
            protocol_type: self.protocol_type.clone(),
            protocol_name: self.protocol_name.clone(),
            assignment,
        }
    }

    /// The leader has assigned: the generation is stable.
    fn assign(&mut self, turn: &mut Turn<'_>, assignments: &[(String, Bytes)]) {
        let protocol = self.protocol_name.clone().unwrap_or_default();
        let said = self.members.values().map(|member| member.metadata(&protocol).len());
        let given = assignments.iter().map(|(_, assignment)| assignment.len());
        if said.chain(given).sum::<usize>() > ASSIGNED_MAX_LEN {
            let reason = "what a group's members say and are assigned may have at most 32 MiB";
            let error = GroupError::InvalidRequest { group: turn.group.to_owned(), reason };
            self.drop_assignments(turn, &error);
            return self.prepare(turn);
        }
        let given: HashMap<&str, &Bytes> =
            assignments.iter().map(|(id, assignment)| (id.as_str(), assignment)).collect();
        for member in self.members.values_mut() {
            member.assignment =
                given.get(&*member.id).map_or_else(Bytes::new, |it| Bytes::copy_from_slice(it));
        }
        self.phase = Phase::Stable;
        self.journal(turn);
        let ids: Vec<Arc<str>> = self.members.keys().cloned().collect();
        for id in ids {
            let Some(member) = self.members.get_mut(&id) else { continue };
            let Some(ticket) = member.sync.take() else { continue };
            // Its session was not looked at while it waited.
            member.heard(turn.now_ms);
            let assignment = member.assignment.clone();
            self.touched.push(id);
            turn.synced(ticket, Ok(self.synced(assignment)));
        }
    }

    /// A member is still there; it is told of a rebalance.
    pub(crate) fn heartbeat(
        &mut self,
        now_ms: i64,
        beat: &ClassicHeartbeat<'_>,
    ) -> Result<(), GroupError> {
        self.check_member(beat.group, beat.member_id, beat.instance_id)?;
        self.check_generation(beat.group, beat.member_id, beat.generation)?;
        if let Some(member) = self.members.get_mut(beat.member_id) {
            member.heard(now_ms);
        }
        match self.phase {
            Phase::Preparing => {
                Err(GroupError::RebalanceInProgress { group: beat.group.to_owned() })
            }
            Phase::Empty | Phase::Completing | Phase::Stable => Ok(()),
        }
    }

    /// Whether a member may commit now.
    pub(crate) fn check_commit(
        &self,
        group: &str,
        generation: i32,
        member_id: &str,
        instance_id: Option<&str>,
        in_transaction: bool,
    ) -> Result<(), GroupError> {
        if generation >= 0 || !member_id.is_empty() || instance_id.is_some() {
            self.check_member(group, member_id, instance_id)?;
            self.check_generation(group, member_id, generation)?;
        } else if self.phase != Phase::Empty {
            let members = self.members.len();
            return Err(GroupError::GroupNotEmpty { group: group.to_owned(), members });
        }
        if self.phase == Phase::Completing && !in_transaction {
            // It has joined the new generation, but does not know yet what it has of it.
            return Err(GroupError::RebalanceInProgress { group: group.to_owned() });
        }
        Ok(())
    }

    /// A commit is as good as a heartbeat.
    pub(crate) fn committed(&mut self, now_ms: i64, member_id: &str) {
        if let Some(member) = self.members.get_mut(member_id) {
            member.heard(now_ms);
        }
    }
}
