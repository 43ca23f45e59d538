//! What the handles of a producer and its link's task share.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use onrush_protocol::request::Acks;
use onrush_record::batch::Codec;
use onrush_sys::Clock;
use parking_lot::{Mutex, RwLock};
use tokio::sync::Notify;

use super::batch::{Batch, Identity};
use super::delivery::Delivery;
use super::outcome::final_error;
use super::phase::Transactions;
use super::pool::Pool;
use super::pump::PumpState;
use super::queue::Limits;
use super::record::NewRecord;
use super::split::Pieces;
use super::topic::{Refusal, TopicQueue};
use super::unsettled::Unsettled;
use crate::error::Error;
use crate::metadata::TopicInfo;
use crate::net::link::LinkShared;

/// A producer without its handles.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) me: Weak<Self>,
    pub(super) link: Arc<LinkShared>,
    pub(super) acks: Acks,
    pub(super) codec: Codec,
    pub(super) batch_bytes: usize,
    /// Full batches that one partition may have waiting.
    pub(super) full_batches_max: usize,
    pub(super) limits: Limits,
    pub(super) pool: Arc<Pool>,
    buffer_bytes: usize,
    /// Bytes of the buffer that are taken.
    buffered: AtomicUsize,
    /// Rung when bytes of the buffer become free.
    pub(super) room: Notify,
    /// Whoever sends next should let the link's task run first: a batch is full, and still in cache.
    yield_asked: AtomicBool,
    /// The first topic that was sent to, found without a lock; most producers have no other.
    first: OnceLock<Arc<TopicQueue>>,
    topics: RwLock<HashMap<Arc<str>, Arc<TopicQueue>>>,
    /// Partitions with something to do.
    pub(super) ready: Mutex<Vec<(Arc<TopicQueue>, usize)>>,
    unsettled: Mutex<Unsettled>,
    /// Rung when a batch is settled while somebody flushes.
    pub(super) settled: Notify,
    pub(super) flushing: AtomicUsize,
    closed: AtomicBool,
    /// Takes no records: it is closed, or no transaction is open.
    shut: AtomicBool,
    /// What fails is not sent again: its transaction is being aborted.
    pub(super) giving_up: AtomicBool,
    pub(super) transactions: Option<Transactions>,
    pub(super) pump: Mutex<PumpState>,
    identity: Mutex<Identity>,
    seed: AtomicU64,
}

/// How a producer is set up.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) acks: Acks,
    pub(super) codec: Codec,
    pub(super) batch_bytes: usize,
    pub(super) buffer_bytes: usize,
    pub(super) partition_buffer_bytes: usize,
    pub(super) limits: Limits,
}

