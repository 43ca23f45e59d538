//! Clients with a quota, against the real program: they are told to wait, and are made to.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use onrush_client::connector::{BoxFuture, Connection};
use onrush_client::{Client, Connector, NewRecord, TcpConnector};
use onrush_kafka_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasRequestEntityData,
    AlterClientQuotasRequestEntryData, AlterClientQuotasResponse, ApiVersionsRequest,
    ApiVersionsResponse, FetchRequest, FetchRequestFetchPartition, FetchRequestFetchTopic,
    FetchResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsRequestAlterConfigsResource,
    IncrementalAlterConfigsRequestAlterableConfig, IncrementalAlterConfigsResponse,
    MetadataRequest, MetadataRequestTopic, MetadataResponse, OpData, PartitionProduceData,
    ProduceRequest, ProduceResponse, ShareFetchRequest, ShareFetchRequestFetchPartition,
    ShareFetchRequestFetchTopic, ShareFetchResponse, ShareGroupHeartbeatRequest,
    ShareGroupHeartbeatResponse, TopicProduceData,
};
use onrush_kafka_protocol::{Uuid, request_frame};
use onrush_protocol::request as native;
use onrush_protocol::wire::Maybe;
use onrush_record::batch::{BatchBuilder, Codec};
use onrush_record::{Offset, TopicId};
use onrush_sys::{Clock as _, SystemClock};
use onrush_tests::kafka::{Asks, receive, send};
use onrush_tests::native::Native;
use onrush_tests::{BrokerProcess, ServeOptions};
use smallvec::smallvec;

/// The bytes of the one record of a batch.
const RECORD: usize = 30_000;

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

fn batch() -> Vec<u8> {
    let mut batch = BatchBuilder::new(Codec::None);
    batch.push(1, None, Some(&[7; RECORD]), &[]);
    batch.finish().expect("a batch")
}

fn produce() -> ProduceRequest {
    let partition = PartitionProduceData { index: 0, records: Some(batch().into()) };
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
    has_passed(since, told);
}

/// A broker with a topic that has so many batches.
fn broker(data: &tempfile::TempDir, batches: usize) -> BrokerProcess {
    let broker = BrokerProcess::start(ServeOptions::at(&data.path().join("data")));
    broker.create("t", &[]);
    for _ in 0..batches {
        let answer: ProduceResponse = broker.ask(&produce(), 7);
        assert_eq!(answer.responses[0].partition_responses[0].error_code, 0);
    }
    broker
}

fn topic_id(broker: &BrokerProcess) -> Uuid {
    let topic = MetadataRequestTopic { name: Some("t".to_owned()), ..Default::default() };
    let request = MetadataRequest { topics: Some(vec![topic]), ..Default::default() };
    let answer: MetadataResponse = broker.ask(&request, 12);
    answer.topics[0].topic_id
}

