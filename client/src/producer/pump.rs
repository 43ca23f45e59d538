//! What the link's task does for a producer: take batches, make requests of them, watch the time.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use onrush_protocol::request::{
    Acks, InitProducerRequest, MetadataRequest, PRODUCE_JOINS, Parts, ProducePart, ProduceRequest,
    TopicRef,
};
use onrush_protocol::response::{InitProducerResponse, MetadataResponse};
use onrush_protocol::wire::Maybe;
use onrush_protocol::{Message, Opcode};

use super::batch::Identity;
use super::core::Core;
use super::outcome::Sent;
use super::queue::Next;
use super::topic::TopicQueue;
use crate::connector::Payload;
use crate::error::{Error, Kind};
use crate::metadata;
use crate::net::Sending;
use crate::net::link::{Answer, Port};
use crate::net::reply::reply;

/// Batches of several partitions share a frame up to this size.
const FRAME_BYTES: usize = 1 << 20;

/// How often batches are looked through for those that have waited for too long.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// After this time the number of a topic's partitions is asked for again.
const METADATA_AGE: Duration = Duration::from_secs(60);

/// Pause after a new identity could not be had.
const IDENTITY_PAUSE: Duration = Duration::from_millis(100);

/// What the link's task keeps from one pump to the next.
#[derive(Debug, Default)]
pub(super) struct PumpState {
    /// Partitions that wait for a time.
    later: Vec<(Arc<TopicQueue>, usize)>,
    later_due: Option<Duration>,
    /// Partitions that wait for a new identity, which may have been asked for.
    wanting: Vec<(Arc<TopicQueue>, usize)>,
    identity_asked: bool,
    next_sweep: Option<Duration>,
    /// The batches of this pump, by frame: of one partition, each goes into a frame of its own.
    rounds: Vec<Vec<Sent>>,
}

impl Port for Core {
    fn pump(&self, out: &mut Sending<'_>) -> Option<Duration> {
        let mut state = self.pump.lock();
        let state = &mut *state;
        let mut work = std::mem::take(&mut *self.ready.lock());
        let hurry = self.flushing.load(Ordering::Acquire) > 0 || out.closing;
        if hurry || state.later_due.is_some_and(|due| due <= out.now) {
            state.later_due = None;
            work.append(&mut state.later);
        }
        if work.is_empty() && state.next_sweep.is_none() {
            return None;
        }
        for (topic, partition) in work {
            self.take_batches(state, topic, partition, out.now, hurry);
        }
        if state.rounds.iter().any(|round| !round.is_empty()) {
            // Full batches that waited have left.
            self.room.notify_waiters();
        }
        for round in 0..state.rounds.len() {
            let sent = std::mem::take(&mut state.rounds[round]);
            self.send_round(sent, out);
        }
        self.ask_for_identity(state, out);
        self.sweep(state, out);
        match (state.later_due, state.next_sweep) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    fn connected(&self) {
        self.list_all();
    }

    fn lost(&self, error: &Error) {
        // Answers that will not come any more: none is under way.
        self.pump.lock().identity_asked = false;
        if error.kind() == Kind::Closed {
            self.fail_all();
        }
    }

    fn waiting(&self, now: Duration) {
        self.expire(now);
    }

    fn is_done(&self) -> bool {
        self.nothing_unsettled()
    }
}

impl Core {
    /// Takes what may be sent of one partition.
    fn take_batches(
        &self,
        state: &mut PumpState,
        topic: Arc<TopicQueue>,
        partition: usize,
        now: Duration,
        hurry: bool,
    ) {
        let mut round = 0;
        let mut locked = topic.state.lock();
        let queue = &mut locked.partitions[partition];
        queue.listed = false;
        let next = loop {
            match queue.next(now, &self.limits, hurry) {
                Next::Send(batch) => {
                    if state.rounds.len() <= round {
                        state.rounds.push(Vec::new());
                    }
                    let topic = Arc::clone(&topic);
                    state.rounds[round].push(Sent { topic, partition, batch });
                    round += 1;
                }
                other => break other,
            }
        };
        match next {
            Next::Wait(Some(due)) => {
                queue.listed = true;
                state.later_due = Some(state.later_due.map_or(due, |other| other.min(due)));
                drop(locked);
                state.later.push((topic, partition));
            }
            Next::Identity => {
                queue.listed = true;
                drop(locked);
                state.wanting.push((topic, partition));
            }
            Next::Wait(None) | Next::Send(_) => {}
        }
    }

