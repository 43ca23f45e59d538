//! Keeping the share groups' state machine: its events go into a journal, answers wait until they
//! are durable, timers fire in time, and who waits for records is told.

mod acquire;
mod admin;
mod calls;
mod scan;
mod waiting;

use std::sync::Arc;

use onrush_record::Offset;
use parking_lot::{Mutex, RwLock};

pub use calls::{ShareAcquire, ShareAcquired};

use crate::catalog::{Catalog, Change};
use crate::group::{TopicDirectory, TopicEntry};
use crate::journal::{self, Journal};
use crate::services::Services;
use crate::share::{
    Effects, ShareEvent, ShareGroups, ShareHeartbeat, ShareHeartbeatReply, ShareSessions,
    TopicPartition, What,
};
use crate::shared_log::SharedLog;
use crate::{DurableMark, Error, Result, Topic};
use waiting::Waiting;

/// All share groups of a broker.
#[derive(Debug)]
pub(crate) struct Sharing {
    services: Arc<Services>,
    catalog: Arc<Catalog>,
    state: Mutex<State>,
    pub(crate) sessions: Mutex<ShareSessions>,
    waiting: Waiting,
    /// None until the first group comes: a broker without share groups has no files for them.
    journal: RwLock<Option<Arc<Journal>>>,
    /// Why share groups are disabled altogether, if they are.
    damaged: Option<Error>,
}

#[derive(Debug)]
struct State {
    groups: ShareGroups,
    directory: TopicDirectory,
    /// When the groups' next timer fires, as the I/O loop was last told.
    told_due_ms: i64,
}

impl Sharing {
    /// Replays the share groups' journal, if there is one. Damage disables share groups, and
    /// nothing else.
    pub(crate) fn open(
        services: &Arc<Services>,
        catalog: &Arc<Catalog>,
        clean: bool,
    ) -> Result<Arc<Sharing>> {
        let settings = services.config.share.clone();
        let sessions = Mutex::new(ShareSessions::new(settings.sessions_max));
        let mut groups = ShareGroups::new(settings);
        let (mut journal, mut damaged) = (None, None);
        if Journal::exists(services, journal::Name::Shares)? {
            match open_journal(services, clean, &mut groups) {
                Ok(opened) => journal = Some(Arc::new(opened)),
                Err(error) => {
                    tracing::error!(%error, "share groups are disabled, the rest goes on");
                    damaged = Some(error);
                }
            }
        }
        groups.start(services.clock.now_ms());
        let mut directory = TopicDirectory::new();
        for topic in catalog.topics() {
            directory.put(topic.name(), entry(&topic, topic.partition_count()));
        }
        let sharing = Sharing {
            services: Arc::clone(services),
            catalog: Arc::clone(catalog),
            state: Mutex::new(State { groups, directory, told_due_ms: i64::MIN }),
            sessions,
            waiting: Waiting::default(),
            journal: RwLock::new(journal),
            damaged,
        };
        sharing.reconcile();
        Ok(Arc::new(sharing))
    }

    /// What a crash left behind: partitions of topics whose deletion the groups have not heard of,
    /// and records that were settled but are not in the log any more. Others will come in their
    /// place.
    fn reconcile(&self) {
        let Some(journal) = self.journal() else { return };
        if self.catalog.journal.check().is_err() || journal.check().is_err() {
            return;
        }
        let mut state = self.state.lock();
        for (topic, index) in state.groups.partitions() {
            let events = match self.catalog.get(topic) {
                None => state.groups.topic_deleted(topic),
                Some(topic) => match topic.partition(index) {
                    Ok(partition) => {
                        let end = partition.ends().written.get();
                        state.groups.truncated((topic.id(), index), end)
                    }
                    // Its log does not open: what it holds is not known.
                    Err(_) => Vec::new(),
                },
            };
            self.note(&journal, &events);
        }
    }

    pub(crate) fn journal(&self) -> Option<Arc<Journal>> {
        self.journal.read().clone()
    }

    /// The journal, created when it is needed first.
    async fn ready(self: &Arc<Self>) -> Result<Arc<Journal>> {
        self.check()?;
        if let Some(journal) = self.journal() {
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
                Arc::new(Journal::open(&this.services, journal::Name::Shares, false, nothing)?);
            *this.journal.write() = Some(Arc::clone(&journal));
            Ok(journal)
        };
        self.services.io.call(create).await
    }

    fn check(&self) -> Result<()> {
        match (&self.damaged, self.journal()) {
            (Some(error), _) => Err(error.clone()),
            (None, Some(journal)) => journal.check(),
            (None, None) => Ok(()),
        }
    }

