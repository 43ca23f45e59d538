//! What groups know of topics: names, ids, partition counts.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use onrush_record::TopicId;

/// A topic as groups see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicEntry {
    /// Its id.
    pub id: TopicId,
    /// Its partitions.
    pub partitions: u32,
    /// Whether it belongs to the broker itself; no regular expression matches such a one.
    pub internal: bool,
}

/// All topics by name, with a version that rises with each change: a group looks again when it
/// sees another version than last time.
#[derive(Clone, Debug, Default)]
pub struct TopicDirectory {
    version: u64,
    by_name: BTreeMap<String, TopicEntry>,
    by_id: HashMap<TopicId, (Arc<str>, u32)>,
}

impl TopicDirectory {
    /// No topics.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a topic, or says what has changed about it.
    pub fn put(&mut self, name: &str, entry: TopicEntry) {
        self.version += 1;
        if let Some(before) = self.by_name.insert(name.to_owned(), entry) {
            self.by_id.remove(&before.id);
        }
        self.by_id.insert(entry.id, (Arc::from(name), entry.partitions));
    }

    /// Removes a topic.
    pub fn remove(&mut self, name: &str) {
        if let Some(entry) = self.by_name.remove(name) {
            self.version += 1;
            self.by_id.remove(&entry.id);
        }
    }

    /// Rises with each change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The topic of this name.
    pub fn get(&self, name: &str) -> Option<&TopicEntry> {
        self.by_name.get(name)
    }

    /// How many partitions the topic with this id has.
    pub fn partitions(&self, id: TopicId) -> Option<u32> {
        self.by_id.get(&id).map(|(_, partitions)| *partitions)
    }

    /// The name of the topic with this id.
    pub fn name(&self, id: TopicId) -> Option<&str> {
        self.by_id.get(&id).map(|(name, _)| &**name)
    }

    /// All topics in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TopicEntry)> {
        self.by_name.iter().map(|(name, entry)| (name.as_str(), entry))
    }
}
