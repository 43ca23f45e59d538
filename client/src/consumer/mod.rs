//! Reading records.
//!
//! The broker pushes batches against byte credits; the link's task queues them (`feed`), a poll
//! verifies them piece by piece (`slot`) and hands them out where they were received (`polled`).
//! Heartbeats run by themselves (`membership`); what the group asks for is done by polls
//! (`rebalance`), so that nothing is taken away from under the application.

mod builder;
mod commit;
mod feed;
mod listener;
mod membership;
mod polled;
mod rebalance;
mod slot;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::select;
use onrush_protocol::ErrorCode;
use onrush_record::Offset;
use tokio::task::JoinHandle;

pub use self::builder::{ConsumerBuilder, Start};
use self::feed::{Arrived, Feed, Wanted, What};
pub use self::listener::{Commits, RebalanceListener};
use self::membership::Membership;
pub use self::polled::{Polled, PolledRecords};
use self::slot::{Current, Piece, Scratch, Slot};
use crate::error::{Error, Kind, Result};
use crate::metadata::{TopicInfo, TopicPartition};
use crate::net::link::Link;

/// The least credit of a subscription.
const LEAST_CREDIT: u64 = 64 << 10;

/// Pause before a partition that could not be read is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// How a consumer is set up.
#[derive(Clone)]
pub(crate) struct Settings {
    group: Option<Arc<str>>,
    start: Start,
    auto_commit: Option<Duration>,
    credit_bytes: u64,
    decompressed_bytes: usize,
    listener: Option<Arc<dyn RebalanceListener>>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("group", &self.group)
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

/// Reads records of some partitions.
///
/// A position is kept for each: the next record to hand out. A group remembers positions that were
/// committed. Dropping a consumer leaves its group, without committing; [`close`](Self::close)
/// commits first when that is automatic.
pub struct Consumer {
    link: Option<Link>,
    feed: Arc<Feed>,
    settings: Settings,
    membership: Option<Arc<Membership>>,
    heartbeats: Option<JoinHandle<()>>,
    slots: BTreeMap<TopicPartition, Slot>,
    subscriptions: HashMap<u32, TopicPartition>,
    current: Option<Current>,
    piece: Piece,
    scratch: Scratch,
    next_commit: Option<Duration>,
    revoking: Vec<TopicPartition>,
    revoked_commits: Option<Commits>,
    /// Something has changed that may make a slot want a subscription.
    unsettled: bool,
}

impl Consumer {
    fn new(
        link: Link,
        feed: Arc<Feed>,
        settings: Settings,
        membership: Option<Arc<Membership>>,
    ) -> Self {
        let heartbeats = membership
            .as_ref()
            .map(|member| tokio::spawn(Arc::clone(member).run(Arc::clone(&feed))));
        Self {
            link: Some(link),
            feed,
            settings,
            membership,
            heartbeats,
            slots: BTreeMap::new(),
            subscriptions: HashMap::new(),
            current: None,
            piece: Piece::default(),
            scratch: Scratch::default(),
            next_commit: None,
            revoking: Vec::new(),
            revoked_commits: None,
            unsettled: true,
        }
    }

    /// Begins to read a partition.
    async fn add(&mut self, info: &TopicInfo, partition: u32, start: Start) -> Result<()> {
        let at = TopicPartition { topic: Arc::clone(&info.name), partition };
        let committed = match start {
            Start::Offset(_) | Start::Timestamp(_) => None,
            _ => self.committed(&[(info.id, partition)]).await?.pop().flatten(),
        };
        let position = match committed {
            Some(offset) => offset,
            None => self.resolve(&at, info.id, start).await?,
        };
        let mut slot = Slot::new(at.clone(), info.id, position);
        slot.committed = committed;
        self.slots.insert(at, slot);
        self.unsettled = true;
        Ok(())
    }

    /// Waits for records and hands out the next ones, all of one partition. Polling again says
    /// that they are done with. A call that is dropped while it waits has taken nothing.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when what came is damaged, and whatever ends the reading of a partition:
    /// nothing is ever skipped, the next poll tries again at the same position. [`Error::Closed`]
    /// when no more can come.
    pub async fn poll(&mut self) -> Result<Polled<'_>> {
        self.after_piece()?;
        loop {
            if self.membership.is_some() {
                self.follow_group().await?;
            }
            self.commit_if_due().await;
            if self.feed.take_lost() {
                self.forget_subscriptions();
            }
            self.subscribe_all();
            if let Some(piece) = self.next_piece().await? {
                self.piece = piece;
                break;
            }
            if let Some(error) = self.feed.ended() {
                return Err(error);
            }
            self.wait().await;
        }
        let Self { piece, scratch, .. } = self;
        let Some(at) = &piece.at else { return Err(Error::Closed) };
        Ok(Polled {
            topic: &at.topic,
            partition: at.partition,
            batches: &piece.bytes,
            plain: piece.compressed.then_some(&scratch.plain[..]),
            from: piece.from,
            end: piece.end,
            readable_end: piece.readable_end,
            bad: &scratch.bad,
        })
    }

