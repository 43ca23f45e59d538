use onrush_kafka_protocol::ErrorCode;
use onrush_kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsRequestAlterConfigsResource,
    AlterConfigsRequestAlterableConfig, AlterConfigsResponse, DescribeConfigsRequest,
    DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse,
    DescribeConfigsResult, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsRequestAlterConfigsResource,
    IncrementalAlterConfigsRequestAlterableConfig, IncrementalAlterConfigsResponse,
    ListConfigResourcesRequest, ListConfigResourcesResponse,
};

use super::Server;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

fn describe(server: &Server, kind: i8, name: &str, keys: Option<&[&str]>) -> DescribeConfigsResult {
    let resource = DescribeConfigsResource {
        resource_type: kind,
        resource_name: name.to_owned(),
        configuration_keys: keys.map(|keys| keys.iter().map(|key| (*key).to_owned()).collect()),
    };
    let request = DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        include_documentation: true,
    };
    let mut answer: DescribeConfigsResponse = server.ask(4, &request);
    answer.results.remove(0)
}

fn setting(server: &Server, key: &str) -> DescribeConfigsResourceResult {
    let mut described = describe(server, TOPIC, "t", Some(&[key]));
    assert_eq!(described.configs.len(), 1, "{key}");
    described.configs.remove(0)
}

pub(super) fn alter_of(
    server: &Server,
    kind: i8,
    name: &str,
    edits: &[(&str, i8, Option<&str>)],
) -> (i16, String) {
    let edit = |(key, operation, value): &(&str, i8, Option<&str>)| {
        IncrementalAlterConfigsRequestAlterableConfig {
            name: (*key).to_owned(),
            config_operation: *operation,
            value: value.map(str::to_owned),
        }
    };
    let resource = IncrementalAlterConfigsRequestAlterConfigsResource {
        resource_type: kind,
        resource_name: name.to_owned(),
        configs: edits.iter().map(edit).collect(),
    };
    let request =
        IncrementalAlterConfigsRequest { resources: vec![resource], validate_only: false };
    let answer: IncrementalAlterConfigsResponse = server.ask(1, &request);
    let result = &answer.responses[0];
    assert_eq!((result.resource_type, &*result.resource_name), (kind, name));
    (result.error_code, result.error_message.clone().unwrap_or_default())
}

fn alter(server: &Server, edits: &[(&str, i8, Option<&str>)]) -> (i16, String) {
    alter_of(server, TOPIC, "t", edits)
}

#[test]
fn a_topics_settings_are_described_with_their_sources() {
    let server = Server::start();
    server.topic("t", 1);
    assert_eq!(alter(&server, &[("retention.ms", SET, Some("60000"))]).0, 0);
    let retention = setting(&server, "retention.ms");
    assert_eq!(retention.value.as_deref(), Some("60000"));
    assert_eq!((retention.config_source, retention.config_type), (1, 5));
    assert!(retention.documentation.is_some_and(|text| !text.is_empty()));
    let synonyms: Vec<_> = retention
        .synonyms
        .iter()
        .map(|s| (&*s.name, s.value.as_deref().unwrap(), s.source))
        .collect();
    assert_eq!(synonyms, [("retention.ms", "60000", 1), ("log.retention.ms", "604800000", 5)]);
    let policy = setting(&server, "cleanup.policy");
    assert_eq!(
        (policy.value.as_deref(), policy.config_source, policy.config_type),
        (Some("delete"), 5, 7)
    );
    assert!(!policy.read_only && !policy.is_sensitive);
    let answers: Vec<DescribeConfigsResponse> = server.ask_all(|_| DescribeConfigsRequest {
        resources: vec![DescribeConfigsResource {
            resource_type: TOPIC,
            resource_name: "t".to_owned(),
            configuration_keys: None,
        }],
        ..Default::default()
    });
    for answer in answers {
        assert!(answer.results[0].configs.len() > 10);
        assert!(answer.results[0].configs.iter().all(|config| config.synonyms.is_empty()));
    }
    let none = describe(&server, TOPIC, "none", None);
    assert_eq!(none.error_code, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0);
}

