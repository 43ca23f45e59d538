//! Which request a frame holds.

use crate::wire::versions;

/// The number of a request, as in `ApiVersions` and in every header.
#[derive(Copy, Clone, Eq, PartialEq, Ord, PartialOrd, Hash, Debug)]
pub struct ApiKey(pub i16);

macro_rules! api_keys {
    ($($name:ident = $key:literal, $text:literal, flexible [$($flexible:tt)+];)+) => {
        impl ApiKey {
            $(
                #[doc = concat!("`", $text, "`.")]
                pub const $name: Self = Self($key);
            )+

            /// Every request that a client may send, whether or not this crate has its messages.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name in Kafka's schemas.
            pub const fn name(self) -> &'static str {
                match self.0 {
                    $($key => $text,)+
                    _ => "unknown",
                }
            }

            /// The first version whose lengths take as many bytes as they need, whose structures
            /// end with tagged fields, and whose headers do so too; `i16::MAX` where there is none.
            pub const fn flexible_from(self) -> i16 {
                match self.0 {
                    $($key => versions!($($flexible)+).min,)+
                    _ => i16::MAX,
                }
            }
        }
    };
}

api_keys! {
    PRODUCE = 0, "Produce", flexible [9+];
    FETCH = 1, "Fetch", flexible [12+];
    LIST_OFFSETS = 2, "ListOffsets", flexible [6+];
    METADATA = 3, "Metadata", flexible [9+];
    OFFSET_COMMIT = 8, "OffsetCommit", flexible [8+];
    OFFSET_FETCH = 9, "OffsetFetch", flexible [6+];
    FIND_COORDINATOR = 10, "FindCoordinator", flexible [3+];
    JOIN_GROUP = 11, "JoinGroup", flexible [6+];
    HEARTBEAT = 12, "Heartbeat", flexible [4+];
    LEAVE_GROUP = 13, "LeaveGroup", flexible [4+];
    SYNC_GROUP = 14, "SyncGroup", flexible [4+];
    DESCRIBE_GROUPS = 15, "DescribeGroups", flexible [5+];
    LIST_GROUPS = 16, "ListGroups", flexible [3+];
    SASL_HANDSHAKE = 17, "SaslHandshake", flexible [none];
    API_VERSIONS = 18, "ApiVersions", flexible [3+];
    CREATE_TOPICS = 19, "CreateTopics", flexible [5+];
    DELETE_TOPICS = 20, "DeleteTopics", flexible [4+];
    DELETE_RECORDS = 21, "DeleteRecords", flexible [2+];
    INIT_PRODUCER_ID = 22, "InitProducerId", flexible [2+];
    OFFSET_FOR_LEADER_EPOCH = 23, "OffsetForLeaderEpoch", flexible [4+];
    ADD_PARTITIONS_TO_TXN = 24, "AddPartitionsToTxn", flexible [3+];
    ADD_OFFSETS_TO_TXN = 25, "AddOffsetsToTxn", flexible [3+];
    END_TXN = 26, "EndTxn", flexible [3+];
    WRITE_TXN_MARKERS = 27, "WriteTxnMarkers", flexible [1+];
    TXN_OFFSET_COMMIT = 28, "TxnOffsetCommit", flexible [3+];
    DESCRIBE_ACLS = 29, "DescribeAcls", flexible [2+];
    CREATE_ACLS = 30, "CreateAcls", flexible [2+];
    DELETE_ACLS = 31, "DeleteAcls", flexible [2+];
    DESCRIBE_CONFIGS = 32, "DescribeConfigs", flexible [4+];
    ALTER_CONFIGS = 33, "AlterConfigs", flexible [2+];
    ALTER_REPLICA_LOG_DIRS = 34, "AlterReplicaLogDirs", flexible [2+];
    DESCRIBE_LOG_DIRS = 35, "DescribeLogDirs", flexible [2+];
    SASL_AUTHENTICATE = 36, "SaslAuthenticate", flexible [2+];
    CREATE_PARTITIONS = 37, "CreatePartitions", flexible [2+];
    CREATE_DELEGATION_TOKEN = 38, "CreateDelegationToken", flexible [2+];
    RENEW_DELEGATION_TOKEN = 39, "RenewDelegationToken", flexible [2+];
    EXPIRE_DELEGATION_TOKEN = 40, "ExpireDelegationToken", flexible [2+];
    DESCRIBE_DELEGATION_TOKEN = 41, "DescribeDelegationToken", flexible [2+];
    DELETE_GROUPS = 42, "DeleteGroups", flexible [2+];
    ELECT_LEADERS = 43, "ElectLeaders", flexible [2+];
    INCREMENTAL_ALTER_CONFIGS = 44, "IncrementalAlterConfigs", flexible [1+];
    ALTER_PARTITION_REASSIGNMENTS = 45, "AlterPartitionReassignments", flexible [0+];
    LIST_PARTITION_REASSIGNMENTS = 46, "ListPartitionReassignments", flexible [0+];
    OFFSET_DELETE = 47, "OffsetDelete", flexible [none];
    DESCRIBE_CLIENT_QUOTAS = 48, "DescribeClientQuotas", flexible [1+];
    ALTER_CLIENT_QUOTAS = 49, "AlterClientQuotas", flexible [1+];
    DESCRIBE_USER_SCRAM_CREDENTIALS = 50, "DescribeUserScramCredentials", flexible [0+];
    ALTER_USER_SCRAM_CREDENTIALS = 51, "AlterUserScramCredentials", flexible [0+];
    DESCRIBE_QUORUM = 55, "DescribeQuorum", flexible [0+];
    UPDATE_FEATURES = 57, "UpdateFeatures", flexible [0+];
    DESCRIBE_CLUSTER = 60, "DescribeCluster", flexible [0+];
    DESCRIBE_PRODUCERS = 61, "DescribeProducers", flexible [0+];
    UNREGISTER_BROKER = 64, "UnregisterBroker", flexible [0+];
    DESCRIBE_TRANSACTIONS = 65, "DescribeTransactions", flexible [0+];
    LIST_TRANSACTIONS = 66, "ListTransactions", flexible [0+];
    CONSUMER_GROUP_HEARTBEAT = 68, "ConsumerGroupHeartbeat", flexible [0+];
    CONSUMER_GROUP_DESCRIBE = 69, "ConsumerGroupDescribe", flexible [0+];
    GET_TELEMETRY_SUBSCRIPTIONS = 71, "GetTelemetrySubscriptions", flexible [0+];
    PUSH_TELEMETRY = 72, "PushTelemetry", flexible [0+];
    LIST_CONFIG_RESOURCES = 74, "ListConfigResources", flexible [0+];
    DESCRIBE_TOPIC_PARTITIONS = 75, "DescribeTopicPartitions", flexible [0+];
    SHARE_GROUP_HEARTBEAT = 76, "ShareGroupHeartbeat", flexible [0+];
    SHARE_GROUP_DESCRIBE = 77, "ShareGroupDescribe", flexible [0+];
    SHARE_FETCH = 78, "ShareFetch", flexible [0+];
    SHARE_ACKNOWLEDGE = 79, "ShareAcknowledge", flexible [0+];
    ADD_RAFT_VOTER = 80, "AddRaftVoter", flexible [0+];
    REMOVE_RAFT_VOTER = 81, "RemoveRaftVoter", flexible [0+];
    STREAMS_GROUP_HEARTBEAT = 88, "StreamsGroupHeartbeat", flexible [0+];
    STREAMS_GROUP_DESCRIBE = 89, "StreamsGroupDescribe", flexible [0+];
    DESCRIBE_SHARE_GROUP_OFFSETS = 90, "DescribeShareGroupOffsets", flexible [0+];
    ALTER_SHARE_GROUP_OFFSETS = 91, "AlterShareGroupOffsets", flexible [0+];
    DELETE_SHARE_GROUP_OFFSETS = 92, "DeleteShareGroupOffsets", flexible [0+];
}
