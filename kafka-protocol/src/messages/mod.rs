//! Every message, one module for each request and its answer, in folders by what they are about.
//!
//! Names are those of Kafka's schemas, fields in snake case; a structure whose name several
//! messages use has the message's name before it. Numbers of errors are plain `i16` here:
//! [`ErrorCode`](crate::ErrorCode) says what they mean.

pub mod cluster;
pub mod configs;
pub mod group;
pub mod records;
pub mod security;
pub mod share;
pub mod topics;
pub mod transaction;

pub use cluster::*;
pub use configs::*;
pub use group::*;
pub use records::*;
pub use security::*;
pub use share::*;
pub use topics::*;
pub use transaction::*;

/// Calls a macro with every request and its answer, as `KEY: Request => Response,`: what is to be
/// done for each of them (a test, a fuzz target, a table) is written once.
#[macro_export]
macro_rules! for_every_api {
    ($callback:ident) => {
        $callback! {
            PRODUCE: ProduceRequest => ProduceResponse,
            FETCH: FetchRequest => FetchResponse,
            LIST_OFFSETS: ListOffsetsRequest => ListOffsetsResponse,
            OFFSET_FOR_LEADER_EPOCH: OffsetForLeaderEpochRequest => OffsetForLeaderEpochResponse,
            DELETE_RECORDS: DeleteRecordsRequest => DeleteRecordsResponse,
            API_VERSIONS: ApiVersionsRequest => ApiVersionsResponse,
            METADATA: MetadataRequest => MetadataResponse,
            FIND_COORDINATOR: FindCoordinatorRequest => FindCoordinatorResponse,
            DESCRIBE_CLUSTER: DescribeClusterRequest => DescribeClusterResponse,
            DESCRIBE_TOPIC_PARTITIONS: DescribeTopicPartitionsRequest => DescribeTopicPartitionsResponse,
            DESCRIBE_LOG_DIRS: DescribeLogDirsRequest => DescribeLogDirsResponse,
            ALTER_REPLICA_LOG_DIRS: AlterReplicaLogDirsRequest => AlterReplicaLogDirsResponse,
            ELECT_LEADERS: ElectLeadersRequest => ElectLeadersResponse,
            ALTER_PARTITION_REASSIGNMENTS: AlterPartitionReassignmentsRequest => AlterPartitionReassignmentsResponse,
            LIST_PARTITION_REASSIGNMENTS: ListPartitionReassignmentsRequest => ListPartitionReassignmentsResponse,
            CREATE_TOPICS: CreateTopicsRequest => CreateTopicsResponse,
            DELETE_TOPICS: DeleteTopicsRequest => DeleteTopicsResponse,
            CREATE_PARTITIONS: CreatePartitionsRequest => CreatePartitionsResponse,
            DESCRIBE_CONFIGS: DescribeConfigsRequest => DescribeConfigsResponse,
            ALTER_CONFIGS: AlterConfigsRequest => AlterConfigsResponse,
            INCREMENTAL_ALTER_CONFIGS: IncrementalAlterConfigsRequest => IncrementalAlterConfigsResponse,
            LIST_CONFIG_RESOURCES: ListConfigResourcesRequest => ListConfigResourcesResponse,
            DESCRIBE_CLIENT_QUOTAS: DescribeClientQuotasRequest => DescribeClientQuotasResponse,
            ALTER_CLIENT_QUOTAS: AlterClientQuotasRequest => AlterClientQuotasResponse,
            JOIN_GROUP: JoinGroupRequest => JoinGroupResponse,
            SYNC_GROUP: SyncGroupRequest => SyncGroupResponse,
            HEARTBEAT: HeartbeatRequest => HeartbeatResponse,
            LEAVE_GROUP: LeaveGroupRequest => LeaveGroupResponse,
            OFFSET_COMMIT: OffsetCommitRequest => OffsetCommitResponse,
            OFFSET_FETCH: OffsetFetchRequest => OffsetFetchResponse,
            OFFSET_DELETE: OffsetDeleteRequest => OffsetDeleteResponse,
            LIST_GROUPS: ListGroupsRequest => ListGroupsResponse,
            DESCRIBE_GROUPS: DescribeGroupsRequest => DescribeGroupsResponse,
            DELETE_GROUPS: DeleteGroupsRequest => DeleteGroupsResponse,
            CONSUMER_GROUP_HEARTBEAT: ConsumerGroupHeartbeatRequest => ConsumerGroupHeartbeatResponse,
            CONSUMER_GROUP_DESCRIBE: ConsumerGroupDescribeRequest => ConsumerGroupDescribeResponse,
            INIT_PRODUCER_ID: InitProducerIdRequest => InitProducerIdResponse,
            ADD_PARTITIONS_TO_TXN: AddPartitionsToTxnRequest => AddPartitionsToTxnResponse,
            ADD_OFFSETS_TO_TXN: AddOffsetsToTxnRequest => AddOffsetsToTxnResponse,
            END_TXN: EndTxnRequest => EndTxnResponse,
            WRITE_TXN_MARKERS: WriteTxnMarkersRequest => WriteTxnMarkersResponse,
            TXN_OFFSET_COMMIT: TxnOffsetCommitRequest => TxnOffsetCommitResponse,
            DESCRIBE_PRODUCERS: DescribeProducersRequest => DescribeProducersResponse,
            DESCRIBE_TRANSACTIONS: DescribeTransactionsRequest => DescribeTransactionsResponse,
            LIST_TRANSACTIONS: ListTransactionsRequest => ListTransactionsResponse,
            SHARE_GROUP_HEARTBEAT: ShareGroupHeartbeatRequest => ShareGroupHeartbeatResponse,
            SHARE_GROUP_DESCRIBE: ShareGroupDescribeRequest => ShareGroupDescribeResponse,
            SHARE_FETCH: ShareFetchRequest => ShareFetchResponse,
            SHARE_ACKNOWLEDGE: ShareAcknowledgeRequest => ShareAcknowledgeResponse,
            DESCRIBE_SHARE_GROUP_OFFSETS: DescribeShareGroupOffsetsRequest => DescribeShareGroupOffsetsResponse,
            ALTER_SHARE_GROUP_OFFSETS: AlterShareGroupOffsetsRequest => AlterShareGroupOffsetsResponse,
            DELETE_SHARE_GROUP_OFFSETS: DeleteShareGroupOffsetsRequest => DeleteShareGroupOffsetsResponse,
            SASL_HANDSHAKE: SaslHandshakeRequest => SaslHandshakeResponse,
            SASL_AUTHENTICATE: SaslAuthenticateRequest => SaslAuthenticateResponse,
            DESCRIBE_ACLS: DescribeAclsRequest => DescribeAclsResponse,
            CREATE_ACLS: CreateAclsRequest => CreateAclsResponse,
            DELETE_ACLS: DeleteAclsRequest => DeleteAclsResponse,
            DESCRIBE_USER_SCRAM_CREDENTIALS: DescribeUserScramCredentialsRequest => DescribeUserScramCredentialsResponse,
            ALTER_USER_SCRAM_CREDENTIALS: AlterUserScramCredentialsRequest => AlterUserScramCredentialsResponse,
        }
    };
}
