//! All transactional ids: what may be asked of each when, and what comes of it.
//!
//! Asking changes nothing: it gives an event, to be journalled and then applied. The one thing that
//! is not journalled is that an end has been asked for and waits for the data to be durable: after a
//! crash the transaction is open, and its client asks again.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use onrush_record::{Offset, ProducerId};

use super::event::TransactionEvent;
use super::state::{Ending, Identity, LAST_EPOCH, Transaction, TransactionState};
use super::{TransactionError, TransactionSettings};
use crate::group::{GROUP_ID_MAX_LEN, TopicPartition};

/// Longest transactional id, in bytes.
const ID_MAX_LEN: usize = 32 * 1024;

/// The most partitions of one transaction.
const PARTITIONS_MAX: usize = 1_000_000;
/// The most groups of one transaction.
///
/// Its decision is one record, with all that takes part. These bounds keep it below what the journal
/// takes: a transaction that had grown beyond that could be neither committed nor aborted.
const GROUPS_MAX: usize = 1_000;

/// What becomes of a producer that introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Init {
    /// This is who it is, once the event is durable.
    Given(Identity, TransactionEvent),
    /// It was told before who it is.
    Known(Identity),
    /// The transaction that is open has to be aborted first.
    Abort(Ending),
    /// Ask again with a fresh producer id.
    NeedsId,
}

/// What becomes of a request to end a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It has ended so before; this is who the producer is.
    Done(Identity),
    /// It is being ended so already.
    UnderWay(Identity),
    /// It can be ended so.
    Begin(Ending),
    /// It has ended so before; this is who the producer is, once the event is durable.
    Given(Identity, TransactionEvent),
    /// Ask again with a fresh producer id.
    NeedsId,
}

/// What has become due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// A transaction has taken too long: abort it.
    TimedOut(Ending),
    /// An id has not been used for long.
    Expired(TransactionEvent),
}

/// Every transactional id there is.
#[derive(Debug)]
pub(crate) struct Transactions {
    settings: TransactionSettings,
    by_id: BTreeMap<Arc<str>, Transaction>,
    /// Whose producer ids are whose: each current one, and that of the last decision.
    by_producer: HashMap<ProducerId, Arc<str>>,
    /// When something is due of which id.
    due: BTreeSet<(i64, Arc<str>)>,
}

impl Transactions {
    pub(crate) fn new(settings: TransactionSettings) -> Transactions {
        let (by_id, by_producer, due) = (BTreeMap::new(), HashMap::new(), BTreeSet::new());
        Transactions { settings, by_id, by_producer, due }
    }

    /// A producer says who it is, and, if it was given one before, its last identity.
    pub(crate) fn init(
        &self,
        now_ms: i64,
        id: &str,
        timeout_ms: i32,
        expected: Option<Identity>,
        fresh: Option<ProducerId>,
    ) -> Result<Init, TransactionError> {
        if id.is_empty() || id.len() > ID_MAX_LEN {
            return Err(TransactionError::InvalidId { len: id.len(), max: ID_MAX_LEN });
        }
        let max = self.settings.timeout_max_ms;
        if timeout_ms <= 0 || timeout_ms > max {
            return Err(TransactionError::InvalidTimeout { timeout_ms, max });
        }
        let Some(known) = self.by_id.get(id) else {
            let Some(fresh) = fresh else { return Ok(Init::NeedsId) };
            let current = Identity::first(fresh);
            return Ok(given(Transaction {
                id: Arc::from(id),
                current,
                // Forgotten here, but not by itself: it is to recognise its request sent again.
                previous: expected,
                marker: current,
                timeout_ms,
                state: TransactionState::Empty,
                partitions: BTreeMap::new(),
                groups: BTreeMap::new(),
                started_at_ms: -1,
                changed_at_ms: now_ms,
                ending: None,
            }));
        };
        known.check_settled()?;
        let again = match expected {
            Some(expected) => is_again(known, expected)?,
            None => false,
        };
        if known.state == TransactionState::Ongoing {
            let fencing = known.current.fencing();
            return Ok(Init::Abort(Ending { commits: false, next: fencing, marker: fencing }));
        }
        // The last epoch fences, and is nobody's.
        if again && known.current.epoch.get() <= LAST_EPOCH {
            return Ok(Init::Known(known.current));
        }
        let current = match (known.current.is_exhausted(), fresh) {
            (false, _) => known.current.fencing(),
            (true, Some(fresh)) => Identity::first(fresh),
            (true, None) => return Ok(Init::NeedsId),
        };
        Ok(given(Transaction {
            current,
            // Who comes without a word of before is new, and no request of the old one holds.
            previous: expected.map(|_| known.current),
            timeout_ms,
            state: TransactionState::Empty,
            started_at_ms: -1,
            changed_at_ms: now_ms,
            ..known.clone()
        }))
    }