impl Core {
    pub(super) fn new(
        link: Arc<LinkShared>,
        settings: &Settings,
        transactions: Option<Transactions>,
    ) -> Arc<Self> {
        // Room for a batch, and for the encoder to write past its end.
        const SLACK: usize = 256;
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            link,
            acks: settings.acks,
            codec: settings.codec,
            batch_bytes: settings.batch_bytes,
            full_batches_max: (settings.partition_buffer_bytes / settings.batch_bytes).max(2),
            limits: settings.limits,
            pool: Pool::new(settings.batch_bytes + SLACK),
            buffer_bytes: settings.buffer_bytes,
            buffered: AtomicUsize::new(0),
            room: Notify::new(),
            yield_asked: AtomicBool::new(false),
            first: OnceLock::new(),
            topics: RwLock::default(),
            ready: Mutex::default(),
            unsettled: Mutex::new(Unsettled::new()),
            settled: Notify::new(),
            flushing: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            shut: AtomicBool::new(transactions.is_some()),
            giving_up: AtomicBool::new(false),
            transactions,
            pump: Mutex::default(),
            identity: Mutex::new(Identity::NONE),
            seed: AtomicU64::new(0),
        })
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.link.config.clock
    }

    /// Sets who the producer is; topics learned from now on start with it.
    pub(super) fn set_identity(&self, identity: Identity) {
        *self.identity.lock() = identity;
        // Producers start with different partitions, whoever they are.
        self.seed.store(identity.id.get().unsigned_abs(), Ordering::Relaxed);
    }

    pub(super) fn identity(&self) -> Identity {
        *self.identity.lock()
    }

    /// Whether records are taken. Asked under the lock of a topic.
    #[inline]
    pub(super) fn is_shut(&self) -> bool {
        self.shut.load(Ordering::Relaxed)
    }

    /// Why none are taken.
    #[cold]
    pub(super) fn why_shut(&self) -> Error {
        match &self.transactions {
            Some(all) if !self.closed.load(Ordering::Relaxed) => {
                // It may have been opened again since.
                let text = "the transaction has just ended: begin() the next first";
                all.check_open().err().unwrap_or_else(|| Error::invalid(text))
            }
            _ => Error::Closed,
        }
    }

    /// Takes records from here on, or takes none.
    pub(super) fn set_shut(&self, shut: bool) {
        self.shut.store(shut || self.closed.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Begins a transaction.
    pub(super) fn begin(&self, all: &Transactions) -> Result<(), Error> {
        // Else one that another clone has begun meanwhile would be numbered anew half-way.
        let _one_at_a_time = all.beginning.lock();
        all.begin()?;
        // Whoever takes a topic's lock from here on sees which transaction it is.
        self.renew_all();
        // Another clone may have ended it already, and shut it.
        all.while_open(|| self.set_shut(false));
        Ok(())
    }

    /// Which transaction it is, if it has any.
    pub(super) fn transaction(&self) -> u64 {
        self.transactions.as_ref().map_or(0, Transactions::number)
    }

    /// Why a record for the transaction of this number is not taken now, if so. Asked under the lock
    /// of its topic.
    pub(super) fn check_takes(&self, transaction: u64) -> Result<(), Refusal> {
        if self.is_shut() {
            return Err(Refusal::Shut(self.why_shut()));
        }
        match &self.transactions {
            Some(all) => all.check_number(transaction).map_err(Refusal::Shut),
            None => Ok(()),
        }
    }

    /// Waits out whoever found it open and is putting a record into a batch right now.
    pub(super) fn wait_for_senders(&self) {
        self.all_topics().iter().for_each(|topic| drop(topic.state.lock()));
    }

    /// Numbers every partition's records anew, as who the producer is now.
    pub(super) fn renew_all(&self) {
        let identity = self.identity();
        for topic in self.all_topics() {
            topic.state.lock().partitions.iter_mut().for_each(|queue| queue.renew(identity));
        }
    }

    /// Fails what was not sent yet, and waits for the answers to what was; nothing is sent again.
    pub(super) async fn drop_unsent(&self) {
        let _giving_up = GivingUp::new(self);
        self.fail_unsent(&Error::Aborted);
        self.flushed().await;
    }

    /// Puts a record into its batch if there is nothing to it.
    #[inline(always)]
    pub(super) fn append_fast(&self, record: &NewRecord<'_>) -> Option<Delivery> {
        let topic = self.first.get()?;
        if !same_name(&topic.name, record.topic) {
            return None;
        }
        topic.append_fast(self, record)
    }

    /// Puts a record into its batch, if `transaction` is still the one that is open.
    #[cold]
    pub(super) fn append(
        &self,
        record: &NewRecord<'_>,
        transaction: u64,
    ) -> Result<Delivery, Refusal> {
        if self.is_shut() {
            return Err(Refusal::Shut(self.why_shut()));
        }
        match self.first.get() {
            Some(topic) if *topic.name == *record.topic => topic.append(self, record, transaction),
            _ => self.append_to_other(record, transaction),
        }
    }

    fn append_to_other(
        &self,
        record: &NewRecord<'_>,
        transaction: u64,
    ) -> Result<Delivery, Refusal> {
        match self.topics.read().get(record.topic) {
            Some(topic) => topic.append(self, record, transaction),
            None => Err(Refusal::Unknown),
        }
    }

    /// Takes over what the broker says about a topic.
    pub(super) fn learn(&self, info: &TopicInfo) -> Result<(), Error> {
        if info.partitions == 0 {
            return Err(Error::invalid(format_args!("topic {} has no partitions", info.name)));
        }
        let now = self.clock().monotonic();
        let mut topics = self.topics.write();
        // Under that lock: whoever renews all topics either finds this one, or had set who the
        // producer is before it was asked here. Else it could go on with an epoch that is fenced.
        let identity = *self.identity.lock();
        if let Some(topic) = topics.get(&info.name) {
            topic.state.lock().update(info, identity, now);
        } else {
            let seed = usize::try_from(self.seed.load(Ordering::Relaxed)).unwrap_or_default();
            let topic = Arc::new(TopicQueue::new(info, identity, seed, self.batch_bytes, now));
            self.first.get_or_init(|| Arc::clone(&topic));
            topics.insert(Arc::clone(&topic.name), topic);
        }
        Ok(())
    }

    /// Every topic that was sent to.
    pub(super) fn all_topics(&self) -> Vec<Arc<TopicQueue>> {
        self.topics.read().values().cloned().collect()
    }

    /// Tells the link's task that a partition has something to do.
    pub(super) fn list(&self, topic: &Arc<TopicQueue>, partition: usize) {
        let was_empty = {
            let mut ready = self.ready.lock();
            ready.push((Arc::clone(topic), partition));
            ready.len() == 1
        };
        if was_empty {
            self.link.wake();
        }
    }

    /// Lists every partition that has something to send.
    pub(super) fn list_all(&self) {
        for topic in self.all_topics() {
            let mut state = topic.state.lock();
            for (partition, queue) in state.partitions.iter_mut().enumerate() {
                if !queue.listed && queue.has_work() {
                    queue.listed = true;
                    self.list(&topic, partition);
                }
            }
        }
        self.link.wake();
    }

    /// Takes bytes of the buffer. An empty buffer gives any amount.
    pub(super) fn reserve(&self, bytes: usize) -> bool {
        let before = self.buffered.fetch_add(bytes, Ordering::Relaxed);
        let fits = before == 0 || before + bytes <= self.buffer_bytes;
        if !fits {
            self.buffered.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }

    /// The largest record worth trying.
    pub(super) fn max_record_bytes(&self) -> usize {
        // A frame has a header, a request and the batch's header besides.
        const AROUND: usize = 4 << 10;
        let frame = self.link.max_frame.load(Ordering::Relaxed) as usize;
        self.buffer_bytes.min(frame.saturating_sub(AROUND))
    }

    pub(super) fn opened_batch(&self) -> u64 {
        self.unsettled.lock().opened()
    }

    /// A batch became several, all of which a flush has to wait for.
    pub(super) fn opened_pieces(&self, batch: &Batch, pieces: &Pieces) {
        self.unsettled.lock().opened_more(batch.generation, pieces.batches.len() - 1);
    }

    pub(super) fn ask_to_yield(&self) {
        self.yield_asked.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn take_yield(&self) -> bool {
        self.yield_asked.load(Ordering::Relaxed) && self.yield_asked.swap(false, Ordering::Relaxed)
    }

    /// Ends a batch's life: tells its records, gives back its room.
    pub(super) fn finish(
        &self,
        topic: &TopicQueue,
        partition: usize,
        batch: Batch,
        outcome: Result<Option<onrush_record::Offset>, Error>,
    ) {
        let partition = u32::try_from(partition).unwrap_or(u32::MAX);
        if let Err(error) = &outcome {
            // Before anyone who waits for it hears of it.
            self.fail_transaction(self.transaction(), error);
        }
        batch.completion.complete(outcome.map(|first| (partition, first)).map_err(|error| {
            tracing::debug!(topic = &*topic.name, partition, %error, "batch not delivered");
            error
        }));
        self.buffered.fetch_sub(batch.reserved, Ordering::Relaxed);
        self.unsettled.lock().settled(batch.generation);
        self.room.notify_waiters();
        if self.flushing.load(Ordering::Acquire) > 0 {
            self.settled.notify_waiters();
        }
    }

    /// Ends the generation of batches that a flush waits for.
    pub(super) fn end_generation(&self) -> u64 {
        self.unsettled.lock().end_generation()
    }

    pub(super) fn is_settled(&self, generation: u64) -> bool {
        self.unsettled.lock().is_settled(generation)
    }

    pub(super) fn nothing_unsettled(&self) -> bool {
        self.unsettled.lock().is_empty()
    }

    /// Takes no more records.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.set_shut(true);
    }

    /// Fails what has waited for too long.
    pub(super) fn expire(&self, now: Duration) {
        for topic in self.all_topics() {
            let partitions = topic.state.lock().partitions.len();
            for partition in 0..partitions {
                let late = topic.state.lock().partitions[partition].expired(now, &self.limits);
                for batch in late {
                    let error = final_error(&topic.name, partition, &batch, &self.limits);
                    self.finish(&topic, partition, batch, Err(error));
                }
            }
        }
    }

    /// Fails everything: the link's task is gone.
    pub(super) fn fail_all(&self) {
        self.close();
        self.fail_unsent(&Error::Closed);
    }

    /// Fails all that is not under way: because of `why`, unless it was sent before and may have
    /// been appended then.
    fn fail_unsent(&self, why: &Error) {
        for topic in self.all_topics() {
            let partitions = topic.state.lock().partitions.len();
            for partition in 0..partitions {
                let rest = topic.state.lock().partitions[partition].drain();
                for batch in rest {
                    let error = match &batch.last_error {
                        Some(last) if batch.may_have_happened => batch.told(last.clone()),
                        _ => why.clone(),
                    };
                    self.finish(&topic, partition, batch, Err(error));
                }
            }
        }
    }

    /// Waits until all batches there are now are settled.
    pub(super) async fn flushed(&self) {
        let generation = self.end_generation();
        let _hurry = Hurry::new(self);
        self.list_all();
        loop {
            let mut settled = pin!(self.settled.notified());
            settled.as_mut().enable();
            if self.is_settled(generation) {
                return;
            }
            settled.await;
        }
    }
}

/// While it lives, batches are sent without lingering.
struct Hurry<'a>(&'a Core);

impl<'a> Hurry<'a> {
    fn new(core: &'a Core) -> Self {
        core.flushing.fetch_add(1, Ordering::AcqRel);
        Self(core)
    }
}

impl Drop for Hurry<'_> {
    fn drop(&mut self) {
        self.0.flushing.fetch_sub(1, Ordering::AcqRel);
    }
}

/// While it lives, what fails is not sent again.
struct GivingUp<'a>(&'a Core);

impl<'a> GivingUp<'a> {
    fn new(core: &'a Core) -> Self {
        core.giving_up.store(true, Ordering::Release);
        Self(core)
    }
}

impl Drop for GivingUp<'_> {
    fn drop(&mut self) {
        self.0.giving_up.store(false, Ordering::Release);
    }
}

/// Whether two names are the same, by words: a call of `memcmp` for each record would cost more.
#[inline]
fn same_name(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let ((words, rest), (other_words, other_rest)) = (one.as_chunks::<8>(), other.as_chunks::<8>());
    let same = |(a, b): (&[u8; 8], &[u8; 8])| u64::from_ne_bytes(*a) == u64::from_ne_bytes(*b);
    one.len() == other.len()
        && words.iter().zip(other_words).all(same)
        && rest.iter().zip(other_rest).all(|(a, b)| a == b)
}

#[cfg(test)]
mod tests;