/// How many bytes of records an answer has.
fn fetched(answer: &FetchResponse) -> usize {
    let partition = &answer.responses[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    partition.records.as_ref().map_or(0, |records| records.len())
}

/// So much time has passed since, or a little less: it is counted in whole milliseconds.
fn has_passed(since: Duration, time: Duration) {
    let passed = SystemClock.monotonic().saturating_sub(since);
    assert!(passed + Duration::from_millis(2) >= time, "{passed:?} of {time:?}");
}

/// How long it takes to pay for so many bytes, the first second's worth of which was free.
fn cost(bytes: usize, rate: f64) -> Duration {
    let seconds = bytes as f64 / rate - 1.0;
    Duration::from_secs_f64(seconds)
}

#[test]
fn clients_over_their_quota_are_told_to_wait_and_made_to() {
    let data = tempfile::tempdir().expect("a fresh directory");
    let mut broker = broker(&data, 0);
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
    let records = fetched(&answer);
    assert!(records > 2 * RECORD, "nothing is refused: {records} bytes");
    waits(&mut slow, "slow", since, answer.throttle_time_ms);
}

#[test]
fn a_rate_is_kept_however_much_comes_at_once() {
    let data = tempfile::tempdir().expect("a fresh directory");
    let broker = broker(&data, 2);
    limit(&broker, "slow", 1000.0);
    // Half a minute's worth: all of it is waited for.
    let (mut one, mut other) = (broker.connect(), broker.connect());
    send(&mut one, Some("slow"), &produce(), 7);
    let answer: ProduceResponse = receive(&mut one, 7);
    assert!(answer.throttle_time_ms > 28_000, "{}", answer.throttle_time_ms);
    // On another connection, the client owes that all the same.
    let mut anew = broker.connect();
    send(&mut anew, Some("slow"), &produce(), 7);
    let answer: ProduceResponse = receive(&mut anew, 7);
    assert!(answer.throttle_time_ms > 55_000, "{}", answer.throttle_time_ms);
    // One answer has no more than ten seconds' worth, but for one batch.
    send(&mut other, Some("slow"), &fetch(), 11);
    let answer: FetchResponse = receive(&mut other, 11);
    assert!((RECORD..2 * RECORD).contains(&fetched(&answer)), "{}", fetched(&answer));
    assert!(answer.throttle_time_ms > 0);
    // Whoever owes gets nothing more, by whatever connection.
    let mut third = broker.connect();
    let since = SystemClock.monotonic();
    let hurried = FetchRequest { max_wait_ms: 60_000, min_bytes: 1, ..fetch() };
    send(&mut third, Some("slow"), &hurried, 11);
    let answer: FetchResponse = receive(&mut third, 11);
    assert_eq!(fetched(&answer), 0);
    assert!((1..=10_000).contains(&answer.throttle_time_ms), "{}", answer.throttle_time_ms);
    // When quotas change, what was owed by the old ones is forgotten.
    limit(&broker, "slow", 1e9);
    waits(&mut one, "slow", since, 1);
    let passed = SystemClock.monotonic().saturating_sub(since);
    assert!(passed < Duration::from_secs(25), "{passed:?}");
    send(&mut one, Some("slow"), &fetch(), 11);
    let answer: FetchResponse = receive(&mut one, 11);
    assert!(fetched(&answer) > 2 * RECORD);
}

#[test]
fn half_a_request_of_who_is_made_to_wait_holds_up_nobody_else() {
    let data = tempfile::tempdir().expect("a fresh directory");
    let config = data.path().join("onrush.toml");
    // Less than half of the request.
    std::fs::write(&config, "[broker]\nmemory_budget_bytes = 10000\n").expect("written");
    let config = config.to_str().expect("a path that can be said");
    let options = ServeOptions::at(&data.path().join("data")).with("--config").with(config);
    let broker = BrokerProcess::start(options);
    broker.create("t", &[]);
    limit(&broker, "slow", 1000.0);
    let mut other = broker.connect();
    send(&mut other, Some("other"), &produce(), 7);
    let _: ProduceResponse = receive(&mut other, 7);

    let mut request = Vec::new();
    request_frame(&produce(), 7, 1, Some("slow"), &mut request).expect("it can be said");
    let (half, rest) = request.split_at(request.len() / 2);
    let mut slow = broker.connect();
    slow.write_all(&[&request[..], half].concat()).expect("it takes bytes");
    let answer: ProduceResponse = receive(&mut slow, 7);
    assert!(answer.throttle_time_ms > 20_000, "{}", answer.throttle_time_ms);

    other.set_read_timeout(Some(Duration::from_secs(10))).expect("it may be set");
    for _ in 0..3 {
        send(&mut other, Some("other"), &produce(), 7);
        let _: ProduceResponse = receive(&mut other, 7);
    }

    // What had come of it is not lost.
    limit(&broker, "slow", 1e9);
    slow.write_all(rest).expect("it takes bytes");
    let answer: ProduceResponse = receive(&mut slow, 7);
    assert_eq!(answer.responses[0].partition_responses[0].base_offset, 5);
}

#[test]
fn members_of_a_share_group_have_the_quota_of_those_who_fetch() {
    let data = tempfile::tempdir().expect("a fresh directory");
    let broker = broker(&data, 2);
    let earliest = IncrementalAlterConfigsRequestAlterableConfig {
        name: "share.auto.offset.reset".to_owned(),
        config_operation: 0,
        value: Some("earliest".to_owned()),
    };
    let group = IncrementalAlterConfigsRequestAlterConfigsResource {
        resource_type: 32,
        resource_name: "s".to_owned(),
        configs: vec![earliest],
    };
    let request = IncrementalAlterConfigsRequest { resources: vec![group], validate_only: false };
    let answer: IncrementalAlterConfigsResponse = broker.ask(&request, 1);
    assert_eq!(answer.responses[0].error_code, 0);
    limit(&broker, "slow", 20_000.0);
    let heartbeat = ShareGroupHeartbeatRequest {
        group_id: "s".to_owned(),
        member_id: "m".to_owned(),
        subscribed_topic_names: Some(vec!["t".to_owned()]),
        ..Default::default()
    };
    let answer: ShareGroupHeartbeatResponse = broker.ask(&heartbeat, 1);
    assert_eq!(answer.error_code, 0);
    let topic = topic_id(&broker);
    let partitions = vec![ShareFetchRequestFetchPartition::default()];
    let fetch = |epoch: i32| ShareFetchRequest {
        group_id: Some("s".to_owned()),
        member_id: Some("m".to_owned()),
        share_session_epoch: epoch,
        max_bytes: 1 << 20,
        max_wait_ms: 60_000,
        max_records: 1,
        batch_size: 1,
        topics: vec![ShareFetchRequestFetchTopic {
            topic_id: topic,
            partitions: partitions.clone(),
        }],
        ..Default::default()
    };
    let acquired = |answer: &ShareFetchResponse| {
        assert_eq!(answer.error_code, 0, "{answer:?}");
        let parts = answer.responses.iter().flat_map(|topic| &topic.partitions);
        parts.map(|part| part.records.len()).sum::<usize>()
    };
    // Its session is another's connection then: whoever goes on with it is told.
    let (mut slow, mut again) = (broker.connect(), broker.connect());
    let since = SystemClock.monotonic();
    send(&mut slow, Some("slow"), &fetch(0), 2);
    let answer: ShareFetchResponse = receive(&mut slow, 2);
    assert!(acquired(&answer) > RECORD);
    send(&mut again, Some("slow"), &fetch(1), 2);
    let nothing: ShareFetchResponse = receive(&mut again, 2);
    assert_eq!(acquired(&nothing), 0);
    assert!(nothing.throttle_time_ms > 0);
    waits(&mut slow, "slow", since, answer.throttle_time_ms);
    waits(&mut again, "slow", since, nothing.throttle_time_ms);
    send(&mut again, Some("slow"), &fetch(2), 2);
    let answer: ShareFetchResponse = receive(&mut again, 2);
    assert!(acquired(&answer) > RECORD, "it goes on once it is paid");
}

#[test]
fn clients_of_the_native_protocol_are_made_to_wait() {
    let rate = 40_000.0;
    let data = tempfile::tempdir().expect("a fresh directory");
    let broker = broker(&data, 3);
    limit(&broker, "slow", rate);
    let topic_id = TopicId::new(topic_id(&broker).0);
    let open = |name: &str| Native::open(&broker.native(), name);

    // What is sent is taken, and then nothing more is read for a while.
    let batch = batch();
    let part = native::ProducePart {
        topic_id,
        partition: 0,
        leader_epoch: Maybe::NONE,
        expected_offset: Maybe::NONE,
        batches_length: u32::try_from(batch.len()).expect("short"),
    };
    let request = native::ProduceRequest {
        acks: native::Acks::Written,
        flags: 0,
        timeout_ms: 0,
        parts: smallvec![part],
    };
    let (mut slow, mut other) = (open("slow"), open("other"));
    let since = SystemClock.monotonic();
    for batches in 1..=4 {
        let (answer, _) = slow.ask(&request, &batch);
        assert_eq!(answer.expect("it is taken").parts[0].error, Maybe::NONE);
        if batches > 2 {
            has_passed(since, cost((batches - 1) * batch.len(), rate));
        }
    }

    // What is fetched is given, and then nothing more for a while.
    let fetch = native::FetchRequest {
        max_wait_ms: 0,
        min_bytes: 1,
        max_bytes: 1 << 20,
        isolation: native::Isolation::ReadUncommitted,
        parts: smallvec![native::FetchPart {
            topic_id,
            partition: 0,
            leader_epoch: Maybe::NONE,
            offset: Offset::ZERO,
            max_bytes: 3 * 31_000,
        }],
    };
    let mut slow = open("slow");
    let since = SystemClock.monotonic();
    let mut given = 0;
    for _ in 0..2 {
        let (answer, records) = slow.ask(&fetch, &[]);
        assert_eq!(answer.expect("it is answered").parts[0].error, Maybe::NONE);
        if given > 0 {
            has_passed(since, cost(given, rate));
        }
        given += records.len();
    }
    assert!(given > 4 * RECORD, "{given}");

    // A subscription shares that: it goes on once both answers are paid for.
    let subscribe = native::SubscribeRequest {
        subscription: 1,
        topic_id,
        partition: 0,
        leader_epoch: Maybe::NONE,
        offset: Offset::new(6),
        credit: 1 << 20,
        isolation: native::Isolation::ReadUncommitted,
    };
    slow.ask(&subscribe, &[]).0.expect("it is taken");
    let (_, records) = slow.receive();
    has_passed(since, cost(given, rate));
    given += records.len();
    // So does its next batch, which others send without waiting.
    other.ask(&request, &batch).0.expect("it is taken");
    let (_, records) = slow.receive();
    assert!(records.len() > RECORD);
    has_passed(since, cost(given, rate));
}

#[test]
fn who_gives_up_while_made_to_wait_is_let_go() {
    let data = tempfile::tempdir().expect("a fresh directory");
    let broker = broker(&data, 0);
    limit(&broker, "slow", 1000.0);
    let mut gone = broker.connect();
    send(&mut gone, Some("slow"), &produce(), 7);
    let answer: ProduceResponse = receive(&mut gone, 7);
    assert!(answer.throttle_time_ms > 20_000, "{}", answer.throttle_time_ms);
    // It sends no more, which is found long before its time is over.
    gone.shutdown(Shutdown::Write).expect("it may");
    gone.set_read_timeout(Some(Duration::from_secs(15))).expect("it may be set");
    assert_eq!(gone.read(&mut [0]).expect("it is closed"), 0);

    // What was sent before is taken, when its time has come.
    let mut last = broker.connect();
    send(&mut last, Some("slow"), &produce(), 7);
    let answer: ProduceResponse = receive(&mut last, 7);
    assert!(answer.throttle_time_ms > 20_000, "{}", answer.throttle_time_ms);
    send(&mut last, Some("slow"), &produce(), 7);
    last.shutdown(Shutdown::Write).expect("it may");
    limit(&broker, "slow", 1e9);
    let answer: ProduceResponse = receive(&mut last, 7);
    assert_eq!(answer.responses[0].partition_responses[0].base_offset, 2);
    assert_eq!(last.read(&mut [0]).expect("it is closed"), 0);
}

/// Counts the connections that a client opens.
#[derive(Debug)]
struct Counting {
    tcp: TcpConnector,
    opened: AtomicUsize,
}

impl Connector for Counting {
    fn connect(&self) -> BoxFuture<'_, io::Result<Connection>> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        self.tcp.connect()
    }

    fn address(&self) -> String {
        self.tcp.address()
    }
}

