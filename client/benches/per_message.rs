//! What the client costs per message of 100 B, without a socket or a broker: a transport in
//! memory acknowledges batches as they come, or hands out the same batches again and again.
//! Everything runs on one thread; CPU time is counted, so that a busy machine disturbs little.
//!
//! `cargo bench -p onrush-client --bench per_message`

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use onrush_client::connector::{
    BoxFuture, Connection, Connector, Frame, FrameSink, FrameStream, Payload,
};
use onrush_client::{Acks, Client, NewRecord, Start};
use onrush_protocol::error::Reply;
use onrush_protocol::frame::{FLAG_PUSH, FLAG_RESPONSE};
use onrush_protocol::request::{Parts, Request};
use onrush_protocol::response::*;
use onrush_protocol::wire::Maybe;
use onrush_protocol::{FrameHeader, Message, Opcode};
use onrush_record::batch::{BatchBuilder, Codec, stamp};
use onrush_record::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicId};
use onrush_sys::process::cpu_time;

const MESSAGES: u64 = 4_000_000;
const VALUE: [u8; 100] = [b'v'; 100];
const BATCH_RECORDS: u32 = 600;
const DELIVERY_BATCHES: u64 = 4;

#[derive(Default)]
struct State {
    out: VecDeque<Frame>,
    waker: Option<Waker>,
    delivered: u64,
    credit: u64,
}

/// Says yes to everything.
#[derive(Clone, Default)]
struct Yes(Arc<Mutex<State>>);

impl std::fmt::Debug for Yes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Yes")
    }
}

fn answer(to: &FrameHeader, reply: &impl Message) -> Frame {
    let mut body = BytesMut::new();
    reply.encode(&mut body);
    let opcode = Opcode::from_code(to.opcode).expect("a known opcode");
    let header = FrameHeader::new(opcode, FLAG_RESPONSE, to.correlation, body.len(), 0);
    Frame { header, body: body.freeze(), payload: Payload::new() }
}

fn ok<T>(value: T) -> Reply<T> {
    Ok(value)
}

impl State {
    fn handle(&mut self, frame: &Frame) {
        let header = &frame.header;
        let opcode = Opcode::from_code(header.opcode).expect("a known opcode");
        let reply = match Request::decode(opcode, &frame.body).expect("a request") {
            Request::Hello(_) => answer(
                header,
                &ok(HelloResponse {
                    version: 1,
                    features: u64::MAX,
                    broker_version: String::new(),
                    node_id: 0,
                    cluster_id: String::new(),
                    max_frame: 64 << 20,
                    max_in_flight: 100,
                }),
            ),
            Request::Metadata(_) => {
                let partition = PartitionMetadata {
                    error: Maybe::NONE,
                    index: 0,
                    leader_id: 0,
                    leader_epoch: Maybe::NONE,
                };
                let topic = TopicMetadata {
                    error: Maybe::NONE,
                    name: "t".into(),
                    topic_id: TopicId::new([1; 16]),
                    internal: false,
                    partitions: vec![partition],
                };
                answer(
                    header,
                    &ok(MetadataResponse {
                        node_id: 0,
                        cluster_id: String::new(),
                        brokers: Vec::new(),
                        topics: vec![topic],
                    }),
                )
            }
            Request::InitProducer(_) => answer(
                header,
                &ok(InitProducerResponse {
                    producer_id: ProducerId::new(1),
                    producer_epoch: ProducerEpoch::new(0),
                }),
            ),
            Request::Produce(asked) => {
                let part = ProducePartResponse {
                    error: Maybe::NONE,
                    base_offset: Maybe::some(Offset::ZERO),
                    log_start: Maybe::NONE,
                    timestamp: -1,
                };
                let parts: Parts<_> = asked.parts.iter().map(|_| part.clone()).collect();
                answer(header, &ok(ProduceResponse { parts }))
            }
            Request::Subscribe(asked) => {
                self.credit = asked.credit;
                answer(
                    header,
                    &ok(SubscribeResponse {
                        log_start: Offset::ZERO,
                        readable_end: Offset::ZERO,
                        leader_epoch: Maybe::NONE,
                    }),
                )
            }
            Request::Credit(asked) => {
                self.credit += asked.bytes;
                return;
            }
            Request::ListOffsets(_) => answer(
                header,
                &ok(ListOffsetsResponse {
                    parts: vec![ListOffsetsPartResponse {
                        error: Maybe::NONE,
                        offset: Maybe::some(Offset::ZERO),
                        timestamp: -1,
                        leader_epoch: Maybe::NONE,
                    }],
                }),
            ),
            other => unreachable!("{other:?}"),
        };
        self.out.push_back(reply);
    }

    /// Pushes what credit allows. Offsets outside the checksum make the same batch new each time.
    fn deliver(&mut self, batch: &[u8]) {
        while self.credit > 0 && self.delivered < MESSAGES {
            let mut payload = Vec::with_capacity(batch.len() * 4);
            for _ in 0..DELIVERY_BATCHES {
                let at = payload.len();
                payload.extend_from_slice(batch);
                stamp(&mut payload[at..], Offset::new(self.delivered), LeaderEpoch::new(0));
                self.delivered += u64::from(BATCH_RECORDS);
            }
            self.credit = self.credit.saturating_sub(payload.len() as u64);
            let deliver = Deliver {
                subscription: 1,
                error: Maybe::NONE,
                log_start: Maybe::NONE,
                readable_end: Maybe::NONE,
            };
            let mut body = BytesMut::new();
            deliver.encode(&mut body);
            let header = FrameHeader::new(Opcode::Deliver, FLAG_PUSH, 0, body.len(), payload.len());
            let payload = Payload::from_buf([Bytes::from(payload)]);
            self.out.push_back(Frame { header, body: body.freeze(), payload });
        }
    }
}

