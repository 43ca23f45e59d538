//! Kafka clients that mean harm, or know no better, against the real program: what they cost is
//! bounded by what they send, and the others are served meanwhile.

use std::io::Write as _;
use std::net::TcpStream;

use onrush_kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, FetchRequest, FetchRequestFetchPartition,
    FetchRequestFetchTopic, MetadataRequest, MetadataRequestTopic, MetadataResponse,
};
use onrush_kafka_protocol::{ApiKey, request_frame};
use onrush_sys::{Random as _, SeededRandom};
use onrush_tests::kafka::{Asks, frame};
use onrush_tests::{BrokerProcess, ServeOptions};

const MIB: u64 = 1 << 20;

struct Served {
    _data: tempfile::TempDir,
    broker: BrokerProcess,
}

fn served() -> Served {
    let data = tempfile::tempdir().expect("a fresh directory");
    let broker = BrokerProcess::start(ServeOptions::at(&data.path().join("data")));
    let served = Served { _data: data, broker };
    served.still_serves();
    served
}

impl Served {
    /// Somebody else is answered.
    fn still_serves(&self) {
        let answer: ApiVersionsResponse = self.ask(&ApiVersionsRequest::default(), 0);
        assert!(answer.api_keys.len() > 3, "{answer:?}");
    }
}

impl Asks for Served {
    fn address(&self) -> String {
        self.broker.kafka()
    }
}

#[test]
fn an_announced_length_costs_no_memory() {
    let served = served();
    let before = served.broker.rss();
    let mut held = Vec::new();
    for _ in 0..300 {
        let mut socket = served.connect();
        // 100 MiB, of which 100 bytes come.
        socket.write_all(&frame(Some(100 << 20), 0, 7, &[0; 100])).expect("it takes bytes");
        held.push(socket);
    }
    served.still_serves();
    let grown = served.broker.rss().saturating_sub(before);
    assert!(grown < 32 * MIB, "300 requests that did not come cost {grown} bytes");
    drop(held);
    served.still_serves();
}

/// The connection ends; how much was announced does not matter.
#[test]
fn an_announced_length_of_2_gib_ends_the_connection() {
    let served = served();
    let before = served.broker.rss();
    for length in [i32::MAX, i32::MIN, -1, 0, 7] {
        assert_eq!(served.exchange(&frame(Some(length), 0, 7, &[0; 100])), b"", "{length}");
    }
    // Within a request: a text, records and an array that say so of themselves.
    for body in [&[0x7f, 0xff][..], &[0xff, 0xff, 0, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]] {
        let body = [body, &[0; 100]].concat();
        assert_eq!(served.exchange(&frame(None, 0, 7, &body)), b"", "{body:02x?}");
    }
    served.still_serves();
    let grown = served.broker.rss().saturating_sub(before);
    assert!(grown < 16 * MIB, "they cost {grown} bytes");
}

#[test]
fn noise_costs_nothing_and_ends() {
    const SEED: u64 = 20_261_121;
    println!("seed {SEED}");
    let served = served();
    let before = served.broker.rss();
    let random = SeededRandom::new(SEED);
    for round in 0..300_usize {
        let mut noise = vec![0; 1 + (round * 37) % 4000];
        random.fill(&mut noise);
        let answer = served.exchange(&noise);
        assert!(answer.len() < 4096, "round {round}: {} bytes of answer", answer.len());
    }
    served.still_serves();
    let grown = served.broker.rss().saturating_sub(before);
    assert!(grown < 16 * MIB, "noise cost {grown} bytes");
}

/// As an array's count, in the old form and in the flexible one, in every place of every request.
#[test]
fn an_array_of_2_31_elements_costs_nothing() {
    let served = served();
    let before = served.broker.rss();
    for key in ApiKey::ALL {
        for version in 0..=18 {
            let count: &[u8] = match version >= key.flexible_from() {
                true => &[0x81, 0x80, 0x80, 0x80, 0x08],
                false => &[0x80, 0, 0, 0],
            };
            for at in [0, 1, 2, 4, 6, 8, 10, 12] {
                let body = [&vec![1; at], count, &[1; 40]].concat();
                let answer = served.exchange(&frame(None, key.0, version, &body));
                assert!(answer.len() < 1 << 20, "{} {version}: {}", key.name(), answer.len());
            }
        }
    }
    served.still_serves();
    let grown = served.broker.rss().saturating_sub(before);
    assert!(grown < 64 * MIB, "they cost {grown} bytes");
}

