//! What is served: the one table that `ApiVersions` tells clients and that dispatch obeys.

use onrush_kafka_protocol::ApiKey;

use crate::dispatch::{Served, serve};

serve! {
    // In brackets the oldest version that is served, where clients are told of older ones: librdkafka
    // does not compress for a broker that does not know the first version of Produce.
    by the session {
        PRODUCE 0 (3)..=13,
        FETCH 4 (4)..=18,
    }
    LIST_OFFSETS 1..=11 ListOffsetsRequest => offsets::list_offsets,
    METADATA 0..=13 MetadataRequest => metadata::metadata,
    OFFSET_COMMIT 2..=10 OffsetCommitRequest => group::offset_commit,
    OFFSET_FETCH 1..=10 OffsetFetchRequest => group::offset_fetch,
    FIND_COORDINATOR 0..=6 FindCoordinatorRequest => coordinator::find_coordinator,
    JOIN_GROUP 0..=9 JoinGroupRequest => group::join_group,
    HEARTBEAT 0..=4 HeartbeatRequest => group::heartbeat,
    LEAVE_GROUP 0..=5 LeaveGroupRequest => group::leave_group,
    SYNC_GROUP 0..=5 SyncGroupRequest => group::sync_group,
    DESCRIBE_GROUPS 0..=6 DescribeGroupsRequest => group::describe_groups,
    LIST_GROUPS 0..=5 ListGroupsRequest => group::list_groups,
    SASL_HANDSHAKE 0..=1 SaslHandshakeRequest => security::sasl_handshake,
    API_VERSIONS 0..=4 ApiVersionsRequest => api_versions::api_versions,
    CREATE_TOPICS 2..=7 CreateTopicsRequest => create_topics::create_topics,
    DELETE_TOPICS 1..=6 DeleteTopicsRequest => delete_topics::delete_topics,
    DELETE_RECORDS 0..=2 DeleteRecordsRequest => delete_records::delete_records,
    INIT_PRODUCER_ID 0..=5 InitProducerIdRequest => producer_id::init_producer_id,
    OFFSET_FOR_LEADER_EPOCH 2..=4 OffsetForLeaderEpochRequest => offsets::offset_for_leader_epoch,
    ADD_PARTITIONS_TO_TXN 0..=5 AddPartitionsToTxnRequest => transaction::add_partitions_to_txn,
    ADD_OFFSETS_TO_TXN 0..=4 AddOffsetsToTxnRequest => transaction::add_offsets_to_txn,
    END_TXN 0..=5 EndTxnRequest => transaction::end_txn,
    WRITE_TXN_MARKERS 1..=2 WriteTxnMarkersRequest => transaction::write_txn_markers,
    TXN_OFFSET_COMMIT 0..=5 TxnOffsetCommitRequest => transaction::txn_offset_commit,
    DESCRIBE_ACLS 1..=3 DescribeAclsRequest => security::describe_acls,
    CREATE_ACLS 1..=3 CreateAclsRequest => security::create_acls,
    DELETE_ACLS 1..=3 DeleteAclsRequest => security::delete_acls,
    DESCRIBE_CONFIGS 1..=4 DescribeConfigsRequest => configs::describe_configs,
    ALTER_CONFIGS 0..=2 AlterConfigsRequest => configs::alter_configs,
    DESCRIBE_LOG_DIRS 1..=5 DescribeLogDirsRequest => log_dirs::describe_log_dirs,
    SASL_AUTHENTICATE 0..=2 SaslAuthenticateRequest => security::sasl_authenticate,
    CREATE_PARTITIONS 0..=3 CreatePartitionsRequest => create_partitions::create_partitions,
    ELECT_LEADERS 0..=2 ElectLeadersRequest => replicas::elect_leaders,
    DELETE_GROUPS 0..=2 DeleteGroupsRequest => group::delete_groups,
    INCREMENTAL_ALTER_CONFIGS 0..=1 IncrementalAlterConfigsRequest => configs::incremental_alter_configs,
    DESCRIBE_CLIENT_QUOTAS 0..=1 DescribeClientQuotasRequest => quotas::describe_client_quotas,
    ALTER_CLIENT_QUOTAS 0..=1 AlterClientQuotasRequest => quotas::alter_client_quotas,
    ALTER_PARTITION_REASSIGNMENTS 0..=1 AlterPartitionReassignmentsRequest => replicas::alter_partition_reassignments,
    LIST_PARTITION_REASSIGNMENTS 0..=0 ListPartitionReassignmentsRequest => replicas::list_partition_reassignments,
    OFFSET_DELETE 0..=0 OffsetDeleteRequest => group::offset_delete,
    DESCRIBE_CLUSTER 0..=2 DescribeClusterRequest => cluster::describe_cluster,
    DESCRIBE_PRODUCERS 0..=0 DescribeProducersRequest => transaction::describe_producers,
    DESCRIBE_TRANSACTIONS 0..=0 DescribeTransactionsRequest => transaction::describe_transactions,
    LIST_TRANSACTIONS 0..=2 ListTransactionsRequest => transaction::list_transactions,
    CONSUMER_GROUP_HEARTBEAT 0..=1 ConsumerGroupHeartbeatRequest => group::consumer_group_heartbeat,
    CONSUMER_GROUP_DESCRIBE 0..=1 ConsumerGroupDescribeRequest => group::consumer_group_describe,
    SHARE_GROUP_HEARTBEAT 1..=1 ShareGroupHeartbeatRequest => share::share_group_heartbeat,
    SHARE_GROUP_DESCRIBE 1..=1 ShareGroupDescribeRequest => share::share_group_describe,
    SHARE_FETCH 1..=2 ShareFetchRequest => share::share_fetch,
    SHARE_ACKNOWLEDGE 1..=2 ShareAcknowledgeRequest => share::share_acknowledge,
    DESCRIBE_SHARE_GROUP_OFFSETS 0..=1 DescribeShareGroupOffsetsRequest => share::describe_share_group_offsets,
    ALTER_SHARE_GROUP_OFFSETS 0..=0 AlterShareGroupOffsetsRequest => share::alter_share_group_offsets,
    DELETE_SHARE_GROUP_OFFSETS 0..=0 DeleteShareGroupOffsetsRequest => share::delete_share_group_offsets,
    LIST_CONFIG_RESOURCES 0..=1 ListConfigResourcesRequest => configs::list_config_resources,
    DESCRIBE_TOPIC_PARTITIONS 0..=0 DescribeTopicPartitionsRequest => topic_partitions::describe_topic_partitions,
}

