use onrush_kafka_protocol::ErrorCode;
use onrush_kafka_protocol::messages::{
    AclCreation, AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse,
    ApiVersionsRequest, ApiVersionsResponse, CreateAclsRequest, CreateAclsResponse,
    DeleteAclsFilter, DeleteAclsRequest, DeleteAclsResponse, DescribableLogDirTopic,
    DescribeAclsRequest, DescribeAclsResponse, DescribeClusterRequest, DescribeClusterResponse,
    DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsRequestCursor, DescribeTopicPartitionsRequestTopicRequest,
    DescribeTopicPartitionsResponse, ElectLeadersRequest, ElectLeadersRequestTopicPartitions,
    ElectLeadersResponse, InitProducerIdRequest, InitProducerIdResponse,
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, ReassignablePartition,
    ReassignableTopic, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse,
};

use super::{Server, now_ms};
use crate::served::SERVED;

#[test]
fn what_is_told_of_versions_is_the_table() {
    let server = Server::start();
    let request = ApiVersionsRequest {
        client_software_name: "tester".to_owned(),
        client_software_version: "1.0".to_owned(),
    };
    let answer: ApiVersionsResponse = server.ask(4, &request);
    assert_eq!(answer.error_code, 0);
    let told: Vec<_> =
        answer.api_keys.iter().map(|k| (k.api_key, k.min_version, k.max_version)).collect();
    let table: Vec<_> = SERVED.iter().map(|s| (s.key.0, s.advertised, s.max)).collect();
    assert_eq!(told, table);
    let unnamed: ApiVersionsResponse = server.ask(3, &ApiVersionsRequest::default());
    assert_eq!(unnamed.error_code, ErrorCode::INVALID_REQUEST.0);
}

#[test]
fn producers_get_ids_of_their_own() {
    let server = Server::start();
    let answers: Vec<InitProducerIdResponse> =
        server.ask_all(|_| InitProducerIdRequest { transactional_id: None, ..Default::default() });
    let mut ids: Vec<i64> = answers.iter().map(|answer| answer.producer_id).collect();
    assert!(answers.iter().all(|answer| (answer.error_code, answer.producer_epoch) == (0, 0)));
    ids.dedup();
    assert_eq!(ids.len(), answers.len());
    let half =
        InitProducerIdRequest { transactional_id: None, producer_id: 5, ..Default::default() };
    let answer: InitProducerIdResponse = server.ask(5, &half);
    assert_eq!((answer.error_code, answer.producer_id), (ErrorCode::INVALID_REQUEST.0, -1));
    let empty = InitProducerIdRequest { transactional_id: Some(String::new()), ..half };
    let answer: InitProducerIdResponse = server.ask(5, &empty);
    assert_eq!(answer.error_code, ErrorCode::INVALID_REQUEST.0);
}

#[test]
fn the_cluster_is_this_broker() {
    let server = Server::start();
    let asking = DescribeClusterRequest {
        include_cluster_authorized_operations: true,
        ..Default::default()
    };
    for answer in server.ask_all::<_, DescribeClusterResponse>(|_| asking.clone()) {
        assert_eq!(answer.cluster_id, server.broker().cluster_id().to_string());
        assert_eq!((answer.controller_id, answer.cluster_authorized_operations), (1, 8096));
        assert_eq!((&*answer.brokers[0].host, answer.brokers[0].port), ("broker.test", 9192));
    }
    let controllers = DescribeClusterRequest { endpoint_type: 2, ..Default::default() };
    let answer: DescribeClusterResponse = server.ask(1, &controllers);
    assert_eq!(answer.error_code, ErrorCode::MISMATCHED_ENDPOINT_TYPE.0);
    assert!(answer.brokers.is_empty());
}

#[test]
fn topics_are_described_in_pages() {
    let server = Server::start();
    server.topic("a", 3);
    server.topic("b", 2);
    let named = |names: &[&str]| {
        let topic =
            |name: &&str| DescribeTopicPartitionsRequestTopicRequest { name: (*name).to_owned() };
        names.iter().map(topic).collect::<Vec<_>>()
    };
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let request = DescribeTopicPartitionsRequest {
            topics: named(&["c", "b", "a", "a"]),
            response_partition_limit: 2,
            cursor,
        };
        let page: DescribeTopicPartitionsResponse = server.ask(0, &request);
        for topic in page.topics {
            let name = topic.name.unwrap();
            if topic.error_code != 0 {
                assert_eq!(topic.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0);
                seen.push((name, -1));
                continue;
            }
            seen.extend(topic.partitions.iter().map(|p| (name.clone(), p.partition_index)));
        }
        let Some(next) = page.next_cursor else { break };
        cursor = Some(DescribeTopicPartitionsRequestCursor {
            topic_name: next.topic_name,
            partition_index: next.partition_index,
        });
    }
    let seen: Vec<_> = seen.iter().map(|(name, index)| (name.as_str(), *index)).collect();
    assert_eq!(seen, [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1), ("c", -1)]);
    let all: DescribeTopicPartitionsResponse =
        server.ask(0, &DescribeTopicPartitionsRequest::default());
    assert_eq!(all.topics.len(), 2);
    assert_eq!(all.topics[0].topic_authorized_operations, 3576);
}

