//! Kafka's protocol as somebody speaks it who sends what he likes.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use bytes::Bytes;
use onrush_kafka_protocol::messages::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use onrush_kafka_protocol::{ApiKey, Message, Reader, decode_response_header, request_frame};

use crate::BrokerProcess;

/// A frame of any API and version whose body is these bytes; of another length than it has, if that
/// is given.
///
/// # Panics
/// When it is longer than a frame can say.
#[must_use]
pub fn frame(length: Option<i32>, key: i16, version: i16, body: &[u8]) -> Vec<u8> {
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

/// Sends a request of a client that calls itself so.
///
/// # Panics
/// When the broker takes no bytes.
pub fn send<Q: Message>(socket: &mut TcpStream, client: Option<&str>, request: &Q, version: i16) {
    let mut frame = Vec::new();
    request_frame(request, version, 1, client, &mut frame).expect("it can be said");
    socket.write_all(&frame).expect("it takes bytes");
}

/// Waits for an answer.
///
/// # Panics
/// When there is none, or it is something else.
#[must_use]
pub fn receive<A: Message>(socket: &mut TcpStream, version: i16) -> A {
    let mut length = [0; 4];
    socket.read_exact(&mut length).expect("it answers");
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    socket.read_exact(&mut answer).expect("it answers");
    let mut reader = Reader::new(&answer);
    decode_response_header(A::KEY, version, &mut reader).expect("a header");
    A::decode(&mut reader, version).expect("an answer")
}

/// One connection a request.
pub trait Asks {
    /// The address of the Kafka listener.
    fn address(&self) -> String;

    /// A new connection.
    ///
    /// # Panics
    /// When nobody listens.
    fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address()).expect("it listens")
    }

    /// Asks, and waits for the answer.
    ///
    /// # Panics
    /// When there is none, or it is something else.
    fn ask<Q: Message, A: Message>(&self, request: &Q, version: i16) -> A {
        let mut socket = self.connect();
        send(&mut socket, None, request, version);
        receive(&mut socket, version)
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

    /// Creates a topic of one partition.
    ///
    /// # Panics
    /// When that is refused.
    fn create(&self, name: &str, configs: &[(&str, &str)]) {
        let config = |(name, value): &(&str, &str)| CreatableTopicConfig {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
        };
        let topic = CreatableTopic {
            name: name.to_owned(),
            num_partitions: 1,
            replication_factor: 1,
            configs: configs.iter().map(config).collect(),
            ..Default::default()
        };
        let request =
            CreateTopicsRequest { topics: vec![topic], timeout_ms: 30_000, ..Default::default() };
        let answer: CreateTopicsResponse = self.ask(&request, 5);
        assert_eq!(answer.topics[0].error_code, 0, "{:?}", answer.topics);
    }
}

impl Asks for BrokerProcess {
    fn address(&self) -> String {
        self.kafka()
    }
}

/// Produces bytes as a record batch to the first partition of a topic, acknowledged by all; the
/// error code.
///
/// # Panics
/// When there is no answer.
#[must_use]
pub fn produce(broker: &impl Asks, topic: &str, batch: Vec<u8>) -> i16 {
    let partition = PartitionProduceData { index: 0, records: Some(Bytes::from(batch)) };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: topic.to_owned(),
            partition_data: vec![partition],
            ..Default::default()
        }],
        ..Default::default()
    };
    let answer: ProduceResponse = broker.ask(&request, 9);
    answer.responses[0].partition_responses[0].error_code
}