    async fn heartbeat(self: &Arc<Self>, beat: ShareHeartbeat) -> Result<ShareHeartbeatReply> {
        let journal = self.ready().await?;
        let now_ms = self.services.clock.now_ms();
        let (reply, mark) = {
            let mut state = self.state.lock();
            let State { groups, directory, .. } = &mut *state;
            let (reply, effects) = groups.heartbeat(now_ms, directory, &beat)?;
            let mark = append(&journal, &effects.events)?;
            self.took_effect(&effects);
            self.tell_due(&mut state);
            (reply, mark)
        };
        if reply.member_epoch < 0 {
            self.sessions.lock().close(&beat.group, &beat.member_id, None);
        }
        // Even without events of its own an answer tells of earlier ones.
        journal.wait(mark).await?;
        Ok(reply)
    }

    /// Judges, journals, makes it so, and waits until it is durable: all or none of it.
    async fn decide(
        self: &Arc<Self>,
        judge: impl FnOnce(&ShareGroups) -> Result<Vec<ShareEvent>>,
    ) -> Result<()> {
        let journal = self.ready().await?;
        let mark = {
            let mut state = self.state.lock();
            let events = judge(&state.groups)?;
            let mark = append(&journal, &events)?;
            events.iter().for_each(|event| state.groups.apply(event));
            self.waiting.wake(&events);
            mark
        };
        journal.wait(mark).await
    }

    /// Releases what a member has: its share session is over. The records are free at once; that
    /// they were tried once more is durable some time after.
    pub(crate) fn release(&self, group: &str, member: &str) -> Result<Option<DurableMark>> {
        let Some(journal) = self.journal() else { return Ok(None) };
        let mut state = self.state.lock();
        let effects = state.groups.release(group, member);
        self.took_effect(&effects);
        append(&journal, &effects.events).map(Some)
    }

    /// Lets all that is due by `now_ms` happen; tells when something is due next.
    pub(crate) fn expire(&self, now_ms: i64) -> Option<i64> {
        let mut state = self.state.lock();
        let effects = state.groups.expire(now_ms);
        self.took_effect(&effects);
        if let Some(journal) = self.journal() {
            self.note(&journal, &effects.events);
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
                self.waiting.wake(&events);
            }
            Change::Configure(..) | Change::Quotas(..) | Change::Nothing => {}
        }
    }

    /// A log was opened anew, and may have lost its end.
    pub(crate) fn lost(&self, log: &Arc<SharedLog>) {
        let Some(journal) = self.journal() else { return };
        let mut state = self.state.lock();
        for (topic, index) in state.groups.partitions() {
            let found = self.catalog.get(topic).and_then(|topic| topic.partition(index).ok());
            if let Some(partition) = found.filter(|found| Arc::ptr_eq(found.log(), log)) {
                let end = partition.ends().written.get();
                let events = state.groups.truncated((topic, index), end);
                self.note(&journal, &events);
                self.waiting.wake(&events);
            }
        }
    }

    /// The state in records, with the offset it is of, for a snapshot.
    pub(crate) fn snapshot(&self, journal: &Journal) -> (Offset, Vec<Vec<u8>>) {
        let state = self.state.lock();
        let records = state.groups.events().iter().map(ShareEvent::encode).collect();
        (journal.mark().upto, records)
    }

    /// Tells who waits for records, and who would keep those that were given up.
    fn took_effect(&self, effects: &Effects) {
        self.waiting.wake(&effects.events);
        for event in &effects.events {
            // Its session, with what it was to fetch, goes with the member.
            if let What::MemberRemoved { member_id } = &event.what {
                self.sessions.lock().close(&event.group, member_id, None);
            }
        }
        for (partition, dead) in &effects.dead {
            self.gave_up(*partition, dead);
        }
    }

    /// Records were given up: a dead-letter target would take them here.
    fn gave_up(&self, (topic, index): TopicPartition, dead: &crate::share::DeadLetter) {
        self.services.metrics.share_given_up.inc_by(dead.end - dead.first);
        tracing::debug!(
            %topic, partition = index, first = dead.first, end = dead.end, why = ?dead.why,
            "a share group gives records up"
        );
    }

    /// Journals events that nobody waits for.
    fn note(&self, journal: &Journal, events: &[ShareEvent]) {
        if events.is_empty() {
            return;
        }
        if let Err(error) = append(journal, events) {
            // They have taken effect; the next snapshot has them.
            tracing::error!(%error, "cannot write down what became of share groups");
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

fn open_journal(
    services: &Arc<Services>,
    clean: bool,
    groups: &mut ShareGroups,
) -> Result<Journal> {
    Journal::open(services, journal::Name::Shares, clean, &mut |record| {
        groups.apply(&ShareEvent::decode(record)?);
        Ok(())
    })
}

/// Appends events, and gives the mark that an answer waits for: all that was appended so far.
fn append(journal: &Journal, events: &[ShareEvent]) -> Result<DurableMark> {
    if events.is_empty() {
        journal.check()?;
        return Ok(journal.mark());
    }
    journal.append(&events.iter().map(ShareEvent::encode).collect::<Vec<_>>())
}

fn entry(topic: &Topic, partitions: u32) -> TopicEntry {
    TopicEntry { id: topic.id(), partitions, internal: false }
}
