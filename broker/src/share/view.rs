//! Share groups as they are shown.

use onrush_record::{LeaderEpoch, Offset};

use super::TopicPartition;

/// How a share group is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ShareGroupState {
    /// It has no members.
    Empty,
    /// It has members.
    Stable,
    /// There is no such group.
    Dead,
}

impl ShareGroupState {
    /// Kafka's name for it.
    pub fn name(self) -> &'static str {
        match self {
            ShareGroupState::Empty => "Empty",
            ShareGroupState::Stable => "Stable",
            ShareGroupState::Dead => "Dead",
        }
    }
}

/// A share group in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareListing {
    /// The group.
    pub group: String,
    /// How it is.
    pub state: ShareGroupState,
    /// How many members it has.
    pub members: usize,
}

/// A share group in full.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareDescription {
    /// The group.
    pub group: String,
    /// How it is.
    pub state: ShareGroupState,
    /// Its epoch.
    pub epoch: i32,
    /// The epoch its assignment was made for.
    pub assignment_epoch: i32,
    /// What made it.
    pub assignor: &'static str,
    /// Its members, in order of id.
    pub members: Vec<ShareMemberDescription>,
}

/// A member of a share group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareMemberDescription {
    /// Its id.
    pub member_id: String,
    /// The rack it is in.
    pub rack: Option<String>,
    /// Its epoch.
    pub epoch: i32,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// The topics it wants to read.
    pub topics: Vec<String>,
    /// What it was told to read.
    pub assignment: Vec<TopicPartition>,
}

/// How far a share group has come in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShareOffset {
    /// The first record that is not settled.
    pub start: Offset,
    /// The leader epoch.
    pub leader_epoch: LeaderEpoch,
    /// Records that are not settled, those that were never handed out included.
    pub lag: u64,
}
