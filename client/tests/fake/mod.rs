//! A broker in memory that speaks the protocol, synchronously: what a sink takes is handled at
//! once, the answers come out of the stream. Faults are asked for beforehand.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use onrush_client::connector::{
    BoxFuture, Connection, Connector, Frame, FrameSink, FrameStream, Payload,
};
use onrush_protocol::error::Reply;
use onrush_protocol::frame::{FLAG_PUSH, FLAG_RESPONSE};
use onrush_protocol::request::{self, Acks, OffsetSpec, Request};
use onrush_protocol::response::*;
use onrush_protocol::wire::Maybe;
use onrush_protocol::{ErrorCode, FrameHeader, Message, Opcode, WireError};
use onrush_record::batch::{BatchHeader, stamp, validate};
use onrush_record::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, TopicId};

/// What to do with a produce request instead of the usual.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Nothing out of the ordinary.
    None,
    /// Refuse with this code.
    Refuse(ErrorCode),
    /// Append, and lose the connection before the answer.
    LoseAfter,
    /// Lose the connection without appending.
    LoseBefore,
}

#[derive(Default)]
pub struct Log {
    pub batches: Vec<Vec<u8>>,
    pub end: u64,
    /// One past the last offset of each batch, whatever became of its bytes.
    pub ends: Vec<u64>,
    sequences: HashMap<i64, Vec<(i32, u32, u64)>>,
}

struct Subscription {
    topic: TopicId,
    partition: u32,
    next: usize,
    credit: i64,
}

#[derive(Default)]
pub struct State {
    topics: Vec<(String, TopicId, u32)>,
    pub logs: HashMap<(TopicId, u32), Log>,
    /// One for each part of each produce request to come.
    pub faults: VecDeque<Fault>,
    pub produced: usize,
    /// One for each request to end a transaction to come.
    pub end_faults: VecDeque<Fault>,
    /// The ends that were asked for: whether they were to commit.
    pub ends: Vec<bool>,
    transaction_epoch: i16,
    /// Batches larger than this are refused.
    pub max_batch_bytes: Option<usize>,
    pub producer_ids: i64,
    pub connections: usize,
    pub refuse_connections: bool,
    /// Answers to produce requests are kept back.
    pub hold: bool,
    pub committed: HashMap<(String, TopicId, u32), u64>,
    pub members: Vec<String>,
    pub left: usize,
    pub assignment: Vec<(TopicId, u32)>,
    pub assignment_changed: bool,
    pub owned: Vec<(TopicId, u32)>,
    pub fence_next: bool,
    epoch: i32,
    held: Vec<Frame>,
    subscriptions: HashMap<u32, Subscription>,
    out: VecDeque<Frame>,
    lost: bool,
    connection: u64,
    waker: Option<Waker>,
}

#[derive(Clone, Default)]
pub struct Fake(Arc<Mutex<State>>);

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fake")
    }
}

impl Fake {
    pub fn with_topic(name: &str, partitions: u32) -> Self {
        let fake = Self::default();
        fake.state().topics.push((name.into(), TopicId::new([1; 16]), partitions));
        fake
    }

