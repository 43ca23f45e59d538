//! Creating, changing and deleting topics.

use std::sync::Arc;

use onrush_record::{Offset, TopicId};

use crate::catalog::{Change, Unless, create_partitions};
use crate::metadata::Record;
use crate::settings::Overrides;
use crate::topic::{check_key, check_name};
use crate::{Broker, ConfigEntry, Error, Partition, Result, Topic};

/// A topic to be created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; None: the broker's default.
    pub partitions: Option<u32>,
    /// Settings that differ from the broker's defaults.
    pub configs: Vec<(String, String)>,
    /// Only say whether it could be created.
    pub validate_only: bool,
}

/// A topic that was created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Created {
    /// Its id; None when it was only checked.
    pub id: Option<TopicId>,
    /// How many partitions it has.
    pub partitions: u32,
}

/// What is to change about a topic.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicChange {
    /// Settings to set.
    pub set: Vec<(String, String)>,
    /// Settings that go back to the broker's default.
    pub unset: Vec<String>,
    /// How many partitions it shall have; only more than it has.
    pub partitions: Option<u32>,
    /// Only say whether it could be changed.
    pub validate_only: bool,
}

impl Broker {
    /// Creates a topic; it is durable when this returns.
    ///
    /// Safe to cancel: either it exists afterwards or it does not, and nothing is left behind.
    ///
    /// # Errors
    /// An illegal or taken name, a setting that is not allowed, too many partitions, a full disk.
    pub async fn create_topic(&self, new: NewTopic) -> Result<Created> {
        let (services, catalog) = (&self.inner.services, &self.inner.catalog);
        check_name(&new.name)?;
        let partitions = new.partitions.unwrap_or(services.config.default_partitions);
        self.check_partitions(partitions)?;
        let overrides: Overrides = new.configs.into_iter().collect();
        let config = services.config.topic_defaults.with(&overrides)?;
        let claim = catalog.claim(&new.name, false)?;
        if new.validate_only {
            return Ok(Created { id: None, partitions });
        }
        if let Some(error) = services.refuses_produce() {
            return Err(error);
        }
        let id = self.new_id();
        let topic = Topic::new(id, &new.name, overrides.clone(), config);
        // Files first: what is decided is there. Until then they are nobody's.
        let unless = Unless::decided(services, id);
        let (with, core) = (Arc::clone(services), Arc::clone(topic.core()));
        let made = services.io.call(move || create_partitions(&with, &core, 0, partitions)).await?;
        topic.add(made.into_iter().map(Ok));
        let mark = catalog.decide(|_| {
            let name = new.name.clone();
            let record = Record::TopicCreated { id, name, partitions, overrides };
            Ok((record, Change::Create(topic)))
        })?;
        unless.keep();
        drop(claim);
        catalog.finish(mark, || self.inner.settle()).await?;
        tracing::info!(topic = new.name, %id, partitions, "topic created");
        Ok(Created { id: Some(id), partitions })
    }

    /// Deletes a topic. That is durable when this returns; its files go soon after.
    ///
    /// # Errors
    /// When there is no such topic.
    pub async fn delete_topic(&self, id: TopicId) -> Result<()> {
        let catalog = &self.inner.catalog;
        let topic = self.known(id)?;
        let mark = catalog.decide(|metadata| {
            if metadata.topics.contains_key(&id) {
                Ok((Record::TopicDeleted { id }, Change::Delete(Arc::clone(&topic))))
            } else {
                Err(topic.core().unknown())
            }
        })?;
        catalog.finish(mark, || self.inner.settle()).await?;
        tracing::info!(topic = %topic.name(), %id, "topic deleted");
        Ok(())
    }

    /// Changes a topic's settings and number of partitions.
    ///
    /// # Errors
    /// A setting that is not allowed, fewer partitions than there are, no such topic.
    pub async fn alter_topic(&self, id: TopicId, change: TopicChange) -> Result<()> {
        let topic = self.known(id)?;
        self.check_change(&topic, &change)?;
        if change.validate_only {
            return Ok(());
        }
        if !change.set.is_empty() || !change.unset.is_empty() {
            self.configure(&topic, &change).await?;
        }
        match change.partitions {
            Some(partitions) => self.add_partitions(id, partitions).await,
            None => Ok(()),
        }
    }

    fn check_change(&self, topic: &Topic, change: &TopicChange) -> Result<()> {
        let mut config = self.inner.services.config.topic_defaults.clone();
        for (key, value) in &change.set {
            config.set(key, value)?;
        }
        for key in &change.unset {
            check_key(key)?;
            if change.set.iter().any(|(set, _)| set == key) {
                return Err(Error::invalid_config(key, "it is both set and unset; choose one"));
            }
        }
        match change.partitions {
            Some(partitions) => self.check_growth(topic, partitions),
            None => Ok(()),
        }
    }

