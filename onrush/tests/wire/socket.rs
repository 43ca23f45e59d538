//! A client made of nothing but a socket.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use bytes::BytesMut;
use onrush::{Config, Onrush};
use onrush_protocol::request::{
    Acks, ConfigEntry, CreateTopicsRequest, HelloRequest, NewTopic, ProducePart, ProduceRequest,
    RequestMessage,
};
use onrush_protocol::response::{Deliver, ProduceResponse};
use onrush_protocol::wire::Maybe;
use onrush_protocol::{
    ErrorCode, FrameHeader, HEADER_LEN, Message as _, PROTOCOL_VERSION, WireError, features,
};
use onrush_record::TopicId;
use onrush_record::batch::{BatchBuilder, Codec};
use smallvec::smallvec;

/// Far longer than anything takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A frame as it came.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) header: FrameHeader,
    pub(crate) body: Vec<u8>,
    pub(crate) payload: Vec<u8>,
}

impl Received {
    /// The response to a request of this kind.
    pub(crate) fn reply<R: RequestMessage>(&self) -> Result<R::Response, WireError> {
        assert!(self.header.is_response(), "{:?}", self.header);
        assert_eq!(self.header.opcode, R::OPCODE.code());
        Result::<R::Response, WireError>::decode(&self.body).unwrap()
    }

    /// The code of the error that this response is.
    pub(crate) fn error(&self) -> ErrorCode {
        ErrorCode(u16::from_le_bytes([self.body[0], self.body[1]]))
    }

    /// The push that this is.
    pub(crate) fn deliver(&self) -> Deliver {
        assert!(self.header.is_push(), "{:?}", self.header);
        Deliver::decode(&self.body).unwrap()
    }
}

pub(crate) struct Socket {
    pub(crate) stream: TcpStream,
    next: u32,
}

/// A broker that listens, and its port.
pub(crate) fn broker(config: Config) -> (Onrush, u16) {
    let broker = Onrush::open(config).unwrap();
    let port = broker.listen("127.0.0.1:0").unwrap().port();
    (broker, port)
}

pub(crate) fn hello() -> HelloRequest {
    HelloRequest {
        version_min: PROTOCOL_VERSION,
        version_max: PROTOCOL_VERSION,
        features: features::ALL,
        client_name: "raw".to_owned(),
        client_version: "1".to_owned(),
        max_frame: 64 << 20,
    }
}

/// A frame of this request.
pub(crate) fn frame<R: RequestMessage>(request: &R, correlation: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    request.encode_frame(&mut bytes, correlation, payload.len());
    bytes.extend_from_slice(payload);
    bytes.to_vec()
}

/// A batch of records with these values.
pub(crate) fn batch(values: &[&[u8]]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(Codec::None);
    for value in values {
        builder.push(1, None, Some(value), &[]);
    }
    builder.finish().unwrap()
}

pub(crate) fn produce(topic: TopicId, acks: Acks, batch: &[u8]) -> ProduceRequest {
    ProduceRequest { acks, flags: 0, timeout_ms: 0, parts: smallvec![part(topic, 0, batch)] }
}

pub(crate) fn part(topic_id: TopicId, partition: u32, batch: &[u8]) -> ProducePart {
    ProducePart {
        topic_id,
        partition,
        leader_epoch: Maybe::NONE,
        expected_offset: Maybe::NONE,
        batches_length: u32::try_from(batch.len()).unwrap(),
    }
}

impl Socket {
    /// Connects, and says nothing yet.
    pub(crate) fn silent(port: u16) -> Socket {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Socket { stream, next: 1 }
    }

    /// Connects and says hello.
    pub(crate) fn open(port: u16) -> Socket {
        let mut socket = Socket::silent(port);
        socket.ask(&hello()).unwrap();
        socket
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask<R: RequestMessage>(&mut self, request: &R) -> Result<R::Response, WireError> {
        self.ask_with(request, &[])
    }

    pub(crate) fn ask_with<R: RequestMessage>(
        &mut self,
        request: &R,
        payload: &[u8],
    ) -> Result<R::Response, WireError> {
        let correlation = self.next;
        self.next += 1;
        self.send(&frame(request, correlation, payload));
        let received = self.receive();
        assert_eq!(received.header.correlation, correlation);
        received.reply::<R>()
    }

    pub(crate) fn receive(&mut self) -> Received {
        self.try_receive().expect("the connection is open")
    }

    /// The next frame; nothing when the broker has closed the connection.
    pub(crate) fn try_receive(&mut self) -> Option<Received> {
        let mut head = [0; HEADER_LEN];
        let first = self.stream.read(&mut head).ok()?;
        if first == 0 {
            return None;
        }
        self.stream.read_exact(&mut head[first..]).unwrap();
        let header = FrameHeader::read(&head);
        let mut body = vec![0; header.body_length as usize];
        self.stream.read_exact(&mut body).unwrap();
        let mut payload = vec![0; header.payload_len()];
        self.stream.read_exact(&mut payload).unwrap();
        Some(Received { header, body, payload })
    }

    /// Asserts that the broker has closed the connection without a word.
    pub(crate) fn is_closed(&mut self) {
        let received = self.try_receive();
        assert!(received.is_none(), "still open: {received:?}");
    }

    pub(crate) fn create_topic(&mut self, name: &str, partitions: u32) -> TopicId {
        self.create_topic_with(name, partitions, &[])
    }

    pub(crate) fn create_topic_with(
        &mut self,
        name: &str,
        partitions: u32,
        configs: &[(&str, &str)],
    ) -> TopicId {
        let configs = configs
            .iter()
            .map(|(name, value)| ConfigEntry {
                key: (*name).to_owned(),
                value: (*value).to_owned(),
            })
            .collect();
        let topic = NewTopic { name: name.to_owned(), partitions: Some(partitions), configs };
        let request = CreateTopicsRequest { topics: vec![topic], validate_only: false };
        let created = self.ask(&request).unwrap().topics.remove(0);
        assert_eq!(created.error, Maybe::NONE);
        created.topic_id
    }

    /// Produces and gives the base offset.
    pub(crate) fn produce(&mut self, topic: TopicId, acks: Acks, values: &[&[u8]]) -> u64 {
        let batch = batch(values);
        let response = self.ask_with(&produce(topic, acks, &batch), &batch).unwrap();
        base_offset(&response)
    }
}

/// Where the only part of a response says that its records are.
pub(crate) fn base_offset(response: &ProduceResponse) -> u64 {
    assert_eq!(response.parts[0].error, Maybe::NONE);
    response.parts[0].base_offset.0.unwrap().get()
}
