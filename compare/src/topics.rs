//! Making and deleting topics by the Kafka protocol, which all of these brokers speak.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use onrush_kafka_protocol::messages::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest, CreateTopicsResponse,
    DeleteTopicsRequest, DeleteTopicsResponse, ListOffsetsPartition, ListOffsetsRequest,
    ListOffsetsResponse, ListOffsetsTopic, PartitionProduceData, ProduceRequest, ProduceResponse,
    TopicProduceData,
};
use onrush_kafka_protocol::wire::Reader;
use onrush_kafka_protocol::{ErrorCode, Message, decode_response_header, request_frame};
use onrush_record::batch::BatchBuilder;
use onrush_record::codec::Codec;
use onrush_sys::{Clock as _, SystemClock};

/// Versions that every broker since Kafka 2.0 has.
const CREATE_VERSION: i16 = 3;
const DELETE_VERSION: i16 = 3;
const LIST_OFFSETS_VERSION: i16 = 2;
const PRODUCE_VERSION: i16 = 7;
/// The end of a partition instead of a time.
const LATEST: i64 = -1;
/// How long a broker that has just started may take for a first message, and how often it is tried.
const FIRST_PATIENCE: Duration = Duration::from_secs(120);
const FIRST_EVERY: Duration = Duration::from_millis(1);
const TIMEOUT: Duration = Duration::from_secs(30);
const TIMEOUT_MS: i32 = 30_000;
/// No answer here is longer.
const ANSWER_MAX: usize = 1 << 20;

/// Makes a topic.
pub(crate) fn create(
    broker: SocketAddr,
    name: &str,
    partitions: u32,
    settings: &[(&str, &str)],
) -> Result<()> {
    let configs = settings.iter().map(|(name, value)| CreatableTopicConfig {
        name: (*name).to_owned(),
        value: Some((*value).to_owned()),
    });
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions: partitions.cast_signed(),
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

/// The end of each partition.
pub(crate) fn ends(broker: SocketAddr, name: &str, partitions: u32) -> Result<Vec<i64>> {
    let partition = |index: u32| ListOffsetsPartition {
        partition_index: index.cast_signed(),
        timestamp: LATEST,
        ..ListOffsetsPartition::default()
    };
    let topic = ListOffsetsTopic {
        name: name.to_owned(),
        partitions: (0..partitions).map(partition).collect(),
    };
    let request =
        ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..ListOffsetsRequest::default() };
    let answer: ListOffsetsResponse = call(broker, &request, LIST_OFFSETS_VERSION)?;
    let mut ends = Vec::new();
    for partition in answer.topics.into_iter().flat_map(|topic| topic.partitions) {
        let code = ErrorCode(partition.error_code);
        ensure!(code == ErrorCode::NONE, "{broker} does not tell the end: {}", code.name());
        ends.push(partition.offset);
    }
    Ok(ends)
}

/// Has each of a topic's partitions acknowledge a message; the topic is made if it is not there. Tries
/// until the broker, which has just started, does.
pub(crate) fn first(broker: SocketAddr, name: &str, partitions: u32) -> Result<()> {
    let began = Instant::now();
    let mut there = false;
    loop {
        let tried = try_first(broker, name, partitions, &mut there);
        match tried {
            Err(error) if began.elapsed() > FIRST_PATIENCE => return Err(error),
            Err(_) => std::thread::sleep(FIRST_EVERY),
            Ok(()) => return Ok(()),
        }
    }
}

fn try_first(broker: SocketAddr, name: &str, partitions: u32, there: &mut bool) -> Result<()> {
    if !*there {
        // That it is there already is known by what the messages come to.
        let created = create(broker, name, partitions, &[]);
        *there = created.is_ok();
    }
    let mut builder = BatchBuilder::new(Codec::None);
    builder.push(SystemClock.now_ms(), None, Some(b"first"), &[]);
    let batch = Bytes::from(builder.finish()?);
    let partition = |index: u32| PartitionProduceData {
        index: index.cast_signed(),
        records: Some(batch.clone()),
    };
    let topic = TopicProduceData {
        name: name.to_owned(),
        partition_data: (0..partitions).map(partition).collect(),
        ..TopicProduceData::default()
    };
    let request = ProduceRequest {
        acks: -1,
        timeout_ms: TIMEOUT_MS,
        topic_data: vec![topic],
        ..ProduceRequest::default()
    };
    let answer: ProduceResponse = call(broker, &request, PRODUCE_VERSION)?;
    let mut acknowledged = 0;
    for partition in answer.responses.into_iter().flat_map(|topic| topic.partition_responses) {
        match ErrorCode(partition.error_code) {
            ErrorCode::NONE => acknowledged += 1,
            code => bail!("{broker} does not take a message: {}", code.name()),
        }
    }
    ensure!(acknowledged == partitions, "{acknowledged} of {partitions} partitions acknowledged");
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
