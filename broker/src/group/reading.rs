//! Which topics the members of a group read.

use std::collections::BTreeSet;

use onrush_record::TopicId;

use super::classic::Phase;
use super::directory::TopicDirectory;
use super::group::Group;

/// The topics that a group's members read.
pub(super) struct Reading<'a> {
    group: &'a Group,
    directory: &'a TopicDirectory,
    /// Under the classic protocol: by name, if members say what consumers say.
    classic: Option<Option<BTreeSet<String>>>,
}

impl Group {
    /// What the members read.
    pub(super) fn reads<'a>(&'a self, directory: &'a TopicDirectory) -> Reading<'a> {
        let classic = self.classic.as_ref().map(|classic| {
            let known = classic.members.is_empty() || classic.is_of_consumers();
            known.then(|| classic.subscribed()).flatten()
        });
        Reading { group: self, directory, classic }
    }

    /// Whether what its members read may change at any moment, for they are to say it anew.
    pub(super) fn is_rebalancing(&self) -> bool {
        let phase = self.classic.as_ref().map(|classic| classic.phase);
        phase.is_some_and(|phase| matches!(phase, Phase::Preparing | Phase::Completing))
    }
}

impl Reading<'_> {
    /// Whether a member reads the topic, or nobody knows that none does.
    pub(super) fn covers(&self, topic: TopicId) -> bool {
        let name = self.directory.name(topic);
        match &self.classic {
            Some(Some(topics)) => name.is_some_and(|name| topics.contains(name)),
            // Of members that say what no consumer says nobody knows what they read.
            Some(None) => true,
            None => self.group.members.values().any(|member| {
                member.topics.contains_key(&topic) || name.is_some_and(|name| member.wants(name))
            }),
        }
    }
}
