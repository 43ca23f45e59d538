//! Appends that are not answered yet: which request waits for which durable mark.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use onrush_broker::{DurableMark, Partition, Settled, Signal};
use onrush_protocol::response::{ProducePartResponse, ProduceResponse};
use onrush_protocol::wire::Maybe;
use onrush_protocol::{ErrorCode, Message as _, Opcode, WireError};
use onrush_record::{Offset, TopicId};
use smallvec::{SmallVec, smallvec};

use super::errors::wire_error;
use crate::outbox::Outbox;

/// Names a partition.
pub(crate) type PartitionKey = (TopicId, u32);

/// Names an unanswered request: a slot, and which of its tenants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestKey {
    slot: u32,
    tenant: u32,
}

/// A produce request whose answer is not complete.
struct Unanswered {
    correlation: u32,
    parts: SmallVec<[ProducePartResponse; 4]>,
    missing: u32,
}

struct Slot {
    tenant: u32,
    request: Option<Unanswered>,
}

/// One part of one request, written and waiting for its sync.
struct Waiting {
    request: RequestKey,
    part: u32,
    mark: DurableMark,
    deadline: Duration,
}

/// What waits for one partition, in the order of its offsets.
struct Lane {
    partition: Arc<Partition>,
    waiting: VecDeque<Waiting>,
    /// The offset for which the partition will wake us; asked for once.
    asked: Option<Offset>,
}

/// The unanswered appends of one connection.
#[derive(Default)]
pub(crate) struct Acks {
    slots: Vec<Slot>,
    free: Vec<u32>,
    lanes: BTreeMap<PartitionKey, Lane>,
    waiting: usize,
}

/// The answer while nothing better is known.
fn blank() -> ProducePartResponse {
    ProducePartResponse {
        error: Maybe::NONE,
        base_offset: Maybe::NONE,
        log_start: Maybe::NONE,
        timestamp: -1,
    }
}

impl Acks {
    /// A request of `parts` parts has begun.
    pub(crate) fn begin(&mut self, correlation: u32, parts: usize) -> RequestKey {
        let request = Unanswered {
            correlation,
            parts: smallvec![blank(); parts],
            missing: u32::try_from(parts).unwrap_or(u32::MAX),
        };
        if let Some(slot) = self.free.pop() {
            let place = &mut self.slots[slot as usize];
            place.tenant = place.tenant.wrapping_add(1);
            place.request = Some(request);
            return RequestKey { slot, tenant: place.tenant };
        }
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot { tenant: 0, request: Some(request) });
        RequestKey { slot, tenant: 0 }
    }

    /// Requests without an answer.
    pub(crate) fn unanswered(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// A part is answered; with the last one the response leaves.
    pub(crate) fn answer(
        &mut self,
        key: RequestKey,
        part: u32,
        answer: ProducePartResponse,
        outbox: &mut Outbox,
    ) {
        self.note(key, part, answer);
        self.complete(key, outbox);
    }

    /// A part is answered as soon as `mark` is durable.
    pub(crate) fn answer_when_durable(
        &mut self,
        key: RequestKey,
        part: u32,
        answer: ProducePartResponse,
        mark: DurableMark,
        partition: &Arc<Partition>,
        deadline: Duration,
    ) {
        self.note(key, part, answer);
        let name = (partition.topic_id(), partition.index());
        let lane = self.lanes.entry(name).or_insert_with(|| Lane {
            partition: Arc::clone(partition),
            waiting: VecDeque::new(),
            asked: None,
        });
        lane.waiting.push_back(Waiting { request: key, part, mark, deadline });
        self.waiting += 1;
    }

    fn request(&mut self, key: RequestKey) -> Option<&mut Unanswered> {
        let slot = self.slots.get_mut(key.slot as usize)?;
        if slot.tenant == key.tenant { slot.request.as_mut() } else { None }
    }

    fn note(&mut self, key: RequestKey, part: u32, answer: ProducePartResponse) {
        if let Some(place) =
            self.request(key).and_then(|request| request.parts.get_mut(part as usize))
        {
            *place = answer;
        }
    }

    fn complete(&mut self, key: RequestKey, outbox: &mut Outbox) {
        let Some(request) = self.request(key) else { return };
        request.missing = request.missing.saturating_sub(1);
        if request.missing > 0 {
            return;
        }
        let slot = &mut self.slots[key.slot as usize];
        if let Some(request) = slot.request.take() {
            self.free.push(key.slot);
            let response = Ok(ProduceResponse { parts: request.parts });
            outbox.respond(Opcode::Produce, request.correlation, |body| response.encode(body));
        }
    }

    /// Answers whatever has become durable, failed, or run out of time; asks to be woken for the rest.
    pub(crate) fn progress(
        &mut self,
        now: impl Fn() -> Duration,
        signal: &Arc<Signal>,
        outbox: &mut Outbox,
    ) {
        if self.waiting == 0 {
            return;
        }
        let mut lanes = std::mem::take(&mut self.lanes);
        lanes.retain(|_, lane| {
            self.progress_lane(lane, &now, signal, outbox);
            !lane.waiting.is_empty()
        });
        self.lanes = lanes;
    }

    fn progress_lane(
        &mut self,
        lane: &mut Lane,
        now: &impl Fn() -> Duration,
        signal: &Arc<Signal>,
        outbox: &mut Outbox,
    ) {
        loop {
            let Some(first) = lane.waiting.front() else { return };
            let failure = match lane.partition.settled(first.mark) {
                Settled::Durable => None,
                Settled::Failed(error) => Some(wire_error(&error)),
                Settled::Pending => {
                    if lane.asked != Some(first.mark.upto) {
                        lane.asked = Some(first.mark.upto);
                        lane.partition.wake_on_durable(first.mark.upto, signal);
                        // It may have become durable before it knew that we ask.
                        continue;
                    }
                    if now() < first.deadline {
                        return;
                    }
                    Some(WireError::new(
                        ErrorCode::TIMED_OUT,
                        "the records are written, but did not reach stable storage in the time given",
                    ))
                }
            };
            let Some(first) = lane.waiting.pop_front() else { return };
            lane.asked = None;
            self.waiting -= 1;
            if let Some(error) = failure {
                self.note(first.request, first.part, failed(error));
            }
            self.complete(first.request, outbox);
        }
    }

    /// When the first of them runs out of time.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.lanes
            .values()
            .filter_map(|lane| lane.waiting.front())
            .map(|first| first.deadline)
            .min()
    }
}

/// The answer to a part that was not appended.
pub(crate) fn failed(error: WireError) -> ProducePartResponse {
    ProducePartResponse { error: Maybe::some(error), ..blank() }
}
