//! What members say, and what they are told.

use super::TopicPartition;
use super::subscription::Subscription;

/// `member_epoch` of a heartbeat that joins.
pub const JOIN: i32 = 0;
/// `member_epoch` of a heartbeat that leaves.
pub const LEAVE: i32 = -1;
/// `member_epoch` of a heartbeat by which a static member leaves for a while, keeping its place.
pub const LEAVE_STATIC: i32 = -2;

/// A member joins, stays, or leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupHeartbeat {
    /// The group.
    pub group: String,
    /// The member; empty on joining to be given an id.
    pub member_id: String,
    /// [`JOIN`], [`LEAVE`], [`LEAVE_STATIC`], or the epoch last told.
    pub member_epoch: i32,
    /// Makes the member static.
    pub instance_id: Option<String>,
    /// What its client calls itself.
    pub client_id: String,
    /// Where it connects from.
    pub client_host: String,
    /// How long it may take to give up partitions. Read on joining.
    pub rebalance_timeout_ms: u32,
    /// How long it may be silent; None: the default. Read on joining.
    pub session_timeout_ms: Option<u32>,
    /// Topics it wants to read by name; None: as before. On joining these or `regex` must be there.
    pub topics: Option<Vec<String>>,
    /// A regular expression over whole names of topics it wants to read; None: as before; empty:
    /// none.
    pub regex: Option<String>,
    /// The assignor it wants; None: as before, or no preference.
    pub assignor: Option<String>,
    /// What it holds; None: as before. Nothing on joining.
    pub owned: Option<Vec<TopicPartition>>,
    /// To join with an instance id that another living member has is an error; otherwise that
    /// member is fenced.
    pub refuse_unreleased: bool,
}

impl GroupHeartbeat {
    /// With all that it wants to read.
    #[must_use]
    pub fn subscribing(self, to: Subscription) -> GroupHeartbeat {
        GroupHeartbeat {
            topics: Some(to.topics),
            regex: Some(to.regex.unwrap_or_default()),
            ..self
        }
    }
}

/// What the member is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupHeartbeatReply {
    /// Its id.
    pub member_id: String,
    /// Its epoch from here on; the one it sent if it left.
    pub member_epoch: i32,
    /// When to heartbeat next, at the latest.
    pub heartbeat_interval_ms: u32,
    /// All it should hold; None: as told before, and it has said that it does.
    pub assignment: Option<Vec<TopicPartition>>,
}