    /// These are to take part in the producer's transaction, which begins with them if none is open.
    /// None: they do already.
    pub(crate) fn add(
        &self,
        now_ms: i64,
        id: &str,
        who: Identity,
        partitions: &[TopicPartition],
        groups: &[&str],
    ) -> Result<Option<TransactionEvent>, TransactionError> {
        let known = self.of(id, who)?;
        known.check(who)?;
        known.check_settled()?;
        let open = known.state == TransactionState::Ongoing;
        let partitions: BTreeSet<TopicPartition> = partitions.iter().copied().collect();
        let partitions: Vec<_> = partitions
            .into_iter()
            .filter(|partition| !open || !known.partitions.contains_key(partition))
            .collect();
        let groups: Vec<_> = groups
            .iter()
            .filter(|group| !open || !known.groups.contains_key(**group))
            .map(|group| (*group).to_owned())
            .collect();
        if partitions.is_empty() && groups.is_empty() {
            return Ok(None);
        }
        let before = if open { (known.partitions.len(), known.groups.len()) } else { (0, 0) };
        if before.0 + partitions.len() > PARTITIONS_MAX || before.1 + groups.len() > GROUPS_MAX {
            let reason = "at most 1000000 partitions and 1000 groups take part in one";
            return Err(known.invalid(reason));
        }
        if let Some(group) = groups.iter().find(|group| group.len() > GROUP_ID_MAX_LEN) {
            let (producer, group) = (who.producer, group.chars().take(100).collect());
            return Err(TransactionError::GroupNotAdded { producer, group });
        }
        let id = Arc::clone(&known.id);
        Ok(Some(TransactionEvent::Added { id, at_ms: now_ms, partitions, groups }))
    }

    /// The journal's end with which the last of these took part.
    pub(crate) fn added_at(
        &self,
        id: &str,
        partitions: &[TopicPartition],
        groups: &[&str],
    ) -> Offset {
        let Some(known) = self.by_id.get(id) else { return Offset::ZERO };
        let partitions = partitions.iter().filter_map(|at| known.partitions.get(at));
        let groups = groups.iter().filter_map(|group| known.groups.get(*group));
        partitions.chain(groups).copied().max().unwrap_or(Offset::ZERO)
    }

    /// A producer ends its transaction. With `bump` it is given a new epoch, such that nothing that
    /// it sent before can come after (KIP-890).
    pub(crate) fn end(
        &self,
        id: &str,
        who: Identity,
        commits: bool,
        bump: bool,
        fresh: Option<ProducerId>,
    ) -> Result<End, TransactionError> {
        use TransactionState::{
            CompleteAbort, CompleteCommit, Empty, Ongoing, PrepareAbort, PrepareCommit,
        };
        let known = self.of(id, who)?;
        let again = known.previous == Some(who) && known.current != who;
        if bump && again && known.current.epoch.get() > LAST_EPOCH {
            // It was fenced for taking too long, with the epoch that is nobody's: it is told what
            // has happened, as ever, and who it is from then on.
            match (known.state, commits, fresh) {
                (PrepareAbort, false, _) => {
                    return Err(TransactionError::Concurrent { id: id.to_owned() });
                }
                (CompleteAbort, false, None) => return Ok(End::NeedsId),
                (CompleteAbort, false, Some(fresh)) => {
                    let current = Identity::first(fresh);
                    let given = Transaction { current, ..known.clone() };
                    let event = TransactionEvent::Changed(Box::new(given));
                    return Ok(End::Given(current, event));
                }
                _ => {}
            }
        } else if bump && again {
            // Its answer was lost; or it was fenced for taking too long, and wants what has happened.
            match (known.state, commits) {
                (PrepareCommit, true) | (PrepareAbort, false) => {
                    return Ok(End::UnderWay(known.current));
                }
                (CompleteCommit, true) | (CompleteAbort, false) => {
                    return Ok(End::Done(known.current));
                }
                _ => {}
            }
        }
        known.check(who)?;
        if known.ending.is_some() {
            return Err(TransactionError::Concurrent { id: id.to_owned() });
        }
        let may_begin = match (known.state, commits) {
            (Ongoing, _) => true,
            (PrepareCommit, true) | (PrepareAbort, false) => {
                return Ok(End::UnderWay(known.current));
            }
            (PrepareCommit, false) => {
                return Err(known.invalid("it is decided that it is committed"));
            }
            (PrepareAbort, true) => return Err(known.invalid("it is decided that it is aborted")),
            // Those that get a new epoch each time may abort what never came to be.
            (Empty | CompleteCommit | CompleteAbort, false) if bump => true,
            (CompleteCommit, true) | (CompleteAbort, false) if !bump => {
                return Ok(End::Done(known.current));
            }
            _ => false,
        };
        if !may_begin {
            return Err(known.invalid("none is open"));
        }
        let (next, marker) = match (bump, known.current.is_exhausted(), fresh) {
            (false, ..) => (known.current, known.current),
            (true, false, _) => (known.current.fencing(), known.current.fencing()),
            (true, true, Some(fresh)) => (Identity::first(fresh), known.current.fencing()),
            (true, true, None) => return Ok(End::NeedsId),
        };
        Ok(End::Begin(Ending { commits, next, marker }))
    }

