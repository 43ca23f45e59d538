//! What holds for all groups.

use super::config::ConsumerConfig;

/// What holds for all groups.
#[derive(Clone, Debug)]
pub struct GroupSettings {
    /// A member silent for this long is removed, unless it asked for another time, or its group has
    /// one of its own.
    pub session_timeout_ms: u32,
    /// When members are told to heartbeat, unless their group has its own interval.
    pub heartbeat_interval_ms: u32,
    /// How long a member may take to give up partitions, unless it asked for another time.
    pub rebalance_timeout_ms: u32,
    /// The most members of a group.
    pub members_max: usize,
    /// How long a group without members keeps its commits.
    pub offsets_retention_ms: i64,
    /// The shortest session that a member under the classic protocol may ask for.
    pub classic_session_min_ms: u32,
    /// The longest session that a member under the classic protocol may ask for.
    pub classic_session_max_ms: u32,
    /// How long the first members of a group under the classic protocol wait for more to come,
    /// and again for each that comes in this time.
    ///
    /// Whoever comes later costs everybody a rebalance, of which the others learn with their next
    /// heartbeat, some seconds later. Members that one script starts together come within half a
    /// second of each other; waiting longer would rather be noticed by the many groups of one
    /// member than help the others.
    pub initial_rebalance_delay_ms: u32,
}

impl Default for GroupSettings {
    fn default() -> Self {
        Self {
            session_timeout_ms: 45_000,
            heartbeat_interval_ms: 3_000,
            rebalance_timeout_ms: 300_000,
            members_max: 10_000,
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1000,
            classic_session_min_ms: 6_000,
            classic_session_max_ms: 30 * 60 * 1000,
            initial_rebalance_delay_ms: 500,
        }
    }
}

impl GroupSettings {
    /// What a group has that was given no settings of its own.
    pub(crate) fn consumer(&self) -> ConsumerConfig {
        ConsumerConfig {
            heartbeat_interval_ms: self.heartbeat_interval_ms,
            session_timeout_ms: self.session_timeout_ms,
        }
    }
}
