//! Keeping the transactions' state: its events go into a journal, answers wait until they are
//! durable, timers fire in time.

use std::sync::Arc;
use std::time::Duration;

use onrush_record::{Offset, ProducerEpoch, ProducerId};
use parking_lot::Mutex;

use super::TransactionError;
use super::carrier::Carrier;
use super::event::TransactionEvent;
use super::state::Identity;
use super::ticket::{Progress, Ticket};
use super::transactions::{Due, End, Init, Transactions};
use super::view::{
    HangingTransaction, TransactionDescription, TransactionFilter, TransactionListing,
    TransactionalCommit,
};
use crate::catalog::Catalog;
use crate::coordinator::Coordinator;
use crate::group::TopicPartition;
use crate::journal::{self, Journal, LazyJournal};
use crate::producer_ids::ProducerIds;
use crate::services::Services;
use crate::{DurableMark, Error, Result};

/// Who asked for a decision waits so long for it to be carried out.
const WAIT: Duration = Duration::from_secs(10);
/// What is due and cannot be done is tried again after this.
const RETRY_MS: i64 = 1000;

/// All transactions of a broker.
#[derive(Debug)]
pub(crate) struct TransactionCoordinator {
    pub(super) services: Arc<Services>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) groups: Arc<Coordinator>,
    producer_ids: Arc<ProducerIds>,
    pub(super) journal: Arc<LazyJournal>,
    pub(super) state: Mutex<State>,
    pub(super) carrier: Carrier,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) transactions: Transactions,
    /// When the next timer fires, as the I/O loop was last told.
    told_due_ms: i64,
}

impl TransactionCoordinator {
    /// Replays the transactions' journal, if there is one. What was decided and not carried out is
    /// carried out once the broker's loops run.
    pub(crate) fn open(
        services: &Arc<Services>,
        catalog: &Arc<Catalog>,
        groups: &Arc<Coordinator>,
        producer_ids: &Arc<ProducerIds>,
        clean: bool,
    ) -> Result<Arc<TransactionCoordinator>> {
        let mut transactions = Transactions::new(services.config.transaction.clone());
        let name = journal::Name::Transactions;
        let journal = LazyJournal::open(services, name, clean, &mut |record| {
            transactions.apply(TransactionEvent::decode(record)?, Offset::ZERO);
            Ok(())
        })?;
        let prepared = transactions.prepared();
        let coordinator = Arc::new(TransactionCoordinator {
            services: Arc::clone(services),
            catalog: Arc::clone(catalog),
            groups: Arc::clone(groups),
            producer_ids: Arc::clone(producer_ids),
            journal,
            state: Mutex::new(State { transactions, told_due_ms: i64::MIN }),
            carrier: Carrier::default(),
        });
        prepared.iter().for_each(|id| coordinator.resume(id));
        Ok(coordinator)
    }

    pub(crate) fn journal(&self) -> Option<Arc<Journal>> {
        self.journal.get()
    }

    /// Which reign of the coordinator this is.
    pub(super) fn epoch(&self) -> i32 {
        i32::try_from(self.services.epoch.get()).unwrap_or(i32::MAX)
    }

