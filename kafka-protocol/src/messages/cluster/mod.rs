//! The cluster as clients see it: brokers, topics, coordinators, directories, replicas.

pub mod alter_partition_reassignments;
pub mod alter_replica_log_dirs;
pub mod api_versions;
pub mod describe_cluster;
pub mod describe_log_dirs;
pub mod describe_topic_partitions;
pub mod elect_leaders;
pub mod find_coordinator;
pub mod list_partition_reassignments;
pub mod metadata;

pub use alter_partition_reassignments::*;
pub use alter_replica_log_dirs::*;
pub use api_versions::*;
pub use describe_cluster::*;
pub use describe_log_dirs::*;
pub use describe_topic_partitions::*;
pub use elect_leaders::*;
pub use find_coordinator::*;
pub use list_partition_reassignments::*;
pub use metadata::*;
