//! Taking transactions to their end, step by step, as what each step waits for becomes durable.
//!
//! First the data: what is to be committed has to be on stable storage. Then the decision: one record
//! in the journal. Then the markers in the partitions and the word to the groups. Then the record
//! that all of that is done. Nothing here waits: [`TransactionCoordinator::go_on`] is called when
//! something has become durable, looks how far each end has come, and takes it on from there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use onrush_record::batch::Marker;
use parking_lot::Mutex;

use super::TransactionError;
use super::coordinator::TransactionCoordinator;
use super::state::{Identity, TransactionState};
use super::ticket::{Progress, Ticket};
use crate::group::TopicPartition;
use crate::journal::Journal;
use crate::shared_log::SharedLog;
use crate::{DurableMark, Error, Result, Settled};

/// A point of some log that has to become durable.
type Awaited = (Arc<SharedLog>, DurableMark);

/// Every end that is under way.
#[derive(Debug, Default)]
pub(super) struct Carrier {
    carried: Mutex<BTreeMap<Arc<str>, Carried>>,
    /// How many they are, for those who look often.
    count: AtomicUsize,
    /// Some of them are tried again as time passes.
    retrying: AtomicBool,
}

/// One end under way.
#[derive(Debug)]
struct Carried {
    step: Step,
    tickets: Vec<Arc<Ticket>>,
    /// What went wrong last, so that it is told once.
    trouble: Option<Error>,
}

#[derive(Debug)]
enum Step {
    /// What it covers has to be durable.
    Gathering(Vec<Awaited>),
    /// The decision has to be.
    Deciding(DurableMark),
    /// Everyone concerned has to know.
    Telling(Telling),
}

/// Who does not know yet, or not durably.
#[derive(Debug)]
struct Telling {
    commits: bool,
    /// What the markers carry.
    marker: Identity,
    partitions: Vec<(TopicPartition, Option<Awaited>)>,
    groups: Vec<(String, Option<Awaited>)>,
}

/// What became of a step.
enum Stepped {
    /// Go on with this one.
    Next(Step),
    /// It waits.
    Stays,
    /// It is over.
    Over(Progress),
}

impl Carrier {
    pub(super) fn is_idle(&self) -> bool {
        self.count.load(Ordering::SeqCst) == 0
    }

    /// Gives one who waits for the end of `id`, if one is under way.
    pub(super) fn attach(&self, id: &str, ticket: &Arc<Ticket>) -> bool {
        let mut carried = self.carried.lock();
        let Some(carried) = carried.get_mut(id) else { return false };
        if matches!(carried.step, Step::Telling(_)) {
            ticket.tell(Progress::Decided);
        }
        carried.tickets.push(Arc::clone(ticket));
        true
    }

    fn insert(&self, id: Arc<str>, step: Step, ticket: Option<Arc<Ticket>>) {
        let mut carried = self.carried.lock();
        let tickets = ticket.into_iter().collect();
        carried.insert(id, Carried { step, tickets, trouble: None });
        self.count.store(carried.len(), Ordering::SeqCst);
    }

    /// The broker has stopped: who waits learns that it is over.
    pub(super) fn close(&self) {
        for carried in self.carried.lock().values() {
            let progress = match carried.step {
                Step::Gathering(_) => Progress::Failed(Error::ShuttingDown),
                Step::Deciding(_) => Progress::Failed(Error::Unknown {
                    reason: "the broker stopped before the decision was durable".to_owned(),
                }),
                Step::Telling(_) => Progress::Slow,
            };
            tell_all(&carried.tickets, &progress);
        }
    }
}

impl TransactionCoordinator {
    /// Sees an end through that was begun in the state: the data first.
    ///
    /// # Errors
    /// Why it cannot be: the transaction is open as before then.
    pub(super) fn carry(&self, id: &Arc<str>, ticket: Option<Arc<Ticket>>) -> Result<()> {
        match self.before_decision(id) {
            Ok(awaited) => {
                self.carrier.insert(Arc::clone(id), Step::Gathering(awaited), ticket);
                self.go_on();
                Ok(())
            }
            Err(error) => {
                self.give_up(id);
                Err(error)
            }
        }
    }

