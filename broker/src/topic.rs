//! Topics: a name, an id, settings, and partitions.

mod config;
mod keys;
mod name;

use std::path::PathBuf;
use std::sync::Arc;

use onrush_record::TopicId;
use parking_lot::RwLock;

pub(crate) use config::check_key;
pub use config::{Cleanup, Compression, Ratio, TimestampType, TopicConfig};
pub(crate) use name::check as check_name;

use crate::settings::{ConfigEntry, Overrides};
use crate::{Error, Partition, Result};

/// A topic as `describe` shows it and as partitions know it.
#[derive(Debug)]
pub(crate) struct TopicCore {
    pub(crate) id: TopicId,
    pub(crate) name: Arc<str>,
    settings: RwLock<Arc<Settings>>,
}

/// A topic's settings at one time.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) overrides: Overrides,
    pub(crate) config: TopicConfig,
}

impl TopicCore {
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read())
    }

    pub(crate) fn unknown(&self) -> Error {
        Error::UnknownTopic { topic: self.name.to_string() }
    }
}

/// A topic.
#[derive(Debug)]
pub struct Topic {
    core: Arc<TopicCore>,
    /// A partition whose log cannot be opened has its error in its place.
    partitions: RwLock<Vec<Result<Arc<Partition>>>>,
}

impl Topic {
    pub(crate) fn new(
        id: TopicId,
        name: &str,
        overrides: Overrides,
        config: TopicConfig,
    ) -> Arc<Topic> {
        let settings = RwLock::new(Arc::new(Settings { overrides, config }));
        let core = Arc::new(TopicCore { id, name: Arc::from(name), settings });
        Arc::new(Topic { core, partitions: RwLock::new(Vec::new()) })
    }

    pub(crate) fn core(&self) -> &Arc<TopicCore> {
        &self.core
    }

    /// Its id: what its directory and the wire know it by.
    pub fn id(&self) -> TopicId {
        self.core.id
    }

    /// Its name.
    pub fn name(&self) -> &Arc<str> {
        &self.core.name
    }

    /// How many partitions it has.
    pub fn partition_count(&self) -> u32 {
        u32::try_from(self.partitions.read().len()).unwrap_or(u32::MAX)
    }

    /// One of its partitions.
    ///
    /// # Errors
    /// [`Error::UnknownPartition`], or why its log could not be opened.
    pub fn partition(&self, index: u32) -> Result<Arc<Partition>> {
        let partitions = self.partitions.read();
        match partitions.get(index as usize) {
            Some(partition) => partition.clone(),
            None => Err(Error::UnknownPartition {
                topic: self.core.name.to_string(),
                partition: index,
                partitions: u32::try_from(partitions.len()).unwrap_or(u32::MAX),
            }),
        }
    }

    /// All of its partitions that could be opened.
    pub fn partitions(&self) -> Vec<Arc<Partition>> {
        self.partitions.read().iter().filter_map(|p| p.as_ref().ok().cloned()).collect()
    }

    /// Its settings, and which of them it was given.
    pub fn describe_configs(&self) -> Vec<ConfigEntry> {
        let settings = self.core.settings();
        settings.config.describe(&settings.overrides)
    }

    /// Its settings.
    pub fn config(&self) -> TopicConfig {
        self.core.settings().config.clone()
    }

    pub(crate) fn add(&self, partitions: impl IntoIterator<Item = Result<Arc<Partition>>>) {
        self.partitions.write().extend(partitions);
    }

    /// Puts new settings in force, in the logs too.
    pub(crate) fn configure(&self, overrides: Overrides, config: TopicConfig) {
        let log = config.log();
        *self.core.settings.write() = Arc::new(Settings { overrides, config });
        for partition in self.partitions() {
            partition.log().lock().writer.set_config(log.clone());
        }
    }
}

/// The directory of all topics.
pub(crate) fn topics_directory() -> PathBuf {
    PathBuf::from("topics")
}

/// A topic's directory, which is named by its id: a name is data.
pub(crate) fn topic_directory(id: TopicId) -> PathBuf {
    topics_directory().join(id.to_string())
}

/// The directory of a partition's log.
pub(crate) fn partition_directory(id: TopicId, index: u32) -> PathBuf {
    topic_directory(id).join(index.to_string())
}
