//! One producer: open loop or closed loop.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use rdkafka::ClientContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;

use super::super::recorder::{Recorder, Window};
use super::super::schedule::Schedule;
use super::super::shared::Shared;
use super::super::source::Source;
use super::settings;
use crate::args::{RunArgs, acks_name, codec_name};
use crate::time::Timeline;

/// Answers heard of in one turn, at most.
const HEARD_TURN: u32 = 1000;
/// Messages that a closed loop hands over before it looks at what has come.
const CLOSED_TURN: u64 = 256;

/// What a producer sends next.
pub(super) struct Producing {
    producer: BaseProducer<Deliveries>,
    source: Source,
    window: Window,
    /// When messages are due; none: as soon as there is room.
    schedule: Option<Schedule>,
    /// Messages to send at most.
    limit: u64,
    /// Messages that may be undecided; none: as many as the client has room for.
    in_flight: Option<u64>,
    /// How many were counted as offered.
    announced: u64,
    /// The message made last, if the client had no room for it: when it was due.
    held_back: Option<u64>,
    state: State,
}

#[derive(Copy, Clone, PartialEq, Eq)]
enum State {
    Sending,
    /// Waits for the last to be decided.
    Flushing,
    Done,
}

/// Hears of each message's fate, on the thread that polls.
pub(super) struct Deliveries {
    timeline: Timeline,
    shared: Arc<Shared>,
    recorder: Mutex<Option<Recorder>>,
}

impl Deliveries {
    pub(super) fn new(timeline: Timeline, shared: &Arc<Shared>) -> Deliveries {
        Deliveries { timeline, shared: Arc::clone(shared), recorder: Mutex::new(None) }
    }

    fn recorder(&self) -> MutexGuard<'_, Option<Recorder>> {
        self.recorder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ClientContext for Deliveries {}

impl ProducerContext for Deliveries {
    /// When the message was due.
    type DeliveryOpaque = usize;

    fn delivery(&self, outcome: &DeliveryResult<'_>, due_ns: usize) {
        let mut recorder = self.recorder();
        let Some(recorder) = recorder.as_mut() else { return };
        match outcome {
            Ok(_) => {
                recorder.acknowledged(due_ns as u64, self.timeline.now_ns(), 1);
                self.shared.add_acknowledged(1);
            }
            Err((error, _)) => {
                recorder.failed(error, 1);
                self.shared.add_failed(1);
            }
        }
    }
}

/// A connected client that waits for the run to begin.
pub(super) fn connect(
    address: &str,
    args: &RunArgs,
    deliveries: Deliveries,
) -> Result<BaseProducer<Deliveries>> {
    let mut settings = settings(address);
    settings
        .set("acks", acks_name(args.acks))
        .set("compression.codec", codec_name(args.compression))
        .set("linger.ms", (args.linger.as_secs_f64() * 1e3).to_string())
        // A broker that is away this long fails the run's messages, and so the run.
        .set("message.timeout.ms", "30000");
    if let Some(bytes) = args.batch {
        settings.set("batch.size", bytes.to_string());
    }
    let producer: BaseProducer<Deliveries> =
        settings.create_with_context(deliveries).context("cannot make a producer")?;
    // The first message is not to pay for the connection.
    let metadata = producer.client().fetch_metadata(None, super::PATIENCE);
    metadata.with_context(|| format!("cannot connect to {address}"))?;
    Ok(producer)
}

impl Producing {
    pub(super) fn new(
        producer: BaseProducer<Deliveries>,
        source: Source,
        window: Window,
        schedule: Option<Schedule>,
        limit: u64,
        in_flight: Option<u64>,
    ) -> Producing {
        *producer.context().recorder() = Some(Recorder::new(window));
        let (announced, held_back, state) = (0, None, State::Sending);
        Producing {
            producer,
            source,
            window,
            schedule,
            limit,
            in_flight,
            announced,
            held_back,
            state,
        }
    }

    /// Sends what is due and hears of what is decided; whether it sent anything.
    pub(super) fn turn(&mut self, now_ns: u64) -> bool {
        let before = self.source.made();
        if self.state == State::Sending && now_ns >= self.window.start_ns {
            let over = match self.schedule {
                Some(schedule) => self.open_loop(schedule, now_ns),
                None => self.closed_loop(now_ns),
            };
            if over && self.held_back.is_none() {
                self.state = State::Flushing;
            }
        }
        self.hear();
        if self.state == State::Flushing && self.producer.in_flight_count() == 0 {
            self.state = State::Done;
            self.producer.context().shared.producer_is_done();
        }
        self.source.made() > before
    }

    /// Hears of all that is decided, or much of it: a poll tells of what one answer decided, which
    /// without linger is a single message.
    fn hear(&self) {
        for _ in 0..HEARD_TURN {
            let before = self.producer.in_flight_count();
            self.producer.poll(std::time::Duration::ZERO);
            if self.producer.in_flight_count() == before {
                break;
            }
        }
    }

    /// Sends what is due; whether no more will be.
    fn open_loop(&mut self, schedule: Schedule, now_ns: u64) -> bool {
        let due = schedule.due_by(now_ns.min(self.window.until_ns - 1)).min(self.limit);
        let fresh = (self.announced..due).filter(|n| self.window.holds(schedule.due_ns(*n)));
        self.offer(fresh.count() as u64);
        self.announced = self.announced.max(due);
        while self.send_held_back() && self.source.made() < due {
            let due_ns = schedule.due_ns(self.source.made());
            self.source.advance(due_ns);
            self.held_back = Some(due_ns);
        }
        (now_ns >= self.window.until_ns || due >= self.limit) && self.source.made() >= due
    }

    /// Sends as many as there is room for; whether no more will be.
    fn closed_loop(&mut self, now_ns: u64) -> bool {
        for _ in 0..CLOSED_TURN {
            if !self.send_held_back() {
                return false;
            }
            if now_ns >= self.window.until_ns || self.source.made() >= self.limit {
                return true;
            }
            if self.in_flight.is_some_and(|most| self.undecided() >= most) {
                return false;
            }
            self.source.advance(now_ns);
            self.held_back = Some(now_ns);
            self.offer(u64::from(self.window.holds(now_ns)));
        }
        false
    }

    fn undecided(&self) -> u64 {
        u64::try_from(self.producer.in_flight_count()).unwrap_or(0)
    }

    fn offer(&self, count: u64) {
        if let (1.., Some(recorder)) = (count, self.producer.context().recorder().as_mut()) {
            recorder.offered += count;
        }
    }

    /// Hands over the message that was made last; whether there was room, or nothing to hand over.
    fn send_held_back(&mut self) -> bool {
        let Some(due_ns) = self.held_back else { return true };
        let opaque = usize::try_from(due_ns).unwrap_or(usize::MAX);
        let mut record: BaseRecord<'_, [u8], [u8], usize> =
            BaseRecord::with_opaque_to(self.source.topic(), opaque).payload(self.source.value());
        if let Some(key) = self.source.key() {
            record = record.key(key);
        }
        let sent = self.producer.send(record).map_err(|(error, _)| error);
        if let Err(KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull)) = sent {
            return false;
        }
        self.held_back = None;
        let deliveries = self.producer.context();
        match sent {
            Ok(()) => deliveries.shared.add_sent(1),
            Err(error) => {
                deliveries.shared.add_failed(1);
                if let Some(recorder) = deliveries.recorder().as_mut() {
                    recorder.failed(error, 1);
                }
            }
        }
        true
    }

    pub(super) fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// What it saw.
    pub(super) fn into_recorder(self) -> Option<Recorder> {
        self.producer.context().recorder().take()
    }
}
