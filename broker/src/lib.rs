//! Topics, partitions, groups and producers: the broker itself, embeddable, knowing no socket.
//!
//! [`Broker::open`] gives the broker and its [`Background`], whose two loops have to run somewhere:
//! one makes what was written durable, the other does all else that waits for the disk. Callers on
//! any thread append ([`Partition::produce`]) and read ([`Partition::fetch`]) straight; a partition is
//! guarded by one short lock, and nobody waits for the disk while holding it. Who has to wait, for
//! durability or for something to read, leaves a [`Signal`].
//!
//! Read in this order: [`partition`](Partition) and its `produce`, `shared_log` (what an append and
//! the loops share), `flush` (the way to durability), `journal` and `catalog` (what the broker knows
//! of itself, and how it survives).

mod acks;
mod admin;
mod background;
mod broker;
mod budget;
mod catalog;
mod checkpoint;
mod cleaner;
mod codec;
mod config;
mod coordinator;
mod directory;
mod error;
mod flush;
pub mod group;
mod group_calls;
mod inspect;
mod io_queue;
mod journal;
mod looping;
mod maintenance;
mod mark;
mod metadata;
mod metrics;
mod partition;
mod producer;
mod producer_ids;
mod quota;
mod quota_calls;
mod scrape;
mod services;
mod settings;
pub mod share;
mod shared_log;
mod sharing;
mod signal;
mod space;
mod stop;
mod sync;
mod sync_queue;
mod topic;
pub mod transaction;
mod transaction_calls;
mod wake_list;

pub use acks::Acks;
pub use admin::{Created, NewTopic, TopicChange};
pub use background::{Background, IoLoop};
pub use broker::{Broker, ClusterId, Env, OpenReport};
pub use budget::{Budget, Held, Overdraft};
pub use cleaner::CleanerSettings;
pub use config::BrokerConfig;
pub use error::{Error, Kind, Result};
pub use flush::SyncLoop;
pub use group_calls::PartitionLag;
pub use inspect::{Inspected, Offline};
pub use io_queue::Warming;
pub use mark::{DurableMark, Settled};
pub use metrics::{Metrics, RequestMeter};
pub use onrush_storage::{
    CheckReport, Cursor, Finding, ReadMode, RepairMode, RepairReport, Severity, Slice, SliceRead,
    StorageError, TornTail, Visibility,
};
pub use partition::{Ends, ListedOffset, OffsetSpec, Partition, Placed, ProduceBatch};
pub use producer::{AbortedTransaction, ActiveProducer};
pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::gauge::Gauge;
pub use quota::{Allowance, QuotaEntity, QuotaKind, QuotaLimits};
pub use settings::{ConfigEntry, ConfigSource, Overrides};
pub use sharing::{ShareAcquire, ShareAcquired};
pub use signal::Signal;
pub use topic::{Cleanup, Compression, Ratio, TimestampType, Topic, TopicConfig};