#[test]
fn a_native_producer_waits_for_longer_than_requests_may_take() {
    let rate = 20_000.0;
    let data = tempfile::tempdir().expect("a fresh directory");
    let broker = broker(&data, 0);
    limit(&broker, "slow", rate);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let tcp = TcpConnector::new([broker.native()]);
    let counting = Arc::new(Counting { tcp, opened: AtomicUsize::new(0) });
    let connector: Arc<dyn Connector> = Arc::<Counting>::clone(&counting);
    runtime.block_on(async {
        // A third of what each record is waited for.
        let patience = Duration::from_millis(500);
        let client = Client::builder().client_id("slow").request_timeout(patience);
        let client = client.connector(connector).connect().await.expect("it is there");
        let producer = client.producer().linger(Duration::ZERO).build().await.expect("it may");
        let since = SystemClock.monotonic();
        for records in 0..3 {
            let record = NewRecord::to("t").value(&[7; RECORD]);
            let delivery = producer.send(record).await.expect("it is taken");
            delivery.await.expect("it arrives");
            if records > 0 {
                has_passed(since, cost(records * RECORD, rate));
            }
        }
    });
    // One for what callers ask, one for the producer, and none given up.
    assert_eq!(counting.opened.load(Ordering::SeqCst), 2);
}
