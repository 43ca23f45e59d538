//! The task behind a link: one poll moves everything that can move.

use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use onrush_protocol::response::Throttle;
use onrush_protocol::{FrameHeader, Opcode};
use onrush_sys::Sleep;

use crate::connector::{Connection, Frame, Payload};
use crate::error::{Error, Kind};
use crate::net::handshake;
use crate::net::link::{LinkShared, OnAnswer, Port, Request};

/// Pauses between attempts to reconnect.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// No broker makes a client wait longer; whoever says so is not believed.
const LONGEST_MUTE: Duration = Duration::from_secs(600);

/// Rounds of one poll before other tasks get their turn.
const ROUNDS: usize = 32;

struct Pending {
    opcode: Opcode,
    expires: Duration,
    vital: bool,
    on_answer: OnAnswer,
}

/// Requests that wait for an answer, and frames that wait to leave.
struct Traffic {
    leaving: VecDeque<Frame>,
    pending: HashMap<u32, Pending>,
    next_correlation: u32,
    /// No answer has to come before this: the broker reads nothing for a while, and then each has its
    /// time. Whether it is still there, the transport finds out.
    patient_until: Duration,
}

/// What a port fills while it is pumped.
pub(crate) struct Sending<'a> {
    traffic: &'a mut Traffic,
    /// The monotonic clock, read once for this pump.
    pub(crate) now: Duration,
    /// Until when an answer to a request must have come.
    pub(crate) expires: Duration,
    /// Whether the last handle is gone.
    pub(crate) closing: bool,
}

impl Sending<'_> {
    /// Sends a request whose answer the connection depends on: if it does not come in time, the
    /// connection counts as dead.
    pub(crate) fn request(
        &mut self,
        opcode: Opcode,
        body: Bytes,
        payload: Payload,
        on_answer: OnAnswer,
    ) {
        let expires = self.expires;
        self.traffic.send(Request { opcode, body, payload, expires, vital: true, on_answer });
    }

    /// Sends what has no answer.
    pub(crate) fn one_way(&mut self, opcode: Opcode, body: Bytes, payload: Payload) {
        self.traffic.push(opcode, 0, body, payload);
    }
}

impl Traffic {
    fn send(&mut self, request: Request) {
        let Request { opcode, body, payload, expires, vital, on_answer } = request;
        // 0 is for what is never answered.
        self.next_correlation = self.next_correlation.wrapping_add(1).max(1);
        let correlation = self.next_correlation;
        let expires = expires.max(self.patient_until);
        self.pending.insert(correlation, Pending { opcode, expires, vital, on_answer });
        self.push(opcode, correlation, body, payload);
    }

    fn push(&mut self, opcode: Opcode, correlation: u32, body: Bytes, payload: Payload) {
        let payload_len = payload.iter().map(Bytes::len).sum();
        let header = FrameHeader::new(opcode, 0, correlation, body.len(), payload_len);
        self.leaving.push_back(Frame { header, body, payload });
    }

    /// Answers have their time from `until` on.
    fn wait_until(&mut self, until: Duration, request_timeout: Duration) {
        self.patient_until = self.patient_until.max(until.saturating_add(request_timeout));
        for pending in self.pending.values_mut() {
            pending.expires = pending.expires.max(self.patient_until);
        }
    }

    fn earliest_expiry(&self) -> Option<Duration> {
        self.pending.values().map(|pending| pending.expires).min()
    }
}

/// The state of a link's task.
pub(crate) struct Driver {
    shared: Arc<LinkShared>,
    port: Arc<dyn Port>,
    traffic: Traffic,
    arrived: VecDeque<Frame>,
    /// When pending requests are looked through, and when the port wants to be pumped.
    next_check: Option<Duration>,
    port_due: Option<Duration>,
    armed: Option<(Duration, Sleep)>,
}

