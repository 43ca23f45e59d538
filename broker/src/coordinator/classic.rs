//! Calls under the classic protocol, which wait for other members.

use std::collections::HashMap;
use std::sync::Arc;

use futures::channel::oneshot;

use super::{Coordinator, State};
use crate::group::{
    Answer, ClassicAnswer, ClassicDescription, ClassicHeartbeat, ClassicJoin, ClassicJoined,
    ClassicSync, ClassicSynced, GroupError, LeavingMember, Ticket,
};
use crate::journal::Journal;
use crate::{DurableMark, Error, Result};

/// An answer, and what must be durable before it is given.
type Given = (ClassicAnswer, Result<DurableMark>);

/// Calls that wait for their answers.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    last: u64,
    waiting: HashMap<Ticket, oneshot::Sender<Given>>,
}

impl Waiters {
    fn wait(&mut self) -> (Ticket, oneshot::Receiver<Given>) {
        self.last += 1;
        let (ticket, (sender, receiver)) = (Ticket(self.last), oneshot::channel());
        self.waiting.insert(ticket, sender);
        (ticket, receiver)
    }

    pub(super) fn answer(&mut self, answers: Vec<Answer>, mark: &Result<DurableMark>) {
        for Answer { to, what } in answers {
            if let Some(sender) = self.waiting.remove(&to) {
                // Whoever does not listen any more has lost its connection just now.
                let _ = sender.send((what, mark.clone()));
            }
        }
    }
}

/// A call that waits. Dropped before it has its answer, it takes itself back.
struct Waiting {
    coordinator: Arc<Coordinator>,
    journal: Arc<Journal>,
    group: String,
    ticket: Ticket,
    answer: oneshot::Receiver<Given>,
}

impl Waiting {
    async fn answered(mut self) -> Result<ClassicAnswer> {
        let given = (&mut self.answer).await;
        // The sender only goes with the broker itself.
        let (answer, mark) = given.map_err(|_| Error::ShuttingDown)?;
        self.journal.wait(mark?).await?;
        Ok(answer)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.coordinator.state.lock();
        if state.waiters.waiting.remove(&self.ticket).is_none() {
            return;
        }
        let now_ms = self.coordinator.services.clock.now_ms();
        let events = state.groups.classic_abandon(now_ms, &self.group, self.ticket);
        if let Err(error) = self.coordinator.settle(&mut state, &self.journal, &events) {
            tracing::debug!(%error, "cannot write down that a member's connection was lost");
        }
    }
}

impl Coordinator {
    pub(crate) async fn classic_join(self: &Arc<Self>, join: ClassicJoin) -> Result<ClassicJoined> {
        let group = join.group.clone();
        let reason = join.reason.as_deref().unwrap_or("no reason given");
        tracing::debug!(%group, member = %join.member_id, reason, "joins");
        let waiting = self.waiting(group, |state, now_ms, ticket| {
            state.groups.classic_join(now_ms, &state.directory, ticket, join)
        });
        match waiting.await?.answered().await? {
            ClassicAnswer::Joined(result) => Ok(result?),
            ClassicAnswer::Synced(_) => Err(mixed_up()),
        }
    }

    pub(crate) async fn classic_sync(self: &Arc<Self>, sync: ClassicSync) -> Result<ClassicSynced> {
        let waiting = self.waiting(sync.group.clone(), |state, now_ms, ticket| {
            state.groups.classic_sync(now_ms, &state.directory, ticket, &sync)
        });
        match waiting.await?.answered().await? {
            ClassicAnswer::Synced(result) => Ok(result?),
            ClassicAnswer::Joined(_) => Err(mixed_up()),
        }
    }

    /// Has the state machine take a call, and gives what waits for its answer.
    async fn waiting(
        self: &Arc<Self>,
        group: String,
        call: impl FnOnce(&mut State, i64, Ticket) -> Vec<crate::group::GroupEvent>,
    ) -> Result<Waiting> {
        let journal = self.ready().await?;
        let now_ms = self.services.clock.now_ms();
        let mut state = self.state.lock();
        let (ticket, answer) = state.waiters.wait();
        let events = call(&mut state, now_ms, ticket);
        // A failure to write reaches whoever is answered by it; whoever waits goes on waiting.
        if let Err(error) = self.settle(&mut state, &journal, &events) {
            tracing::debug!(%error, "cannot write down what became of a group");
        }
        drop(state);
        Ok(Waiting { coordinator: Arc::clone(self), journal, group, ticket, answer })
    }

    pub(crate) fn classic_heartbeat(&self, beat: &ClassicHeartbeat<'_>) -> Result<()> {
        self.check()?;
        let now_ms = self.services.clock.now_ms();
        let mut state = self.state.lock();
        let State { groups, directory, .. } = &mut *state;
        let (result, events) = groups.classic_heartbeat(now_ms, directory, beat);
        // Waits for nothing: it tells nothing that could be taken back.
        if let Some(journal) = self.journal() {
            self.settle(&mut state, &journal, &events)?;
        }
        Ok(result?)
    }

    pub(crate) async fn classic_leave(
        self: &Arc<Self>,
        group: &str,
        members: &[LeavingMember],
    ) -> Result<Vec<Result<()>>> {
        let journal = self.ready().await?;
        let now_ms = self.services.clock.now_ms();
        let (results, mark) = {
            let mut state = self.state.lock();
            let State { groups, directory, .. } = &mut *state;
            let (results, events) = groups.classic_leave(now_ms, directory, group, members)?;
            (results, self.settle(&mut state, &journal, &events)?)
        };
        for (member, result) in members.iter().zip(&results) {
            let reason = member.reason.as_deref().unwrap_or("no reason given");
            tracing::debug!(group, member = %member.member_id, reason, left = result.is_ok());
        }
        journal.wait(mark).await?;
        let own = |result: Result<(), GroupError>| result.map_err(Error::from);
        Ok(results.into_iter().map(own).collect())
    }

    pub(crate) fn describe_classic(&self, group: &str) -> Result<ClassicDescription> {
        self.check()?;
        Ok(self.state.lock().groups.describe_classic(group)?)
    }
}

/// Tickets are given out once, so this cannot be.
fn mixed_up() -> Error {
    Error::Unknown { reason: "the answer to another call was given".to_owned() }
}