struct Half(Yes, Vec<u8>);

impl Connector for Yes {
    fn connect(&self) -> BoxFuture<'_, io::Result<Connection>> {
        let mut builder = BatchBuilder::new(Codec::None);
        for _ in 0..BATCH_RECORDS {
            builder.push(0, None, Some(&VALUE), &[]);
        }
        let batch = builder.finish().expect("a batch");
        let halves = (Half(self.clone(), Vec::new()), Half(self.clone(), batch));
        Box::pin(
            async move { Ok(Connection { sink: Box::new(halves.0), stream: Box::new(halves.1) }) },
        )
    }

    fn address(&self) -> String {
        "memory".into()
    }
}

impl FrameSink for Half {
    fn poll_send(
        &mut self,
        _: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.0.lock().expect("no panics");
        for frame in frames.drain(..) {
            state.handle(&frame);
        }
        Poll::Ready(Ok(()))
    }
}

impl FrameStream for Half {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.0.0.lock().expect("no panics");
        if state.out.is_empty() {
            state.deliver(&self.1);
        }
        if state.out.is_empty() {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        frames.extend(state.out.drain(..));
        Poll::Ready(Ok(()))
    }
}

fn client() -> Client {
    Client::builder().connector(Arc::new(Yes::default())).lazy().expect("a connector is given")
}

/// Nanoseconds per message, the median of several runs.
fn median(name: &str, mut run: impl FnMut() -> Duration) {
    let mut times: Vec<f64> = (0..7).map(|_| run().as_secs_f64() * 1e9 / MESSAGES as f64).collect();
    times.sort_by(f64::total_cmp);
    println!("{name:<44} {:>6.1} ns/message [{:.1}..{:.1}]", times[3], times[0], times[6]);
}

async fn produce(batch_bytes: usize, acks: Acks, deliveries: bool) -> Duration {
    let builder = client().producer().batch_bytes(batch_bytes).acks(acks);
    let producer = builder.build().await.expect("a producer");
    producer.prepare("t").await.expect("the topic");
    let begin = now();
    let mut waiting = VecDeque::new();
    for _ in 0..MESSAGES {
        let delivery = producer.send(NewRecord::to("t").value(&VALUE)).await.expect("taken");
        if deliveries {
            waiting.push_back(delivery);
            while waiting.front().is_some_and(|delivery| delivery.try_outcome().is_some()) {
                waiting.pop_front();
            }
        } else {
            drop(delivery);
        }
    }
    producer.flush().await;
    now() - begin
}

/// As an open-loop sender does: no waiting unless the buffer is full.
async fn try_produce() -> Duration {
    let builder = client().producer().batch_bytes(64 << 10).acks(Acks::Written);
    let producer = builder.build().await.expect("a producer");
    producer.prepare("t").await.expect("the topic");
    let begin = now();
    for i in 0..MESSAGES {
        drop(producer.try_send(NewRecord::to("t").value(&VALUE)).expect("room"));
        if i % 512 == 0 {
            tokio::task::yield_now().await;
        }
    }
    producer.flush().await;
    now() - begin
}

async fn consume() -> Duration {
    let builder = client().consumer().start(Start::Earliest).credit_bytes(2 << 20);
    let mut consumer = builder.subscribe(&["t"]).await.expect("a consumer");
    let begin = now();
    let (mut seen, mut bytes) = (0, 0);
    while seen < MESSAGES {
        let polled = consumer.poll().await.expect("records");
        for record in polled.records().expect("records") {
            bytes += record.value.map_or(0, <[u8]>::len);
            seen += 1;
        }
    }
    std::hint::black_box(bytes);
    now() - begin
}

fn encode_and_check() -> Duration {
    let begin = now();
    let mut builder = BatchBuilder::with_capacity(Codec::None, 65 << 10);
    for _ in 0..MESSAGES {
        builder.push(0, None, Some(&VALUE), &[]);
        if builder.count() == BATCH_RECORDS {
            let batch = builder.finish().expect("a batch");
            builder = BatchBuilder::with_buffer(Codec::None, std::hint::black_box(batch));
        }
    }
    now() - begin
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    median("rung: encode + CRC", encode_and_check);
    for batch_bytes in [16 << 10, 64 << 10, 256 << 10] {
        let name = format!("produce, batches of {} KiB", batch_bytes >> 10);
        median(&name, || runtime.block_on(produce(batch_bytes, Acks::Written, false)));
    }
    median("produce, deliveries kept and looked at", || {
        runtime.block_on(produce(64 << 10, Acks::Written, true))
    });
    median("produce by try_send", || runtime.block_on(try_produce()));
    median("consume (with stamping and copying the batch)", || runtime.block_on(consume()));
}

/// CPU time of this process.
fn now() -> Duration {
    cpu_time(None).expect("the system tells")
}