    pub fn topic(&self) -> TopicId {
        TopicId::new([1; 16])
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub fn connector(&self) -> Arc<dyn Connector> {
        Arc::new(self.clone())
    }

    /// Answers what was held back.
    pub fn release(&self) {
        let mut state = self.state();
        state.hold = false;
        let held = std::mem::take(&mut state.held);
        state.out.extend(held);
        state.wake();
    }

    /// The connection goes away.
    pub fn disconnect(&self) {
        let mut state = self.state();
        state.lose();
        state.wake();
    }

    /// Appends a batch as if a producer had.
    pub fn append(&self, partition: u32, batch: Vec<u8>) {
        let topic = self.topic();
        let mut state = self.state();
        let log = state.logs.entry((topic, partition)).or_default();
        log.append(batch);
        state.deliver();
        state.wake();
    }

    pub fn set_assignment(&self, partitions: &[u32]) {
        let mut state = self.state();
        state.assignment = partitions.iter().map(|p| (TopicId::new([1; 16]), *p)).collect();
        state.assignment_changed = true;
    }

    /// Values of all records of a partition.
    pub fn values(&self, partition: u32) -> Vec<String> {
        let topic = self.topic();
        let state = self.state();
        let Some(log) = state.logs.get(&(topic, partition)) else { return Vec::new() };
        let mut values = Vec::new();
        for batch in &log.batches {
            let mut scratch = Vec::new();
            let batch = onrush_record::batch::BatchRef::parse(batch).unwrap();
            for record in batch.records_with(&mut scratch, 1 << 20).unwrap() {
                values.push(String::from_utf8(record.unwrap().value.unwrap().to_vec()).unwrap());
            }
        }
        values
    }
}

impl Log {
    fn append(&mut self, mut batch: Vec<u8>) -> u64 {
        let base = self.end;
        stamp(&mut batch, Offset::new(base), LeaderEpoch::new(0));
        self.end = BatchHeader::parse(&batch).unwrap().next_offset().get();
        self.batches.push(batch);
        self.ends.push(self.end);
        base
    }

    fn produce(&mut self, batch: &[u8], max: usize) -> Result<u64, ErrorCode> {
        if batch.len() > max {
            return Err(ErrorCode::BATCH_TOO_LARGE);
        }
        let header = validate(batch, 16 << 20).map_err(|_| ErrorCode::BATCH_INVALID)?;
        if !header.producer_id.is_some() {
            return Ok(self.append(batch.to_vec()));
        }
        let first = header.base_sequence.get();
        let known = self.sequences.entry(header.producer_id.get()).or_default();
        if let Some((_, _, base)) =
            known.iter().find(|(s, n, _)| *s == first && *n == header.record_count)
        {
            return Ok(*base);
        }
        let due = known.last().map_or(0, |(s, n, _)| Sequence::new(*s).plus(*n).get());
        if first != due {
            return Err(ErrorCode::OUT_OF_ORDER_SEQUENCE);
        }
        known.push((first, header.record_count, self.end));
        Ok(self.append(batch.to_vec()))
    }
}

impl State {
    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn lose(&mut self) {
        self.lost = true;
        self.out.clear();
        self.held.clear();
        self.subscriptions.clear();
    }

    fn answer<T: onrush_protocol::wire::Wire>(&mut self, to: &FrameHeader, reply: Reply<T>) {
        let frame = frame(to.opcode, FLAG_RESPONSE, to.correlation, &reply);
        self.out.push_back(frame);
    }