    /// Lets go of what the last poll handed out.
    fn after_piece(&mut self) -> Result<()> {
        let Some(at) = self.piece.at.take() else { return Ok(()) };
        self.piece.bytes.clear();
        let Some((offset, error)) = self.scratch.bad.take() else { return Ok(()) };
        let Some(slot) = self.slots.get_mut(&at) else { return Ok(()) };
        slot.position = offset;
        let error = slot.corrupt(offset, &error);
        self.stop(&at);
        Err(error)
    }

    /// The next records, if any have arrived.
    async fn next_piece(&mut self) -> Result<Option<Piece>> {
        loop {
            if let Some(current) = &mut self.current {
                let Some(slot) = self.slots.get_mut(&current.at) else {
                    self.current = None;
                    continue;
                };
                let cap = self.settings.decompressed_bytes;
                match slot.take(current, &mut self.scratch, cap) {
                    Ok(Some(piece)) => return Ok(Some(piece)),
                    Ok(None) if current.done < current.bytes.len() => continue,
                    Ok(None) => {}
                    Err(error) => {
                        let at = current.at.clone();
                        self.stop(&at);
                        return Err(error);
                    }
                }
                self.finish_current();
            }
            let Some(Arrived { subscription, what }) = self.feed.take() else { return Ok(None) };
            let Some(at) = self.subscriptions.get(&subscription).cloned() else { continue };
            match what {
                What::Batches(bytes, readable_end) => {
                    if let (Some(slot), Some(end)) = (self.slots.get_mut(&at), readable_end) {
                        slot.readable_end = end;
                    }
                    self.current = Some(Current { at, bytes, done: 0 });
                }
                What::End(error) => self.ended(&at, error).await?,
            }
        }
    }

    /// Gives credit for a delivery that is used up.
    fn finish_current(&mut self) {
        let Some(current) = self.current.take() else { return };
        let enough = self.credit_each() / 4;
        let Some(slot) = self.slots.get_mut(&current.at) else { return };
        slot.owed += current.bytes.len() as u64;
        if slot.owed >= enough
            && let Some(number) = slot.subscription
        {
            self.feed.credit(number, std::mem::take(&mut slot.owed));
        }
    }

    fn credit_each(&self) -> u64 {
        let partitions = self.slots.len().max(1) as u64;
        (self.settings.credit_bytes / partitions).max(LEAST_CREDIT)
    }

    /// The broker ended a subscription.
    async fn ended(&mut self, at: &TopicPartition, error: Error) -> Result<()> {
        self.stop(at);
        let now = self.feed.link.now();
        let Some(slot) = self.slots.get_mut(at) else { return Ok(()) };
        if error.code() == Some(ErrorCode::OFFSET_OUT_OF_RANGE) {
            let start = match self.settings.start {
                start @ (Start::Earliest | Start::Latest) => start,
                _ => return Err(error),
            };
            let topic_id = slot.topic_id;
            tracing::warn!(%error, ?start, "the offset to read does not exist, going elsewhere");
            let position = self.resolve(at, topic_id, start).await?;
            if let Some(slot) = self.slots.get_mut(at) {
                slot.position = position;
            }
            return Ok(());
        }
        slot.not_before = now.saturating_add(PAUSE.max(error.retry_after()));
        let leaving = self.membership.is_some() && error.code() == Some(ErrorCode::UNKNOWN_TOPIC);
        if error.kind() == Kind::Retry || leaving {
            tracing::debug!(%error, "reading is interrupted");
            return Ok(());
        }
        Err(error)
    }

    /// Subscribes to what should be read and is not.
    fn subscribe_all(&mut self) {
        if !std::mem::take(&mut self.unsettled) {
            return;
        }
        let (credit, now) = (self.credit_each(), self.feed.link.now());
        for slot in self.slots.values_mut() {
            if slot.subscription.is_some() || slot.paused {
                continue;
            }
            if slot.not_before > now {
                self.unsettled = true;
                continue;
            }
            let number = self.feed.subscribe(Wanted {
                topic_id: slot.topic_id,
                partition: slot.at.partition,
                offset: slot.position,
                credit,
            });
            slot.subscription = Some(number);
            slot.expected = None;
            slot.owed = 0;
            self.subscriptions.insert(number, slot.at.clone());
        }
    }

    /// Ends a partition's subscription; another is begun at its position when that is wanted.
    fn stop(&mut self, at: &TopicPartition) {
        if self.current.as_ref().is_some_and(|current| current.at == *at) {
            self.current = None;
        }
        if let Some(slot) = self.slots.get_mut(at)
            && let Some(number) = slot.subscription.take()
        {
            self.subscriptions.remove(&number);
            self.feed.unsubscribe(number);
        }
        self.unsettled = true;
    }