    /// Makes requests of batches that each go to another partition.
    fn send_round(&self, sent: Vec<Sent>, out: &mut Sending<'_>) {
        let limit = FRAME_BYTES.min(self.max_record_bytes());
        let mut frame = ProduceFrame::default();
        for mut sent in sent {
            let bytes = match sent.batch.wire(&self.pool) {
                Ok(bytes) => bytes,
                Err(error) => {
                    let error = Error::invalid(format_args!("a batch cannot be encoded: {error}"));
                    self.settle(sent, Err(error));
                    continue;
                }
            };
            if !frame.sent.is_empty() && frame.bytes + bytes.len() > limit {
                self.send_frame(std::mem::take(&mut frame), out);
            }
            let topic_id = sent.topic.state.lock().id;
            frame.parts.push(ProducePart {
                topic_id,
                partition: u32::try_from(sent.partition).unwrap_or(u32::MAX),
                leader_epoch: Maybe::NONE,
                expected_offset: Maybe::NONE,
                batches_length: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            });
            frame.bytes += bytes.len();
            frame.payload.push(bytes);
            frame.sent.push(sent);
        }
        if !frame.sent.is_empty() {
            self.send_frame(frame, out);
        }
    }

    fn send_frame(&self, frame: ProduceFrame, out: &mut Sending<'_>) {
        let ProduceFrame { parts, payload, sent, .. } = frame;
        let mut body = BytesMut::new();
        let flags = match &self.transactions {
            Some(all) => {
                all.touch();
                PRODUCE_JOINS
            }
            None => 0,
        };
        ProduceRequest { acks: self.acks, flags, timeout_ms: 0, parts }.encode(&mut body);
        let body = body.freeze();
        if self.acks == Acks::None {
            out.one_way(Opcode::Produce, body, payload);
            sent.into_iter().for_each(|sent| self.settle(sent, Ok(None)));
            return;
        }
        let Some(core) = self.me.upgrade() else { return };
        let on_answer = Box::new(move |answer: Answer| core.answered(sent, answer));
        out.request(Opcode::Produce, body, payload, on_answer);
    }

    fn ask_for_identity(&self, state: &mut PumpState, out: &mut Sending<'_>) {
        if state.wanting.is_empty() || state.identity_asked {
            return;
        }
        let Some(core) = self.me.upgrade() else { return };
        state.identity_asked = true;
        let mut body = BytesMut::new();
        InitProducerRequest {}.encode(&mut body);
        let on_answer = Box::new(move |answer: Answer| core.identity_came(answer));
        out.request(Opcode::InitProducer, body.freeze(), Payload::new(), on_answer);
    }

    fn identity_came(&self, answer: Answer) {
        let answer = answer.and_then(|frame| reply::<InitProducerResponse>("InitProducer", &frame));
        let wanting = {
            let mut state = self.pump.lock();
            state.identity_asked = false;
            std::mem::take(&mut state.wanting)
        };
        let retry_at = self.clock().monotonic().saturating_add(IDENTITY_PAUSE);
        if let Ok(given) = &answer {
            tracing::warn!(
                producer_id = given.producer_id.get(),
                "the broker lost track of what was sent; going on as a new producer"
            );
        }
        for (topic, partition) in wanting {
            let mut state = topic.state.lock();
            let queue = &mut state.partitions[partition];
            match &answer {
                Ok(given) => {
                    queue.become_new(Identity::idempotent(given.producer_id, given.producer_epoch))
                }
                Err(_) => queue.hold_until(retry_at),
            }
            self.list(&topic, partition);
        }
    }

    /// Now and then: fails what has waited for too long, and looks for new partitions.
    fn sweep(&self, state: &mut PumpState, out: &mut Sending<'_>) {
        match state.next_sweep {
            Some(due) if due > out.now => return,
            Some(_) => {
                self.expire(out.now);
                self.refresh_topics(out);
            }
            None => {}
        }
        // Time is watched only while there is something to watch.
        state.next_sweep = (!self.nothing_unsettled()).then(|| out.now.saturating_add(SWEEP_EVERY));
    }

    fn refresh_topics(&self, out: &mut Sending<'_>) {
        let mut asked = Vec::new();
        for topic in self.all_topics() {
            let mut state = topic.state.lock();
            if out.now.saturating_sub(state.loaded) >= METADATA_AGE {
                state.loaded = out.now;
                asked.push(TopicRef::Name(topic.name.to_string()));
            }
        }
        let Some(core) = self.me.upgrade() else { return };
        if asked.is_empty() {
            return;
        }
        let mut body = BytesMut::new();
        MetadataRequest { topics: Some(asked), internal: true }.encode(&mut body);
        let on_answer = Box::new(move |answer: Answer| {
            let answer = answer.and_then(|frame| reply::<MetadataResponse>("Metadata", &frame));
            let Ok(response) = answer else { return };
            for info in response.topics.into_iter().filter_map(|topic| metadata::info(topic).ok()) {
                if let Err(error) = core.learn(&info) {
                    tracing::warn!(%error, "topic not refreshed");
                }
            }
        });
        out.request(Opcode::Metadata, body.freeze(), Payload::new(), on_answer);
    }
}

/// A request being put together.
#[derive(Default)]
struct ProduceFrame {
    parts: Parts<ProducePart>,
    payload: Payload,
    sent: Vec<Sent>,
    bytes: usize,
}
