//! Produce requests whose partitions join a transaction: that they do is made durable first.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use onrush_broker::Error;
use onrush_gateway_net::{Conversation as _, Turn};
use onrush_protocol::request::{PRODUCE_JOINS, ProduceRequest};
use onrush_protocol::{ErrorCode, FrameHeader, Opcode, WireError, features};
use onrush_record::batch::BatchHeader;

use super::errors::wire_error;
use super::{Close, Session, Source};

type Adding = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

/// A produce request that waits, and those behind it, which keep their order.
#[derive(Default)]
pub(crate) struct Joins {
    first: Option<Joining>,
    behind: VecDeque<Held>,
}

/// A produce request that was not appended yet.
pub(super) struct Held {
    pub(super) header: FrameHeader,
    pub(super) source: Source,
    /// When it came.
    pub(super) since: Duration,
}

struct Joining {
    held: Held,
    request: ProduceRequest,
    adding: Adding,
}

/// Whether a request may be appended.
pub(super) enum Join {
    /// Yes.
    Done,
    /// No, for this reason.
    Refused(WireError),
    /// Not yet.
    Waits(Adding),
}

impl Joins {
    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Keeps a request that came behind one that waits.
    pub(super) fn hold(&mut self, held: Held) {
        self.behind.push_back(held);
    }

    /// Keeps a request that waits.
    pub(super) fn begin(&mut self, held: Held, request: ProduceRequest, adding: Adding) {
        self.first = Some(Joining { held, request, adding });
    }
}

impl Session {
    /// Has the partitions of a request join the transaction of its producer, if it asks for that.
    /// Usually they are in it already, and nothing has to be waited for.
    pub(super) fn join(&self, request: &ProduceRequest, payload: &[u8]) -> Join {
        match request.flags {
            0 => return Join::Done,
            PRODUCE_JOINS if self.features & features::TRANSACTIONS != 0 => {}
            PRODUCE_JOINS => {
                let text = "Produce with flag 1 needs the feature transactions, which Hello did not settle on";
                return Join::Refused(WireError::new(ErrorCode::FEATURE_NOT_NEGOTIATED, text));
            }
            flags => {
                let text = format!("Produce has no flags {flags:#x}; 0 and 1 are known");
                return Join::Refused(WireError::new(ErrorCode::INVALID_REQUEST, text));
            }
        }
        // What cannot be read is refused when it is appended, and so is a partition that is not there.
        let Ok(BatchHeader { producer_id, producer_epoch, .. }) = BatchHeader::parse(payload)
        else {
            return Join::Done;
        };
        let there = |(topic, partition)| self.broker.partition(topic, partition).is_ok();
        let named = request.parts.iter().map(|part| (part.topic_id, part.partition));
        let partitions: Vec<_> = named.filter(|at| there(*at)).collect();
        let broker = self.broker.clone();
        let mut adding: Adding = Box::pin(async move {
            broker.transaction_join(producer_id, producer_epoch, &partitions).await
        });
        match adding.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Join::Done,
            Poll::Ready(Err(error)) => Join::Refused(wire_error(&error)),
            Poll::Pending => Join::Waits(adding),
        }
    }

    /// Goes on with what waits, as far as it can.
    pub(super) fn go_on_joining(&mut self, context: &mut Context<'_>) {
        while let Some(joining) = &mut self.joins.first {
            let Poll::Ready(result) = joining.adding.as_mut().poll(context) else { return };
            let Some(Joining { held, request, .. }) = self.joins.first.take() else { return };
            let shared = Rc::clone(&self.shared);
            let mut turn = shared.turn.borrow_mut();
            let handled = match result {
                Ok(()) => self.gather(&mut turn, held, request),
                Err(error) => self.refuse_produce(&held.header, &request, wire_error(&error)),
            };
            self.closed_by(handled);
            self.take_held(&mut turn);
        }
    }

    /// Takes what came behind, until something of it has to wait as well.
    fn take_held(&mut self, turn: &mut Turn) {
        while !self.is_closing()
            && self.joins.is_empty()
            && let Some(held) = self.joins.behind.pop_front()
        {
            let handled = self.produce_next(turn, held);
            self.closed_by(handled);
        }
    }

    /// Refuses all of a request. Who wants no answers learns it by the end of the connection.
    pub(super) fn refuse_produce(
        &mut self,
        header: &FrameHeader,
        request: &ProduceRequest,
        error: WireError,
    ) -> Result<(), Close> {
        if request.acks == onrush_protocol::request::Acks::None {
            return Err(Close::Refused(error));
        }
        self.refuse(Opcode::Produce, header.correlation, &error);
        Ok(())
    }
}
