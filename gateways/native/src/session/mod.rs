//! One connection's conversation, without its socket: bytes or frames in, frames out.
//!
//! A [`Session`] never waits. What cannot be answered at once (an append that waits for its sync, a
//! fetch that waits for records, a subscription at the end of the log, a call that takes the
//! broker's own logs) is kept here and looked at again when the session's [`Signal`] fires or a
//! deadline passes. Two drivers feed it: the connection of `onrush-gateway-net` from a socket,
//! `in_process` from a channel.

mod acks;
mod calls;
mod errors;
mod fetch;
mod groups;
mod hello;
mod joining;
mod produce;
mod source;
mod subscribe;
mod throttle;
mod topics;
mod transactions;

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use onrush_broker::{Broker, RequestMeter, Signal, StorageError};
use onrush_gateway_net::{Conversation, Inbox, Shared, TailFrame, Throttle, Turn};
use onrush_protocol::frame::{FrameDecoder, FrameError};
use onrush_protocol::request::{FetchRequest, Request, RequestMessage};
use onrush_protocol::{DecodeError, ErrorCode, FrameHeader, HEADER_LEN, Opcode, WireError};
use onrush_protocol::{Message, features};

use self::acks::Acks;
use self::calls::Calls;
use self::fetch::Fetches;
use self::joining::Joins;
pub(crate) use self::source::Source;
use self::subscribe::Subscriptions;
use crate::frame::Frame;
use crate::options::Options;
use crate::outbox::Outbox;
use crate::service::Address;

/// Why a connection ends.
#[derive(Debug)]
pub(crate) enum Close {
    /// It broke the rules, or was refused something it wants no answers for.
    Refused(WireError),
}

/// Where a conversation stands.
#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// The first frame has to be `Hello`, before this moment.
    Greeting { until: Duration },
    /// Requests are served.
    Open,
    /// What is in the outbox still goes out, then the connection ends.
    Closing,
}

/// Who is at the other end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    /// Where it connects from.
    pub(crate) host: Arc<str>,
    /// What it calls itself.
    pub(crate) client: Arc<str>,
}

/// One connection's conversation.
pub struct Session {
    broker: Broker,
    options: Arc<Options>,
    address: Address,
    signal: Arc<Signal>,
    meter: Arc<RequestMeter>,
    outbox: Outbox,
    decoder: FrameDecoder,
    phase: Phase,
    features: u64,
    /// Largest frame the client accepts.
    client_frame_max: u32,
    peer: Peer,
    /// Whether the client is over its quota.
    throttle: Throttle,
    shared: Rc<Shared>,
    acks: Acks,
    joins: Joins,
    fetches: Fetches,
    subscriptions: Subscriptions,
    calls: Calls,
    /// Has it ever sent records? Only then the byte budget concerns it.
    produces: bool,
    /// No deadline comes before this one.
    soonest: Option<Duration>,
    /// What became of what the shard's turn gathered from here.
    inbox: Rc<Inbox>,
    /// Parts gathered of which nothing is known yet.
    gathered: usize,
}

impl Session {
    pub(crate) fn new(
        shared: &Rc<Shared>,
        options: &Arc<Options>,
        address: &Address,
        host: &str,
    ) -> Self {
        let broker = shared.broker.clone();
        let until = broker.clock().monotonic().saturating_add(options.hello_timeout);
        let signal = Signal::new();
        let meter = shared.meter("native", names);
        Self {
            acks: Acks::new(&meter, broker.clock()),
            meter,
            broker,
            options: Arc::clone(options),
            address: address.clone(),
            inbox: Inbox::new(&signal),
            gathered: 0,
            signal,
            outbox: Outbox::new(options.copy_bytes_max),
            decoder: FrameDecoder::new(options.frame_bytes_max),
            phase: Phase::Greeting { until },
            features: 0,
            client_frame_max: 64 * 1024,
            peer: Peer { host: host.into(), client: "".into() },
            throttle: Throttle::default(),
            shared: Rc::clone(shared),
            joins: Joins::default(),
            fetches: Fetches::default(),
            subscriptions: Subscriptions::default(),
            calls: Calls::default(),
            produces: false,
            soonest: Some(until),
        }
    }

