//! Clients with a quota, against the real program: they are told to wait, and are made to.

use std::net::TcpStream;
use std::time::Duration;

use onrush_kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasRequestEntityData,
    AlterClientQuotasRequestEntryData, AlterClientQuotasResponse, ApiVersionsRequest,
    ApiVersionsResponse, FetchRequest, FetchRequestFetchPartition, FetchRequestFetchTopic,
    FetchResponse, OpData, PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use onrush_record::batch::{BatchBuilder, Codec};
use onrush_sys::{Clock as _, SystemClock};
use onrush_tests::kafka::{Asks, receive, send};
use onrush_tests::{BrokerProcess, ServeOptions};

/// Limits what the client may send and fetch, in bytes a second.
fn limit(broker: &BrokerProcess, client: &str, rate: f64) {
    let op = |key: &str| OpData { key: key.to_owned(), value: rate, remove: false };
    let entity = AlterClientQuotasRequestEntityData {
        entity_type: "client-id".to_owned(),
        entity_name: Some(client.to_owned()),
    };
    let entry = AlterClientQuotasRequestEntryData {
        entity: vec![entity],
        ops: vec![op("producer_byte_rate"), op("consumer_byte_rate")],
    };
    let request = AlterClientQuotasRequest { entries: vec![entry], validate_only: false };
    let answer: AlterClientQuotasResponse = broker.ask(&request, 1);
    assert_eq!(answer.entries[0].error_code, 0, "{answer:?}");
}

fn produce() -> ProduceRequest {
    let mut batch = BatchBuilder::new(Codec::None);
    batch.push(1, None, Some(&[7; 30_000]), &[]);
    let records = batch.finish().expect("a batch");
    let partition = PartitionProduceData { index: 0, records: Some(records.into()) };
    let topic = TopicProduceData {
        name: "t".to_owned(),
        partition_data: vec![partition],
        ..Default::default()
    };
    ProduceRequest { acks: -1, timeout_ms: 10_000, topic_data: vec![topic], ..Default::default() }
}

fn fetch() -> FetchRequest {
    let partition =
        FetchRequestFetchPartition { partition_max_bytes: 1 << 20, ..Default::default() };
    let topic = FetchRequestFetchTopic {
        topic: "t".to_owned(),
        partitions: vec![partition],
        ..Default::default()
    };
    FetchRequest { max_bytes: 1 << 20, topics: vec![topic], ..Default::default() }
}

/// What was asked right behind is not answered before the time that the answer tells.
fn waits(socket: &mut TcpStream, client: &str, since: Duration, throttle_time_ms: i32) {
    send(socket, Some(client), &ApiVersionsRequest::default(), 0);
    let versions: ApiVersionsResponse = receive(socket, 0);
    assert!(!versions.api_keys.is_empty());
    let told = Duration::from_millis(u64::try_from(throttle_time_ms).expect("a time"));
    assert!(!told.is_zero(), "it was over its quota");
    // It was told a moment after it was decided, and in whole milliseconds.
    let passed = SystemClock.monotonic().saturating_sub(since);
    assert!(passed + Duration::from_millis(2) >= told, "{passed:?} of {told:?}");
}

#[test]
fn clients_over_their_quota_are_told_to_wait_and_made_to() {
    let data = tempfile::tempdir().expect("a fresh directory");
    let mut broker = BrokerProcess::start(ServeOptions::at(&data.path().join("data")));
    broker.create("t", &[]);
    limit(&broker, "slow", 20_000.0);
    broker.kill_and_restart();

    let (mut slow, mut other) = (broker.connect(), broker.connect());
    let since = SystemClock.monotonic();
    send(&mut slow, Some("slow"), &produce(), 7);
    let answer: ProduceResponse = receive(&mut slow, 7);
    assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    send(&mut other, Some("other"), &produce(), 7);
    let unlimited: ProduceResponse = receive(&mut other, 7);
    assert_eq!(unlimited.throttle_time_ms, 0);
    waits(&mut slow, "slow", since, answer.throttle_time_ms);

    let since = SystemClock.monotonic();
    send(&mut slow, Some("slow"), &fetch(), 11);
    let answer: FetchResponse = receive(&mut slow, 11);
    let records = answer.responses[0].partitions[0].records.as_ref().map_or(0, |all| all.len());
    assert!(records > 60_000, "nothing is refused: {records} bytes");
    waits(&mut slow, "slow", since, answer.throttle_time_ms);
}
