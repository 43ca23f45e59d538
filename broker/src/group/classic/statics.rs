//! Static members that come back under a new member id.

use std::sync::Arc;

use super::calls::{ClassicJoin, ClassicJoined, Ticket};
use super::member::Member;
use super::state::{Classic, Phase, Turn};
use crate::group::GroupError;

impl Classic {
    /// A new instance of a static member takes the place of the old one. In a stable group nothing
    /// else happens if it wants the same; otherwise there is a rebalance.
    pub(super) fn replace_static(
        &mut self,
        turn: &mut Turn<'_>,
        ticket: Ticket,
        old: &str,
        id: Arc<str>,
        join: &ClassicJoin,
    ) {
        let leader = self.leader.clone();
        let Some(mut member) = self.take(old) else { return };
        self.fence(turn, &mut member);
        let wanted = self.topics_of(&member);
        member.id = Arc::clone(&id);
        member.armed_ms = None;
        member.client_id.clone_from(&join.client_id);
        member.client_host.clone_from(&join.client_host);
        member.update(join);
        member.heard(turn.now_ms);
        let same = wanted == self.topics_of(&member);
        self.wait_joined(turn, &mut member, ticket);
        self.insert(member);
        let led = leader.as_deref() == Some(old);
        self.leader = if led { Some(Arc::clone(&id)) } else { leader.clone() };

        let goes_on = self.phase == Phase::Stable && self.select_protocol() == self.protocol_name;
        if !goes_on || !same {
            return self.rebalance(turn);
        }
        if let Some(member) = self.members.get_mut(&id)
            && member.join.take().is_some()
        {
            self.waiting -= 1;
            self.touched.push(Arc::clone(&id));
        }
        let answer = if join.skips_assignment {
            ClassicJoined { skip_assignment: led, ..self.joined(&id) }
        } else {
            // One that could not be told to leave the assignment alone is not told that it leads.
            let leader = leader.as_deref().unwrap_or_default().to_owned();
            ClassicJoined { leader, members: Vec::new(), ..self.joined(&id) }
        };
        self.journal(turn);
        turn.joined(ticket, Ok(answer));
    }

    /// Tells the old instance's calls that it has been replaced.
    fn fence(&self, turn: &mut Turn<'_>, member: &mut Member) {
        let instance = member.instance_id.clone().unwrap_or_default();
        let error = GroupError::FencedInstance { group: turn.group.to_owned(), instance };
        if let Some(ticket) = member.join.take() {
            turn.joined(ticket, Err(error.clone()));
        }
        if let Some(ticket) = member.sync.take() {
            turn.synced(ticket, Err(error));
        }
    }

    /// What a member wants to read; nothing known of one that is no consumer.
    fn topics_of(&self, member: &Member) -> Option<Vec<String>> {
        if !self.is_of_consumers() {
            return None;
        }
        self.subscription(member).map(|subscription| subscription.sorted_topics())
    }
}