    fn check_growth(&self, topic: &Topic, partitions: u32) -> Result<()> {
        self.check_partitions(partitions)?;
        let count = topic.partition_count();
        if partitions < count {
            let reason = format!(
                "topic {} has {count} partitions, and they can only become more, not {partitions}",
                topic.name()
            );
            return Err(Error::InvalidRequest { reason });
        }
        Ok(())
    }

    async fn configure(&self, topic: &Arc<Topic>, change: &TopicChange) -> Result<()> {
        let (services, catalog) = (&self.inner.services, &self.inner.catalog);
        let id = topic.id();
        let mark = catalog.decide(|metadata| {
            let decided = metadata.topics.get(&id).ok_or_else(|| topic.core().unknown())?;
            let mut overrides = decided.overrides.clone();
            overrides.retain(|key, _| !change.unset.contains(key));
            overrides.extend(change.set.iter().cloned());
            let config = Box::new(services.config.topic_defaults.with(&overrides)?);
            let effect = Change::Configure(Arc::clone(topic), overrides.clone(), config);
            Ok((Record::TopicConfigured { id, overrides }, effect))
        })?;
        catalog.finish(mark, || self.inner.settle()).await
    }

    /// Gives a topic more partitions, up to `partitions` in all.
    ///
    /// # Errors
    /// When it has more already, or somebody else is changing it.
    pub async fn add_partitions(&self, id: TopicId, partitions: u32) -> Result<()> {
        let (services, catalog) = (&self.inner.services, &self.inner.catalog);
        let topic = self.known(id)?;
        let _claim = catalog.claim(topic.name(), true)?;
        self.check_growth(&topic, partitions)?;
        let count = topic.partition_count();
        if partitions == count {
            return Ok(());
        }
        let (with, core) = (Arc::clone(services), Arc::clone(topic.core()));
        let made =
            services.io.call(move || create_partitions(&with, &core, count, partitions)).await?;
        let mark = catalog.decide(|metadata| match metadata.topics.get(&id) {
            Some(decided) if decided.partitions == count => {
                let effect = Change::Grow(Arc::clone(&topic), made);
                Ok((Record::PartitionsAdded { id, partitions }, effect))
            }
            Some(_) => Err(Error::Overloaded { what: "the topic, already being changed," }),
            None => Err(topic.core().unknown()),
        })?;
        catalog.finish(mark, || self.inner.settle()).await
    }

    /// Lets go of a partition's records before an offset; gives the log's start afterwards.
    ///
    /// # Errors
    /// When the offset lies beyond what readers see.
    pub async fn delete_records(
        &self,
        partition: &Arc<Partition>,
        before: Offset,
    ) -> Result<Offset> {
        let ends = partition.ends();
        if before > ends.readable {
            let (start, end) = (ends.start, ends.readable);
            return Err(Error::OffsetOutOfRange { asked: before, start, end });
        }
        if before <= ends.start {
            return Ok(ends.start);
        }
        if let Some(error) = partition.failed() {
            return Err(error);
        }
        let log = Arc::clone(partition.log());
        let trimmed = self.inner.services.io.call(move || {
            crate::maintenance::trim(&log, before).map_err(|e| Error::storage(&log.name, e))
        });
        trimmed.await?;
        Ok(partition.ends().start)
    }

    /// The settings of a topic that was given none.
    pub fn describe_configs(&self) -> Vec<ConfigEntry> {
        self.inner.services.config.topic_defaults.describe(&Overrides::new())
    }

    fn known(&self, id: TopicId) -> Result<Arc<Topic>> {
        self.inner.catalog.journal.check()?;
        self.topic(id).ok_or_else(|| Error::UnknownTopic { topic: id.to_string() })
    }

    fn check_partitions(&self, partitions: u32) -> Result<()> {
        let max = self.inner.services.config.partitions_max;
        if (1..=max).contains(&partitions) {
            return Ok(());
        }
        let reason = format!("{partitions} partitions are not possible; use 1 to {max}");
        Err(Error::InvalidRequest { reason })
    }

    /// A random id of version 4; those of the journals are none.
    fn new_id(&self) -> TopicId {
        let mut id = [0; 16];
        self.inner.services.random.fill(&mut id);
        id[6] = id[6] & 0x0f | 0x40;
        id[8] = id[8] & 0x3f | 0x80;
        TopicId::new(id)
    }
}
