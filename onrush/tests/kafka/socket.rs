//! A Kafka client made of nothing but a socket.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;
use onrush::{Config, NewTopic, Onrush};
use onrush_kafka_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, FetchRequest, FetchRequestFetchPartition,
    FetchRequestFetchTopic, FetchResponse, FetchResponsePartitionData, PartitionProduceData,
    PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceData,
};
use onrush_kafka_protocol::{ApiKey, Message, Reader, Uuid, decode_response_header, request_frame};
use onrush_record::batch::{BatchBuilder, Codec};

/// Far longer than anything takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The version in which topics have names and most else is new.
pub(crate) const PRODUCE: i16 = 12;
pub(crate) const FETCH: i16 = 12;

/// A broker that listens, and what is needed to reach it.
pub(crate) struct Served {
    pub(crate) broker: Onrush,
    pub(crate) port: u16,
    runtime: tokio::runtime::Runtime,
}

impl Served {
    pub(crate) fn new(config: Config) -> Served {
        let broker = Onrush::open(config).unwrap();
        let port = broker.listen_kafka("127.0.0.1:0").unwrap().port();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        Served { broker, port, runtime }
    }

    pub(crate) fn topic(&self, name: &str, partitions: u32) -> Uuid {
        let new = NewTopic::named(name).partitions(partitions);
        let created = self.runtime.block_on(self.broker.admin().create_topic(new)).unwrap();
        Uuid(created.id.bytes())
    }

    pub(crate) fn advance(&self, time: Duration) {
        self.runtime.block_on(self.broker.advance(time)).unwrap();
    }

    pub(crate) fn open(&self) -> Socket {
        Socket::open(self.port)
    }

    pub(crate) fn stop(self) {
        let Served { broker, runtime, .. } = self;
        runtime.block_on(broker.stop()).unwrap();
    }
}

pub(crate) struct Socket {
    pub(crate) stream: TcpStream,
    pub(crate) next: i32,
}

/// A batch of records with these values.
pub(crate) fn batch(values: &[&[u8]]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Codec::None);
    for value in values {
        builder.push(1, None, Some(value), &[]);
    }
    builder.finish().unwrap()
}

/// A produce request to partitions of one topic.
pub(crate) fn produce(topic: &str, acks: i16, parts: &[(i32, &[u8])]) -> ProduceRequest {
    let part = |(index, batch): &(i32, &[u8])| PartitionProduceData {
        index: *index,
        records: Some(Bytes::copy_from_slice(batch)),
    };
    ProduceRequest {
        acks,
        timeout_ms: 10_000,
        topic_data: vec![TopicProduceData {
            name: topic.to_owned(),
            partition_data: parts.iter().map(part).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// A fetch of partitions of one topic, from offsets on, that does not wait.
pub(crate) fn fetch(topic: &str, parts: &[(i32, i64)]) -> FetchRequest {
    let part = |(partition, fetch_offset): &(i32, i64)| FetchRequestFetchPartition {
        partition: *partition,
        fetch_offset: *fetch_offset,
        partition_max_bytes: 1 << 20,
        ..Default::default()
    };
    FetchRequest {
        max_wait_ms: 0,
        min_bytes: 1,
        max_bytes: 50 << 20,
        topics: vec![FetchRequestFetchTopic {
            topic: topic.to_owned(),
            partitions: parts.iter().map(part).collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// The bytes of a request.
pub(crate) fn frame<M: Message>(request: &M, version: i16, correlation: i32) -> Vec<u8> {
    let mut bytes = Vec::new();
    request_frame(request, version, correlation, Some("raw"), &mut bytes).unwrap();
    bytes
}

/// The answer in a frame without its length.
pub(crate) fn answer<M: Message>(frame: &[u8], version: i16) -> (i32, M) {
    let mut reader = Reader::new(frame);
    let correlation = decode_response_header(M::KEY, version, &mut reader).unwrap();
    let answer = M::decode(&mut reader, version).unwrap();
    reader.finish().unwrap();
    (correlation, answer)
}

impl Socket {
    pub(crate) fn open(port: u16) -> Socket {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Socket { stream, next: 1 }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next frame without its length; nothing when the broker has closed the connection.
    pub(crate) fn try_receive(&mut self) -> Option<Vec<u8>> {
        let mut length = [0; 4];
        let first = self.stream.read(&mut length).ok()?;
        if first == 0 {
            return None;
        }
        self.stream.read_exact(&mut length[first..]).unwrap();
        let mut frame = vec![0; u32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame).unwrap();
        Some(frame)
    }

    pub(crate) fn receive<M: Message>(&mut self, version: i16) -> (i32, M) {
        answer(&self.try_receive().expect("the connection is open"), version)
    }

    /// Asserts that the broker has not closed the connection, and says nothing.
    pub(crate) fn is_open(&mut self) {
        self.stream.set_nonblocking(true).unwrap();
        let error = self.stream.read(&mut [0]).expect_err("it answers, or has closed it");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        self.stream.set_nonblocking(false).unwrap();
    }

    /// Asserts that the broker has closed the connection without a word.
    pub(crate) fn is_closed(&mut self) {
        match self.stream.read(&mut [0]) {
            Ok(0) => {}
            Ok(_) => panic!("it answers"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "still open"),
        }
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask<Q: Message, A: Message>(&mut self, request: &Q, version: i16) -> A {
        let correlation = self.next;
        self.next += 1;
        self.send(&frame(request, version, correlation));
        let (answered, answer) = self.receive(version);
        assert_eq!(answered, correlation);
        answer
    }

    /// Asks what is served.
    pub(crate) fn versions(&mut self) -> ApiVersionsResponse {
        self.ask(&hello(), 3)
    }

    /// Produces to one partition and gives the base offset.
    pub(crate) fn produce(&mut self, topic: &str, acks: i16, values: &[&[u8]]) -> i64 {
        let request = produce(topic, acks, &[(0, &batch(values))]);
        let answer: ProduceResponse = self.ask(&request, PRODUCE);
        let part = only(&answer);
        assert_eq!(part.error_code, 0, "{part:?}");
        part.base_offset
    }

    /// Fetches from one partition.
    pub(crate) fn fetch(&mut self, topic: &str, from: i64) -> FetchResponsePartitionData {
        let mut answer: FetchResponse = self.ask(&fetch(topic, &[(0, from)]), FETCH);
        answer.responses.remove(0).partitions.remove(0)
    }
}

pub(crate) fn hello() -> ApiVersionsRequest {
    ApiVersionsRequest {
        client_software_name: "raw".to_owned(),
        client_software_version: "1".to_owned(),
    }
}

/// The only part of an answer.
pub(crate) fn only(answer: &ProduceResponse) -> &PartitionProduceResponse {
    assert_eq!(answer.responses.len(), 1);
    assert_eq!(answer.responses[0].partition_responses.len(), 1);
    &answer.responses[0].partition_responses[0]
}

/// The versions of an API that the broker says it serves.
pub(crate) fn versions_of(socket: &mut Socket, key: ApiKey) -> (i16, i16) {
    let all = socket.versions().api_keys;
    let found = all.iter().find(|version| version.api_key == key.0).unwrap();
    (found.min_version, found.max_version)
}
