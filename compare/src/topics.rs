//! Making and deleting topics by the Kafka protocol, which all of these brokers speak.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use onrush_kafka_protocol::messages::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
    DeleteTopicsRequest, DeleteTopicsResponse,
};
use onrush_kafka_protocol::wire::Reader;
use onrush_kafka_protocol::{ErrorCode, Message, decode_response_header, request_frame};

/// Versions that every broker since Kafka 2.0 has.
const CREATE_VERSION: i16 = 3;
const DELETE_VERSION: i16 = 3;
const TIMEOUT: Duration = Duration::from_secs(30);
const TIMEOUT_MS: i32 = 30_000;
/// No answer here is longer.
const ANSWER_MAX: usize = 1 << 20;

/// Makes a topic.
pub(crate) fn create(
    broker: SocketAddr,
    name: &str,
    partitions: i32,
    settings: &[(&str, &str)],
) -> Result<()> {
    let configs = settings.iter().map(|(name, value)| CreatableTopicConfig {
        name: (*name).to_owned(),
        value: Some((*value).to_owned()),
    });
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions: partitions,
        replication_factor: 1,
        configs: configs.collect(),
        ..CreatableTopic::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![topic],
        timeout_ms: TIMEOUT_MS,
        ..CreateTopicsRequest::default()
    };
    let answer: CreateTopicsResponse = call(broker, &request, CREATE_VERSION)?;
    for topic in answer.topics {
        let code = ErrorCode(topic.error_code);
        ensure!(code == ErrorCode::NONE, "{broker} does not make topic {name}: {}", code.name());
    }
    Ok(())
}

/// Deletes a topic.
pub(crate) fn delete(broker: SocketAddr, name: &str) -> Result<()> {
    let request = DeleteTopicsRequest {
        topic_names: vec![name.to_owned()],
        timeout_ms: TIMEOUT_MS,
        ..DeleteTopicsRequest::default()
    };
    let answer: DeleteTopicsResponse = call(broker, &request, DELETE_VERSION)?;
    for topic in answer.responses {
        let code = ErrorCode(topic.error_code);
        ensure!(code == ErrorCode::NONE, "{broker} does not delete {name}: {}", code.name());
    }
    Ok(())
}

fn call<Q: Message, A: Message>(broker: SocketAddr, request: &Q, version: i16) -> Result<A> {
    let asking = || format!("asking {broker}");
    let mut stream = TcpStream::connect_timeout(&broker, TIMEOUT).with_context(asking)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut frame = Vec::new();
    request_frame(request, version, 1, Some("onrush-compare"), &mut frame)?;
    stream.write_all(&frame).with_context(asking)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).with_context(asking)?;
    let length = usize::try_from(i32::from_be_bytes(length)).unwrap_or(usize::MAX);
    ensure!(length <= ANSWER_MAX, "{broker} announced an answer of {length} bytes");
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).with_context(asking)?;
    let mut input = Reader::new(&answer);
    decode_response_header(Q::KEY, version, &mut input)?;
    Ok(A::decode(&mut input, version)?)
}
