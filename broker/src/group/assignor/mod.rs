//! How the partitions of a group are spread over its members.

mod range;
mod uniform;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Partitions;
use super::subscription::Topics;

/// How the partitions of a group are spread over its members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Assignor {
    /// All partitions evenly, and each member keeps as much as it can of what it has.
    #[default]
    Uniform,
    /// Of each topic a run of neighbouring partitions, the same ranks for topics of the same size,
    /// so that records joined by key meet in one member.
    Range,
}

impl Assignor {
    /// The name clients use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    /// The assignor of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        [Self::Uniform, Self::Range].into_iter().find(|assignor| assignor.name() == name)
    }

    /// The target: who shall have what.
    pub(crate) fn assign(
        self,
        members: &BTreeMap<&str, Wants<'_>>,
    ) -> BTreeMap<String, Partitions> {
        match self {
            Self::Uniform => uniform::assign(members),
            Self::Range => range::assign(members),
        }
    }
}

/// What an assignor looks at in a member.
#[derive(Clone, Debug)]
pub(crate) struct Wants<'a> {
    /// The name it keeps over restarts, if it is static.
    pub(crate) instance_id: Option<&'a str>,
    /// Topics it reads, with their partition counts. Members with equal wants mostly share one.
    pub(crate) topics: Arc<Topics>,
    /// Its target so far.
    pub(crate) before: &'a Partitions,
}