    fn handle(&mut self, frame: Frame) {
        let header = frame.header;
        let body = &frame.body;
        let opcode = Opcode::from_code(header.opcode).unwrap();
        match Request::decode(opcode, body).unwrap() {
            Request::Hello(_) => self.answer(
                &header,
                Ok(HelloResponse {
                    version: 1,
                    features: u64::MAX,
                    broker_version: "fake".into(),
                    node_id: 0,
                    cluster_id: "fake".into(),
                    max_frame: 64 << 20,
                    max_in_flight: 1000,
                }),
            ),
            Request::Metadata(asked) => self.metadata(&header, asked),
            Request::InitProducer(_) => {
                self.producer_ids += 1;
                let reply = InitProducerResponse {
                    producer_id: ProducerId::new(self.producer_ids),
                    producer_epoch: ProducerEpoch::new(0),
                };
                self.answer(&header, Ok(reply));
            }
            Request::Produce(asked) => self.produce(&header, &asked, frame.payload),
            Request::TransactionOpen(_) => {
                let (producer_id, producer_epoch) = self.next_epoch();
                let reply = TransactionOpenResponse { producer_id, producer_epoch };
                self.answer(&header, Ok(reply));
            }
            Request::TransactionEnd(asked) => {
                self.ends.push(asked.commit);
                match self.end_faults.pop_front().unwrap_or(Fault::None) {
                    Fault::Refuse(code) => {
                        let error = WireError::new(code, "fault");
                        self.answer::<TransactionEndResponse>(&header, Err(error));
                    }
                    Fault::LoseBefore | Fault::LoseAfter => self.lose(),
                    Fault::None => {
                        let (producer_id, producer_epoch) = self.next_epoch();
                        let reply = TransactionEndResponse { producer_id, producer_epoch };
                        self.answer(&header, Ok(reply));
                    }
                }
            }
            Request::Subscribe(asked) => {
                let log = self.logs.entry((asked.topic_id, asked.partition)).or_default();
                let end = log.end;
                if asked.offset.get() > end {
                    let error = WireError::new(ErrorCode::OFFSET_OUT_OF_RANGE, "too far");
                    self.answer::<SubscribeResponse>(&header, Err(error));
                    return;
                }
                let next = log.ends.iter().position(|end| *end > asked.offset.get());
                let next = next.unwrap_or(log.batches.len());
                let subscription = Subscription {
                    topic: asked.topic_id,
                    partition: asked.partition,
                    next,
                    credit: i64::try_from(asked.credit).unwrap(),
                };
                self.subscriptions.insert(asked.subscription, subscription);
                let reply = SubscribeResponse {
                    log_start: Offset::ZERO,
                    readable_end: Offset::new(end),
                    leader_epoch: Maybe::NONE,
                };
                self.answer(&header, Ok(reply));
                self.deliver();
            }
            Request::Credit(asked) => {
                if let Some(subscription) = self.subscriptions.get_mut(&asked.subscription) {
                    subscription.credit += i64::try_from(asked.bytes).unwrap();
                }
                self.deliver();
            }
            Request::Unsubscribe(asked) => {
                self.subscriptions.remove(&asked.subscription);
                self.answer(&header, Ok(UnsubscribeResponse {}));
            }
            Request::ListOffsets(asked) => {
                let parts = asked.parts.iter().map(|part| {
                    let end = self.logs.get(&(part.topic_id, part.partition)).map_or(0, |l| l.end);
                    let offset = if part.spec == OffsetSpec::Earliest { 0 } else { end };
                    ListOffsetsPartResponse {
                        error: Maybe::NONE,
                        offset: Maybe::some(Offset::new(offset)),
                        timestamp: -1,
                        leader_epoch: Maybe::NONE,
                    }
                });
                let parts = parts.collect();
                self.answer(&header, Ok(ListOffsetsResponse { parts }));
            }
            Request::GroupHeartbeat(asked) => self.heartbeat(&header, asked),
            Request::GroupCommit(asked) => {
                if asked.member_epoch != self.epoch {
                    let error = WireError::new(ErrorCode::FENCED_MEMBER, "old");
                    self.answer::<GroupCommitResponse>(&header, Err(error));
                    return;
                }
                let mut parts = Vec::new();
                for part in asked.offsets {
                    let key = (asked.group.clone(), part.topic_id, part.partition);
                    self.committed.insert(key, part.offset.0.unwrap().get());
                    parts.push(CommitResult {
                        error: Maybe::NONE,
                        topic_id: part.topic_id,
                        partition: part.partition,
                    });
                }
                self.answer(&header, Ok(GroupCommitResponse { parts }));
            }
            Request::GroupOffsets(asked) => {
                let parts = asked.partitions.unwrap().into_iter().map(|part| {
                    let key = (asked.group.clone(), part.topic_id, part.partition);
                    CommittedOffset {
                        error: Maybe::NONE,
                        topic_id: part.topic_id,
                        partition: part.partition,
                        offset: self.committed.get(&key).map(|o| Offset::new(*o)).into(),
                        leader_epoch: Maybe::NONE,
                        metadata: String::new(),
                        committed_at_ms: 0,
                        readable_end: Maybe::NONE,
                    }
                });
                let offsets = parts.collect();
                self.answer(&header, Ok(GroupOffsetsResponse { offsets }));
            }
            other => panic!("the fake broker knows no {other:?}"),
        }
    }