    /// From here on the transaction takes nothing in: its end waits for what it holds.
    pub(crate) fn begin_ending(&mut self, id: &str, ending: Ending) {
        self.change(id, |known| known.ending = Some(ending));
    }

    /// It cannot be ended so now: it is open as before.
    pub(crate) fn give_up_ending(&mut self, id: &str) {
        self.change(id, |known| known.ending = None);
    }

    /// The data is durable: the decision.
    pub(crate) fn decide(&self, now_ms: i64, id: &str) -> Option<TransactionEvent> {
        let known = self.by_id.get(id)?;
        let Ending { commits, next, marker } = known.ending?;
        // Once it has ended a transaction, the producer has heard who it is: no earlier identity
        // is asking for that again, and none is to be told what became of this one.
        let previous = (next != known.current).then_some(known.current);
        let state = match commits {
            true => TransactionState::PrepareCommit,
            false => TransactionState::PrepareAbort,
        };
        Some(TransactionEvent::Changed(Box::new(Transaction {
            current: next,
            previous,
            marker,
            state,
            changed_at_ms: now_ms,
            ending: None,
            ..known.clone()
        })))
    }

    /// Everyone concerned knows the decision.
    pub(crate) fn complete(&self, now_ms: i64, id: &str) -> Option<TransactionEvent> {
        let mut completed = self.by_id.get(id).filter(|known| known.state.is_prepared())?.clone();
        completed.complete(now_ms);
        Some(TransactionEvent::Changed(Box::new(completed)))
    }

    /// May this producer write to the partition as part of its transaction? The journal is durable
    /// up to `durable`.
    pub(crate) fn admits(
        &self,
        who: Identity,
        partition: TopicPartition,
        durable: Offset,
    ) -> Result<(), TransactionError> {
        let known = self.open_of(who)?;
        match known.and_then(|known| Some((known, *known.partitions.get(&partition)?))) {
            Some((known, from)) => known_durably(known, from, durable),
            None => {
                let ((topic, partition), producer) = (partition, who.producer);
                Err(TransactionError::NotAdded { producer, topic, partition })
            }
        }
    }

    /// The same for a group's offsets.
    pub(crate) fn admits_group(
        &self,
        who: Identity,
        group: &str,
        durable: Offset,
    ) -> Result<(), TransactionError> {
        let known = self.open_of(who)?;
        match known.and_then(|known| Some((known, *known.groups.get(group)?))) {
            Some((known, from)) => known_durably(known, from, durable),
            None => {
                let (producer, group) = (who.producer, group.to_owned());
                Err(TransactionError::GroupNotAdded { producer, group })
            }
        }
    }

    /// The transaction that this producer has open and is not ending.
    fn open_of(&self, who: Identity) -> Result<Option<&Transaction>, TransactionError> {
        let known = self.by_producer.get(&who.producer).and_then(|id| self.by_id.get(id));
        let Some(known) = known else {
            let (id, producer) = (String::new(), who.producer);
            return Err(TransactionError::ProducerIdMapping { id, producer });
        };
        known.check(who)?;
        let open = known.state == TransactionState::Ongoing && known.ending.is_none();
        Ok(open.then_some(known))
    }

    /// The transactional id of a producer.
    pub(crate) fn id_of(&self, producer: ProducerId) -> Option<Arc<str>> {
        self.by_producer.get(&producer).cloned()
    }

    /// Does a transaction of this producer, open or decided, know that this partition is part of it?
    pub(crate) fn concerns(&self, producer: ProducerId, partition: TopicPartition) -> bool {
        let known = self.by_producer.get(&producer).and_then(|id| self.by_id.get(id));
        known.is_some_and(|known| known.partitions.contains_key(&partition))
    }

    /// The ids of which something is due by `now_ms`. It stays due until it is done.
    pub(crate) fn due(&self, now_ms: i64) -> Vec<Arc<str>> {
        let due = self.due.iter().take_while(|(at_ms, _)| *at_ms <= now_ms);
        due.map(|(_, id)| Arc::clone(id)).collect()
    }

