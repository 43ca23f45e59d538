use onrush_broker::{Acks, ProduceBatch};
use onrush_kafka_protocol::ErrorCode;
use onrush_kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest,
    AddPartitionsToTxnResponse, AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
    ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse, DescribeProducersRequest,
    DescribeProducersRequestTopicRequest, DescribeProducersResponse, DescribeTransactionsRequest,
    DescribeTransactionsResponse, EndTxnRequest, EndTxnResponse, InitProducerIdRequest,
    InitProducerIdResponse, ListOffsetsPartition, ListOffsetsRequest, ListOffsetsResponse,
    ListOffsetsTopic, ListTransactionsRequest, ListTransactionsResponse, TxnOffsetCommitRequest,
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic, TxnOffsetCommitResponse,
    WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};

use onrush_record::batch::{BatchBuilder, Codec};
use onrush_record::{ProducerEpoch, ProducerId, Sequence};

use super::{Server, now_ms};

fn init(server: &Server, version: i16) -> InitProducerIdResponse {
    let request = InitProducerIdRequest {
        transactional_id: Some("mover".to_owned()),
        transaction_timeout_ms: 60_000,
        ..Default::default()
    };
    server.ask(version, &request)
}

fn topics(partitions: &[i32]) -> Vec<AddPartitionsToTxnTopic> {
    vec![AddPartitionsToTxnTopic { name: "t".to_owned(), partitions: partitions.to_vec() }]
}

fn add(server: &Server, version: i16, id: i64, epoch: i16, partitions: &[i32]) -> Vec<ErrorCode> {
    let request = AddPartitionsToTxnRequest {
        v3_and_below_transactional_id: "mover".to_owned(),
        v3_and_below_producer_id: id,
        v3_and_below_producer_epoch: epoch,
        v3_and_below_topics: topics(partitions),
        ..Default::default()
    };
    let answer: AddPartitionsToTxnResponse = server.ask(version, &request);
    let results = answer.results_by_topic_v3_and_below[0].results_by_partition.iter();
    results.map(|result| ErrorCode(result.partition_error_code)).collect()
}

fn verify(server: &Server, id: i64, epoch: i16, partitions: &[i32]) -> ErrorCode {
    let transaction = AddPartitionsToTxnTransaction {
        transactional_id: "mover".to_owned(),
        producer_id: id,
        producer_epoch: epoch,
        verify_only: true,
        topics: topics(partitions),
    };
    let request =
        AddPartitionsToTxnRequest { transactions: vec![transaction], ..Default::default() };
    let answer: AddPartitionsToTxnResponse = server.ask(5, &request);
    let result = &answer.results_by_transaction[0].topic_results[0].results_by_partition[0];
    ErrorCode(result.partition_error_code)
}

fn end(server: &Server, version: i16, id: i64, epoch: i16) -> EndTxnResponse {
    let request = EndTxnRequest {
        transactional_id: "mover".to_owned(),
        producer_id: id,
        producer_epoch: epoch,
        committed: true,
    };
    server.ask(version, &request)
}

fn state(server: &Server) -> (i16, String) {
    // However often it is named, it is described once.
    let transactional_ids = vec!["mover".to_owned(); 600];
    let request = DescribeTransactionsRequest { transactional_ids };
    let answer: DescribeTransactionsResponse = server.ask(0, &request);
    let [state] = &answer.transaction_states[..] else { panic!("{answer:?}") };
    (state.error_code, state.transaction_state.clone())
}

#[test]
fn a_transaction_begins_and_ends() {
    let server = Server::start();
    server.topic("t", 2);
    assert_eq!(state(&server).0, ErrorCode::TRANSACTIONAL_ID_NOT_FOUND.0);
    let first = init(&server, 5);
    assert_eq!((first.error_code, first.producer_epoch), (0, 0));
    let (id, epoch) = (first.producer_id, first.producer_epoch);
    assert_eq!(state(&server), (0, "Empty".to_owned()));
    assert_eq!(add(&server, 3, id, epoch, &[0, 1]), [ErrorCode::NONE; 2]);
    assert_eq!(state(&server), (0, "Ongoing".to_owned()));
    assert_eq!(verify(&server, id, epoch, &[1]), ErrorCode::NONE);
    let group = AddOffsetsToTxnRequest {
        transactional_id: "mover".to_owned(),
        producer_id: id,
        producer_epoch: epoch,
        group_id: "readers".to_owned(),
    };
    for version in 0..=4 {
        let answer: AddOffsetsToTxnResponse = server.ask(version, &group);
        assert_eq!(answer.error_code, 0);
    }
    let ended = end(&server, 4, id, epoch);
    assert_eq!((ended.error_code, ended.producer_id), (0, -1));
    let listed: Vec<ListTransactionsResponse> =
        server.ask_all(|_| ListTransactionsRequest::default());
    for answer in listed {
        assert_eq!(answer.transaction_states.len(), 1);
        assert_eq!(answer.transaction_states[0].transactional_id, "mover");
    }
    let none = ListTransactionsRequest {
        state_filters: vec!["NoSuchState".to_owned()],
        ..Default::default()
    };
    let answer: ListTransactionsResponse = server.ask(1, &none);
    assert_eq!((answer.unknown_state_filters.len(), answer.transaction_states.len()), (1, 0));
}