    /// A transactional producer numbers what it sends anew.
    fn next_epoch(&mut self) -> (ProducerId, ProducerEpoch) {
        self.transaction_epoch += 1;
        self.logs.values_mut().for_each(|log| log.sequences.clear());
        (ProducerId::new(1), ProducerEpoch::new(self.transaction_epoch))
    }

    fn heartbeat(&mut self, header: &FrameHeader, asked: request::GroupHeartbeatRequest) {
        if asked.member_epoch < 0 {
            self.left += 1;
        } else if std::mem::take(&mut self.fence_next) && asked.member_epoch > 0 {
            let error = WireError::new(ErrorCode::FENCED_MEMBER, "gone");
            self.answer::<GroupHeartbeatResponse>(header, Err(error));
            return;
        }
        let joins = asked.member_epoch == 0;
        if joins {
            self.members.push(asked.member_id.clone());
            self.epoch += 1;
        }
        if let Some(owned) = asked.owned {
            self.owned = owned.iter().map(|p| (p.topic_id, p.partition)).collect();
        }
        let tell = joins || std::mem::take(&mut self.assignment_changed);
        let assignment = tell.then(|| {
            let part = |&(topic_id, partition)| request::TopicPartition { topic_id, partition };
            self.assignment.iter().map(part).collect()
        });
        let reply = GroupHeartbeatResponse {
            member_id: asked.member_id,
            member_epoch: self.epoch,
            heartbeat_interval_ms: 5,
            assignment,
        };
        self.answer(header, Ok(reply));
    }

    fn metadata(&mut self, header: &FrameHeader, asked: request::MetadataRequest) {
        let topics = asked.topics.unwrap_or_default().into_iter().map(|asked| {
            let found = self.topics.iter().find(|(name, id, _)| match &asked {
                request::TopicRef::Name(asked) => asked == name,
                request::TopicRef::Id(asked) => asked == id,
            });
            match found {
                Some((name, id, partitions)) => TopicMetadata {
                    error: Maybe::NONE,
                    name: name.clone(),
                    topic_id: *id,
                    internal: false,
                    partitions: (0..*partitions)
                        .map(|index| PartitionMetadata {
                            error: Maybe::NONE,
                            index,
                            leader_id: 0,
                            leader_epoch: Maybe::NONE,
                        })
                        .collect(),
                },
                None => TopicMetadata {
                    error: Maybe::some(WireError::new(ErrorCode::UNKNOWN_TOPIC, "no such topic")),
                    name: "?".into(),
                    topic_id: TopicId::new([0; 16]),
                    internal: false,
                    partitions: Vec::new(),
                },
            }
        });
        let topics = topics.collect();
        let reply =
            MetadataResponse { node_id: 0, cluster_id: "fake".into(), brokers: Vec::new(), topics };
        self.answer(header, Ok(reply));
    }

    fn produce(&mut self, header: &FrameHeader, asked: &request::ProduceRequest, payload: Payload) {
        let payload = payload.concat();
        asked.check_payload(payload.len()).unwrap();
        let mut parts = request::Parts::new();
        let mut lose = false;
        let max = self.max_batch_bytes.unwrap_or(usize::MAX);
        for (part, range) in asked.ranges() {
            self.produced += 1;
            let fault = self.faults.pop_front().unwrap_or(Fault::None);
            let log = self.logs.entry((part.topic_id, part.partition)).or_default();
            let outcome = match fault {
                Fault::Refuse(code) => Err(code),
                Fault::LoseBefore => {
                    self.lose();
                    return;
                }
                Fault::None | Fault::LoseAfter => log.produce(&payload[range], max),
            };
            lose |= fault == Fault::LoseAfter;
            parts.push(ProducePartResponse {
                error: outcome.err().map(|code| self.error(code)).into(),
                base_offset: outcome.ok().map(Offset::new).into(),
                log_start: Maybe::NONE,
                timestamp: -1,
            });
        }
        if lose {
            self.lose();
            return;
        }
        if asked.acks != Acks::None {
            let reply: Reply<ProduceResponse> = Ok(ProduceResponse { parts });
            let frame = frame(header.opcode, FLAG_RESPONSE, header.correlation, &reply);
            if self.hold { self.held.push(frame) } else { self.out.push_back(frame) }
        }
        self.deliver();
    }

