//! Keeping the groups' state machine: its events go into a journal, answers wait until they are
//! durable, timers fire in time.

mod classic;
mod configs;
mod pending;

use std::sync::Arc;

use onrush_record::Offset;
use parking_lot::{Mutex, RwLock};

use crate::catalog::{Catalog, Change};
use crate::group::{
    CommittedOffset, GroupCommit, GroupDescription, GroupError, GroupEvent, GroupHeartbeat,
    GroupHeartbeatReply, GroupListing, Groups, TopicDirectory, TopicEntry, TopicPartition,
};
use crate::journal::{self, Journal};
use crate::services::Services;
use crate::{DurableMark, Error, Result, Topic};

use self::classic::Waiters;

/// All consumer groups of a broker.
#[derive(Debug)]
pub(crate) struct Coordinator {
    services: Arc<Services>,
    state: Mutex<State>,
    /// None until the first group comes: a broker without groups has no files for them.
    journal: RwLock<Option<Arc<Journal>>>,
    /// Why groups are disabled altogether, if they are.
    damaged: Option<Error>,
}

#[derive(Debug)]
struct State {
    groups: Groups,
    directory: TopicDirectory,
    /// When the groups' next timer fires, as the I/O loop was last told.
    told_due_ms: i64,
    waiters: Waiters,
}

impl Coordinator {
    /// Replays the groups' journal, if there is one. Damage disables groups, and nothing else.
    pub(crate) fn open(
        services: &Arc<Services>,
        catalog: &Catalog,
        clean: bool,
    ) -> Result<Arc<Coordinator>> {
        let mut groups = Groups::new(services.config.group.clone());
        let (mut journal, mut damaged) = (None, None);
        if Journal::exists(services, journal::Name::Groups)? {
            match open_journal(services, clean, &mut groups) {
                Ok(opened) => journal = Some(Arc::new(opened)),
                Err(error) => {
                    tracing::error!(%error, "consumer groups are disabled, the rest goes on");
                    damaged = Some(error);
                }
            }
        }
        groups.start(services.clock.now_ms());
        let mut directory = TopicDirectory::new();
        for topic in catalog.topics() {
            directory.put(topic.name(), entry(&topic, topic.partition_count()));
        }
        let state = Mutex::new(State {
            groups,
            directory,
            told_due_ms: i64::MIN,
            waiters: Waiters::default(),
        });
        let coordinator = Coordinator {
            services: Arc::clone(services),
            state,
            journal: RwLock::new(journal),
            damaged,
        };
        coordinator.forget_deleted_topics(catalog);
        Ok(Arc::new(coordinator))
    }

    /// What a crash between a topic's deletion and the groups' forgetting it left behind.
    fn forget_deleted_topics(&self, catalog: &Catalog) {
        let Some(journal) = self.journal() else { return };
        if catalog.journal.check().is_err() || journal.check().is_err() {
            return;
        }
        let mut state = self.state.lock();
        let mut gone = state.groups.topics();
        gone.retain(|topic| state.directory.partitions(*topic).is_none());
        for topic in gone {
            let events = state.groups.topic_deleted(topic);
            self.note(&journal, &events);
        }
    }

    pub(crate) fn journal(&self) -> Option<Arc<Journal>> {
        self.journal.read().clone()
    }

    /// The journal, created when it is needed first.
    async fn ready(self: &Arc<Self>) -> Result<Arc<Journal>> {
        if let Some(error) = &self.damaged {
            return Err(error.clone());
        }
        if let Some(journal) = self.journal() {
            journal.check()?;
            return Ok(journal);
        }
        if self.services.is_stopping() {
            return Err(Error::ShuttingDown);
        }
        let this = Arc::clone(self);
        // The I/O loop runs one job at a time: nobody else creates it meanwhile.
        let create = move || {
            if let Some(journal) = this.journal() {
                return Ok(journal);
            }
            let nothing = &mut |_: &[u8]| Ok(());
            let journal =
                Arc::new(Journal::open(&this.services, journal::Name::Groups, false, nothing)?);
            *this.journal.write() = Some(Arc::clone(&journal));
            Ok(journal)
        };
        self.services.io.call(create).await
    }