#[test]
fn what_may_still_be_taken_back_is_not_found_by_its_time() {
    let server = Server::start();
    server.topic("t", 1);
    let made = init(&server, 5);
    let (id, epoch) = (made.producer_id, made.producer_epoch);
    assert_eq!(add(&server, 3, id, epoch, &[0]), [ErrorCode::NONE]);
    let now = now_ms();
    let mut bytes = {
        let mut builder = BatchBuilder::new(Codec::None);
        builder.set_producer(ProducerId::new(id), ProducerEpoch::new(epoch), Sequence::new(0));
        builder.set_transactional(true);
        builder.push(now, None, Some(b"value"), &[]);
        builder.finish().unwrap()
    };
    let batch = ProduceBatch { bytes: &mut bytes, expected_offset: None, acks: Acks::Written };
    let mut results = Vec::new();
    server.partition("t", 0).produce(&mut [batch], &mut results);
    results.remove(0).unwrap();
    let find = |isolation_level: i8, timestamp: i64| {
        let partition = ListOffsetsPartition { timestamp, ..Default::default() };
        let topic = ListOffsetsTopic { name: "t".to_owned(), partitions: vec![partition] };
        let request =
            ListOffsetsRequest { isolation_level, topics: vec![topic], ..Default::default() };
        let answer: ListOffsetsResponse = server.ask(7, &request);
        let found = &answer.topics[0].partitions[0];
        assert_eq!(found.error_code, 0);
        found.offset
    };
    assert_eq!((find(0, -1), find(1, -1)), (1, 0), "its offset is the last stable one");
    assert_eq!((find(0, now), find(1, now)), (0, -1));
    assert_eq!((find(0, -3), find(1, -3)), (0, -1));
    assert_eq!((find(0, -2), find(1, -2)), (0, 0), "where the log begins is known");
    assert_eq!(end(&server, 4, id, epoch).error_code, 0);
    assert_eq!(find(1, now), 0);
}

#[test]
fn an_end_gives_a_new_epoch_where_the_client_knows_of_it() {
    let server = Server::start();
    server.topic("t", 1);
    let first = init(&server, 5);
    let (id, epoch) = (first.producer_id, first.producer_epoch);
    assert_eq!(add(&server, 3, id, epoch, &[0]), [ErrorCode::NONE]);
    let ended = end(&server, 5, id, epoch);
    assert_eq!((ended.error_code, ended.producer_id, ended.producer_epoch), (0, id, epoch + 1));
}

#[test]
fn a_fenced_producer_is_told_so_in_words_its_version_knows() {
    let server = Server::start();
    server.topic("t", 1);
    let old = init(&server, 5);
    let new = init(&server, 5);
    assert_eq!((new.producer_id, new.producer_epoch), (old.producer_id, old.producer_epoch + 1));
    let (id, epoch) = (old.producer_id, old.producer_epoch);
    assert_eq!(add(&server, 1, id, epoch, &[0]), [ErrorCode::INVALID_PRODUCER_EPOCH]);
    assert_eq!(add(&server, 2, id, epoch, &[0]), [ErrorCode::PRODUCER_FENCED]);
    assert_eq!(end(&server, 1, id, epoch).error_code, ErrorCode::INVALID_PRODUCER_EPOCH.0);
    assert_eq!(end(&server, 3, id, epoch).error_code, ErrorCode::PRODUCER_FENCED.0);
    assert_eq!(verify(&server, id, epoch, &[0]), ErrorCode::PRODUCER_FENCED);
}

#[test]
fn all_partitions_are_added_or_none() {
    let server = Server::start();
    server.topic("t", 1);
    let made = init(&server, 5);
    let (id, epoch) = (made.producer_id, made.producer_epoch);
    assert_eq!(
        add(&server, 3, id, epoch, &[0, 7]),
        [ErrorCode::OPERATION_NOT_ATTEMPTED, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION]
    );
    assert_eq!(verify(&server, id, epoch, &[0]), ErrorCode::TRANSACTION_ABORTABLE);
    assert_eq!(add(&server, 3, id + 1, epoch, &[0]), [ErrorCode::INVALID_PRODUCER_ID_MAPPING]);
}

