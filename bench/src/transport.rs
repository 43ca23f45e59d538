//! The far end of a client's connection without socket and broker: it acknowledges batches as they
//! come, or hands out the same ones again and again. What is left is what the client costs.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use onrush_client::connector::{
    BoxFuture, Connection, Connector, Frame, FrameSink, FrameStream, Payload,
};
use onrush_protocol::error::Reply;
use onrush_protocol::frame::{FLAG_PUSH, FLAG_RESPONSE};
use onrush_protocol::request::{Parts, Request};
use onrush_protocol::response::*;
use onrush_protocol::wire::Maybe;
use onrush_protocol::{FrameHeader, Message, Opcode};
use onrush_record::batch::{BatchBuilder, Codec, stamp};
use onrush_record::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicId};

/// Records in each batch that is handed out, of 100 B each.
const BATCH_RECORDS: u32 = 600;
/// Batches in each frame of them.
const DELIVERY_BATCHES: u32 = 4;
/// Messages that one frame delivers.
pub const DELIVERED: u32 = BATCH_RECORDS * DELIVERY_BATCHES;

struct State {
    out: VecDeque<Frame>,
    waker: Option<Waker>,
    /// Messages handed out, and how many there are.
    delivered: u64,
    messages: u64,
    credit: u64,
}

/// Says yes to everything. Has one topic of one partition, whatever it is called.
#[derive(Clone)]
pub struct Yes(Arc<Mutex<State>>);

impl Yes {
    /// With so many messages to consume.
    pub fn with(messages: u64) -> Arc<Yes> {
        let (out, waker) = (VecDeque::new(), None);
        Arc::new(Yes(Arc::new(Mutex::new(State { out, waker, delivered: 0, messages, credit: 0 }))))
    }
}

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
        while self.credit > 0 && self.delivered < self.messages {
            let mut payload = Vec::with_capacity(batch.len() * DELIVERY_BATCHES as usize);
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
            builder.push(0, None, Some(&[b'v'; 100]), &[]);
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