#[test]
fn the_broker_describes_itself_under_kafkas_names() {
    let server = Server::start();
    let described = describe(&server, BROKER, "1", None);
    assert_eq!(described.error_code, 0);
    assert!(described.configs.is_sorted_by(|one, other| one.name < other.name), "each once");
    let value = |name: &str| {
        let found = described.configs.iter().find(|config| config.name == name);
        found.and_then(|config| config.value.clone()).unwrap_or_default()
    };
    assert_eq!(value("auto.create.topics.enable"), "true");
    assert_eq!(value("num.partitions"), "1");
    assert_eq!(value("advertised.listeners"), "PLAINTEXT://broker.test:9192");
    assert_eq!(value("log.retention.ms"), "604800000");
    assert_eq!(value("message.max.bytes"), "1048588");
    assert!(described.configs.iter().all(|config| config.read_only));
    assert!(describe(&server, BROKER, "", None).configs.is_empty());
    assert_eq!(describe(&server, BROKER, "2", None).error_code, ErrorCode::INVALID_REQUEST.0);
    assert_eq!(describe(&server, 8, "1", None).error_code, ErrorCode::INVALID_REQUEST.0);
    assert_eq!(describe(&server, 99, "1", None).error_code, ErrorCode::INVALID_REQUEST.0);
}

#[test]
fn settings_change_one_by_one() {
    let server = Server::start();
    server.topic("t", 1);
    assert_eq!(
        alter(&server, &[("retention.ms", SET, Some("1")), ("segment.bytes", SET, Some("20000"))])
            .0,
        0
    );
    assert_eq!(setting(&server, "segment.bytes").value.as_deref(), Some("20000"));
    assert_eq!(alter(&server, &[("retention.ms", DELETE, None)]).0, 0);
    assert_eq!(setting(&server, "retention.ms").config_source, 5);
    assert_eq!(alter(&server, &[("cleanup.policy", APPEND, Some("delete"))]).0, 0);
    assert_eq!(setting(&server, "cleanup.policy").value.as_deref(), Some("delete"));
}

#[test]
fn what_cannot_be_set_is_refused_by_name() {
    let server = Server::start();
    server.topic("t", 1);
    let invalid = ErrorCode::INVALID_CONFIG;
    let request = ErrorCode::INVALID_REQUEST;
    for (edits, code) in [
        (&[("no.such.key", SET, Some("1"))][..], invalid),
        (&[("no.such.key", DELETE, None)], invalid),
        (&[("retention.ms", SET, Some("soon"))], invalid),
        (&[("retention.ms", APPEND, Some("1"))], invalid),
        (&[("retention.ms", SUBTRACT, Some("1"))], invalid),
        (&[("cleanup.policy", SUBTRACT, Some("delete"))], invalid),
        (&[("retention.ms", SET, None)], request),
        (&[("retention.ms", 4, Some("1"))], request),
        (&[("retention.ms", SET, Some("1")), ("retention.ms", DELETE, None)], request),
    ] {
        let (error, message) = alter(&server, edits);
        assert_eq!(ErrorCode(error), code, "{edits:?}: {message}");
        assert!(edits[0].1 == 4 || message.contains(edits[0].0), "{message}");
    }
    assert_eq!(setting(&server, "retention.ms").config_source, 5, "nothing was changed");
    let none = alter_of(&server, TOPIC, "none", &[("retention.ms", SET, Some("1"))]);
    assert_eq!(none.0, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0);
    let broker = alter_of(&server, BROKER, "1", &[("log.retention.ms", SET, Some("1"))]);
    assert_eq!(ErrorCode(broker.0), invalid);
    assert!(broker.1.contains("log.retention.ms"));
    assert_eq!(ErrorCode(alter_of(&server, BROKER, "9", &[]).0), request);
    assert_eq!(ErrorCode(alter_of(&server, 99, "t", &[]).0), request);
}