    pub(crate) async fn init(
        &self,
        id: &str,
        timeout_ms: i32,
        expected: Option<(ProducerId, ProducerEpoch)>,
    ) -> Result<(ProducerId, ProducerEpoch)> {
        enum Next {
            Answer(Identity, DurableMark),
            Abort,
            TakeId,
        }
        let journal = self.journal.ready().await?;
        let expected = expected.map(|(producer, epoch)| Identity { producer, epoch });
        let mut fresh = None;
        loop {
            let attempt = || {
                let now_ms = self.services.clock.now_ms();
                let mut state = self.state.lock();
                Ok(match state.transactions.init(now_ms, id, timeout_ms, expected, fresh)? {
                    Init::Given(who, event) => {
                        Next::Answer(who, self.write(&journal, &mut state, event)?)
                    }
                    Init::Known(who) => Next::Answer(who, journal.mark()),
                    Init::Abort(ending) => {
                        state.transactions.begin_ending(id, ending);
                        Next::Abort
                    }
                    Init::NeedsId => Next::TakeId,
                })
            };
            match self.unless_concurrent(&journal, id, attempt).await? {
                Next::Answer(who, mark) => {
                    journal.wait(mark).await?;
                    return Ok((who.producer, who.epoch));
                }
                Next::TakeId => fresh = Some(self.producer_ids.take(&self.catalog).await?.0),
                Next::Abort => {
                    let ticket = self.ticket();
                    self.carry(&Arc::from(id), Some(Arc::clone(&ticket)))?;
                    match ticket.wait().await {
                        Progress::Failed(error) => return Err(error),
                        Progress::Slow => {
                            return Err(TransactionError::Concurrent { id: id.to_owned() }.into());
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    /// Lets partitions and groups take part in a transaction, durably.
    pub(crate) async fn add(
        &self,
        id: &str,
        producer: ProducerId,
        epoch: ProducerEpoch,
        partitions: &[TopicPartition],
        groups: &[&str],
    ) -> Result<()> {
        let journal = self.journal.ready().await?;
        for (topic, partition) in partitions {
            let known = self.catalog.get(*topic);
            let known = known.ok_or_else(|| Error::UnknownTopic { topic: topic.to_string() })?;
            known.partition(*partition)?;
        }
        let attempt = || {
            let now_ms = self.services.clock.now_ms();
            let mut state = self.state.lock();
            let who = Identity { producer, epoch };
            match state.transactions.add(now_ms, id, who, partitions, groups)? {
                Some(event) => self.write(&journal, &mut state, event),
                None => {
                    let since = state.transactions.added_at(id, partitions, groups);
                    Ok(journal.mark_at(since))
                }
            }
        };
        let mark = self.unless_concurrent(&journal, id, attempt).await?;
        journal.wait(mark).await
    }

    /// The same for the transaction of whatever id this producer has.
    pub(crate) async fn join(
        &self,
        producer: ProducerId,
        epoch: ProducerEpoch,
        partitions: &[TopicPartition],
    ) -> Result<()> {
        let journal = self.journal.ready().await?;
        let id = self.state.lock().transactions.id_of(producer);
        match id {
            Some(id) => self.add(&id, producer, epoch, partitions, &[]).await,
            None => {
                let error = TransactionError::ProducerIdMapping { id: String::new(), producer };
                Err(self.refusal(&journal, error).await)
            }
        }
    }

    /// Ends a transaction; the decision is durable when this returns.
    pub(crate) async fn end(
        &self,
        id: &str,
        who: (ProducerId, ProducerEpoch),
        commits: bool,
        bump: bool,
    ) -> Result<(ProducerId, ProducerEpoch)> {
        let journal = self.journal.ready().await?;
        let who = Identity { producer: who.0, epoch: who.1 };
        let mut fresh = None;
        let (next, ticket) = loop {
            let end = {
                let mut state = self.state.lock();
                let end = state.transactions.end(id, who, commits, bump, fresh);
                match end {
                    Ok(End::Begin(ending)) => {
                        state.transactions.begin_ending(id, ending);
                        end
                    }
                    Ok(End::Given(next, event)) => {
                        self.write(&journal, &mut state, event)?;
                        Ok(End::Done(next))
                    }
                    end => end,
                }
            };
            match end {
                Ok(End::Begin(ending)) => {
                    let ticket = self.ticket();
                    self.carry(&Arc::from(id), Some(Arc::clone(&ticket)))?;
                    break (ending.next, ticket);
                }
                Ok(End::UnderWay(next)) => {
                    let ticket = self.ticket();
                    if self.carrier.attach(id, &ticket) {
                        break (next, ticket);
                    }
                    // It has come to its end meanwhile, or nothing carries it now.
                    journal.wait(journal.mark()).await?;
                    return Ok((next.producer, next.epoch));
                }
                Ok(End::Done(next) | End::Given(next, _)) => {
                    journal.wait(journal.mark()).await?;
                    return Ok((next.producer, next.epoch));
                }
                Ok(End::NeedsId) => {
                    fresh = Some(self.producer_ids.take(&self.catalog).await?.0);
                }
                Err(error) => return Err(self.refusal(&journal, error).await),
            }
        };
        match ticket.wait().await {
            Progress::Failed(error) => Err(error),
            _ => Ok((next.producer, next.epoch)),
        }
    }

    /// Commits offsets as part of a transaction.
    pub(crate) async fn commit_offsets(
        &self,
        commit: TransactionalCommit,
    ) -> Result<Vec<Result<()>>> {
        let journal = self.journal.ready().await?;
        let TransactionalCommit { id, producer, epoch, commit } = commit;
        let who = Identity { producer, epoch };
        self.state.lock().transactions.add(0, &id, who, &[], &[])?;
        let group = commit.group.clone();
        // Asked under the groups' lock, so that a decision comes either before, and refuses it, or
        // after, and covers it.
        let admit = || {
            let durable = journal.durable_end();
            Ok(self.state.lock().transactions.admits_group(who, &group, durable)?)
        };
        self.groups.commit_pending(producer, commit, &admit).await
    }

    /// May this producer write to the partition as part of its transaction?
    pub(crate) fn admits(
        &self,
        producer: ProducerId,
        epoch: ProducerEpoch,
        partition: TopicPartition,
    ) -> Result<()> {
        self.journal.check()?;
        let durable = self.journal.get().map_or(Offset::ZERO, |journal| journal.durable_end());
        let who = Identity { producer, epoch };
        Ok(self.state.lock().transactions.admits(who, partition, durable)?)
    }

    pub(crate) fn list(&self, filter: &TransactionFilter) -> Result<Vec<TransactionListing>> {
        self.journal.check()?;
        let wanted = filter.test(self.services.clock.now_ms())?;
        let state = self.state.lock();
        Ok(state.transactions.iter().filter(|known| wanted(known)).map(|t| t.listing()).collect())
    }

    pub(crate) fn describe(&self, id: &str) -> Result<TransactionDescription> {
        self.journal.check()?;
        let state = self.state.lock();
        let known = state.transactions.get(id).map(|known| known.describe());
        known.ok_or_else(|| TransactionError::UnknownId { id: id.to_owned() }.into())
    }

    /// What is open somewhere, and unknown here.
    pub(crate) fn hanging(&self) -> Result<Vec<HangingTransaction>> {
        self.journal.check()?;
        let mut hanging = Vec::new();
        for topic in self.catalog.topics() {
            for partition in topic.partitions() {
                let at = (partition.topic_id(), partition.index());
                let open = partition.producers().into_iter().filter_map(|known| {
                    let first_offset = known.transaction_start?;
                    let (producer, epoch) = (known.producer, known.epoch);
                    Some(HangingTransaction { partition: at, producer, epoch, first_offset })
                });
                let state = self.state.lock();
                hanging.extend(open.filter(|open| !state.transactions.concerns(open.producer, at)));
            }
        }
        Ok(hanging)
    }

    /// Ends a hanging transaction in one partition.
    pub(crate) async fn end_hanging(
        &self,
        (topic, index): TopicPartition,
        producer: ProducerId,
        epoch: ProducerEpoch,
        commits: bool,
    ) -> Result<()> {
        self.journal.check()?;
        if self.state.lock().transactions.concerns(producer, (topic, index)) {
            let reason = "the coordinator knows it and will end it; end it by its transactional id";
            return Err(TransactionError::InvalidState { producer, reason }.into());
        }
        let known = self.catalog.get(topic);
        let known = known.ok_or_else(|| Error::UnknownTopic { topic: topic.to_string() })?;
        let partition = known.partition(index)?;
        let open = partition.producers().into_iter().find(|known| known.producer == producer);
        if let Some(known) = open.filter(|known| epoch < known.epoch) {
            let current = known.epoch;
            return Err(TransactionError::Fenced { producer, current, found: epoch }.into());
        }
        let coordinator_epoch = self.epoch();
        let marker = onrush_record::batch::Marker { commits, coordinator_epoch };
        match partition.end_transaction(producer, epoch, marker)? {
            Some(mark) => partition.wait_durable(mark).await,
            None => Err(Error::UnknownTopic { topic: topic.to_string() }),
        }
    }

    /// Lets all that is due by `now_ms` happen; tells when something is due next.
    pub(crate) fn expire(&self, now_ms: i64) -> Option<i64> {
        let due = self.state.lock().transactions.due(now_ms);
        for id in due {
            if let Err(error) = self.let_happen(now_ms, &id) {
                tracing::warn!(%error, "cannot end a transaction that took too long, or forget one");
            }
        }
        let retry = self.retry().then(|| now_ms.saturating_add(RETRY_MS));
        let mut state = self.state.lock();
        let next = state.transactions.next_due();
        // What could not be done is not tried without a pause.
        let again_ms = now_ms.saturating_add(RETRY_MS);
        let next = next.map(|at_ms| if at_ms <= now_ms { again_ms } else { at_ms });
        let next = [next, retry].into_iter().flatten().min();
        state.told_due_ms = next.unwrap_or(i64::MAX);
        next
    }

    /// Does what is due of an id, if it still is.
    fn let_happen(&self, now_ms: i64, id: &Arc<str>) -> Result<()> {
        self.journal.check()?;
        let Some(journal) = self.journal.get() else { return Ok(()) };
        {
            let mut state = self.state.lock();
            match state.transactions.due_of(now_ms, id) {
                None => return Ok(()),
                Some(Due::Expired(event)) => {
                    return self.write(&journal, &mut state, event).map(drop);
                }
                Some(Due::TimedOut(ending)) => state.transactions.begin_ending(id, ending),
            }
        }
        tracing::info!(%id, "aborting a transaction that took too long");
        self.carry(id, None)
    }

    /// The state in records, with the offset it is of, for a snapshot.
    pub(crate) fn snapshot(&self, journal: &Journal) -> (Offset, Vec<Vec<u8>>) {
        let state = self.state.lock();
        let records = state.transactions.events().map(|event| event.encode()).collect();
        (journal.mark().upto, records)
    }

    /// The broker has stopped.
    pub(crate) fn close(&self) {
        self.carrier.close();
    }

    /// Journals an event and makes it so.
    pub(super) fn write(
        &self,
        journal: &Journal,
        state: &mut State,
        event: TransactionEvent,
    ) -> Result<DurableMark> {
        let mark = journal.append(&[event.encode()])?;
        state.transactions.apply(event, mark.upto);
        self.tell_due(state);
        Ok(mark)
    }

    /// Changes what is not journalled.
    pub(super) fn change(&self, change: impl FnOnce(&mut Transactions)) {
        let mut state = self.state.lock();
        change(&mut state.transactions);
        self.tell_due(&mut state);
    }

    /// Lets the I/O loop know of a timer earlier than it knows.
    fn tell_due(&self, state: &mut State) {
        if let Some(due_ms) = state.transactions.next_due()
            && due_ms < state.told_due_ms
        {
            state.told_due_ms = due_ms;
            self.services.want_tick();
        }
    }

    fn ticket(&self) -> Arc<Ticket> {
        Ticket::new(self.services.clock.monotonic().saturating_add(WAIT))
    }

    /// Asks; where the last transaction is still being ended, waits for that and asks again.
    async fn unless_concurrent<T>(
        &self,
        journal: &Journal,
        id: &str,
        mut attempt: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        loop {
            let error = match attempt() {
                Err(Error::Transaction(error)) => error,
                other => return other,
            };
            let ticket = self.ticket();
            let wait = matches!(error, TransactionError::Concurrent { .. })
                && self.carrier.attach(id, &ticket);
            if !wait || ticket.wait().await == Progress::Slow {
                return Err(self.refusal(journal, error).await);
            }
        }
    }

    /// A refusal holds once the state that judged it is durable.
    async fn refusal(&self, journal: &Journal, error: TransactionError) -> Error {
        match journal.wait(journal.mark()).await {
            Ok(()) => error.into(),
            Err(unknown) => unknown,
        }
    }
}

impl From<TransactionError> for Error {
    fn from(error: TransactionError) -> Error {
        Error::Transaction(error)
    }
}