#[test]
fn offsets_are_committed_within_it() {
    let server = Server::start();
    server.topic("t", 1);
    let made = init(&server, 5);
    let partition = |partition_index| TxnOffsetCommitRequestPartition {
        partition_index,
        committed_offset: 5,
        ..Default::default()
    };
    let commit = |version: i16, producer_epoch: i16| {
        let topic = TxnOffsetCommitRequestTopic {
            name: "t".to_owned(),
            partitions: vec![partition(3), partition(0)],
        };
        let request = TxnOffsetCommitRequest {
            transactional_id: "mover".to_owned(),
            group_id: "readers".to_owned(),
            producer_id: made.producer_id,
            producer_epoch,
            topics: vec![topic],
            ..Default::default()
        };
        let answer: TxnOffsetCommitResponse = server.ask(version, &request);
        let results = answer.topics[0].partitions.iter();
        results.map(|result| ErrorCode(result.error_code)).collect::<Vec<_>>()
    };
    let unknown = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION;
    assert_eq!(commit(3, 0), [unknown, ErrorCode::INVALID_TXN_STATE], "the group is not added");
    assert_eq!(commit(5, 0), [unknown, ErrorCode::NONE], "it is by this version");
    assert_eq!(commit(5, -1), [unknown, ErrorCode::INVALID_PRODUCER_EPOCH]);
}

#[test]
fn producers_are_described_and_markers_end_what_is_open() {
    let server = Server::start();
    server.topic("t", 1);
    let topic = DescribeProducersRequestTopicRequest {
        name: "t".to_owned(),
        // However often one is named, it is described once.
        partition_indexes: vec![0, 1, 0],
    };
    let request = DescribeProducersRequest { topics: vec![topic] };
    let answer: DescribeProducersResponse = server.ask(0, &request);
    let codes: Vec<i16> = answer.topics[0].partitions.iter().map(|p| p.error_code).collect();
    assert_eq!(codes, [0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0]);
    let topic = WritableTxnMarkerTopic { name: "t".to_owned(), partition_indexes: vec![0, 1] };
    let marker = WritableTxnMarker { producer_id: 99, topics: vec![topic], ..Default::default() };
    let request = WriteTxnMarkersRequest { markers: vec![marker] };
    let answer: WriteTxnMarkersResponse = server.ask(1, &request);
    let results = answer.markers[0].topics[0].partitions.iter();
    let codes: Vec<i16> = results.map(|result| result.error_code).collect();
    assert_eq!(codes, [0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0], "nothing open: nothing to do");
}

/// Producers abort the transaction by these codes, and give up at those that consumers know.
#[test]
fn who_may_not_commit_for_the_group_can_abort() {
    let server = Server::start();
    server.topic("t", 1);
    let made = init(&server, 5);
    let beat = ConsumerGroupHeartbeatRequest {
        group_id: "readers".to_owned(),
        member_id: "m".to_owned(),
        rebalance_timeout_ms: 60_000,
        subscribed_topic_names: Some(vec!["t".to_owned()]),
        topic_partitions: Some(Vec::new()),
        ..Default::default()
    };
    let joined: ConsumerGroupHeartbeatResponse = server.ask(1, &beat);
    assert_eq!((joined.error_code, joined.member_epoch), (0, 1));
    let commit = |member: &str, generation_id: i32, instance: Option<&str>| {
        let partition =
            TxnOffsetCommitRequestPartition { committed_offset: 5, ..Default::default() };
        let partitions = vec![partition];
        let topic = TxnOffsetCommitRequestTopic { name: "t".to_owned(), partitions };
        let request = TxnOffsetCommitRequest {
            transactional_id: "mover".to_owned(),
            group_id: "readers".to_owned(),
            producer_id: made.producer_id,
            producer_epoch: made.producer_epoch,
            generation_id,
            member_id: member.to_owned(),
            group_instance_id: instance.map(str::to_owned),
            topics: vec![topic],
        };
        let answer: TxnOffsetCommitResponse = server.ask(5, &request);
        ErrorCode(answer.topics[0].partitions[0].error_code)
    };
    assert_eq!(commit("m", 1, None), ErrorCode::NONE);
    assert_eq!(commit("m", 0, None), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(commit("m", 7, None), ErrorCode::ILLEGAL_GENERATION);
    assert_eq!(commit("other", 1, None), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(commit("", 1, None), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(commit("", -1, Some("i")), ErrorCode::UNKNOWN_MEMBER_ID);
    assert_eq!(commit("", -1, None), ErrorCode::NONE, "old clients do not say who they are");
}