    pub(crate) async fn heartbeat(
        self: &Arc<Self>,
        beat: GroupHeartbeat,
    ) -> Result<GroupHeartbeatReply> {
        let journal = self.ready().await?;
        let now_ms = self.services.clock.now_ms();
        let (reply, mark) = {
            let mut state = self.state.lock();
            let State { groups, directory, .. } = &mut *state;
            let (reply, events) = groups.heartbeat(now_ms, directory, beat)?;
            (reply, self.settle(&mut state, &journal, &events)?)
        };
        // Even without events of its own an answer tells of earlier ones.
        journal.wait(mark).await?;
        Ok(reply)
    }

    pub(crate) async fn commit(self: &Arc<Self>, commit: GroupCommit) -> Result<Vec<Result<()>>> {
        let journal = self.ready().await?;
        let now_ms = self.services.clock.now_ms();
        let (results, mark) = {
            let mut state = self.state.lock();
            let State { groups, directory, .. } = &mut *state;
            let (results, event) = groups.commit(now_ms, directory, commit)?;
            let mark = append(&journal, event.as_slice())?;
            if let Some(event) = &event {
                state.groups.apply(event);
                self.tell_due(&mut state);
            }
            (results, mark)
        };
        journal.wait(mark).await?;
        Ok(results.into_iter().map(|result| result.map_err(Error::from)).collect())
    }

    pub(crate) async fn delete(self: &Arc<Self>, group: &str) -> Result<()> {
        let journal = self.ready().await?;
        let mark = {
            let mut state = self.state.lock();
            let event = state.groups.delete(group)?;
            let mark = append(&journal, std::slice::from_ref(&event))?;
            state.groups.apply(&event);
            mark
        };
        journal.wait(mark).await
    }

    pub(crate) async fn delete_offsets(
        self: &Arc<Self>,
        group: &str,
        partitions: &[TopicPartition],
    ) -> Result<Vec<Result<()>>> {
        let journal = self.ready().await?;
        let (results, mark) = {
            let mut state = self.state.lock();
            let State { groups, directory, .. } = &mut *state;
            let (results, event) = groups.delete_offsets(directory, group, partitions)?;
            let mark = append(&journal, event.as_slice())?;
            if let Some(event) = &event {
                state.groups.apply(event);
                self.tell_due(&mut state);
            }
            (results, mark)
        };
        journal.wait(mark).await?;
        Ok(results.into_iter().map(|result| result.map_err(Error::from)).collect())
    }

    /// What a group has committed, once that is durable.
    pub(crate) async fn offsets(
        &self,
        group: &str,
        partitions: Option<&[TopicPartition]>,
    ) -> Result<Vec<(TopicPartition, Option<CommittedOffset>)>> {
        self.check()?;
        let (offsets, wait) = {
            let state = self.state.lock();
            let offsets = state.groups.offsets(group, partitions);
            (offsets, self.journal().map(|journal| (journal.mark(), journal)))
        };
        if let Some((mark, journal)) = wait {
            journal.wait(mark).await?;
        }
        Ok(offsets)
    }

    pub(crate) fn list(&self) -> Result<Vec<GroupListing>> {
        self.check()?;
        Ok(self.state.lock().groups.list())
    }

    pub(crate) fn describe(&self, group: &str) -> Result<GroupDescription> {
        self.check()?;
        let state = self.state.lock();
        Ok(state.groups.describe(&state.directory, group)?)
    }

    fn check(&self) -> Result<()> {
        match (&self.damaged, self.journal()) {
            (Some(error), _) => Err(error.clone()),
            (None, Some(journal)) => journal.check(),
            (None, None) => Ok(()),
        }
    }

    /// What every group has committed, for the metrics: as it is, durable or not.
    pub(crate) fn committed(&self) -> Vec<(String, TopicPartition, Offset)> {
        let state = self.state.lock();
        let mut committed = Vec::new();
        for listed in state.groups.list() {
            for (partition, offset) in state.groups.offsets(&listed.group, None) {
                if let Some(offset) = offset {
                    committed.push((listed.group.clone(), partition, offset.offset));
                }
            }
        }
        committed
    }