#[test]
fn the_older_request_replaces_all_settings() {
    let server = Server::start();
    server.topic("t", 1);
    assert_eq!(alter(&server, &[("retention.ms", SET, Some("1"))]).0, 0);
    let replace = |version: i16, value: Option<&str>, validate_only: bool| {
        let config = AlterConfigsRequestAlterableConfig {
            name: "segment.bytes".to_owned(),
            value: value.map(str::to_owned),
        };
        let resource = AlterConfigsRequestAlterConfigsResource {
            resource_type: TOPIC,
            resource_name: "t".to_owned(),
            configs: vec![config],
        };
        let resources = vec![resource.clone(), resource];
        let answer: AlterConfigsResponse =
            server.ask(version, &AlterConfigsRequest { resources, validate_only });
        answer.responses.iter().map(|result| ErrorCode(result.error_code)).collect::<Vec<_>>()
    };
    let twice = ErrorCode::INVALID_REQUEST;
    assert_eq!(replace(2, Some("20000"), true), [ErrorCode::NONE, twice]);
    assert_eq!(setting(&server, "retention.ms").config_source, 1, "only checked");
    assert_eq!(replace(2, None, false), [ErrorCode::INVALID_CONFIG, twice]);
    for version in 0..=2 {
        assert_eq!(replace(version, Some("20000"), false), [ErrorCode::NONE, twice]);
        assert_eq!(setting(&server, "retention.ms").config_source, 5);
        assert_eq!(setting(&server, "segment.bytes").config_source, 1);
    }
}

#[test]
fn what_has_settings_is_listed() {
    let server = Server::start();
    server.topic("t", 1);
    let list = |version: i16, kinds: &[i8]| {
        let request = ListConfigResourcesRequest { resource_types: kinds.to_vec() };
        let answer: ListConfigResourcesResponse = server.ask(version, &request);
        let found = answer.config_resources.into_iter();
        (answer.error_code, found.map(|r| (r.resource_type, r.resource_name)).collect::<Vec<_>>())
    };
    assert_eq!(list(0, &[]), (0, Vec::new()));
    assert_eq!(list(1, &[TOPIC]), (0, vec![(TOPIC, "t".to_owned())]));
    assert_eq!(list(1, &[]).1.len(), 2);
    assert_eq!(list(1, &[5]), (ErrorCode::UNSUPPORTED_VERSION.0, Vec::new()));
}

#[test]
fn groups_have_settings_of_both_kinds() {
    const GROUP: i8 = 32;
    let server = Server::start();
    let of = |key: &str| {
        let configs = describe(&server, GROUP, "g", Some(&[key])).configs;
        configs.into_iter().map(|found| (found.value.unwrap(), found.config_source)).next()
    };
    let (session, lock) = ("consumer.session.timeout.ms", "share.record.lock.duration.ms");
    assert_eq!(of(session), Some(("45000".to_owned(), 5)));
    let altered =
        alter_of(&server, GROUP, "g", &[(session, 0, Some("50000")), (lock, 0, Some("0"))]);
    assert_eq!(ErrorCode(altered.0), ErrorCode::INVALID_CONFIG);
    assert_eq!(of(session), Some(("45000".to_owned(), 5)), "all of it happens, or none");
    let edits = [(session, 0, Some("50000")), (lock, 0, Some("20000"))];
    assert_eq!(alter_of(&server, GROUP, "g", &edits).0, 0);
    assert_eq!(of(session), Some(("50000".to_owned(), 8)));
    assert_eq!(of(lock), Some(("20000".to_owned(), 8)));
    let request = ListConfigResourcesRequest { resource_types: vec![GROUP] };
    let listed: ListConfigResourcesResponse = server.ask(1, &request);
    let names: Vec<&str> =
        listed.config_resources.iter().map(|found| found.resource_name.as_str()).collect();
    assert_eq!(names, ["g"]);
    assert_eq!(alter_of(&server, GROUP, "g", &[(session, 1, None)]).0, 0);
    assert_eq!(of(session), Some(("45000".to_owned(), 5)));
}
