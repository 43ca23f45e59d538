//! Joining.

use std::collections::HashSet;
use std::sync::Arc;

use super::calls::{ClassicJoin, Ticket};
use super::member::Member;
use super::state::{Classic, Pending, Phase, Turn};
use crate::group::GroupError;

/// The most that a member may say under all its protocols, in bytes: it is kept, and journalled
/// with each generation.
const METADATA_MAX_LEN: usize = 1 << 20;

/// The most protocols of a member. Clients have one to three.
const PROTOCOLS_MAX: usize = 64;

/// Bounds what a member says; each protocol counts once.
pub(crate) fn check_said(group: &str, join: &mut ClassicJoin) -> Result<(), GroupError> {
    let mut names = HashSet::new();
    join.protocols.retain(|(name, _)| names.insert(name.clone()));
    let said = join.protocols.iter().map(|(name, said)| name.len() + said.len()).sum::<usize>();
    if said > METADATA_MAX_LEN || join.protocols.len() > PROTOCOLS_MAX {
        let reason = "a member may say at most 1 MiB under at most 64 protocols";
        return Err(GroupError::InvalidRequest { group: group.to_owned(), reason });
    }
    Ok(())
}

impl Classic {
    /// Somebody joins or joins again. The answer may come later.
    pub(crate) fn join(
        &mut self,
        turn: &mut Turn<'_>,
        ticket: Ticket,
        mut join: ClassicJoin,
        new_id: impl FnOnce(&str) -> String,
    ) {
        if let Err(error) = self.check_join(turn, &mut join) {
            return turn.joined(ticket, Err(error));
        }
        if !join.member_id.is_empty() {
            return self.join_known(turn, ticket, join);
        }
        let id: Arc<str> =
            Arc::from(new_id(join.instance_id.as_deref().unwrap_or(&join.client_id)));
        match &join.instance_id {
            Some(instance) => match self.instances.get(instance).cloned() {
                Some(old) => self.replace_static(turn, ticket, &old, id, &join),
                None => self.add(turn, ticket, &id, &join),
            },
            None if join.member_id_required => {
                let session_ms = i64::from(join.session_timeout_ms);
                let due_ms = turn.now_ms.saturating_add(session_ms);
                self.pending.insert(Arc::clone(&id), Pending { due_ms, armed_ms: None });
                self.touched.push(Arc::clone(&id));
                let (group, member_id) = (turn.group.to_owned(), id.to_string());
                turn.joined(ticket, Err(GroupError::MemberIdRequired { group, member_id }));
            }
            None => self.add(turn, ticket, &id, &join),
        }
    }

    /// What may keep anybody from joining.
    fn check_join(&self, turn: &Turn<'_>, join: &mut ClassicJoin) -> Result<(), GroupError> {
        let max = turn.settings.members_max;
        let id = join.member_id.as_str();
        let has_place = match self.phase {
            Phase::Empty => true,
            // By those who joined again: so the last to come are turned away when a group has
            // become too large.
            Phase::Preparing => {
                self.members.get(id).is_some_and(|member| member.join.is_some())
                    || self.waiting < max
            }
            Phase::Completing | Phase::Stable => {
                self.members.contains_key(id) || self.members.len() < max
            }
        };
        // Ids given out count too, or asking for them would be a way to fill the memory.
        let waits_outside = id.is_empty() && self.pending.len() + self.members.len() >= max;
        let takes_over =
            join.instance_id.as_ref().is_some_and(|instance| self.instances.contains_key(instance));
        if !has_place || waits_outside && !takes_over {
            return Err(GroupError::GroupFull { group: turn.group.to_owned(), max });
        }
        check_said(turn.group, join)?;
        self.check_protocols(turn.group, join)
    }

    /// The kind of group must be the same, and some protocol known to all.
    fn check_protocols(&self, group: &str, join: &ClassicJoin) -> Result<(), GroupError> {
        let fits = if self.phase == Phase::Empty || self.members.is_empty() {
            !join.protocol_type.is_empty() && !join.protocols.is_empty()
        } else {
            self.protocol_type.as_ref() == Some(&join.protocol_type)
                && join.protocols.iter().any(|(name, _)| self.all_know(name))
        };
        let error = || GroupError::InconsistentProtocol { group: group.to_owned() };
        if fits { Ok(()) } else { Err(error()) }
    }

    /// Somebody joins who has an id.
    fn join_known(&mut self, turn: &mut Turn<'_>, ticket: Ticket, join: ClassicJoin) {
        let id = join.member_id.as_str();
        if join.instance_id.is_none()
            && let Some((id, _)) = self.pending.remove_entry(id)
        {
            return self.add(turn, ticket, &id, &join);
        }
        if let Err(error) = self.check_member(turn.group, id, join.instance_id.as_deref()) {
            return turn.joined(ticket, Err(error));
        }
        let same = self.members.get(id).is_some_and(|member| member.protocols == join.protocols);
        match self.phase {
            Phase::Preparing => self.join_again(turn, ticket, &join),
            // It may not have got its answer, or (a follower) wants to know where it stands.
            Phase::Completing if same => turn.joined(ticket, Ok(self.joined(id))),
            Phase::Stable if same && !self.is_leader(id) => {
                turn.joined(ticket, Ok(self.joined(id)));
            }
            // A leader that joins again wants to assign anew: what it looks at may have changed.
            Phase::Completing | Phase::Stable => self.join_again(turn, ticket, &join),
            Phase::Empty => turn.joined(ticket, Err(turn.unknown(id))),
        }
    }

    /// A new member.
    fn add(&mut self, turn: &mut Turn<'_>, ticket: Ticket, id: &Arc<str>, join: &ClassicJoin) {
        if self.members.is_empty() {
            self.protocol_type = Some(join.protocol_type.clone());
        }
        if let Some(first) = &mut self.first {
            first.newcomer = true;
        }
        self.insert(Member::new(turn.now_ms, id, join, ticket));
        self.rebalance(turn);
    }

    /// A member says something new, or takes part in the rebalance.
    fn join_again(&mut self, turn: &mut Turn<'_>, ticket: Ticket, join: &ClassicJoin) {
        let leader = self.leader.clone();
        let Some(mut member) = self.take(&join.member_id) else { return };
        member.update(join);
        self.wait_joined(turn, &mut member, ticket);
        self.insert(member);
        self.leader = leader;
        self.rebalance(turn);
    }

    /// A member's call takes the place of one that its client has given up.
    pub(super) fn wait_joined(&self, turn: &mut Turn<'_>, member: &mut Member, ticket: Ticket) {
        if let Some(before) = member.join.replace(ticket) {
            let error = turn.rebalancing();
            turn.joined(before, Err(error));
        }
    }
}