/// The names of all APIs up to the last that is served, each at the place of its key.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let last = SERVED.iter().map(|served| served.key.0).max().unwrap_or(0);
    (0..=last).map(|key| ApiKey(key).name())
}

/// What is served of an API.
pub(crate) fn find(key: ApiKey) -> Option<&'static Served> {
    SERVED.iter().find(|served| served.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_the_same_table() {
        let document = include_str!("../../../docs/KAFKA.md");
        let mut written: Vec<String> = document
            .lines()
            .filter_map(|line| {
                let cells: Vec<&str> = line.split('|').map(str::trim).collect();
                cells.get(1)?.parse::<i16>().ok()?;
                Some(format!("{} {} {}", cells[1], cells[2], cells[3]))
            })
            .collect();
        let mut served: Vec<String> = SERVED
            .iter()
            .map(|one| {
                let Served { key, advertised, max, .. } = one;
                let versions = if advertised == max {
                    max.to_string()
                } else {
                    format!("{advertised}–{max}")
                };
                format!("{} {} {versions}", key.0, key.name())
            })
            .collect();
        written.sort();
        served.sort();
        assert_eq!(written, served, "docs/KAFKA.md is not what is served");
    }

    #[test]
    fn every_api_is_in_the_table_once() {
        for (at, served) in SERVED.iter().enumerate() {
            assert!(served.advertised <= served.min && served.min <= served.max, "{served:?}");
            assert!(SERVED[at + 1..].iter().all(|other| other.key != served.key), "{served:?}");
        }
    }
}
