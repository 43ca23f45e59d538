use onrush_kafka_protocol::messages::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreatableTopicResult,
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsResponse,
    CreatePartitionsTopic, CreateTopicsRequest, CreateTopicsResponse, DeleteTopicState,
    DeleteTopicsRequest, DeleteTopicsResponse,
};
use onrush_kafka_protocol::{ErrorCode, Uuid};

use super::Server;

fn topic(name: &str) -> CreatableTopic {
    CreatableTopic {
        name: name.to_owned(),
        num_partitions: 1,
        replication_factor: 1,
        ..CreatableTopic::default()
    }
}

fn create(server: &Server, topic: CreatableTopic) -> CreatableTopicResult {
    let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
    let mut answer: CreateTopicsResponse = server.ask(7, &request);
    answer.topics.remove(0)
}

fn config(name: &str, value: Option<&str>) -> CreatableTopicConfig {
    CreatableTopicConfig { name: name.to_owned(), value: value.map(str::to_owned) }
}

#[test]
fn a_topic_is_created_as_asked_in_every_version() {
    let server = Server::start();
    let answers: Vec<CreateTopicsResponse> = server.ask_all(|version| {
        let configs = vec![config("retention.ms", Some("3600000"))];
        let topic = CreatableTopic { num_partitions: 3, configs, ..topic(&format!("v{version}")) };
        CreateTopicsRequest { topics: vec![topic], ..Default::default() }
    });
    for answer in &answers {
        assert_eq!((answer.topics[0].error_code, &answer.topics[0].error_message), (0, &None));
    }
    let told = &answers[5].topics[0];
    assert_eq!((told.num_partitions, told.replication_factor), (3, 1));
    assert_ne!(told.topic_id, Uuid::ZERO);
    let configs = told.configs.as_ref().unwrap();
    let retention = configs.iter().find(|config| config.name == "retention.ms").unwrap();
    assert_eq!((retention.value.as_deref(), retention.config_source), (Some("3600000"), 1));
    let policy = configs.iter().find(|config| config.name == "cleanup.policy").unwrap();
    assert_eq!((policy.value.as_deref(), policy.config_source), (Some("delete"), 5));
    assert_eq!(server.broker().topic_by_name("v2").unwrap().partition_count(), 3);
}

