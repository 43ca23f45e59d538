//! One connection's conversation, without its socket: frames in, frames out, answers in the order
//! of the requests.
//!
//! A [`Session`] never waits. What cannot be answered at once (an append that waits for its sync, a
//! fetch that waits for records, a handler at work) is kept in its [`Queue`] and looked at again
//! when the session's [`Signal`] fires, a deadline passes, or a handler wakes the connection.

mod fetch;
mod frame;
mod joining;
mod produce;
mod queue;
mod topic;
mod unanswered;
mod waiting;

use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context as Wakes, Poll};
use std::time::Duration;

use onrush_broker::{RequestMeter, Signal};
use onrush_gateway_net::{Conversation, Inbox, Lanes, Outbox, Shared, Source, TailFrame, Turn};
use onrush_kafka_protocol::{ApiKey, RequestHeader, response_frame};

use self::frame::{Broken, Head, frame_len};
pub(crate) use self::queue::waits;
use self::queue::{Queue, Running};
use crate::context::Context;
use crate::handle::api_versions;
use crate::served;

/// One connection's conversation.
pub struct Session {
    context: Rc<Context>,
    shared: Rc<Shared>,
    signal: Arc<Signal>,
    meter: Arc<RequestMeter>,
    outbox: Outbox,
    queue: Queue,
    /// Appends that wait for their sync.
    lanes: Lanes,
    /// What became of what the shard's turn gathered from here.
    inbox: Rc<Inbox>,
    /// Parts gathered of which nothing is known yet.
    gathered: usize,
    /// Has it ever sent records? Only then the byte budget concerns it.
    produces: bool,
    /// What is in the outbox still goes out, then the connection ends.
    closing: bool,
    /// No deadline comes before this one.
    soonest: Option<Duration>,
}

impl Session {
    pub(crate) fn new(shared: &Rc<Shared>, context: Context) -> Self {
        let signal = Signal::new();
        Self {
            outbox: Outbox::new(context.options.copy_bytes_max),
            context: Rc::new(context),
            shared: Rc::clone(shared),
            meter: shared.meter("kafka", served::names),
            inbox: Inbox::new(&signal),
            signal,
            queue: Queue::default(),
            lanes: Lanes::default(),
            gathered: 0,
            produces: false,
            closing: false,
            soonest: None,
        }
    }

    /// Takes no more requests, and says why; what is in the outbox still goes out.
    fn close(&mut self, reason: &dyn std::fmt::Display) {
        if !self.closing {
            tracing::info!(peer = %self.context.host, listener = %self.context.endpoint.name, %reason, "connection closed");
        }
        self.closing = true;
        self.queue.clear();
    }

    fn receive_frames(&mut self, turn: &mut Turn, range: Range<usize>) -> usize {
        let mut at = range.start;
        while !self.closing {
            let bytes = turn.received(at..range.end);
            let length = match self.frame_len(bytes) {
                Ok(Some(length)) if bytes.len() >= length => length,
                Ok(_) => return at,
                Err(error) => {
                    self.close(&error);
                    break;
                }
            };
            let frame = at..at + length;
            at = frame.end;
            self.frame(turn, Source::Hot(frame));
        }
        // Nothing after the end of the conversation is looked at.
        range.end
    }

    /// Takes one whole frame: begins it, or keeps it until those before it are answered.
    fn frame(&mut self, turn: &mut Turn, source: Source) {
        let head = Head::read(source.bytes(turn));
        // What came with the read that went over a quota is taken still: kept until that is paid
        // for, it would use up the byte budget of all.
        if self.queue.may_begin(head) {
            return self.begin(turn, head, source);
        }
        self.queue.waiting.push(source, turn, self.context.broker.budget());
    }

    /// Begins a request. What it wants appended is gathered.
    fn begin(&mut self, turn: &mut Turn, head: Head, source: Source) {
        let served = served::find(head.key);
        if !served.is_some_and(|served| (served.min..=served.max).contains(&head.version)) {
            return self.unserved(head);
        }
        self.meter.taken(kind(head.key));
        if head.key == ApiKey::PRODUCE {
            return self.produce(turn, head, source);
        }
        // What came before and wants no answer is visible to what comes after.
        self.append(turn);
        let frame = source.bytes(turn);
        let (header, reader) = match Head::header(frame) {
            Ok(header) => header,
            Err(error) => return self.close(&Unreadable(head, &error)),
        };
        self.context.calls_itself(header.client_id);
        let body = &frame[reader.position()..];
        match head.key {
            ApiKey::FETCH => self.fetch(head, body),
            _ => self.call(head, header.to_owned(), body),
        }
    }

    fn call(&mut self, head: Head, header: RequestHeader, body: &[u8]) {
        match served::call(&self.context, header, body) {
            Ok(Some(call)) => {
                let since = self.context.now();
                self.queue.begin(Running::Call(head.key, since, call));
            }
            Ok(None) => self.unserved(head),
            Err(error) => self.close(&Unreadable(head, &error)),
        }
    }

    /// A client that opens the conversation in too new a version is told which are served; any other
    /// should have heeded that.
    fn unserved(&mut self, head: Head) {
        if head.key != ApiKey::API_VERSIONS {
            let (name, Head { key, version, .. }) = (head.key.name(), head);
            let key = key.0;
            return self.close(&format_args!(
                "version {version} of {name} (API {key}) is not served; ApiVersions tells which are"
            ));
        }
        let mut frame = Vec::new();
        match response_frame(&api_versions::unserved(), 0, head.correlation, &mut frame) {
            Ok(()) => self.outbox.bytes().extend_from_slice(&frame),
            Err(error) => self.close(&error),
        }
    }

