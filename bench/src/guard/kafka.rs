//! The Kafka protocol, from the socket to the log and back.

use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use onrush_gateway_kafka::{Kafka, Options};
use onrush_kafka_protocol::messages::{
    FetchRequest, FetchRequestFetchPartition, FetchRequestFetchTopic, FetchResponse,
    PartitionProduceData, ProduceRequest, ProduceResponse, TopicProduceData,
};
use onrush_kafka_protocol::{Message, Reader, Uuid, decode_response_header, request_frame};
use onrush_record::Offset;

use super::broker::{self, Guarded, TOPIC};
use super::socket::{LENGTH, Socket};
use super::{BATCHES, RECORDS, codec, path};

/// With the topic's name.
const PRODUCE_VERSION: i16 = 12;
/// With the topic's id, as the newest clients ask.
const FETCH_VERSION: i16 = 17;

/// A whole request.
fn request(message: &impl Message, version: i16) -> Result<Vec<u8>> {
    let mut frame = Vec::new();
    request_frame(message, version, 1, Some("guard"), &mut frame)?;
    Ok(frame)
}

fn frame_len(length: [u8; LENGTH]) -> usize {
    u32::from_be_bytes(length) as usize + LENGTH
}

fn answer<M: Message>(frame: &[u8], version: i16) -> Result<M> {
    let mut reader = Reader::new(frame.get(LENGTH..).context("half a frame")?);
    decode_response_header(M::KEY, version, &mut reader)?;
    Ok(M::decode(&mut reader, version)?)
}

async fn open(guarded: &Guarded) -> Result<Socket> {
    let service = Kafka::new(&guarded.broker, Arc::new(Options::default()), "guard");
    Socket::open(&guarded.broker, service, frame_len).await
}

pub(super) fn produce(rounds: u32) -> Result<u64> {
    produce_batches(RECORDS, rounds)
}

pub(super) fn produce_one(rounds: u32) -> Result<u64> {
    produce_batches(1, rounds)
}

fn produce_batches(records: u32, rounds: u32) -> Result<u64> {
    let batch = codec::batch(records)?;
    let produce = ProduceRequest {
        acks: 1,
        timeout_ms: 30_000,
        topic_data: vec![TopicProduceData {
            name: TOPIC.to_owned(),
            partition_data: vec![PartitionProduceData {
                index: 0,
                records: Some(Bytes::from(batch)),
            }],
            ..TopicProduceData::default()
        }],
        ..ProduceRequest::default()
    };
    let frame = request(&produce, PRODUCE_VERSION)?;
    broker::with(async |guarded| {
        let mut socket = open(guarded).await?;
        for _ in 0..rounds {
            socket.ask(&frame).await?;
        }
        // Looked at only now, since that would be counted, too. One more may have failed.
        let last: ProduceResponse = answer(socket.ask(&frame).await?, PRODUCE_VERSION)?;
        let topic = last.responses.first().context("no topic")?;
        let part = topic.partition_responses.first().context("no partition")?;
        let before = i64::from(rounds * records);
        ensure!(part.error_code == 0 && part.base_offset == before, "not all appended: {part:?}");
        Ok(u64::from(rounds * records))
    })
}

pub(super) fn fetch(rounds: u32) -> Result<u64> {
    let mut batch = codec::batch(RECORDS)?;
    let all = path("kafka-fetch").context("it has a name")?.rounds * 2;
    broker::with(async |guarded| {
        guarded.append(&mut batch, all * BATCHES).await?;
        let max_bytes = u32::try_from(batch.len())? * BATCHES;
        let reads = guarded.reads(all, max_bytes)?;
        let max_bytes = i32::try_from(max_bytes)?;
        let fetch = |offset: Offset| FetchRequest {
            max_wait_ms: 0,
            min_bytes: 1,
            max_bytes,
            topics: vec![FetchRequestFetchTopic {
                topic_id: Uuid(guarded.topic().bytes()),
                partitions: vec![FetchRequestFetchPartition {
                    partition: 0,
                    fetch_offset: i64::try_from(offset.get()).unwrap_or(i64::MAX),
                    partition_max_bytes: max_bytes,
                    ..FetchRequestFetchPartition::default()
                }],
                ..FetchRequestFetchTopic::default()
            }],
            ..FetchRequest::default()
        };
        // As many in either run.
        let frames = reads.iter().map(|read| request(&fetch(read.first), FETCH_VERSION));
        let frames = frames.collect::<Result<Vec<_>>>()?;
        let mut socket = open(guarded).await?;
        let mut messages = 0;
        for (frame, read) in frames.iter().zip(&reads).take(rounds as usize) {
            let length = socket.ask(frame).await?.len();
            ensure!(length > read.slice.len() as usize, "an answer of {length} bytes");
            messages += read.next.since(read.first);
        }
        let (frame, read) = frames.iter().zip(&reads).last().context("no round")?;
        let last: FetchResponse = answer(socket.ask(frame).await?, FETCH_VERSION)?;
        let part = last.responses.first().and_then(|topic| topic.partitions.first());
        let part = part.context("no partition")?;
        let length = part.records.as_ref().map_or(0, Bytes::len);
        let whole = part.error_code == 0 && length == read.slice.len() as usize;
        ensure!(whole, "{length} bytes of records, error {}", part.error_code);
        Ok(messages)
    })
}