#[test]
fn sizes_grow_with_what_is_written() {
    let server = Server::start();
    server.topic("a", 2);
    server.topic("b", 1);
    let size =
        |answer: &DescribeLogDirsResponse| answer.results[0].topics[0].partitions[1].partition_size;
    let all = DescribeLogDirsRequest { topics: None };
    let before: DescribeLogDirsResponse = server.ask(5, &all);
    assert_eq!((before.results[0].topics.len(), size(&before)), (2, 0));
    server.write("a", 1, &[now_ms(); 10]);
    let after: Vec<DescribeLogDirsResponse> = server.ask_all(|_| all.clone());
    assert!(after.iter().all(|answer| size(answer) > 61));
    let one = DescribableLogDirTopic { topic: "a".to_owned(), partitions: vec![1, 7, -1] };
    let none = DescribableLogDirTopic { topic: "none".to_owned(), partitions: vec![0] };
    let some = DescribeLogDirsRequest { topics: Some(vec![one, none]) };
    let answer: DescribeLogDirsResponse = server.ask(2, &some);
    assert_eq!(answer.results[0].topics.len(), 1);
    assert_eq!(answer.results[0].topics[0].partitions.len(), 1);
}

#[test]
fn replicas_stay_where_they_are() {
    let server = Server::start();
    server.topic("t", 1);
    let none: ListPartitionReassignmentsResponse =
        server.ask(0, &ListPartitionReassignmentsRequest::default());
    assert_eq!((none.error_code, none.topics.len()), (0, 0));
    let partition = |partition_index, replicas| ReassignablePartition { partition_index, replicas };
    let topic = ReassignableTopic {
        name: "t".to_owned(),
        partitions: vec![
            partition(0, Some(vec![1])),
            partition(0, Some(vec![2])),
            partition(0, None),
            partition(1, Some(vec![1])),
        ],
    };
    let request = AlterPartitionReassignmentsRequest { topics: vec![topic], ..Default::default() };
    for answer in server.ask_all::<_, AlterPartitionReassignmentsResponse>(|_| request.clone()) {
        let codes = answer.responses[0].partitions.iter().map(|p| ErrorCode(p.error_code));
        assert_eq!(
            codes.collect::<Vec<_>>(),
            [
                ErrorCode::NONE,
                ErrorCode::INVALID_REPLICA_ASSIGNMENT,
                ErrorCode::NO_REASSIGNMENT_IN_PROGRESS,
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
            ]
        );
    }
    let asked =
        ElectLeadersRequestTopicPartitions { topic: "t".to_owned(), partitions: vec![0, 1] };
    let request = ElectLeadersRequest { topic_partitions: Some(vec![asked]), ..Default::default() };
    for answer in server.ask_all::<_, ElectLeadersResponse>(|_| request.clone()) {
        let codes =
            answer.replica_election_results[0].partition_result.iter().map(|p| p.error_code);
        assert_eq!(
            codes.collect::<Vec<_>>(),
            [ErrorCode::ELECTION_NOT_NEEDED.0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0]
        );
    }
    let all = ElectLeadersRequest { topic_partitions: None, ..Default::default() };
    let answer: ElectLeadersResponse = server.ask(2, &all);
    assert!(answer.replica_election_results.is_empty());
}

#[test]
fn there_is_no_authorizer_and_no_authentication() {
    let server = Server::start();
    let disabled = ErrorCode::SECURITY_DISABLED.0;
    for answer in server.ask_all::<_, DescribeAclsResponse>(|_| DescribeAclsRequest {
        resource_name_filter: None,
        ..Default::default()
    }) {
        assert_eq!(answer.error_code, disabled);
    }
    let create = CreateAclsRequest { creations: vec![AclCreation::default(); 2] };
    for answer in server.ask_all::<_, CreateAclsResponse>(|_| create.clone()) {
        assert!(
            answer.results.len() == 2 && answer.results.iter().all(|r| r.error_code == disabled)
        );
    }
    let delete = DeleteAclsRequest { filters: vec![DeleteAclsFilter::default()] };
    for answer in server.ask_all::<_, DeleteAclsResponse>(|_| delete.clone()) {
        assert_eq!(answer.filter_results[0].error_code, disabled);
    }
    let state = ErrorCode::ILLEGAL_SASL_STATE.0;
    for answer in server.ask_all::<_, SaslHandshakeResponse>(|_| SaslHandshakeRequest::default()) {
        assert_eq!(answer.error_code, state);
    }
    for answer in
        server.ask_all::<_, SaslAuthenticateResponse>(|_| SaslAuthenticateRequest::default())
    {
        assert_eq!(answer.error_code, state);
    }
}
