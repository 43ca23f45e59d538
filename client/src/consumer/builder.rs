//! Setting up a consumer.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use onrush_protocol::request::Subscription;
use onrush_record::Offset;

use super::feed::Feed;
use super::listener::RebalanceListener;
use super::membership::{Joining, Membership};
use super::{Consumer, Isolation, Settings};
use crate::error::{Error, Result};
use crate::metadata::{self, TopicPartition};
use crate::net::link::{Link, LinkConfig, LinkShared};

/// Where to begin reading a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Start {
    /// With the first record there is.
    Earliest,
    /// With the first record that comes after the consumer.
    Latest,
    /// Nowhere: without a committed offset it is an error.
    Fail,
    /// At this offset.
    Offset(Offset),
    /// With the first record at or after this time, in milliseconds since 1970.
    Timestamp(i64),
}

/// Sets up a [`Consumer`].
#[derive(Clone)]
pub struct ConsumerBuilder {
    link: LinkConfig,
    settings: Settings,
    instance_id: Option<String>,
    session_timeout: Option<Duration>,
    rebalance_timeout: Duration,
    auto_commit: Option<Option<Duration>>,
}

impl ConsumerBuilder {
    pub(crate) fn new(link: LinkConfig) -> Self {
        let settings = Settings {
            group: None,
            start: Start::Latest,
            isolation: Isolation::ReadUncommitted,
            auto_commit: None,
            credit_bytes: 16 << 20,
            decompressed_bytes: 64 << 20,
            listener: None,
        };
        Self {
            link,
            settings,
            instance_id: None,
            session_timeout: None,
            rebalance_timeout: Duration::from_secs(60),
            auto_commit: None,
        }
    }

    /// The group whose committed offsets say where to go on, and whose members share the
    /// partitions of what they subscribe to.
    #[must_use]
    pub fn group(mut self, group: &str) -> Self {
        self.settings.group = Some(group.into());
        self
    }

    /// Makes the member static: one that comes back under the same name within the session timeout
    /// finds its partitions as it left them.
    #[must_use]
    pub fn instance_id(mut self, instance_id: &str) -> Self {
        self.instance_id = Some(instance_id.to_owned());
        self
    }

    /// Where to begin without a committed offset, and where to go on when the offset does not
    /// exist (any more). Default: [`Start::Latest`].
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.settings.start = start;
        self
    }

    /// Which records to hand out. Default, as with Kafka: [`Isolation::ReadUncommitted`], all there
    /// are, those of open and aborted transactions too. [`Isolation::ReadCommitted`]: only those of
    /// no transaction or a committed one, in the order of the log, so that what is behind the first
    /// record of an open transaction comes once that has ended.
    #[must_use]
    pub fn isolation(mut self, isolation: Isolation) -> Self {
        self.settings.isolation = isolation;
        self
    }

    /// How often to commit by itself what was handed out by earlier polls; `None`: never. Default:
    /// every 5 seconds with a group.
    #[must_use]
    pub fn auto_commit(mut self, every: Option<Duration>) -> Self {
        self.auto_commit = Some(every);
        self
    }

    /// How much the broker may push ahead of what was polled, over all partitions; at least 64 KiB
    /// each. Default: 16 MiB.
    #[must_use]
    pub fn credit_bytes(mut self, bytes: u64) -> Self {
        self.settings.credit_bytes = bytes;
        self
    }

    /// What a compressed batch may become at most. Default: 64 MiB.
    #[must_use]
    pub fn decompressed_bytes(mut self, bytes: usize) -> Self {
        self.settings.decompressed_bytes = bytes;
        self
    }

    /// How long the group waits for a silent member. Default: the broker's.
    #[must_use]
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.session_timeout = Some(timeout);
        self
    }

    /// How long the group waits for a member to give up partitions, which it does when it polls.
    /// Default: a minute.
    #[must_use]
    pub fn rebalance_timeout(mut self, timeout: Duration) -> Self {
        self.rebalance_timeout = timeout;
        self
    }

    /// Whom to tell which partitions come and go.
    #[must_use]
    pub fn listener(mut self, listener: Arc<dyn RebalanceListener>) -> Self {
        self.settings.listener = Some(listener);
        self
    }

    /// Reads these topics: with a group, the partitions the group gives to this member; without,
    /// all of them.
    ///
    /// # Errors
    /// When the broker cannot be reached; without a group, also when a topic does not exist.
    pub async fn subscribe(self, topics: &[&str]) -> Result<Consumer> {
        if self.settings.group.is_some() {
            let topics = topics.iter().map(|&topic| topic.to_owned()).collect();
            return self.join(Subscription { topics, regex: None }).await;
        }
        let mut consumer = self.open(None).await?;
        for topic in topics {
            let info = metadata::topic(&consumer.feed.link, topic).await?;
            let start = consumer.settings.start;
            for partition in 0..info.partitions {
                consumer.add(&info, partition, start).await?;
            }
        }
        Ok(consumer)
    }

    /// Reads every topic whose whole name the expression (RE2 syntax) matches, those that come
    /// later too. Needs a group, since it is the broker that matches.
    ///
    /// # Errors
    /// When the broker cannot be reached, or there is no group.
    pub async fn subscribe_matching(self, regex: &str) -> Result<Consumer> {
        if self.settings.group.is_none() {
            return Err(Error::invalid(
                "subscribing by a regular expression needs a group: call group()",
            ));
        }
        self.join(Subscription { topics: Vec::new(), regex: Some(regex.to_owned()) }).await
    }

    /// Reads exactly these partitions, without sharing them with a group.
    ///
    /// # Errors
    /// When the broker cannot be reached, or a partition does not exist.
    pub async fn assign(self, partitions: &[(&str, u32, Start)]) -> Result<Consumer> {
        let mut consumer = self.open(None).await?;
        let mut known = BTreeMap::new();
        for &(topic, partition, start) in partitions {
            if !known.contains_key(topic) {
                known.insert(topic, metadata::topic(&consumer.feed.link, topic).await?);
            }
            let info = &known[topic];
            if partition >= info.partitions {
                return Err(Error::invalid(format_args!(
                    "topic {topic} has no partition {partition}: it has {}",
                    info.partitions
                )));
            }
            consumer.add(info, partition, start).await?;
        }
        Ok(consumer)
    }

    async fn join(self, subscription: Subscription) -> Result<Consumer> {
        let Some(group) = self.settings.group.clone() else {
            return Err(Error::invalid("joining needs a group: call group()"));
        };
        let membership = Membership::new(Joining {
            group,
            instance_id: self.instance_id.clone(),
            session_timeout: self.session_timeout,
            rebalance_timeout: self.rebalance_timeout,
            subscription,
        });
        self.open(Some(membership)).await
    }

    async fn open(mut self, membership: Option<Arc<Membership>>) -> Result<Consumer> {
        let default = membership.as_ref().map(|_| Duration::from_secs(5));
        self.settings.auto_commit = self.auto_commit.unwrap_or(default);
        if self.settings.group.is_none() {
            self.settings.auto_commit = None;
        }
        let shared = LinkShared::new(self.link);
        let feed = Feed::new(Arc::clone(&shared));
        let link = Link::open(shared, feed.clone()).await?;
        Ok(Consumer::new(link, feed, self.settings, membership))
    }
}

impl fmt::Debug for ConsumerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConsumerBuilder").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl TopicPartition {
    /// The key that `BTreeMap`s of partitions are looked up by.
    pub(super) fn of(topic: &str, partition: u32) -> Self {
        Self::new(topic, partition)
    }
}