#[test]
fn what_cannot_be_is_refused_as_kafka_refuses_it() {
    let server = Server::start();
    server.topic("there", 1);
    let node = CreatableReplicaAssignment { partition_index: 0, broker_ids: vec![1] };
    let assigned = |replication_factor, num_partitions, assignments| CreatableTopic {
        replication_factor,
        num_partitions,
        assignments,
        ..topic("new")
    };
    let elsewhere = CreatableReplicaAssignment { broker_ids: vec![2], ..node.clone() };
    let apart = CreatableReplicaAssignment { partition_index: 2, ..node.clone() };
    for (wanted, code) in [
        (topic("there"), ErrorCode::TOPIC_ALREADY_EXISTS),
        (topic("not/legal"), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (topic(""), ErrorCode::INVALID_TOPIC_EXCEPTION),
        (
            CreatableTopic { replication_factor: 3, ..topic("new") },
            ErrorCode::INVALID_REPLICATION_FACTOR,
        ),
        (
            CreatableTopic { replication_factor: 0, ..topic("new") },
            ErrorCode::INVALID_REPLICATION_FACTOR,
        ),
        (CreatableTopic { num_partitions: 0, ..topic("new") }, ErrorCode::INVALID_PARTITIONS),
        (
            CreatableTopic { num_partitions: i32::MAX, ..topic("new") },
            ErrorCode::INVALID_PARTITIONS,
        ),
        (
            CreatableTopic { configs: vec![config("retention", Some("1"))], ..topic("new") },
            ErrorCode::INVALID_CONFIG,
        ),
        (
            CreatableTopic { configs: vec![config("retention.ms", Some("x"))], ..topic("new") },
            ErrorCode::INVALID_CONFIG,
        ),
        (
            CreatableTopic { configs: vec![config("retention.ms", None)], ..topic("new") },
            ErrorCode::INVALID_CONFIG,
        ),
        (assigned(1, -1, vec![node.clone()]), ErrorCode::INVALID_REQUEST),
        (assigned(-1, 1, vec![node.clone()]), ErrorCode::INVALID_REQUEST),
        (assigned(-1, -1, vec![elsewhere]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned(-1, -1, vec![node.clone(), apart]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
        (assigned(-1, -1, vec![node.clone(), node.clone()]), ErrorCode::INVALID_REPLICA_ASSIGNMENT),
    ] {
        let shown = format!("{wanted:?}");
        let result = create(&server, wanted);
        assert_eq!(ErrorCode(result.error_code), code, "{shown}");
        assert!(result.error_message.is_some_and(|message| !message.is_empty()), "{shown}");
        assert_eq!((result.num_partitions, result.topic_id), (-1, Uuid::ZERO));
    }
    assert_eq!(server.broker().topics().len(), 1, "nothing was created");
    assert_eq!(create(&server, assigned(-1, -1, vec![node])).error_code, 0);
}

#[test]
fn a_check_creates_nothing_and_a_name_counts_once() {
    let server = Server::start();
    let check =
        CreateTopicsRequest { topics: vec![topic("a")], validate_only: true, ..Default::default() };
    let answer: CreateTopicsResponse = server.ask(7, &check);
    assert_eq!((answer.topics[0].error_code, answer.topics[0].topic_id), (0, Uuid::ZERO));
    assert!(server.broker().topics().is_empty());
    let twice = CreateTopicsRequest {
        topics: vec![topic("a"), topic("a"), topic("b")],
        ..Default::default()
    };
    let answer: CreateTopicsResponse = server.ask(7, &twice);
    let results: Vec<_> = answer.topics.iter().map(|t| (&*t.name, t.error_code)).collect();
    assert_eq!(results, [("a", ErrorCode::INVALID_REQUEST.0), ("b", 0)]);
}

#[test]
fn topics_are_deleted_by_name_and_by_id() {
    let server = Server::start();
    for version in 1..=6 {
        server.topic("gone", 1);
        let state = DeleteTopicState { name: Some("gone".to_owned()), topic_id: Uuid::ZERO };
        let request = if version < 6 {
            DeleteTopicsRequest { topic_names: vec!["gone".to_owned()], ..Default::default() }
        } else {
            DeleteTopicsRequest { topics: vec![state], ..Default::default() }
        };
        let answer: DeleteTopicsResponse = server.ask(version, &request);
        assert_eq!(answer.responses[0].error_code, 0);
        assert!(server.broker().topics().is_empty());
        let answer: DeleteTopicsResponse = server.ask(version, &request);
        let code = ErrorCode(answer.responses[0].error_code);
        assert_eq!(code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
    }
    server.topic("gone", 1);
    let id = Uuid(server.broker().topic_by_name("gone").unwrap().id().bytes());
    let delete = |name: Option<&str>, topic_id: Uuid| {
        let state = DeleteTopicState { name: name.map(str::to_owned), topic_id };
        let request = DeleteTopicsRequest { topics: vec![state], ..Default::default() };
        let answer: DeleteTopicsResponse = server.ask(6, &request);
        let result = &answer.responses[0];
        (result.error_code, result.name.clone())
    };
    assert_eq!(delete(Some("gone"), id).0, ErrorCode::INVALID_REQUEST.0);
    assert_eq!(delete(None, Uuid::ZERO).0, ErrorCode::INVALID_REQUEST.0);
    assert_eq!(delete(None, Uuid([9; 16])).0, ErrorCode::UNKNOWN_TOPIC_ID.0);
    assert_eq!(delete(None, id), (0, Some("gone".to_owned())));
}

#[test]
fn partitions_become_more_and_never_fewer() {
    let server = Server::start();
    server.topic("t", 3);
    let grow = |name: &str, count: i32, nodes: Option<Vec<i32>>| {
        let one = |node| CreatePartitionsAssignment { broker_ids: vec![node] };
        let assignments = nodes.map(|nodes| nodes.into_iter().map(one).collect());
        let topic = CreatePartitionsTopic { name: name.to_owned(), count, assignments };
        let request = CreatePartitionsRequest { topics: vec![topic], ..Default::default() };
        let answer: CreatePartitionsResponse = server.ask(3, &request);
        (answer.results[0].error_code, answer.results[0].error_message.clone().unwrap_or_default())
    };
    assert_eq!(grow("none", 4, None).0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0);
    let invalid = ErrorCode::INVALID_PARTITIONS.0;
    assert_eq!(
        grow("t", 2, None),
        (
            invalid,
            "The topic t currently has 3 partition(s); 2 would not be an increase.".to_owned()
        )
    );
    assert_eq!(grow("t", 3, None), (invalid, "Topic already has 3 partition(s).".to_owned()));
    assert_eq!(grow("t", -1, None).0, invalid);
    assert_eq!(grow("t", 1_000_000, None).0, invalid);
    assert_eq!(grow("t", 5, Some(vec![1])).0, ErrorCode::INVALID_REPLICA_ASSIGNMENT.0);
    assert_eq!(grow("t", 4, Some(vec![2])).0, ErrorCode::INVALID_REPLICA_ASSIGNMENT.0);
    assert_eq!(grow("t", 4, Some(vec![1])).0, 0);
    assert_eq!(grow("t", 6, None).0, 0);
    assert_eq!(server.broker().topic_by_name("t").unwrap().partition_count(), 6);
    let both = |count| CreatePartitionsTopic { name: "t".to_owned(), count, ..Default::default() };
    let twice = CreatePartitionsRequest { topics: vec![both(7), both(8)], ..Default::default() };
    let answer: CreatePartitionsResponse = server.ask(0, &twice);
    assert_eq!(answer.results.len(), 1);
    assert_eq!(answer.results[0].error_code, ErrorCode::INVALID_REQUEST.0);
    let check = CreatePartitionsRequest {
        topics: vec![both(9)],
        validate_only: true,
        ..Default::default()
    };
    let answer: CreatePartitionsResponse = server.ask(3, &check);
    assert_eq!(answer.results[0].error_code, 0);
    assert_eq!(server.broker().topic_by_name("t").unwrap().partition_count(), 6);
}
