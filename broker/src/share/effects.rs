//! What an input has brought about.

use super::TopicPartition;
use super::event::{ShareEvent, What};
use super::partition::{DeadLetter, Judged};

/// What has taken effect already: events to be journalled, and records that were given up.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) events: Vec<ShareEvent>,
    pub(crate) dead: Vec<(TopicPartition, DeadLetter)>,
}

impl Effects {
    pub(crate) fn push(&mut self, group: &str, what: What) {
        self.events.push(ShareEvent::new(group, what));
    }

    /// Records of a partition have changed.
    pub(crate) fn settled(&mut self, group: &str, partition: TopicPartition, judged: Judged) {
        self.dead.extend(judged.dead.into_iter().map(|dead| (partition, dead)));
        if !judged.changes.is_empty() {
            self.push(group, What::Settled { partition, changes: judged.changes });
        }
    }
}