impl Driver {
    pub(crate) fn new(shared: Arc<LinkShared>, port: Arc<dyn Port>) -> Self {
        Self {
            shared,
            port,
            traffic: Traffic {
                leaving: VecDeque::new(),
                pending: HashMap::new(),
                next_correlation: 0,
                patient_until: Duration::ZERO,
            },
            arrived: VecDeque::new(),
            next_check: None,
            port_due: None,
            armed: None,
        }
    }

    /// Runs until the last handle is gone and the port has nothing left to lose.
    pub(crate) async fn run(mut self, first: Connection) {
        let mut connection = Some(first);
        while let Some(mut open) = connection {
            self.port.connected();
            let error = poll_fn(|cx| self.poll(cx, &mut open)).await;
            drop(open);
            self.forget(&error);
            connection = if self.is_closing() { None } else { self.reconnect(&error).await };
        }
    }

    fn is_closing(&self) -> bool {
        self.shared.closing.load(Ordering::Acquire)
    }

    /// Ready with the reason once the connection is of no more use.
    fn poll(&mut self, cx: &mut Context<'_>, connection: &mut Connection) -> Poll<Error> {
        self.shared.waker.register(cx.waker());
        let mut blocked = false;
        for _ in 0..ROUNDS {
            if !blocked {
                self.collect();
                match connection.sink.poll_send(cx, &mut self.traffic.leaving) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(error)) => return Poll::Ready(self.lost(&error)),
                    Poll::Pending => blocked = true,
                }
            }
            if self.is_closing() && self.port.is_done() && self.traffic.leaving.is_empty() {
                return Poll::Ready(Error::Closed);
            }
            match connection.stream.poll_receive(cx, &mut self.arrived) {
                Poll::Ready(Ok(())) => self.dispatch(),
                Poll::Ready(Err(error)) => return Poll::Ready(self.lost(&error)),
                Poll::Pending => match self.poll_due(cx) {
                    Poll::Ready(Some(error)) => return Poll::Ready(error),
                    Poll::Ready(None) => {}
                    Poll::Pending => return Poll::Pending,
                },
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn lost(&self, error: &std::io::Error) -> Error {
        Error::lost(self.shared.config.connector.address(), error)
    }

    /// Takes in requests of callers and what the port has.
    fn collect(&mut self) {
        let requests = std::mem::take(&mut *self.shared.inbox.lock());
        for request in requests {
            self.check_by(request.expires);
            self.traffic.send(request);
        }
        let now = self.shared.now();
        let expires = now.saturating_add(self.shared.config.request_timeout);
        let waited = self.traffic.pending.len();
        let closing = self.shared.closing.load(Ordering::Acquire);
        let mut sending = Sending { traffic: &mut self.traffic, now, expires, closing };
        self.port_due = self.port.pump(&mut sending);
        if self.traffic.pending.len() > waited {
            self.check_by(expires);
        }
    }

    fn check_by(&mut self, expires: Duration) {
        self.next_check = Some(self.next_check.map_or(expires, |due| due.min(expires)));
    }

    fn dispatch(&mut self) {
        for frame in self.arrived.drain(..) {
            if let Ok(throttle) = Throttle::from_frame(&frame.header, &frame.body) {
                let wait = Duration::from_millis(throttle.wait_ms.into()).min(LONGEST_MUTE);
                let until = self.shared.now().saturating_add(wait);
                tracing::debug!(?wait, "over its quota: the broker reads on after this");
                self.traffic.wait_until(until, self.shared.config.request_timeout);
            } else if frame.header.is_push() {
                self.port.pushed(frame);
            } else if let Some(pending) = self.traffic.pending.remove(&frame.header.correlation) {
                (pending.on_answer)(Ok(frame));
            } else {
                tracing::debug!(
                    correlation = frame.header.correlation,
                    "an answer that nobody waits for"
                );
            }
        }
    }

    /// Ready when time has brought something: an error that ends the connection, or work.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<Option<Error>> {
        let due = match (self.next_check, self.port_due) {
            (Some(a), Some(b)) => a.min(b),
            (Some(a), None) | (None, Some(a)) => a,
            (None, None) => return Poll::Pending,
        };
        if self.armed.as_ref().is_none_or(|(at, _)| due < *at) {
            let left = due.saturating_sub(self.shared.now());
            self.armed = Some((due, self.shared.config.clock.sleep(left)));
        }
        let Some((_, sleep)) = &mut self.armed else { return Poll::Pending };
        if sleep.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.armed = None;
        Poll::Ready(self.expire(self.shared.now()))
    }