#[test]
fn a_thousand_silent_connections_cost_little() {
    const COUNT: u64 = 1000;
    let served = served();
    let before = served.broker.rss();
    let held: Vec<TcpStream> = (0..COUNT).map(|_| served.connect()).collect();
    // It has taken them all up once it serves one that came after them.
    served.still_serves();
    let each = served.broker.rss().saturating_sub(before) / COUNT;
    assert!(each <= 20 * 1024, "a silent connection costs {each} bytes");
    drop(held);
}

#[test]
fn counts_and_lengths_beyond_the_request_cost_nothing() {
    let served = served();
    let before = served.broker.rss();
    // As a count or length: 2³¹ - 1, 2³² - 2, -1, 0 and small ones, wherever a version has one.
    let fills: [&[u8]; 4] =
        [&[0x7f, 0xff, 0xff, 0xff], &[0xff, 0xff, 0xff, 0xff, 0x0f], &[0], &[1, 0]];
    for key in ApiKey::ALL {
        for version in 0..=18 {
            for fill in fills {
                let body: Vec<u8> = fill.iter().copied().cycle().take(60).collect();
                let answer = served.exchange(&frame(None, key.0, version, &body));
                let name = key.name();
                assert!(answer.len() < 1 << 20, "{name} {version}: {} bytes", answer.len());
            }
        }
    }
    served.still_serves();
    let grown = served.broker.rss().saturating_sub(before);
    assert!(grown < 64 * MIB, "they cost {grown} bytes");
}

#[test]
fn a_million_topics_in_one_request_cost_what_they_take_to_answer() {
    const COUNT: usize = 1_000_000;
    let served = served();
    let before = served.broker.rss();
    let topic = |number: usize| MetadataRequestTopic {
        name: Some(format!("t{number:07}")),
        ..Default::default()
    };
    let request = MetadataRequest {
        topics: Some((0..COUNT).map(topic).collect()),
        allow_auto_topic_creation: false,
        ..Default::default()
    };
    let answer: MetadataResponse = served.ask(&request, 9);
    assert_eq!(answer.topics.len(), COUNT);
    served.still_serves();
    let grown = served.broker.rss().saturating_sub(before);
    assert!(grown < 512 * MIB, "a million topics cost {grown} bytes");
}

#[test]
fn requests_behind_one_that_waits_are_not_taken_in_without_end() {
    let served = served();
    let before = served.broker.rss();
    let topic = MetadataRequestTopic { name: Some("t".to_owned()), ..Default::default() };
    let request = MetadataRequest {
        topics: Some(vec![topic]),
        allow_auto_topic_creation: true,
        ..Default::default()
    };
    let created: MetadataResponse = served.ask(&request, 9);
    assert_eq!(created.topics[0].error_code, 0);
    // A fetch that waits for half a minute, and requests behind it for as long as the broker takes
    // them.
    let partition = FetchRequestFetchPartition { partition_max_bytes: 1, ..Default::default() };
    let fetch = FetchRequest {
        max_wait_ms: 30_000,
        min_bytes: 1,
        topics: vec![FetchRequestFetchTopic {
            topic: "t".to_owned(),
            partitions: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    };
    let mut waits = Vec::new();
    request_frame(&fetch, 12, 1, None, &mut waits).expect("it can be said");
    let behind = frame(None, 18, 0, &[]).repeat(64 * 1024);
    let mut held = Vec::new();
    for _ in 0..50 {
        let mut socket = served.connect();
        socket.write_all(&waits).expect("it takes bytes");
        socket.set_nonblocking(true).expect("a socket");
        let mut sent = 0;
        while let Ok(count) = socket.write(&behind[sent..]) {
            sent += count;
            if sent == behind.len() {
                sent = 0;
            }
        }
        held.push(socket);
    }
    served.still_serves();
    let grown = served.broker.rss().saturating_sub(before);
    assert!(grown < 64 * MIB, "requests that wait cost {grown} bytes");
}
