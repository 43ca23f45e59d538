//! How a member of a share group joins, stays and leaves.

use super::TopicPartition;

/// The epoch with which a member joins.
pub const JOIN: i32 = 0;
/// The epoch with which a member leaves.
pub const LEAVE: i32 = -1;

/// What a member says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShareHeartbeat {
    /// The group.
    pub group: String,
    /// The id it has given itself.
    pub member_id: String,
    /// Its epoch, or [`JOIN`] or [`LEAVE`].
    pub member_epoch: i32,
    /// The rack it is in.
    pub rack: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// The topics it wants to read; None: as before.
    pub topics: Option<Vec<String>>,
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareHeartbeatReply {
    /// Its id.
    pub member_id: String,
    /// Its epoch from now on.
    pub member_epoch: i32,
    /// When to heartbeat next.
    pub interval_ms: u32,
    /// What it shall read, in order; None: as before.
    pub assignment: Option<Vec<TopicPartition>>,
}
