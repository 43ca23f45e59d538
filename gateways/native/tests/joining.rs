//! Produces that join a transaction, on a disk that takes its time.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use onrush_broker::{Broker, BrokerConfig, Env, NewTopic};
use onrush_gateway_native::{Address, Frame, InProcess, Native, Options};
use onrush_gateway_net::shard;
use onrush_protocol::request::{
    Acks, HelloRequest, PRODUCE_JOINS, ProducePart, ProduceRequest, RequestMessage,
    TransactionEndRequest, TransactionOpenRequest,
};
use onrush_protocol::wire::Maybe;
use onrush_protocol::{
    ErrorCode, FrameHeader, HEADER_LEN, Message as _, PROTOCOL_VERSION, WireError, features,
};
use onrush_record::batch::{BatchBuilder, Codec};
use onrush_record::{ProducerEpoch, ProducerId, Sequence, TopicId};
use onrush_sim::SimDisk;
use onrush_sys::{SystemClock, SystemRandom};
use smallvec::smallvec;

/// Far longer than anything takes; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client without a socket.
struct Client {
    end: InProcess,
    received: VecDeque<Frame>,
}

impl Client {
    /// Sends requests, all at once.
    async fn send(&self, frames: impl IntoIterator<Item = Frame>) {
        let mut frames: VecDeque<Frame> = frames.into_iter().collect();
        poll_fn(|context| self.end.requests.poll_send(context, &mut frames)).await.unwrap();
    }

    async fn receive(&mut self) -> Frame {
        let Client { end, received } = self;
        if received.is_empty() {
            let some = poll_fn(|context| end.responses.poll_receive(context, received));
            tokio::time::timeout(PATIENCE, some).await.expect("an answer in time").unwrap();
        }
        received.pop_front().unwrap()
    }

    async fn ask<Q: RequestMessage>(&mut self, request: &Q) -> Result<Q::Response, WireError> {
        self.send([frame(request, 99, Bytes::new())]).await;
        let answer = self.receive().await;
        assert_eq!(answer.header.correlation, 99);
        Result::<Q::Response, WireError>::decode(&answer.body).unwrap()
    }
}

fn frame<Q: RequestMessage>(request: &Q, correlation: u32, payload: Bytes) -> Frame {
    let mut bytes = BytesMut::new();
    request.encode_frame(&mut bytes, correlation, payload.len());
    let header = FrameHeader::read(bytes.first_chunk().unwrap());
    let body = bytes.freeze().slice(HEADER_LEN..);
    Frame { header, body, payload: smallvec![payload] }
}

/// A record of a transaction, for the first partition of a topic.
fn produce(
    topic_id: TopicId,
    (producer, epoch): (ProducerId, ProducerEpoch),
    sequence: u32,
    timeout_ms: u32,
) -> Frame {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.push(1, None, Some(b"a record"), &[]);
    builder.set_producer(producer, epoch, Sequence::new(i32::try_from(sequence).unwrap()));
    builder.set_transactional(true);
    let batch = builder.finish().unwrap();
    let part = ProducePart {
        topic_id,
        partition: 0,
        leader_epoch: Maybe::NONE,
        expected_offset: Maybe::NONE,
        batches_length: u32::try_from(batch.len()).unwrap(),
    };
    let parts = smallvec![part];
    let request = ProduceRequest { acks: Acks::All, flags: PRODUCE_JOINS, timeout_ms, parts };
    frame(&request, sequence, Bytes::from(batch))
}

#[test]
fn who_waits_for_a_transaction_is_answered_in_time_and_counts_against_the_budget() {
    let disk = SimDisk::new();
    let config = BrokerConfig { free_min_bytes: 0, ..BrokerConfig::default() };
    let env =
        Env { disk: disk.as_disk(), clock: Arc::new(SystemClock), random: Arc::new(SystemRandom) };
    let (broker, background, _) = Broker::open(config, env).unwrap();
    let (sync, io) = background.split();
    let threads = [
        onrush_sys::thread::spawn("sync", move || sync.run_blocking()).unwrap(),
        onrush_sys::thread::spawn("io", move || io.run_blocking()).unwrap(),
    ];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, answered_in_time(&disk, &broker));
    drop(tasks);
    futures::executor::block_on(broker.stop()).unwrap();
    drop(broker);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

async fn answered_in_time(disk: &SimDisk, broker: &Broker) {
    let (handle, shard) = shard(broker, 64 * 1024);
    tokio::task::spawn_local(shard.run());
    let native = Native::new(broker, Options::default(), &Address::default());
    let mut client = Client { end: native.connect(&handle).unwrap(), received: VecDeque::new() };
    let hello = HelloRequest {
        version_min: PROTOCOL_VERSION,
        version_max: PROTOCOL_VERSION,
        features: features::ALL,
        client_name: "mover".to_owned(),
        client_version: "1".to_owned(),
        max_frame: 1 << 20,
    };
    client.ask(&hello).await.unwrap();
    let new = NewTopic { name: "t".to_owned(), ..NewTopic::default() };
    broker.create_topic(new).await.unwrap();
    let topic = broker.topic_by_name("t").unwrap();
    let open = TransactionOpenRequest {
        transactional_id: "mover".to_owned(),
        timeout_ms: 60_000,
        producer_id: ProducerId::NONE,
        producer_epoch: ProducerEpoch::NONE,
    };
    let opened = client.ask(&open).await.unwrap();
    let who = (opened.producer_id, opened.producer_epoch);

    disk.hold_syncs();
    let frames: Vec<_> = (0..3).map(|sequence| produce(topic.id(), who, sequence, 30)).collect();
    let bytes: usize = frames.iter().map(|frame| frame.header.frame_len() - HEADER_LEN).sum();
    client.send(frames).await;
    // Both the first, whose partition is joining, and those behind it.
    let mut late = Vec::new();
    for _ in 0..3 {
        let answer = client.receive().await;
        assert_eq!(
            ErrorCode(u16::from_le_bytes([answer.body[0], answer.body[1]])),
            ErrorCode::TIMED_OUT
        );
        late.push(answer.header.correlation);
    }
    late.sort_unstable();
    assert_eq!(late, [0, 1, 2]);
    assert_eq!(broker.budget().held_bytes(), bytes as u64);

    // They go on nevertheless, once each, and are answered no more.
    disk.release_syncs();
    let end = TransactionEndRequest {
        transactional_id: "mover".to_owned(),
        producer_id: who.0,
        producer_epoch: who.1,
        commit: true,
    };
    client.ask(&end).await.unwrap();
    let partition = topic.partition(0).unwrap();
    assert_eq!(partition.ends().written.get(), 4, "the records, and what ends the transaction");
    assert_eq!(broker.budget().held_bytes(), 0);
    handle.end().await;
}
