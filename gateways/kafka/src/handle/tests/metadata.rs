use onrush_kafka_protocol::messages::{
    Coordinator, FindCoordinatorRequest, FindCoordinatorResponse, MetadataRequest,
    MetadataRequestTopic, MetadataResponse,
};
use onrush_kafka_protocol::{ErrorCode, Uuid};

use super::Server;
use crate::options::Options;

fn named(names: &[&str]) -> MetadataRequest {
    let topic = |name: &&str| MetadataRequestTopic {
        name: Some((*name).to_owned()),
        ..MetadataRequestTopic::default()
    };
    MetadataRequest {
        topics: Some(names.iter().map(topic).collect()),
        ..MetadataRequest::default()
    }
}

fn by_id(id: Uuid) -> MetadataRequest {
    let topic = MetadataRequestTopic { topic_id: id, name: None };
    MetadataRequest { topics: Some(vec![topic]), ..MetadataRequest::default() }
}

fn names(response: &MetadataResponse) -> Vec<&str> {
    response.topics.iter().map(|topic| topic.name.as_deref().unwrap()).collect()
}

#[test]
fn all_topics_are_told_in_every_version_with_the_listener_the_client_came_by() {
    let server = Server::start();
    server.topic("b", 2);
    server.topic("a", 1);
    let answers: Vec<MetadataResponse> = server.ask_all(|version| MetadataRequest {
        topics: if version == 0 { Some(Vec::new()) } else { None },
        ..MetadataRequest::default()
    });
    for answer in answers {
        assert_eq!(names(&answer), ["a", "b"]);
        let [broker] = &answer.brokers[..] else { panic!("one broker") };
        assert_eq!((broker.node_id, &*broker.host, broker.port), (1, "broker.test", 9192));
        let b = &answer.topics[1];
        assert_eq!(b.partitions.len(), 2);
        assert_eq!(b.partitions[1].partition_index, 1);
        assert_eq!(b.partitions[1].leader_id, 1);
        assert_eq!(b.partitions[1].isr_nodes, [1]);
    }
    let none: MetadataResponse = server.ask(1, &named(&[]));
    assert!(none.topics.is_empty());
}

#[test]
fn a_missing_topic_is_created_where_both_sides_want_it() {
    let options = Options { num_partitions: Some(3), ..Options::default() };
    let server = Server::with(options);
    let refused = MetadataRequest { allow_auto_topic_creation: false, ..named(&["new"]) };
    let answer: MetadataResponse = server.ask(12, &refused);
    assert_eq!(answer.topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0);
    let answer: MetadataResponse = server.ask(12, &named(&["new", "new"]));
    assert_eq!(answer.topics.len(), 1, "told once");
    assert_eq!((answer.topics[0].error_code, answer.topics[0].partitions.len()), (0, 3));
    let answer: MetadataResponse = server.ask(12, &named(&["not/legal"]));
    assert_eq!(answer.topics[0].error_code, ErrorCode::INVALID_TOPIC_EXCEPTION.0);

    let off = Server::with(Options { auto_create_topics: false, ..Options::default() });
    let answer: MetadataResponse = off.ask(1, &named(&["new"]));
    assert_eq!(answer.topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0);
    assert!(off.broker().topics().is_empty());
}