    /// Takes no more requests; what is in the outbox still goes out.
    pub(crate) fn close(&mut self) {
        self.phase = Phase::Closing;
        self.joins = Joins::default();
    }

    /// The broker's clock.
    fn now(&self) -> Duration {
        self.broker.clock().monotonic()
    }

    fn receive_frames(&mut self, turn: &mut Turn, range: Range<usize>) -> usize {
        let mut at = range.start;
        while !self.is_closing() {
            let bytes = turn.received(at..range.end);
            let header = match self.decoder.header(bytes) {
                Ok(Some(header)) if bytes.len() >= header.frame_len() => header,
                Ok(_) => return at,
                Err(error) => {
                    self.broken_frame(bytes, &error);
                    break;
                }
            };
            let frame = at..at + header.frame_len();
            at = frame.end;
            self.frame(turn, &header, Source::Wire(onrush_gateway_net::Source::Hot(frame)));
        }
        // Nothing after the end of the conversation is looked at.
        range.end
    }

    /// Takes one frame. What it wants appended is gathered.
    pub(crate) fn frame(&mut self, turn: &mut Turn, header: &FrameHeader, source: Source) {
        let opcode = match Opcode::from_code(header.opcode) {
            Ok(opcode) if header.flags == 0 => opcode,
            Ok(opcode) => {
                return self.refuse_raw(header, &DecodeError::WrongDirection(opcode.name()));
            }
            Err(error) => return self.refuse_raw(header, &error),
        };
        if matches!(self.phase, Phase::Greeting { .. }) && opcode != Opcode::Hello {
            let error = WireError::new(
                ErrorCode::HANDSHAKE_REQUIRED,
                format!("the first frame has to be Hello, not {}", opcode.name()),
            );
            self.refuse(opcode, header.correlation, &error);
            return self.close();
        }
        self.meter.taken(kind(opcode));
        if opcode == Opcode::Produce {
            let handled = self.produce(turn, header, source);
            return self.closed_by(handled);
        }
        // What came before is visible to what comes after.
        self.append(turn);
        let payload = source.payload_len(header);
        if payload > 0 {
            let error = DecodeError::UnexpectedPayload { payload };
            return self.refuse(opcode, header.correlation, &WireError::from(&error));
        }
        if !self.is_closing() {
            let handled = self.request(opcode, header.correlation, source.body(header, turn));
            self.closed_by(handled);
        }
    }

    fn closed_by(&mut self, result: Result<(), Close>) {
        if let Err(Close::Refused(error)) = result {
            tracing::info!(peer = %self.peer.host, client = %self.peer.client, %error, "connection closed: refused a request that wants no answer");
            self.close();
        }
    }

    fn request(&mut self, opcode: Opcode, correlation: u32, body: &[u8]) -> Result<(), Close> {
        if opcode == Opcode::Fetch {
            match FetchRequest::decode(body) {
                Ok(request) => self.fetch(correlation, request),
                Err(error) => self.refuse(opcode, correlation, &WireError::from(&error)),
            }
            return Ok(());
        }
        let request = match Request::decode(opcode, body) {
            Ok(request) => request,
            Err(error) => {
                self.refuse(opcode, correlation, &WireError::from(&error));
                return Ok(());
            }
        };
        if let Some(missing) = self.missing_feature(opcode) {
            let error = WireError::new(
                ErrorCode::FEATURE_NOT_NEGOTIATED,
                format!(
                    "{} needs the feature {missing}, which Hello did not settle on",
                    opcode.name()
                ),
            );
            self.refuse(opcode, correlation, &error);
            return Ok(());
        }
        match request {
            Request::Hello(hello) => self.hello(correlation, &hello),
            Request::Subscribe(request) => self.subscribe(correlation, &request),
            Request::Credit(request) => self.credit(&request),
            Request::Unsubscribe(request) => self.unsubscribe(correlation, &request),
            other => self.call(opcode, correlation, other),
        }
        Ok(())
    }