    /// Carries out what was decided before the last stop.
    pub(super) fn resume(&self, id: &Arc<str>) {
        if let Some(telling) = self.telling(id) {
            self.carrier.insert(Arc::clone(id), Step::Telling(telling), None);
        }
    }

    /// What has to be durable before the decision. An abort counts on nothing.
    fn before_decision(&self, id: &str) -> Result<Vec<Awaited>> {
        let (producer, partitions, groups) = {
            let state = self.state.lock();
            let known = state.transactions.get(id);
            match known.and_then(|known| Some((known, known.ending?))) {
                Some((known, ending)) if ending.commits => {
                    let (partitions, groups) = known.participants();
                    (known.current.producer, partitions, groups)
                }
                _ => return Ok(Vec::new()),
            }
        };
        let mut awaited = Vec::with_capacity(partitions.len() + 1);
        for (topic, partition) in partitions {
            // One whose topic was deleted since has nothing left to commit.
            let Some(topic) = self.catalog.get(topic) else { continue };
            let partition = topic.partition(partition)?;
            awaited.push((Arc::clone(partition.log()), partition.before_commit(producer)?));
        }
        if !groups.is_empty() {
            awaited.extend(self.groups.awaited());
        }
        Ok(awaited)
    }

    /// Who has to be told what was decided of `id`.
    fn telling(&self, id: &str) -> Option<Telling> {
        let state = self.state.lock();
        let known = state.transactions.get(id).filter(|known| known.state.is_prepared())?;
        let (partitions, groups) = known.participants();
        Some(Telling {
            commits: known.state == TransactionState::PrepareCommit,
            marker: known.marker,
            partitions: partitions.into_iter().map(|partition| (partition, None)).collect(),
            groups: groups.into_iter().map(|group| (group, None)).collect(),
        })
    }

    /// Something may have become durable: goes on with what waits for it.
    pub(crate) fn go_on(&self) {
        if self.advance() && !self.carrier.retrying.swap(true, Ordering::SeqCst) {
            self.services.want_tick();
        }
    }

    /// The same as time passes. True while there is something to be tried again.
    pub(super) fn retry(&self) -> bool {
        let again = self.advance();
        self.carrier.retrying.store(again, Ordering::SeqCst);
        again
    }

    /// Takes every end that is under way as far as it goes now. True when one has to be looked at
    /// again though nothing may become durable until then.
    fn advance(&self) -> bool {
        if self.carrier.is_idle() {
            return false;
        }
        let Some(journal) = self.journal.get() else { return false };
        let mut carried = self.carrier.carried.lock();
        let now = self.services.clock.monotonic();
        let mut again = false;
        carried.retain(|id, carried| {
            let over = loop {
                match self.step(&journal, id, carried) {
                    Stepped::Next(step) => carried.step = step,
                    Stepped::Stays => break false,
                    Stepped::Over(progress) => {
                        tell_all(&carried.tickets, &progress);
                        break true;
                    }
                }
            };
            if let Step::Telling(_) = carried.step
                && !over
            {
                carried.tickets.retain(|ticket| {
                    let wait = now < ticket.until;
                    if !wait {
                        ticket.tell(Progress::Slow);
                    }
                    wait
                });
            }
            again |= !over && carried.trouble.is_some();
            !over
        });
        self.carrier.count.store(carried.len(), Ordering::SeqCst);
        again
    }

