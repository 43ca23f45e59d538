//! What requests come to, one module for each area: requests in, broker calls, responses out. No
//! handler knows a socket, and none runs beside another of the same connection.

pub(crate) mod api_versions;
pub(crate) mod cluster;
mod committed;
pub(crate) mod configs;
pub(crate) mod coordinator;
pub(crate) mod create_partitions;
pub(crate) mod create_topics;
pub(crate) mod delete_records;
pub(crate) mod delete_topics;
pub(crate) mod group;
pub(crate) mod log_dirs;
pub(crate) mod metadata;
pub(crate) mod offsets;
mod operations;
mod placement;
pub(crate) mod producer_id;
pub(crate) mod quotas;
pub(crate) mod replicas;
pub(crate) mod security;
pub(crate) mod share;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod topic_partitions;
pub(crate) mod transaction;