    pub(crate) fn count(&self) -> usize {
        self.state.lock().groups.list().len()
    }

    /// Lets all that is due by `now_ms` happen; tells when something is due next.
    pub(crate) fn expire(&self, now_ms: i64) -> Option<i64> {
        let mut state = self.state.lock();
        let State { groups, directory, .. } = &mut *state;
        let events = groups.expire(now_ms, directory);
        if let Some(journal) = self.journal()
            && let Err(error) = self.settle(&mut state, &journal, &events)
        {
            tracing::error!(%error, "cannot write down what became of consumer groups");
        }
        let due_ms = state.groups.next_due();
        state.told_due_ms = due_ms.unwrap_or(i64::MAX);
        due_ms
    }

    /// A topic is there, has grown, or is gone.
    pub(crate) fn topic_changed(&self, change: &Change) {
        let mut state = self.state.lock();
        match change {
            Change::Create(topic) | Change::Grow(topic, _) => {
                state.directory.put(topic.name(), entry(topic, topic.partition_count()));
            }
            Change::Delete(topic) => {
                if state.directory.get(topic.name()).is_some_and(|entry| entry.id == topic.id()) {
                    state.directory.remove(topic.name());
                }
                let events = state.groups.topic_deleted(topic.id());
                if let Some(journal) = self.journal() {
                    self.note(&journal, &events);
                }
            }
            Change::Configure(..) | Change::Quotas(..) | Change::Nothing => {}
        }
    }

    /// The state in records, with the offset it is of, for a snapshot.
    pub(crate) fn snapshot(&self, journal: &Journal) -> (Offset, Vec<Vec<u8>>) {
        let state = self.state.lock();
        (journal.mark().upto, state.groups.events().iter().map(encoded).collect())
    }

    /// Journals events, gives answers to calls that waited, and sees to the timers. The mark is
    /// what the answer to the present call waits for.
    fn settle(
        &self,
        state: &mut State,
        journal: &Journal,
        events: &[GroupEvent],
    ) -> Result<DurableMark> {
        let mark = append(journal, events);
        state.waiters.answer(state.groups.take_answers(), &mark);
        self.tell_due(state);
        mark
    }

    /// Journals events that nobody waits for.
    fn note(&self, journal: &Journal, events: &[GroupEvent]) {
        if let Err(error) = append(journal, events) {
            // They have taken effect; the next snapshot has them.
            tracing::error!(%error, "cannot write down what became of consumer groups");
        }
    }

    /// Lets the I/O loop know of a timer earlier than it knows.
    fn tell_due(&self, state: &mut State) {
        if let Some(due_ms) = state.groups.next_due()
            && due_ms < state.told_due_ms
        {
            state.told_due_ms = due_ms;
            self.services.want_tick();
        }
    }
}

fn open_journal(services: &Arc<Services>, clean: bool, groups: &mut Groups) -> Result<Journal> {
    Journal::open(services, journal::Name::Groups, clean, &mut |record| {
        let event = GroupEvent::decode(record).map_err(|error| error.to_string())?;
        groups.apply(&event);
        Ok(())
    })
}

/// Appends events, and gives the mark that an answer waits for: all that was appended so far.
fn append(journal: &Journal, events: &[GroupEvent]) -> Result<DurableMark> {
    if events.is_empty() {
        journal.check()?;
        return Ok(journal.mark());
    }
    journal.append(&events.iter().map(encoded).collect::<Vec<_>>())
}

fn encoded(event: &GroupEvent) -> Vec<u8> {
    let mut out = Vec::new();
    event.encode(&mut out);
    out
}

fn entry(topic: &Topic, partitions: u32) -> TopicEntry {
    TopicEntry { id: topic.id(), partitions, internal: false }
}

impl From<GroupError> for Error {
    fn from(error: GroupError) -> Error {
        match error {
            GroupError::UnknownTopic { topic } => Error::UnknownTopic { topic: topic.to_string() },
            GroupError::UnknownPartition { topic, partition, partitions } => {
                Error::UnknownPartition { topic: topic.to_string(), partition, partitions }
            }
            other => Error::Group(other),
        }
    }
}
