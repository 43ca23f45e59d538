//! Members that go: by themselves, by being silent, by losing their connection.

use std::sync::Arc;

use super::calls::{LeavingMember, Ticket};
use super::member::Member;
use super::state::{Classic, Turn};
use crate::group::GroupError;

impl Classic {
    /// Members leave, or an administrator makes them; one result for each.
    pub(crate) fn leave(
        &mut self,
        turn: &mut Turn<'_>,
        members: &[LeavingMember],
    ) -> Vec<Result<(), GroupError>> {
        let before = (self.members.len(), self.pending.len());
        let results = members.iter().map(|member| self.leave_one(turn, member)).collect();
        if self.members.len() < before.0 {
            self.members_gone(turn);
        } else if self.pending.len() < before.1 {
            // No rebalance need wait for one that was told an id and will not join.
            self.joined_by_all(turn);
        }
        results
    }

    fn leave_one(
        &mut self,
        turn: &mut Turn<'_>,
        leaving: &LeavingMember,
    ) -> Result<(), GroupError> {
        let (id, instance) = (leaving.member_id.as_str(), leaving.instance_id.as_deref());
        if id.is_empty() {
            let holder = instance.and_then(|instance| self.instances.get(instance)).cloned();
            let holder = holder.ok_or_else(|| turn.unknown(id))?;
            self.remove(turn, &holder);
        } else if self.pending.remove(id).is_none() {
            self.check_member(turn.group, id, instance)?;
            self.remove(turn, id);
        }
        Ok(())
    }

    /// A member's deadline has come, or seems to have.
    pub(crate) fn member_due(&mut self, turn: &mut Turn<'_>, id: &str) {
        if self.pending.get(id).is_some_and(|pending| pending.due_ms <= turn.now_ms) {
            self.pending.remove(id);
            return self.joined_by_all(turn);
        }
        let due_ms = self.members.get(id).and_then(|member| member.due_ms());
        if due_ms.is_some_and(|due_ms| due_ms <= turn.now_ms) {
            self.remove(turn, id);
            self.members_gone(turn);
        }
    }

    /// Nobody waits for a call's answer any more: its connection is lost.
    ///
    /// Its member is not counted as having joined, for it may never come back; it has a session's
    /// time to. One whose id nobody was told cannot come back.
    pub(crate) fn abandon(&mut self, turn: &mut Turn<'_>, ticket: Ticket) {
        let waits =
            |member: &&mut Member| member.join == Some(ticket) || member.sync == Some(ticket);
        let Some(member) = self.members.values_mut().find(waits) else { return };
        let id = Arc::clone(&member.id);
        if member.join == Some(ticket) {
            if member.is_nameless {
                self.take(&id);
                return self.members_gone(turn);
            }
            member.join = None;
            member.is_new = false;
            self.waiting -= 1;
        } else {
            member.sync = None;
        }
        member.heard(turn.now_ms);
        self.touched.push(id);
    }
}