    fn error(&self, code: ErrorCode) -> WireError {
        let error = WireError::new(code, "fault");
        match (code, self.max_batch_bytes) {
            (ErrorCode::BATCH_TOO_LARGE, Some(max)) => error.with_detail(max as i64),
            _ => error,
        }
    }

    fn deliver(&mut self) {
        for (number, subscription) in &mut self.subscriptions {
            let Some(log) = self.logs.get(&(subscription.topic, subscription.partition)) else {
                continue;
            };
            while subscription.credit > 0 && subscription.next < log.batches.len() {
                let batch = log.batches[subscription.next].clone();
                subscription.next += 1;
                subscription.credit -= i64::try_from(batch.len()).unwrap();
                let deliver = Deliver {
                    subscription: *number,
                    error: Maybe::NONE,
                    log_start: Maybe::some(Offset::ZERO),
                    readable_end: Maybe::some(Offset::new(log.end)),
                };
                let mut body = BytesMut::new();
                deliver.encode(&mut body);
                let header =
                    FrameHeader::new(Opcode::Deliver, FLAG_PUSH, 0, body.len(), batch.len());
                let payload = Payload::from_buf([Bytes::from(batch)]);
                self.out.push_back(Frame { header, body: body.freeze(), payload });
            }
        }
    }
}

fn frame(opcode: u16, flags: u16, correlation: u32, message: &impl Message) -> Frame {
    let mut body = BytesMut::new();
    message.encode(&mut body);
    let opcode = Opcode::from_code(opcode).unwrap();
    let header = FrameHeader::new(opcode, flags, correlation, body.len(), 0);
    Frame { header, body: body.freeze(), payload: Payload::new() }
}

impl Connector for Fake {
    fn connect(&self) -> BoxFuture<'_, io::Result<Connection>> {
        Box::pin(async move {
            {
                let mut state = self.state();
                if state.refuse_connections {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
                state.connections += 1;
            }
            Ok(connection(self.clone()))
        })
    }

    fn address(&self) -> String {
        "fake".into()
    }
}

/// Only the latest connection with traffic of its own counts: tests use one producer or consumer
/// at a time, and a lost connection is the latest one.
fn connection(fake: Fake) -> Connection {
    let mut state = fake.state();
    state.connection += 1;
    state.lost = false;
    let id = state.connection;
    drop(state);
    Connection {
        sink: Box::new(Sink { fake: fake.clone(), id }),
        stream: Box::new(Stream { fake, id }),
    }
}

struct Sink {
    fake: Fake,
    id: u64,
}

impl FrameSink for Sink {
    fn poll_send(
        &mut self,
        _: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.fake.state();
        for frame in frames.drain(..) {
            if state.lost || state.connection != self.id {
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            state.handle(frame);
        }
        Poll::Ready(Ok(()))
    }
}

struct Stream {
    fake: Fake,
    id: u64,
}

impl FrameStream for Stream {
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        frames: &mut VecDeque<Frame>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.fake.state();
        if state.connection != self.id {
            return Poll::Pending;
        }
        if state.lost {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        if state.out.is_empty() {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        frames.extend(state.out.drain(..));
        Poll::Ready(Ok(()))
    }
}
