//! Connections within the process: frames over a queue instead of bytes over a socket.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::BytesMut;
use onrush_gateway_net::{Conversation as _, Service as _, Shared, Timer};

use crate::frame::{Frame, Payload};
use crate::pipe::{FrameReceiver, FrameSender};
use crate::service::Native;
use crate::session::{Session, Source};

/// The client's end of a connection within the process.
#[derive(Debug)]
pub struct InProcess {
    /// Takes requests.
    pub requests: FrameSender,
    /// Gives responses and pushed frames. Record batches come as bytes of the log's mapping, not
    /// copied, unless the options ask for copies.
    pub responses: FrameReceiver,
}

/// The broker's end of it.
pub(crate) struct ServerEnd {
    pub(crate) requests: FrameReceiver,
    pub(crate) responses: FrameSender,
}

/// Begins to serve a connection.
pub(crate) fn start(shared: &Rc<Shared>, service: &Native, end: ServerEnd) {
    let session = service.session(shared, "in process");
    let entered = shared.enter(session.signal(), service.connections());
    let mut connection = Connection {
        end,
        session,
        shared: Rc::clone(shared),
        incoming: VecDeque::new(),
        outgoing: VecDeque::new(),
        timer: Timer::default(),
        ended: false,
    };
    tokio::task::spawn_local(async move {
        poll_fn(|context| connection.poll(context)).await;
        drop(entered);
    });
}

struct Connection {
    end: ServerEnd,
    session: Session,
    shared: Rc<Shared>,
    incoming: VecDeque<Frame>,
    outgoing: VecDeque<Frame>,
    timer: Timer,
    /// The client is gone.
    ended: bool,
}

/// Record batches in one piece and our own: without a copy when the client has let go of them.
fn own(payload: Payload) -> BytesMut {
    let mut pieces = payload.into_iter();
    let Some(first) = pieces.next() else { return BytesMut::new() };
    let mut all = first.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    pieces.for_each(|piece| all.extend_from_slice(&piece));
    all
}

impl Connection {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            let mut again = false;
            let mut declined = false;
            if self.session.signal().poll_notified(context).is_ready() {
                self.session.progress();
                again = true;
            }
            if self.timer.poll(context).is_ready() {
                self.session.progress();
                self.session.recount_deadline();
                again = true;
            }
            if self.shared.is_quiescing() {
                self.session.quiesce();
            } else {
                declined = !self.may_receive();
                again |= !declined && self.receive(context);
            }
            let more = self.session.advance(context);
            let blocked = match self.send(context) {
                Poll::Ready(true) => false,
                Poll::Ready(false) => return Poll::Ready(()),
                Poll::Pending => true,
            };
            let leaving = self.session.is_closing() || self.shared.is_quiescing() || self.ended;
            if leaving && self.session.is_settled() && self.outgoing.is_empty() {
                return Poll::Ready(());
            }
            if more && !blocked {
                again = true;
            }
            // What has been answered or has left may have made room.
            again |= declined && !blocked && self.may_receive();
            if !again {
                let clock = self.shared.broker.clock();
                self.timer.arm(context, self.session.soonest(), &**clock);
                return Poll::Pending;
            }
        }
    }

    /// Whether requests are taken now. If not, the signal fires once that changes, or what waits has
    /// to leave first.
    fn may_receive(&mut self) -> bool {
        let budget = self.shared.broker.budget();
        self.session.may_receive()
            && (!self.session.is_budgeted() || budget.admit(self.session.signal()))
    }

    /// True when something came.
    fn receive(&mut self, context: &mut Context<'_>) -> bool {
        if self.ended {
            return false;
        }
        match self.end.requests.poll_receive(context, &mut self.incoming) {
            Poll::Pending => return false,
            Poll::Ready(Err(_)) => {
                self.ended = true;
                return false;
            }
            Poll::Ready(Ok(())) => {}
        }
        let shared = Rc::clone(&self.shared);
        let mut turn = shared.turn.borrow_mut();
        for frame in self.incoming.drain(..) {
            if self.session.is_closing() {
                break;
            }
            let source =
                Source::InProcess { body: frame.body, payload: own(frame.payload), held: None };
            self.session.frame(&mut turn, &frame.header, source);
        }
        // There are few connections within a process: to wait for others would only take time.
        self.session.append(&mut turn);
        true
    }

    /// Ready(true) when all has left, ready(false) when the connection is over.
    fn send(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        loop {
            while let Some(frame) = self.session.pop_frame() {
                match frame {
                    Ok(frame) => self.outgoing.push_back(frame),
                    Err(reason) => {
                        tracing::error!(%reason, "connection closed: a read failed");
                        return Poll::Ready(false);
                    }
                }
            }
            if self.outgoing.is_empty() {
                return Poll::Ready(true);
            }
            match self.end.responses.poll_send(context, &mut self.outgoing) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(false),
                Poll::Ready(Ok(())) => {}
            }
        }
    }
}
