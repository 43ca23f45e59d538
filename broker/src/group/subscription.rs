//! What a member wants to read, and which topics that is today.

use std::collections::BTreeMap;
use std::sync::Arc;

use onrush_record::TopicId;
use regex::{Regex, RegexBuilder};

use super::directory::TopicDirectory;

/// Longest regular expression taken, in bytes.
const REGEX_MAX_LEN: usize = 4096;

/// Most memory a compiled one may take, in bytes.
const REGEX_MAX_SIZE: usize = 1 << 20;

/// What a member wants to read: the topics named, and those whose whole name the expression
/// matches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Subscription {
    /// Topics by name. They need not exist yet.
    pub topics: Vec<String>,
    /// A regular expression over whole topic names.
    pub regex: Option<String>,
}

/// Partition counts of the topics a subscription means.
pub(crate) type Topics = BTreeMap<TopicId, u32>;

/// A subscription ready to be matched. Members with equal ones share it.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) subscription: Subscription,
    regex: Option<Regex>,
}

impl Compiled {
    /// The error says why the expression cannot be used.
    pub(crate) fn new(subscription: Subscription) -> Result<Arc<Self>, String> {
        let regex = subscription.regex.as_deref().map(compile).transpose()?;
        Ok(Arc::new(Self { subscription, regex }))
    }

    /// One that matches the names only, for a member restored with an expression that this
    /// version does not compile any more.
    pub(crate) fn names_only(subscription: Subscription) -> Arc<Self> {
        Arc::new(Self { subscription, regex: None })
    }

    /// Whether it names this topic, or matches its name.
    pub(crate) fn matches(&self, topic: &str) -> bool {
        self.subscription.topics.iter().any(|name| name == topic)
            || self.regex.as_ref().is_some_and(|regex| regex.is_match(topic))
    }

    /// The topics it means now.
    pub(crate) fn resolve(&self, directory: &TopicDirectory) -> Topics {
        let named = self.subscription.topics.iter().filter_map(|name| directory.get(name));
        let mut topics: Topics = named.map(|entry| (entry.id, entry.partitions)).collect();
        if let Some(regex) = &self.regex {
            let matching =
                directory.iter().filter(|(name, entry)| !entry.internal && regex.is_match(name));
            topics.extend(matching.map(|(_, entry)| (entry.id, entry.partitions)));
        }
        topics
    }
}

fn compile(text: &str) -> Result<Regex, String> {
    if text.len() > REGEX_MAX_LEN {
        return Err(format!("it has {} bytes, at most {REGEX_MAX_LEN} are taken", text.len()));
    }
    let build = |text: &str| RegexBuilder::new(text).size_limit(REGEX_MAX_SIZE).build();
    // Alone first, so that `a)|(b` is an error rather than a way out of the anchored group.
    build(text).and_then(|_| build(&format!("^(?:{text})$"))).map_err(|error| error.to_string())
}