    fn missing_feature(&self, opcode: Opcode) -> Option<&'static str> {
        let (bit, name) = match opcode {
            Opcode::Subscribe | Opcode::Credit | Opcode::Unsubscribe => {
                (features::SUBSCRIBE, "subscribe")
            }
            Opcode::GroupHeartbeat
            | Opcode::GroupCommit
            | Opcode::GroupOffsets
            | Opcode::GroupList
            | Opcode::GroupDescribe
            | Opcode::GroupDelete => (features::GROUPS, "groups"),
            Opcode::TransactionOpen
            | Opcode::TransactionOffsets
            | Opcode::TransactionEnd
            | Opcode::TransactionList
            | Opcode::TransactionDescribe
            | Opcode::TransactionHanging
            | Opcode::TransactionAbort => (features::TRANSACTIONS, "transactions"),
            _ => return None,
        };
        (self.features & bit == 0).then_some(name)
    }

    /// Answers with fields, or with an error.
    fn reply<M: RequestMessage>(
        &mut self,
        correlation: u32,
        reply: Result<M::Response, WireError>,
    ) {
        self.outbox.respond(M::OPCODE, correlation, |body| reply.encode(body));
    }

    fn refuse(&mut self, opcode: Opcode, correlation: u32, error: &WireError) {
        // These two have no response, whatever happens.
        if opcode != Opcode::Credit {
            self.outbox.respond(opcode, correlation, |body| errors::encode(error, body));
        }
    }

    fn refuse_raw(&mut self, header: &FrameHeader, error: &DecodeError) {
        let error = WireError::from(error);
        self.outbox
            .respond_raw(header.opcode, header.correlation, |body| errors::encode(&error, body));
        if matches!(self.phase, Phase::Greeting { .. }) {
            self.close();
        }
    }

    fn progress_acks(&mut self) {
        let Self { acks, broker, signal, outbox, .. } = self;
        acks.progress(|| broker.clock().monotonic(), signal, outbox);
    }

    /// Takes the first frame out of the outbox whole: for connections within the process.
    pub(crate) fn pop_frame(&mut self) -> Option<Result<Frame, StorageError>> {
        self.outbox.pop_frame(self.options.reads)
    }
}

/// The number of an operation among the kinds of requests that are counted.
fn kind(opcode: Opcode) -> usize {
    usize::from(opcode.code())
}

/// The names of all operations, each at the place of its code.
fn names() -> impl Iterator<Item = &'static str> {
    let last = Opcode::ALL.iter().map(|opcode| opcode.code()).max().unwrap_or(0);
    (0..=last).map(|code| Opcode::from_code(code).map_or("unknown", Opcode::name))
}

impl Conversation for Session {
    type Broken = FrameError;

    fn signal(&self) -> &Arc<Signal> {
        &self.signal
    }

    fn outbox(&mut self) -> &mut onrush_gateway_net::Outbox {
        self.outbox.bytes()
    }

    fn frame_len(&self, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
        Ok(self.decoder.header(bytes)?.as_ref().map(FrameHeader::frame_len))
    }

    fn frame_timeout(&self) -> Duration {
        self.options.frame_timeout
    }

    fn is_closing(&self) -> bool {
        self.phase == Phase::Closing
    }

    fn quiesce(&mut self) {
        self.subscriptions.clear();
        self.end_fetches();
    }

    fn frame_too_slow(&mut self) {
        let text = format!(
            "a frame has to arrive within {} seconds of its beginning",
            self.options.frame_timeout.as_secs()
        );
        tracing::info!(peer = %self.peer.host, client = %self.peer.client, "connection closed: a frame did not arrive in time");
        let error = WireError::new(ErrorCode::TIMED_OUT, text);
        self.outbox.respond_raw(0, 0, |body| errors::encode(&error, body));
        self.close();
    }

    fn idle_timeout(&self) -> Option<Duration> {
        self.options.idle_timeout
    }

    fn is_idle(&self) -> bool {
        self.is_settled() && self.fetches.len() == 0 && self.subscriptions.is_empty()
    }

