use onrush_kafka_protocol::ErrorCode;
use onrush_kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasRequestEntityData,
    AlterClientQuotasRequestEntryData, AlterClientQuotasResponse, ComponentData,
    DescribeClientQuotasRequest, DescribeClientQuotasResponse, OpData,
};

use super::Server;

const CLIENT: &str = "client-id";

/// Sets (or without a value removes) quotas of one entity.
fn alter(
    server: &Server,
    entity: &[(&str, Option<&str>)],
    ops: &[(&str, Option<f64>)],
) -> ErrorCode {
    let part = |(kind, name): &(&str, Option<&str>)| AlterClientQuotasRequestEntityData {
        entity_type: (*kind).to_owned(),
        entity_name: name.map(str::to_owned),
    };
    let op = |(key, value): &(&str, Option<f64>)| OpData {
        key: (*key).to_owned(),
        value: value.unwrap_or_default(),
        remove: value.is_none(),
    };
    let entry = AlterClientQuotasRequestEntryData {
        entity: entity.iter().map(part).collect(),
        ops: ops.iter().map(op).collect(),
    };
    let request = AlterClientQuotasRequest { entries: vec![entry], validate_only: false };
    let answer: AlterClientQuotasResponse = server.ask(1, &request);
    assert_eq!(answer.entries[0].entity.len(), entity.len());
    ErrorCode(answer.entries[0].error_code)
}

/// What the filter finds, as `name key=value ...`; `*` is the default.
fn describe(server: &Server, filter: &[(&str, i8, Option<&str>)], strict: bool) -> Vec<String> {
    let component = |(kind, match_type, name): &(&str, i8, Option<&str>)| ComponentData {
        entity_type: (*kind).to_owned(),
        match_type: *match_type,
        r#match: name.map(str::to_owned),
    };
    let components = filter.iter().map(component).collect();
    let request = DescribeClientQuotasRequest { components, strict };
    let answer: DescribeClientQuotasResponse = server.ask(1, &request);
    if answer.error_code != 0 {
        return vec![ErrorCode(answer.error_code).name().to_owned()];
    }
    let entries = answer.entries.unwrap().into_iter().map(|entry| {
        let name = entry.entity[0].entity_name.clone().unwrap_or_else(|| "*".to_owned());
        let values = entry.values.iter().map(|value| format!(" {}={}", value.key, value.value));
        name + &values.collect::<String>()
    });
    entries.collect()
}

#[test]
fn quotas_are_set_found_and_removed() {
    let server = Server::start();
    let (one, any) = ([(CLIENT, Some("a"))], [(CLIENT, None)]);
    let (produce, consume) = ("producer_byte_rate", "consumer_byte_rate");
    assert_eq!(alter(&server, &one, &[(produce, Some(1000.0)), (consume, Some(5.0))]).0, 0);
    assert_eq!(alter(&server, &any, &[(produce, Some(10.0))]).0, 0);
    let of_a = "a producer_byte_rate=1000 consumer_byte_rate=5";
    let of_any = "* producer_byte_rate=10";
    assert_eq!(describe(&server, &[], false), [of_any, of_a]);
    assert_eq!(describe(&server, &[(CLIENT, 0, Some("a"))], true), [of_a]);
    assert_eq!(describe(&server, &[(CLIENT, 1, None)], true), [of_any]);
    assert_eq!(describe(&server, &[(CLIENT, 2, None)], false), [of_any, of_a]);
    assert!(describe(&server, &[], true).is_empty());
    assert!(describe(&server, &[("user", 2, None)], false).is_empty());
    assert_eq!(describe(&server, &[("planet", 2, None)], false), ["UNSUPPORTED_VERSION"]);
    assert_eq!(describe(&server, &[(CLIENT, 0, None)], false), ["INVALID_REQUEST"]);
    assert_eq!(alter(&server, &one, &[(produce, None)]).0, 0);
    assert_eq!(describe(&server, &[(CLIENT, 0, Some("a"))], true), ["a consumer_byte_rate=5"]);
    assert_eq!(alter(&server, &one, &[(consume, None)]).0, 0);
    assert_eq!(describe(&server, &[], false), [of_any]);
}

#[test]
fn what_cannot_be_limited_is_refused() {
    let server = Server::start();
    let (one, rate) = ([(CLIENT, Some("a"))], ("producer_byte_rate", Some(1000.0)));
    for (entity, ops) in [
        (&[("user", Some("u"))][..], &[rate][..]),
        (&[("user", Some("u")), (CLIENT, Some("a"))], &[rate]),
        (&[(CLIENT, Some(""))], &[rate]),
        (&[], &[rate]),
        (&one, &[("request_percentage", Some(50.0))]),
        (&one, &[("producer_byte_rate", Some(0.0))]),
        (&one, &[("producer_byte_rate", Some(-1.0))]),
        (&one, &[("producer_byte_rate", Some(1.5))]),
        (&one, &[("producer_byte_rate", Some(f64::NAN))]),
        (&one, &[rate, rate]),
    ] {
        assert_eq!(alter(&server, entity, ops), ErrorCode::INVALID_REQUEST, "{entity:?} {ops:?}");
    }
    assert!(describe(&server, &[], false).is_empty());
}
