//! Reading records.
//!
//! The broker pushes batches against byte credits; the link's task queues them (`feed`), a poll
//! takes it (`reading`), verifies them piece by piece (`slot`) and hands them out where they were received (`polled`).
//! Heartbeats run by themselves (`membership`); what the group asks for is done by polls
//! (`rebalance`), so that nothing is taken away from under the application.

mod builder;
mod commit;
mod feed;
mod listener;
mod membership;
mod polled;
mod reading;
mod rebalance;
mod slot;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::select;
pub use onrush_protocol::request::Isolation;
use onrush_record::Offset;
use tokio::task::JoinHandle;

pub use self::builder::{ConsumerBuilder, Start};
use self::feed::Feed;
pub use self::listener::{Commits, RebalanceListener};
use self::membership::Membership;
pub use self::polled::{Polled, PolledRecords};
use self::slot::{Current, Piece, Scratch, Slot};
use crate::error::{Error, Result};
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
    isolation: Isolation,
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

/// A group, and which of its members speaks for it, if one does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupMemberRef {
    pub(crate) group: Arc<str>,
    pub(crate) member: Option<(Arc<str>, i32)>,
}

impl From<&str> for GroupMemberRef {
    /// Nobody is asked whether the group's members agree.
    fn from(group: &str) -> Self {
        Self { group: group.into(), member: None }
    }
}

/// Reads records of some partitions.
///
/// A position is kept for each: the next record to hand out. A group remembers positions that were
/// committed. Dropping a consumer leaves its group, without committing; [`close`](Self::close)
/// commits first when that is automatic.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let broker = onrush::Onrush::open(onrush::Config::ephemeral())?;
/// # let client = broker.client();
/// # client.admin().create_topic(onrush_client::NewTopic::named("orders").partitions(2)).await?;
/// # let producer = client.producer().build().await?;
/// # for _ in 0..10 { let _ = producer.send(onrush_client::NewRecord::to("orders").value(b"x")).await?; }
/// # producer.flush().await;
/// use onrush_client::Start;
/// let builder = client.consumer().group("billing").start(Start::Earliest).auto_commit(None);
/// let mut consumer = builder.subscribe(&["orders"]).await?;
/// let mut billed = 0;
/// while billed < 10 {
///     let polled = consumer.poll().await?;
///     for record in polled.records()? {
///         println!("{}/{}: {:?}", polled.topic(), record.offset, record.value);
///         billed += 1;
///     }
///     consumer.commit().await?; // everything polled so far is done with
/// }
/// consumer.close().await?;
/// # Ok(())
/// # }
/// ```
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

    /// The next record to hand out of each partition being read: what a producer passes to
    /// [`Producer::send_offsets`](crate::Producer::send_offsets) once it has sent what became of
    /// all that was polled.
    pub fn positions(&self) -> Vec<(TopicPartition, Offset)> {
        self.slots.values().map(|slot| (slot.at.clone(), slot.position)).collect()
    }

    /// Who this consumer is in its group, for
    /// [`Producer::send_offsets`](crate::Producer::send_offsets): with it, offsets of a member that
    /// the group has given up are refused.
    ///
    /// # Errors
    /// Without a group.
    pub fn group_member(&self) -> Result<GroupMemberRef> {
        let Some(group) = &self.settings.group else {
            return Err(Error::invalid("this consumer has no group: call group() on the builder"));
        };
        let group = GroupMemberRef::from(&**group);
        Ok(match &self.membership {
            Some(member) => GroupMemberRef {
                member: Some((member.member_id().into(), member.epoch())),
                ..group
            },
            None => group,
        })
    }

    /// Goes back, in all partitions, to what the group has committed, or to the start where it has
    /// committed nothing: what was polled since comes again, as after a transaction was aborted.
    ///
    /// # Errors
    /// When the broker cannot be reached, or there is neither a committed offset nor a start.
    pub async fn seek_to_committed(&mut self) -> Result<()> {
        let read: Vec<_> =
            self.slots.values().map(|slot| (slot.at.clone(), slot.topic_id)).collect();
        let keys: Vec<_> = read.iter().map(|(at, id)| (*id, at.partition)).collect();
        let committed = self.committed(&keys).await?;
        for ((at, topic_id), committed) in read.into_iter().zip(committed) {
            let offset = match committed {
                Some(offset) => offset,
                None => self.resolve(&at, topic_id, self.settings.start).await?,
            };
            self.seek(&at.topic, at.partition, offset)?;
        }
        Ok(())
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