    /// What is due of an id. To be asked at the very moment at which it is done: the producer may
    /// have ended its transaction, or begun one, since the id was found to be due.
    pub(crate) fn due_of(&self, now_ms: i64, id: &str) -> Option<Due> {
        let known = self.by_id.get(id)?;
        self.due_at(known).filter(|at_ms| *at_ms <= now_ms)?;
        if known.state != TransactionState::Ongoing {
            return Some(Due::Expired(TransactionEvent::Removed { id: Arc::clone(&known.id) }));
        }
        let fencing = known.current.fencing();
        Some(Due::TimedOut(Ending { commits: false, next: fencing, marker: fencing }))
    }

    /// When something is due next.
    pub(crate) fn next_due(&self) -> Option<i64> {
        self.due.first().map(|(at_ms, _)| *at_ms)
    }

    /// Those that are decided, but not carried out.
    pub(crate) fn prepared(&self) -> Vec<Arc<str>> {
        let prepared = self.by_id.values().filter(|known| known.state.is_prepared());
        prepared.map(|known| Arc::clone(&known.id)).collect()
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Transaction> {
        self.by_id.get(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Transaction> {
        self.by_id.values()
    }

    /// Makes an event so, whose record ends at `upto` in the journal.
    pub(crate) fn apply(&mut self, event: TransactionEvent, upto: Offset) {
        match event {
            TransactionEvent::Changed(transaction) => {
                let id = Arc::clone(&transaction.id);
                self.forget(&id);
                self.remember(*transaction);
            }
            TransactionEvent::Added { id, at_ms, partitions, groups } => {
                self.change(&id, |known| {
                    if known.state != TransactionState::Ongoing {
                        known.state = TransactionState::Ongoing;
                        known.started_at_ms = at_ms;
                    }
                    known.changed_at_ms = at_ms;
                    let with = |partition| (partition, upto);
                    known.partitions.extend(partitions.into_iter().map(with));
                    known.groups.extend(groups.into_iter().map(|group| (group, upto)));
                });
            }
            TransactionEvent::Removed { id } => drop(self.forget(&id)),
        }
    }

    /// The events that make an empty [`Transactions`] into this one.
    pub(crate) fn events(&self) -> impl Iterator<Item = TransactionEvent> {
        self.by_id.values().map(|known| TransactionEvent::Changed(Box::new(known.clone())))
    }

    fn of(&self, id: &str, who: Identity) -> Result<&Transaction, TransactionError> {
        self.by_id.get(id).ok_or_else(|| {
            let (id, producer) = (id.to_owned(), who.producer);
            TransactionError::ProducerIdMapping { id, producer }
        })
    }

    fn change(&mut self, id: &str, change: impl FnOnce(&mut Transaction)) {
        if let Some(mut known) = self.forget(id) {
            change(&mut known);
            self.remember(known);
        }
    }

    /// Takes a transactional id out of every index.
    fn forget(&mut self, id: &str) -> Option<Transaction> {
        let known = self.by_id.remove(id)?;
        self.by_producer.remove(&known.current.producer);
        self.by_producer.remove(&known.marker.producer);
        if let Some(at_ms) = self.due_at(&known) {
            self.due.remove(&(at_ms, Arc::clone(&known.id)));
        }
        Some(known)
    }

    fn remember(&mut self, known: Transaction) {
        self.by_producer.insert(known.current.producer, Arc::clone(&known.id));
        self.by_producer.insert(known.marker.producer, Arc::clone(&known.id));
        if let Some(at_ms) = self.due_at(&known) {
            self.due.insert((at_ms, Arc::clone(&known.id)));
        }
        self.by_id.insert(Arc::clone(&known.id), known);
    }

    /// What is put off to the end of time never comes.
    fn due_at(&self, known: &Transaction) -> Option<i64> {
        let expires_at = || known.expires_at(self.settings.id_expiration_ms);
        known.times_out_at().or_else(expires_at).filter(|at_ms| *at_ms < i64::MAX)
    }
}

fn given(transaction: Transaction) -> Init {
    Init::Given(transaction.current, TransactionEvent::Changed(Box::new(transaction)))
}

/// Whether who comes with this identity has been given a newer one, and does not know.
fn is_again(known: &Transaction, expected: Identity) -> Result<bool, TransactionError> {
    if expected == known.current {
        return Ok(false);
    }
    let settled = known.state != TransactionState::Ongoing;
    if settled && known.previous == Some(expected) {
        return Ok(true);
    }
    let (producer, found) = (expected.producer, expected.epoch);
    Err(TransactionError::Fenced { producer, current: known.current.epoch, found })
}

/// Nothing may be written before a crash can no longer take back that it belongs to the transaction.
fn known_durably(
    known: &Transaction,
    from: Offset,
    durable: Offset,
) -> Result<(), TransactionError> {
    if from <= durable {
        return Ok(());
    }
    Err(TransactionError::Concurrent { id: known.id.to_string() })
}