    fn remove(&mut self, at: &TopicPartition) {
        self.stop(at);
        self.slots.remove(at);
    }

    /// The connection was lost, and every subscription with it.
    fn forget_subscriptions(&mut self) {
        self.current = None;
        self.subscriptions.clear();
        for number in self.slots.values_mut().filter_map(|slot| slot.subscription.take()) {
            // One that was begun since then is of the new connection.
            self.feed.unsubscribe(number);
        }
        self.unsettled = true;
    }

    async fn commit_if_due(&mut self) {
        let Some(every) = self.settings.auto_commit else { return };
        let now = self.feed.link.now();
        let due = *self.next_commit.get_or_insert(now.saturating_add(every));
        if now < due {
            return;
        }
        self.next_commit = Some(now.saturating_add(every));
        let offsets = self.uncommitted(|_| true);
        if let Err(error) = self.commit_all(&offsets).await {
            tracing::warn!(%error, "automatic commit failed; the next one will say more");
        }
    }

    /// Waits until there may be something to do.
    async fn wait(&mut self) {
        let now = self.feed.link.now();
        let retry = self.slots.values().filter(|slot| slot.subscription.is_none() && !slot.paused);
        let retry = retry.map(|slot| slot.not_before).min();
        let commits = self.next_commit.filter(|_| self.slots.values().any(Slot::is_uncommitted));
        let due = retry.into_iter().chain(commits).min();
        let rung = std::pin::pin!(self.feed.bell.notified());
        match due {
            None => rung.await,
            Some(due) => {
                let sleep = self.feed.link.config.clock.sleep(due.saturating_sub(now));
                select(rung, sleep).await;
            }
        }
    }

    /// The partitions being read.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.slots.keys().cloned().collect()
    }

    /// The next record to hand out of a partition, if it is being read.
    pub fn position(&self, topic: &str, partition: u32) -> Option<Offset> {
        self.slots.get(&TopicPartition::of(topic, partition)).map(|slot| slot.position)
    }

    /// Goes on at `offset`.
    ///
    /// # Errors
    /// When the partition is not being read.
    pub fn seek(&mut self, topic: &str, partition: u32, offset: Offset) -> Result<()> {
        let at = self.assigned(topic, partition)?;
        self.stop(&at);
        if let Some(slot) = self.slots.get_mut(&at) {
            slot.position = offset;
            slot.not_before = Duration::ZERO;
        }
        Ok(())
    }

    /// Hands out nothing of a partition until [`resume`](Self::resume).
    ///
    /// # Errors
    /// When the partition is not being read.
    pub fn pause(&mut self, topic: &str, partition: u32) -> Result<()> {
        self.set_paused(topic, partition, true)
    }

    /// Undoes [`pause`](Self::pause).
    ///
    /// # Errors
    /// When the partition is not being read.
    pub fn resume(&mut self, topic: &str, partition: u32) -> Result<()> {
        self.set_paused(topic, partition, false)
    }

    fn set_paused(&mut self, topic: &str, partition: u32, paused: bool) -> Result<()> {
        let at = self.assigned(topic, partition)?;
        if paused {
            self.stop(&at);
        }
        if let Some(slot) = self.slots.get_mut(&at) {
            slot.paused = paused;
        }
        self.unsettled = true;
        Ok(())
    }

    fn assigned(&self, topic: &str, partition: u32) -> Result<TopicPartition> {
        let at = TopicPartition::of(topic, partition);
        if self.slots.contains_key(&at) {
            return Ok(at);
        }
        Err(Error::invalid(format_args!("{at} is not assigned to this consumer")))
    }

    /// Commits when that is automatic, leaves the group and ends.
    ///
    /// # Errors
    /// When the commit fails; the group is left all the same.
    pub async fn close(mut self) -> Result<()> {
        let bad = self.after_piece();
        let committed = match self.settings.auto_commit {
            Some(_) => self.commit().await,
            None => Ok(()),
        };
        if let (Some(heartbeats), Some(member)) = (self.heartbeats.take(), self.membership.take()) {
            heartbeats.abort();
            if let Err(error) = self.feed.link.call(&member.leave_request()).await {
                tracing::debug!(%error, "left the group without a word");
            }
        }
        bad.and(committed)
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        if let Some(heartbeats) = self.heartbeats.take() {
            heartbeats.abort();
        }
        if let Some(member) = self.membership.take() {
            self.feed.link.tell(&member.leave_request());
        }
        self.link = None;
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer")
            .field("settings", &self.settings)
            .field("assignment", &self.slots.keys())
            .finish_non_exhaustive()
    }
}