    fn step(&self, journal: &Journal, id: &Arc<str>, carried: &mut Carried) -> Stepped {
        let Carried { step, tickets, trouble } = carried;
        match step {
            Step::Gathering(awaited) => {
                for (log, mark) in awaited {
                    match log.settled(*mark) {
                        Settled::Durable => {}
                        Settled::Pending => return Stepped::Stays,
                        Settled::Failed(error) => {
                            self.give_up(id);
                            return Stepped::Over(Progress::Failed(error));
                        }
                    }
                }
                match self.decide(journal, id) {
                    Ok(mark) => Stepped::Next(Step::Deciding(mark)),
                    Err(error) => {
                        self.give_up(id);
                        Stepped::Over(Progress::Failed(error))
                    }
                }
            }
            Step::Deciding(mark) => match journal.log().settled(*mark) {
                Settled::Durable => match self.telling(id) {
                    Some(telling) => {
                        tell_all(tickets, &Progress::Decided);
                        Stepped::Next(Step::Telling(telling))
                    }
                    None => Stepped::Over(Progress::Done),
                },
                Settled::Pending => Stepped::Stays,
                Settled::Failed(error) => {
                    // Who asked is told that nobody can tell. If the journal lost the decision it is
                    // disabled until a restart; else it is carried out once its log is sound again.
                    tell_all(tickets, &Progress::Failed(error.clone()));
                    tickets.clear();
                    *trouble = Some(error);
                    if !journal.log().is_failed() && journal.check().is_ok() {
                        *mark = journal.mark();
                    }
                    Stepped::Stays
                }
            },
            Step::Telling(telling) => {
                let met = self.tell(telling).err();
                if let Some(error) = &met
                    && trouble.is_none()
                    && *error != Error::ShuttingDown
                {
                    tracing::warn!(%id, %error, "a decided transaction is not carried out yet");
                }
                *trouble = met;
                if !telling.partitions.is_empty() || !telling.groups.is_empty() {
                    return Stepped::Stays;
                }
                match self.complete(journal, id) {
                    Ok(()) => Stepped::Over(Progress::Done),
                    Err(error) => {
                        *trouble = Some(error);
                        Stepped::Stays
                    }
                }
            }
        }
    }

    /// Tells those who do not know yet, and takes out who knows durably. The error is the last of
    /// those that came in the way: it is tried again.
    fn tell(&self, telling: &mut Telling) -> Result<()> {
        let mut outcome = Ok(());
        let Telling { commits, marker, partitions, groups } = telling;
        let (commits, marker) = (*commits, *marker);
        partitions.retain_mut(|(partition, awaited)| {
            tell_one(awaited, &mut outcome, || self.mark(*partition, commits, marker))
        });
        groups.retain_mut(|(group, awaited)| {
            let tell = || self.groups.end_transaction(group, marker.producer, commits);
            tell_one(awaited, &mut outcome, tell)
        });
        outcome
    }

    /// Ends the transaction in one partition. None: it is gone.
    fn mark(
        &self,
        (topic, partition): TopicPartition,
        commits: bool,
        marker: Identity,
    ) -> Result<Option<Awaited>> {
        let Some(topic) = self.catalog.get(topic) else { return Ok(None) };
        let partition = topic.partition(partition)?;
        let ended = Marker { commits, coordinator_epoch: self.epoch() };
        let mark = partition.end_transaction(marker.producer, marker.epoch, ended)?;
        Ok(mark.map(|mark| (Arc::clone(partition.log()), mark)))
    }

    fn give_up(&self, id: &str) {
        self.change(|transactions| transactions.give_up_ending(id));
    }

    fn decide(&self, journal: &Journal, id: &str) -> Result<DurableMark> {
        let now_ms = self.services.clock.now_ms();
        let mut state = self.state.lock();
        let decision = state
            .transactions
            .decide(now_ms, id)
            .ok_or_else(|| Error::from(TransactionError::UnknownId { id: id.to_owned() }))?;
        self.write(journal, &mut state, decision)
    }

    fn complete(&self, journal: &Journal, id: &str) -> Result<()> {
        let now_ms = self.services.clock.now_ms();
        let mut state = self.state.lock();
        match state.transactions.complete(now_ms, id) {
            // Nobody waits for it: what a crash takes back is done once more, and changes nothing.
            Some(completed) => self.write(journal, &mut state, completed).map(drop),
            None => Ok(()),
        }
    }
}

fn tell_all(tickets: &[Arc<Ticket>], progress: &Progress) {
    tickets.iter().for_each(|ticket| ticket.tell(progress.clone()));
}

/// True while the one told does not know durably.
fn tell_one(
    awaited: &mut Option<Awaited>,
    outcome: &mut Result<()>,
    tell: impl FnOnce() -> Result<Option<Awaited>>,
) -> bool {
    if awaited.is_none() {
        match tell() {
            Ok(Some(told)) => *awaited = Some(told),
            Ok(None) => return false,
            Err(error) => {
                *outcome = Err(error);
                return true;
            }
        }
    }
    let Some((log, mark)) = awaited else { return true };
    match log.settled(*mark) {
        Settled::Durable => false,
        Settled::Pending => true,
        // A deleted topic shows when it is told again.
        Settled::Failed(error) => {
            *awaited = None;
            *outcome = Err(error);
            true
        }
    }
}