    fn idle_too_long(&mut self) {
        tracing::info!(peer = %self.peer.host, client = %self.peer.client, "connection closed: it was idle for longer than connections_max_idle_ms");
        self.close();
    }

    fn is_settled(&self) -> bool {
        self.outbox.is_empty()
            && self.gathered == 0
            && self.acks.unanswered() == 0
            && self.joins.is_empty()
            && self.calls.is_empty()
    }

    fn is_closed(&self) -> bool {
        self.is_closing() && self.gathered == 0 && self.outbox.is_empty()
    }

    fn may_receive(&mut self) -> bool {
        let unanswered = self.acks.unanswered() + self.fetches.len() + self.calls.len();
        !self.is_closing()
            && self.joins.is_empty()
            && unanswered < self.options.in_flight_max as usize
            && self.outbox.encoded_len() < self.options.outbox_bytes_max
            && !self.over_quota()
    }

    fn is_muted(&mut self) -> bool {
        self.over_quota()
    }

    fn is_budgeted(&self) -> bool {
        self.produces
    }

    fn receive(&mut self, turn: &mut Turn, first: Option<TailFrame>, range: Range<usize>) -> usize {
        let mut used = 0;
        if let Some(first) = first {
            match self.decoder.header(first.bytes()) {
                Ok(Some(header)) => {
                    used += header.frame_len();
                    let source = Source::Wire(onrush_gateway_net::Source::Tail(first));
                    self.frame(turn, &header, source);
                }
                // It was decoded before its rest was waited for.
                Ok(None) => {}
                Err(error) => self.broken_frame(first.bytes(), &error),
            }
        }
        let rest = self.receive_frames(turn, range.clone());
        used += rest - range.start;
        if self.is_closing() || turn.at_once(used) {
            self.append(turn);
        }
        rest
    }

    fn broken_frame(&mut self, bytes: &[u8], error: &FrameError) {
        let (opcode, correlation) = match bytes.first_chunk::<HEADER_LEN>() {
            Some(head) => {
                let header = FrameHeader::read(head);
                (header.opcode, header.correlation)
            }
            None => (0, 0),
        };
        let error = match error {
            FrameError::TooLarge { max, .. } => {
                WireError::new(ErrorCode::FRAME_TOO_LARGE, error.to_string())
                    .with_detail(i64::from(*max))
            }
            _ => WireError::new(ErrorCode::MALFORMED, error.to_string()),
        };
        tracing::info!(peer = %self.peer.host, client = %self.peer.client, %error, "connection closed: broken frame");
        self.outbox.respond_raw(opcode, correlation, |body| errors::encode(&error, body));
        self.close();
    }

    fn progress(&mut self) {
        if let Phase::Greeting { until } = self.phase
            && self.now() >= until
        {
            tracing::info!(peer = %self.peer.host, "connection closed: it did not say hello in time");
            return self.close();
        }
        self.take_answers();
        self.progress_acks();
        self.progress_joins();
        self.progress_fetches();
        self.subscriptions.look_again();
    }

    fn advance(&mut self, context: &mut Context<'_>) -> bool {
        let Self { calls, outbox, meter, broker, .. } = self;
        calls.poll(context, outbox, |opcode, since| {
            let took = broker.clock().monotonic().saturating_sub(since);
            meter.answered(kind(opcode), took);
        });
        self.go_on_joining(context);
        if self.is_closing() { false } else { self.deliver() }
    }

    fn soonest(&self) -> Option<Duration> {
        self.soonest
    }

    fn note_deadline(&mut self, at: Duration) {
        self.soonest = Some(self.soonest.map_or(at, |soonest| soonest.min(at)));
    }

    fn recount_deadline(&mut self) {
        let greeting = match self.phase {
            Phase::Greeting { until } => Some(until),
            _ => None,
        };
        let all = [
            greeting,
            self.acks.deadline(),
            self.joins.deadline(),
            self.fetches.deadline(),
            self.subscriptions.deadline(),
            self.throttle.muted_until(&self.broker),
        ];
        self.soonest = all.into_iter().flatten().min();
    }
}