    /// Tells whom no answer reached in time; an error when the connection counts as dead by that.
    fn expire(&mut self, now: Duration) -> Option<Error> {
        if self.next_check.is_none_or(|due| due > now) {
            return None;
        }
        let address = self.shared.config.connector.address();
        let late: Vec<u32> = self
            .traffic
            .pending
            .iter()
            .filter(|(_, pending)| pending.expires <= now)
            .map(|(correlation, _)| *correlation)
            .collect();
        let mut dead = None;
        for correlation in late {
            let Some(pending) = self.traffic.pending.remove(&correlation) else { continue };
            let error = Error::unanswered(pending.opcode.name(), &address);
            if pending.vital {
                dead = Some(error.clone());
            }
            (pending.on_answer)(Err(error));
        }
        self.next_check = self.traffic.earliest_expiry();
        dead
    }

    /// Ends everything that hung on the lost connection.
    fn forget(&mut self, error: &Error) {
        self.traffic.leaving.clear();
        self.traffic.patient_until = Duration::ZERO;
        self.arrived.clear();
        for (_, pending) in self.traffic.pending.drain() {
            (pending.on_answer)(Err(error.clone()));
        }
        self.port.lost(error);
    }

    /// Tries until a connection stands; `None` when the last handle went away meanwhile.
    async fn reconnect(&mut self, why: &Error) -> Option<Connection> {
        tracing::info!(error = %why, "connection lost, reconnecting");
        let shared = Arc::clone(&self.shared);
        let mut pause = FIRST_PAUSE;
        loop {
            let mut attempt = pin!(handshake::establish(&shared));
            let outcome = poll_fn(|cx| {
                shared.waker.register(cx.waker());
                if shared.closing.load(Ordering::Acquire) {
                    return Poll::Ready(None);
                }
                attempt.as_mut().poll(cx).map(Some)
            });
            match outcome.await? {
                Ok(connection) => return Some(connection),
                Err(error) if error.kind() == Kind::Closed => {
                    self.forget(&error);
                    self.end(&error);
                    return None;
                }
                Err(error) => {
                    tracing::debug!(error = %error, "no connection yet");
                    self.expire_inbox(&error);
                    self.port.waiting(shared.now());
                }
            }
            let mut sleep = shared.config.clock.sleep(pause);
            let slept = poll_fn(|cx| {
                shared.waker.register(cx.waker());
                if shared.closing.load(Ordering::Acquire) {
                    return Poll::Ready(None);
                }
                sleep.as_mut().poll(cx).map(Some)
            });
            slept.await?;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Takes no more requests, and refuses those that were never sent.
    fn end(&self, why: &Error) {
        self.shared.ended.store(true, Ordering::Release);
        let requests = std::mem::take(&mut *self.shared.inbox.lock());
        for request in requests {
            (request.on_answer)(Err(why.clone()));
        }
    }

    /// Requests that were never sent, and whose time is over.
    fn expire_inbox(&mut self, why: &Error) {
        let now = self.shared.now();
        let late: Vec<Request> =
            self.shared.inbox.lock().extract_if(.., |request| request.expires <= now).collect();
        for request in late {
            (request.on_answer)(Err(why.clone()));
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.end(&Error::Closed);
        self.forget(&Error::Closed);
    }
}
