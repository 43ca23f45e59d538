//! The native protocol, from the socket to the log and back.

use anyhow::{Context, Result, ensure};
use bytes::BytesMut;
use onrush_gateway_native::{Address, Native, Options};
use onrush_protocol::error::Reply;
use onrush_protocol::request::{
    Acks, CreditRequest, FetchPart, FetchRequest, HelloRequest, Isolation, ProducePart,
    ProduceRequest, RequestMessage, SubscribeRequest,
};
use onrush_protocol::wire::Maybe;
use onrush_protocol::{
    FrameHeader, HEADER_LEN, Message, Opcode, PROTOCOL_VERSION, features, frame,
};
use onrush_record::Offset;

use super::broker::{self, Guarded};
use super::socket::{LENGTH, Socket};
use super::{BATCHES, RECORDS, codec, path};

/// The only subscription of the connection.
const SUBSCRIPTION: u32 = 1;

/// A whole request.
fn request(message: &impl RequestMessage, payload: &[u8]) -> BytesMut {
    let mut frame = BytesMut::new();
    message.encode_frame(&mut frame, 1, payload.len());
    frame.extend_from_slice(payload);
    frame
}

fn frame_len(length: [u8; LENGTH]) -> usize {
    u32::from_le_bytes(length) as usize + LENGTH
}

fn header(frame: &[u8]) -> Result<FrameHeader> {
    Ok(FrameHeader::read(frame.first_chunk::<HEADER_LEN>().context("half a header")?))
}

/// What an answer says, if it says that all went well.
fn answer<R: RequestMessage>(frame: &[u8]) -> Result<R::Response>
where
    Reply<R::Response>: Message,
{
    let body = frame.get(header(frame)?.body_range()).context("half a body")?;
    Ok(Reply::<R::Response>::decode(body)??)
}

/// A connection that has said hello.
async fn open(guarded: &Guarded) -> Result<Socket> {
    let service = Native::new(&guarded.broker, Options::default(), &Address::default());
    let mut socket = Socket::open(&guarded.broker, service, frame_len).await?;
    let hello = HelloRequest {
        version_min: PROTOCOL_VERSION,
        version_max: PROTOCOL_VERSION,
        features: features::ALL,
        client_name: "guard".to_owned(),
        client_version: String::new(),
        max_frame: frame::DEFAULT_MAX_FRAME,
    };
    answer::<HelloRequest>(socket.ask(&request(&hello, &[])).await?)?;
    Ok(socket)
}

pub(super) fn produce(rounds: u32) -> Result<u64> {
    produce_batches(RECORDS, rounds)
}

pub(super) fn produce_one(rounds: u32) -> Result<u64> {
    produce_batches(1, rounds)
}

fn produce_batches(records: u32, rounds: u32) -> Result<u64> {
    let batch = codec::batch(records)?;
    broker::with(async |guarded| {
        let part = ProducePart {
            topic_id: guarded.topic(),
            partition: 0,
            leader_epoch: Maybe::NONE,
            expected_offset: Maybe::NONE,
            batches_length: u32::try_from(batch.len())?,
        };
        let produce = ProduceRequest {
            acks: Acks::Written,
            flags: 0,
            timeout_ms: 0,
            parts: [part].into_iter().collect(),
        };
        let frame = request(&produce, &batch);
        let mut socket = open(guarded).await?;
        for _ in 0..rounds {
            socket.ask(&frame).await?;
        }
        // Looked at only now, since that would be counted, too. One more may have failed.
        let last = answer::<ProduceRequest>(socket.ask(&frame).await?)?;
        let last = last.parts.first().context("no part")?;
        let before = u64::from(rounds * records);
        let appended = last.base_offset.0 == Some(Offset::new(before));
        ensure!(appended, "not all was appended: {last:?}");
        Ok(before)
    })
}

pub(super) fn fetch(rounds: u32) -> Result<u64> {
    let mut batch = codec::batch(RECORDS)?;
    let all = path("native-fetch").context("it has a name")?.rounds * 2;
    broker::with(async |guarded| {
        guarded.append(&mut batch, all * BATCHES).await?;
        let max_bytes = u32::try_from(batch.len())? * BATCHES;
        let reads = guarded.reads(all, max_bytes)?;
        let fetch = |offset| FetchRequest {
            max_wait_ms: 0,
            min_bytes: 1,
            max_bytes,
            isolation: Isolation::ReadUncommitted,
            parts: [FetchPart {
                topic_id: guarded.topic(),
                partition: 0,
                leader_epoch: Maybe::NONE,
                offset,
                max_bytes,
            }]
            .into_iter()
            .collect(),
        };
        // As many in either run.
        let frames: Vec<_> = reads.iter().map(|read| request(&fetch(read.first), &[])).collect();
        let mut socket = open(guarded).await?;
        let mut messages = 0;
        for (frame, read) in frames.iter().zip(&reads).take(rounds as usize) {
            let length = header(socket.ask(frame).await?)?.payload_len();
            ensure!(
                length == read.slice.len() as usize,
                "an answer with {length} bytes of records"
            );
            messages += read.next.since(read.first);
        }
        Ok(messages)
    })
}

pub(super) fn deliver(rounds: u32) -> Result<u64> {
    let mut batch = codec::batch(RECORDS)?;
    let all = path("native-deliver").context("it has a name")?.rounds * 2;
    broker::with(async |guarded| {
        guarded.append(&mut batch, all * BATCHES).await?;
        let mut socket = open(guarded).await?;
        let subscribe = SubscribeRequest {
            subscription: SUBSCRIPTION,
            topic_id: guarded.topic(),
            partition: 0,
            leader_epoch: Maybe::NONE,
            offset: Offset::ZERO,
            credit: 0,
            isolation: Isolation::ReadUncommitted,
        };
        answer::<SubscribeRequest>(socket.ask(&request(&subscribe, &[])).await?)?;
        let bytes = batch.len() * BATCHES as usize;
        let mut credit = BytesMut::new();
        frame::encode_frame(&mut credit, Opcode::Credit, 0, 0, 0, |body| {
            CreditRequest { subscription: SUBSCRIPTION, bytes: bytes as u64 }.encode(body);
        });
        for _ in 0..rounds {
            socket.send(&credit).await?;
            let mut received = 0;
            while received < bytes {
                received += header(socket.receive().await?)?.payload_len();
            }
            ensure!(received == bytes, "{received} bytes were delivered for a credit of {bytes}");
        }
        Ok(u64::from(rounds * BATCHES * RECORDS))
    })
}
