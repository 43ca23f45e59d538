//! Kafka clients that mean harm, or know no better, against the real program: what they cost is
//! bounded by what they send, and the others are served meanwhile.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use onrush_kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, FetchRequest, FetchRequestFetchPartition,
    FetchRequestFetchTopic, MetadataRequest, MetadataRequestTopic, MetadataResponse,
};
use onrush_kafka_protocol::{ApiKey, Message, Reader, decode_response_header, request_frame};
use onrush_sys::process::rss_bytes;
use onrush_sys::{Random as _, SeededRandom};
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
    fn rss(&self) -> u64 {
        rss_bytes(Some(self.broker.pid())).expect("it runs")
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.broker.kafka()).expect("it listens")
    }

    /// Somebody else is answered.
    fn still_serves(&self) {
        let answer: ApiVersionsResponse = self.ask(&ApiVersionsRequest::default(), 0);
        assert!(answer.api_keys.len() > 3, "{answer:?}");
    }

    fn ask<Q: Message, A: Message>(&self, request: &Q, version: i16) -> A {
        let mut frame = Vec::new();
        request_frame(request, version, 1, None, &mut frame).expect("it can be said");
        let mut socket = self.connect();
        socket.write_all(&frame).expect("it takes bytes");
        let mut length = [0; 4];
        socket.read_exact(&mut length).expect("it answers");
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        socket.read_exact(&mut answer).expect("it answers");
        let mut reader = Reader::new(&answer);
        decode_response_header(A::KEY, version, &mut reader).expect("a header");
        A::decode(&mut reader, version).expect("an answer")
    }

    /// Sends bytes and gives what is answered until the broker closes the connection.
    fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let mut socket = self.connect();
        // It may close before all has been sent; that is its answer.
        let _ = socket.write_all(bytes);
        let _ = socket.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        answer
    }
}

/// A frame of any API and version whose body is these bytes.
fn frame(length: Option<i32>, key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    bytes.extend(key.to_be_bytes());
    bytes.extend(version.to_be_bytes());
    bytes.extend(7_i32.to_be_bytes());
    bytes.extend((-1_i16).to_be_bytes());
    if version >= ApiKey(key).flexible_from() {
        bytes.push(0);
    }
    bytes.extend(body);
    let length = length.unwrap_or_else(|| i32::try_from(bytes.len() - 4).expect("short"));
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    bytes
}

#[test]
fn an_announced_length_costs_no_memory() {
    let served = served();
    let before = served.rss();
    let mut held = Vec::new();
    for _ in 0..300 {
        let mut socket = served.connect();
        // 100 MiB, of which 100 bytes come.
        socket.write_all(&frame(Some(100 << 20), 0, 7, &[0; 100])).expect("it takes bytes");
        held.push(socket);
    }
    assert_eq!(served.exchange(&frame(Some(i32::MAX), 0, 7, &[0; 100])), b"");
    served.still_serves();
    let grown = served.rss().saturating_sub(before);
    assert!(grown < 32 * MIB, "300 requests that did not come cost {grown} bytes");
    drop(held);
    served.still_serves();
}

#[test]
fn noise_costs_nothing_and_ends() {
    const SEED: u64 = 20_261_121;
    println!("seed {SEED}");
    let served = served();
    let before = served.rss();
    let random = SeededRandom::new(SEED);
    for round in 0..300_usize {
        let mut noise = vec![0; 1 + (round * 37) % 4000];
        random.fill(&mut noise);
        let answer = served.exchange(&noise);
        assert!(answer.len() < 4096, "round {round}: {} bytes of answer", answer.len());
    }
    served.still_serves();
    let grown = served.rss().saturating_sub(before);
    assert!(grown < 16 * MIB, "noise cost {grown} bytes");
}

#[test]
fn a_thousand_silent_connections_cost_little() {
    const COUNT: u64 = 1000;
    let served = served();
    let before = served.rss();
    let held: Vec<TcpStream> = (0..COUNT).map(|_| served.connect()).collect();
    // It has taken them all up once it serves one that came after them.
    served.still_serves();
    let each = served.rss().saturating_sub(before) / COUNT;
    assert!(each <= 20 * 1024, "a silent connection costs {each} bytes");
    drop(held);
}

#[test]
fn counts_and_lengths_beyond_the_request_cost_nothing() {
    let served = served();
    let before = served.rss();
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
    let grown = served.rss().saturating_sub(before);
    assert!(grown < 64 * MIB, "they cost {grown} bytes");
}

#[test]
fn a_million_topics_in_one_request_cost_what_they_take_to_answer() {
    const COUNT: usize = 1_000_000;
    let served = served();
    let before = served.rss();
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
    let grown = served.rss().saturating_sub(before);
    assert!(grown < 512 * MIB, "a million topics cost {grown} bytes");
}

#[test]
fn requests_behind_one_that_waits_are_not_taken_in_without_end() {
    let served = served();
    let before = served.rss();
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
    let grown = served.rss().saturating_sub(before);
    assert!(grown < 64 * MIB, "requests that wait cost {grown} bytes");
}
