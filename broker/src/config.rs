//! What a broker can be told.

use std::path::PathBuf;
use std::time::Duration;

use crate::cleaner::CleanerSettings;
use crate::group::GroupSettings;
use crate::share::ShareSettings;
use crate::transaction::TransactionSettings;
use crate::{Acks, TopicConfig};

/// A broker's configuration. Its data directory is the root of the disk it is given.
#[derive(Clone, Debug)]
pub struct BrokerConfig {
    /// What messages call the data directory: its path.
    pub data_dir: PathBuf,
    /// This broker's number, told to clients.
    pub node_id: i32,
    /// The partitions of a topic that does not say.
    pub default_partitions: u32,
    /// The most partitions one topic may have.
    pub partitions_max: u32,
    /// The settings of a topic that does not say.
    pub topic_defaults: TopicConfig,
    /// The weakest durability of an acknowledged produce, in every topic.
    pub acks_minimum: Acks,
    /// What gateways may hold of requests not taken in yet.
    pub memory_budget_bytes: u64,
    /// Bytes written but not durable at which producers are made to wait.
    pub unsynced_max_bytes: u64,
    /// When nobody waits for durability, a sync starts after so many written bytes …
    pub sync_bytes: u64,
    /// … or after this time.
    pub sync_interval: Duration,
    /// How often checkpoints are written for partitions that have changed.
    pub checkpoint_interval: Duration,
    /// How long a producer's sequence numbers are remembered after its last batch.
    pub producer_expiration: Duration,
    /// How often time-based work that nothing announced is looked for.
    pub maintenance_interval: Duration,
    /// The size of the file that is given up when the disk is full, so that the broker's own logs
    /// go on; 0 for none.
    pub reserve_bytes: u64,
    /// Below this much free space produce requests are refused.
    pub free_min_bytes: u64,
    /// How large a journal may grow before a snapshot replaces what it holds.
    pub journal_snapshot_bytes: u64,
    /// How many segments may be open at once; None takes it from the process's limits.
    pub open_files_max: Option<usize>,
    /// How consumer groups behave.
    pub group: GroupSettings,
    /// How transactions behave.
    pub transaction: TransactionSettings,
    /// How share groups behave.
    pub share: ShareSettings,
    /// How compaction goes about its work.
    pub cleaner: CleanerSettings,
}

impl Default for BrokerConfig {
    fn default() -> BrokerConfig {
        BrokerConfig {
            data_dir: PathBuf::from("data"),
            node_id: 1,
            default_partitions: 1,
            partitions_max: 100_000,
            topic_defaults: TopicConfig::default(),
            acks_minimum: Acks::None,
            memory_budget_bytes: 64 << 20,
            unsynced_max_bytes: 256 << 20,
            sync_bytes: 8 << 20,
            sync_interval: Duration::from_millis(25),
            checkpoint_interval: Duration::from_secs(1),
            producer_expiration: Duration::from_secs(24 * 60 * 60),
            maintenance_interval: Duration::from_secs(5 * 60),
            reserve_bytes: 16 << 20,
            free_min_bytes: 32 << 20,
            journal_snapshot_bytes: 4 << 20,
            open_files_max: None,
            group: GroupSettings::default(),
            transaction: TransactionSettings::default(),
            share: ShareSettings::default(),
            cleaner: CleanerSettings::default(),
        }
    }
}