    /// Answers what stands first and is done, and begins what comes next. True when it stopped for
    /// want of room in the outbox.
    fn go_on(&mut self, wakes: &mut Wakes<'_>) -> bool {
        while !self.closing {
            if self.outbox.encoded_len() >= self.context.options.outbox_bytes_max {
                return true;
            }
            // Calls run alone, and behind what joins a transaction nothing begins: only the last
            // one can be a future.
            match self.queue.running.back_mut() {
                Some(Running::Call(key, since, call)) => match call.as_mut().poll(wakes) {
                    Poll::Pending => return false,
                    Poll::Ready(Ok(frame)) => {
                        let took = self.context.now().saturating_sub(*since);
                        self.meter.answered(kind(*key), took);
                        self.outbox.bytes().extend_from_slice(&frame);
                        self.queue.finish();
                        self.note_mute();
                    }
                    Poll::Ready(Err(error)) => self.close(&error),
                },
                Some(Running::Joining(joining)) => match joining.poll(wakes) {
                    Poll::Pending => return false,
                    Poll::Ready(result) => self.joined(result),
                },
                _ => {}
            }
            let shared = Rc::clone(&self.shared);
            let mut turn = shared.turn.borrow_mut();
            let Some((head, source)) = self.queue.next(&turn) else { return false };
            self.begin(&mut turn, head, source);
        }
        false
    }
}

impl Session {
    /// Whether nothing is taken from the client now.
    fn over_quota(&self) -> bool {
        self.context.muted_until().is_some()
    }

    /// The client may just have been muted.
    fn note_mute(&mut self) {
        if let Some(until) = self.context.muted_until() {
            self.note_deadline(until);
        }
    }
}

/// The number of an API among the kinds of requests that are counted.
fn kind(key: ApiKey) -> usize {
    usize::try_from(key.0).unwrap_or(usize::MAX)
}

/// A request that cannot be decoded.
struct Unreadable<'a>(Head, &'a dyn std::fmt::Display);

impl std::fmt::Display for Unreadable<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Unreadable(Head { key, version, .. }, error) = self;
        write!(f, "a request {} of version {version} cannot be read: {error}", key.name())
    }
}

impl Conversation for Session {
    type Broken = Broken;

    fn signal(&self) -> &Arc<Signal> {
        &self.signal
    }

    fn outbox(&mut self) -> &mut Outbox {
        &mut self.outbox
    }

    fn may_receive(&mut self) -> bool {
        !self.closing
            && self.queue.waiting.is_empty()
            && self.queue.running.len() < self.context.options.in_flight_max as usize
            && self.outbox.encoded_len() < self.context.options.outbox_bytes_max
            && !self.over_quota()
    }

    fn is_muted(&mut self) -> bool {
        self.over_quota()
    }

    fn is_budgeted(&self) -> bool {
        self.produces
    }

    fn frame_len(&self, bytes: &[u8]) -> Result<Option<usize>, Broken> {
        frame_len(bytes, &self.context.options)
    }

    fn receive(&mut self, turn: &mut Turn, first: Option<TailFrame>, range: Range<usize>) -> usize {
        let mut used = 0;
        if let Some(first) = first {
            used += first.bytes().len();
            self.frame(turn, Source::Tail(first));
        }
        let rest = self.receive_frames(turn, range.clone());
        used += rest - range.start;
        if self.closing || turn.at_once(used) {
            self.append(turn);
        }
        rest
    }

    fn broken_frame(&mut self, _: &[u8], why: &Broken) {
        self.close(why);
    }

    fn frame_timeout(&self) -> Duration {
        self.context.options.frame_timeout
    }

    fn frame_too_slow(&mut self) {
        let seconds = self.context.options.frame_timeout.as_secs();
        self.close(&format_args!("a request did not arrive within {seconds} s of its beginning"));
    }

    fn idle_timeout(&self) -> Option<Duration> {
        self.context.options.idle_timeout
    }

    fn is_idle(&self) -> bool {
        self.outbox.is_empty() && self.gathered == 0 && self.queue.is_empty()
    }

    fn was_told_to_wait(&self) -> bool {
        self.over_quota()
    }

    fn idle_too_long(&mut self) {
        self.close(&"it was idle for longer than connections_max_idle_ms");
    }

    fn progress(&mut self) {
        self.take_answers();
        self.progress_lanes();
        self.progress_fetch(false);
    }

    fn advance(&mut self, wakes: &mut Wakes<'_>) -> bool {
        self.go_on(wakes)
    }

    fn quiesce(&mut self) {
        self.queue.drop_waiting();
        self.progress_fetch(true);
        if matches!(self.queue.running.front(), Some(Running::Call(key, ..)) if waits(*key)) {
            self.close(&"the broker stops");
        }
    }

    fn is_closing(&self) -> bool {
        self.closing
    }

    fn is_closed(&self) -> bool {
        self.closing && self.gathered == 0 && self.outbox.is_empty()
    }

    fn is_settled(&self) -> bool {
        self.outbox.is_empty() && self.gathered == 0 && self.queue.is_settled()
    }

    fn soonest(&self) -> Option<Duration> {
        self.soonest
    }

    fn note_deadline(&mut self, at: Duration) {
        self.soonest = Some(self.soonest.map_or(at, |soonest| soonest.min(at)));
    }

    fn recount_deadline(&mut self) {
        let fetch = match self.queue.running.front() {
            Some(Running::Fetch(fetch)) => fetch.deadline(),
            _ => None,
        };
        let muted = self.context.muted_until();
        self.soonest = [self.lanes.deadline(), fetch, muted].into_iter().flatten().min();
    }
}
