//! Appends that are not answered yet: which request waits for which durable mark.

use std::sync::Arc;
use std::time::Duration;

use onrush_broker::{DurableMark, Partition, RequestMeter, Signal};
use onrush_gateway_net::{Lanes, Outcome, RequestKey, Waiting};
use onrush_protocol::response::{ProducePartResponse, ProduceResponse};
use onrush_protocol::wire::Maybe;
use onrush_protocol::{ErrorCode, Message as _, Opcode, WireError};
use onrush_sys::Clock;
use smallvec::{SmallVec, smallvec};

use super::errors::{encode, wire_error};
use super::kind;
use crate::outbox::Outbox;

/// A produce request whose answer is not complete.
struct Unanswered {
    correlation: u32,
    since: Duration,
    parts: SmallVec<[ProducePartResponse; 4]>,
    missing: u32,
}

/// Where an unanswered request is kept. Slots have one tenant after the other, which tells a late
/// answer to one from an answer to the next.
struct Slot {
    tenant: u32,
    request: Option<Unanswered>,
}

/// The unanswered appends of one connection.
pub(crate) struct Acks {
    requests: Requests,
    lanes: Lanes,
}

struct Requests {
    meter: Arc<RequestMeter>,
    clock: Arc<dyn Clock>,
    slots: Vec<Slot>,
    free: Vec<u32>,
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
    /// None yet; those that are answered are counted.
    pub(crate) fn new(meter: &Arc<RequestMeter>, clock: &Arc<dyn Clock>) -> Self {
        let (meter, clock) = (Arc::clone(meter), Arc::clone(clock));
        let requests = Requests { meter, clock, slots: Vec::new(), free: Vec::new() };
        Self { requests, lanes: Lanes::default() }
    }

    /// A request of `parts` parts has begun.
    pub(crate) fn begin(&mut self, correlation: u32, parts: usize, since: Duration) -> RequestKey {
        self.requests.begin(Unanswered {
            correlation,
            since,
            parts: smallvec![blank(); parts],
            missing: u32::try_from(parts).unwrap_or(u32::MAX),
        })
    }

    /// Requests without an answer.
    pub(crate) fn unanswered(&self) -> usize {
        self.requests.slots.len() - self.requests.free.len()
    }

    /// A part is answered; with the last one the response leaves.
    pub(crate) fn answer(
        &mut self,
        key: RequestKey,
        part: u32,
        answer: ProducePartResponse,
        outbox: &mut Outbox,
    ) {
        self.requests.note(key, part, answer);
        self.requests.complete(key, outbox);
    }

    /// A request of no parts is answered.
    pub(crate) fn answer_empty(&mut self, key: RequestKey, outbox: &mut Outbox) {
        self.requests.complete(key, outbox);
    }

    /// A request is refused as a whole, unless it has been answered.
    pub(crate) fn refuse(&mut self, key: RequestKey, error: &WireError, outbox: &mut Outbox) {
        if let Some(request) = self.requests.end(key) {
            outbox.respond(Opcode::Produce, request.correlation, |body| encode(error, body));
        }
    }

    /// A part is answered as soon as `mark` is durable.
    pub(crate) fn answer_when_durable(
        &mut self,
        request: RequestKey,
        part: u32,
        answer: ProducePartResponse,
        mark: DurableMark,
        partition: &Arc<Partition>,
        deadline: Duration,
    ) {
        self.requests.note(request, part, answer);
        self.lanes.wait(Waiting { request, part, mark, deadline }, partition);
    }

    /// Answers whatever has become durable, failed, or run out of time; asks to be woken for the rest.
    pub(crate) fn progress(
        &mut self,
        now: impl Fn() -> Duration,
        signal: &Arc<Signal>,
        outbox: &mut Outbox,
    ) {
        let Self { requests, lanes } = self;
        lanes.progress(now, signal, |Waiting { request, part, .. }, outcome| {
            let failure = match outcome {
                Outcome::Durable => None,
                Outcome::Failed(error) => Some(wire_error(&error)),
                Outcome::Late => Some(WireError::new(
                    ErrorCode::TIMED_OUT,
                    "the records are written, but did not reach stable storage in the time given",
                )),
            };
            if let Some(error) = failure {
                requests.note(request, part, failed(error));
            }
            requests.complete(request, outbox);
        });
    }

    /// When the first of them runs out of time.
    pub(crate) fn deadline(&self) -> Option<Duration> {
        self.lanes.deadline()
    }
}

impl Requests {
    fn begin(&mut self, request: Unanswered) -> RequestKey {
        if let Some(slot) = self.free.pop() {
            let place = &mut self.slots[slot as usize];
            place.tenant = place.tenant.wrapping_add(1);
            place.request = Some(request);
            return key(slot, place.tenant);
        }
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot { tenant: 0, request: Some(request) });
        key(slot, 0)
    }

    fn slot(&mut self, key: RequestKey) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(slot_of(key) as usize)?;
        (u64::from(slot.tenant) == key.0 >> 32).then_some(slot)
    }

    fn note(&mut self, key: RequestKey, part: u32, answer: ProducePartResponse) {
        let request = self.slot(key).and_then(|slot| slot.request.as_mut());
        if let Some(place) = request.and_then(|request| request.parts.get_mut(part as usize)) {
            *place = answer;
        }
    }

    fn complete(&mut self, key: RequestKey, outbox: &mut Outbox) {
        let Some(slot) = self.slot(key) else { return };
        let Some(request) = &mut slot.request else { return };
        request.missing = request.missing.saturating_sub(1);
        if request.missing > 0 {
            return;
        }
        if let Some(request) = self.end(key) {
            let response = Ok(ProduceResponse { parts: request.parts });
            outbox.respond(Opcode::Produce, request.correlation, |body| response.encode(body));
        }
    }
}

impl Requests {
    /// A request is answered; nothing if it has been before.
    fn end(&mut self, key: RequestKey) -> Option<Unanswered> {
        let request = self.slot(key)?.request.take()?;
        self.free.push(slot_of(key));
        let took = self.clock.monotonic().saturating_sub(request.since);
        self.meter.answered(kind(Opcode::Produce), took);
        Some(request)
    }
}

fn key(slot: u32, tenant: u32) -> RequestKey {
    RequestKey(u64::from(tenant) << 32 | u64::from(slot))
}

fn slot_of(RequestKey(key): RequestKey) -> u32 {
    u32::try_from(key & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

/// The answer to a part that was not appended.
pub(crate) fn failed(error: WireError) -> ProducePartResponse {
    ProducePartResponse { error: Maybe::some(error), ..blank() }
}