#[test]
fn one_request_creates_so_many_topics_and_no_more() {
    let server = Server::start();
    let many: Vec<String> = (0..70).map(|number| format!("t{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let answer: MetadataResponse = server.ask(9, &named(&many));
    assert_eq!(answer.topics.len(), 70);
    assert_eq!(server.broker().topics().len(), 64);
    let answer: MetadataResponse = server.ask(9, &named(&many));
    assert!(answer.topics.iter().all(|topic| topic.error_code == 0));
}

#[test]
fn who_asks_for_very_many_topics_lets_others_have_their_turn() {
    let server = Server::start();
    server.topic("wide", 300);
    let many: Vec<String> = (0..20_000).map(|number| format!("t{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let quiet =
        |names: &[&str]| MetadataRequest { allow_auto_topic_creation: false, ..named(names) };
    let (turns, answer) = server.ask_counting::<_, MetadataResponse>(9, &quiet(&many));
    assert_eq!(answer.topics.len(), 20_000);
    assert!(turns >= 20_000 / 256, "others had {turns} turns");
    let (turns, answer) = server.ask_counting::<_, MetadataResponse>(9, &quiet(&["wide", "t"]));
    assert_eq!(answer.topics[0].partitions.len(), 300);
    assert!(turns >= 1, "others had no turn");
    let all = MetadataRequest { topics: None, ..MetadataRequest::default() };
    let (turns, answer) = server.ask_counting::<_, MetadataResponse>(9, &all);
    assert_eq!(answer.topics[0].partitions.len(), 300);
    assert!(turns >= 1, "others had no turn");
}

#[test]
fn topics_are_found_by_id_from_version_12_on() {
    let server = Server::start();
    server.topic("a", 1);
    let listed: MetadataResponse = server.ask(12, &named(&["a"]));
    let id = listed.topics[0].topic_id;
    let found: MetadataResponse = server.ask(12, &by_id(id));
    assert_eq!(names(&found), ["a"]);
    let missing: MetadataResponse = server.ask(13, &by_id(Uuid([7; 16])));
    assert_eq!(missing.topics[0].error_code, ErrorCode::UNKNOWN_TOPIC_ID.0);
    assert_eq!(missing.topics[0].name, None);
    let early: MetadataResponse = server.ask(11, &by_id(id));
    assert_eq!(early.topics[0].error_code, ErrorCode::INVALID_REQUEST.0);
}

#[test]
fn operations_are_told_to_those_that_ask() {
    let server = Server::start();
    server.topic("a", 1);
    let asking = MetadataRequest { include_topic_authorized_operations: true, ..named(&["a"]) };
    let answer: MetadataResponse = server.ask(8, &asking);
    assert_eq!(answer.topics[0].topic_authorized_operations, 3576);
    let answer: MetadataResponse = server.ask(8, &named(&["a"]));
    assert_eq!(answer.topics[0].topic_authorized_operations, i32::MIN);
    let cluster = MetadataRequest {
        include_cluster_authorized_operations: true,
        ..MetadataRequest::default()
    };
    let answer: MetadataResponse = server.ask(8, &cluster);
    assert_eq!(answer.cluster_authorized_operations, 8096);
}

#[test]
fn this_broker_coordinates_everything() {
    let server = Server::start();
    let answers: Vec<FindCoordinatorResponse> = server.ask_all(|version| FindCoordinatorRequest {
        key: if version < 4 { "group".to_owned() } else { String::new() },
        coordinator_keys: if version < 4 { Vec::new() } else { vec!["group".to_owned()] },
        ..FindCoordinatorRequest::default()
    });
    for (version, answer) in answers.into_iter().enumerate() {
        let place = |one: &Coordinator| (one.error_code, one.node_id, one.host.clone(), one.port);
        let told = if version < 4 {
            (answer.error_code, answer.node_id, answer.host, answer.port)
        } else {
            place(&answer.coordinators[0])
        };
        assert_eq!(told, (0, 1, "broker.test".to_owned(), 9192));
    }
}

#[test]
fn coordinators_of_other_kinds_are_refused() {
    let server = Server::start();
    let ask = |key_type: i8, key: &str| {
        let coordinator_keys = vec![key.to_owned()];
        let request = FindCoordinatorRequest { key_type, coordinator_keys, ..Default::default() };
        let answer: FindCoordinatorResponse = server.ask(6, &request);
        answer.coordinators[0].error_code
    };
    assert_eq!(ask(1, "a transactional id"), 0);
    assert_eq!(ask(2, "group:QTEgNdYAQegAGPcLbHkJ0A:0"), 0);
    assert_eq!(ask(2, "group"), ErrorCode::INVALID_REQUEST.0);
    assert_eq!(ask(3, "group"), ErrorCode::INVALID_REQUEST.0);
}
