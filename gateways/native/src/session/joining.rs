//! Produce requests whose partitions join a transaction: that they do is made durable first.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use onrush_broker::Error;
use onrush_gateway_net::{Conversation as _, RequestKey, Turn};
use onrush_protocol::request::{PRODUCE_JOINS, ProduceRequest};
use onrush_protocol::{ErrorCode, FrameHeader, WireError, features};
use onrush_record::batch::BatchHeader;

use super::errors::wire_error;
use super::{Close, Session, Source};

type Adding = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

/// A produce request that waits, and those behind it, which keep their order. Nothing more is read
/// meanwhile, so that there are no more than came with one read; their bytes count against the byte
/// budget.
#[derive(Default)]
pub(crate) struct Joins {
    first: Option<Joining>,
    behind: VecDeque<Asked>,
}

/// A produce request that was not appended yet.
pub(super) struct Asked {
    pub(super) header: FrameHeader,
    pub(super) source: Source,
    pub(super) request: ProduceRequest,
    /// When it came.
    pub(super) since: Duration,
    /// When its producer no longer waits for the answer.
    pub(super) deadline: Duration,
    /// It has to wait.
    pub(super) kept: Option<Kept>,
}

/// The answer to a request that has to wait.
pub(super) struct Kept {
    /// Where it is kept; nothing: none is wanted.
    pub(super) key: Option<RequestKey>,
    /// It was not appended in time, and that has been answered. It goes on all the same.
    late: bool,
}

struct Joining {
    asked: Asked,
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
    pub(super) fn hold(&mut self, asked: Asked) {
        self.behind.push_back(asked);
    }

    /// Keeps a request that waits.
    pub(super) fn begin(&mut self, asked: Asked, adding: Adding) {
        self.first = Some(Joining { asked, adding });
    }

    /// When the first of them runs out of time.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let first = self.first.iter().map(|first| &first.asked);
        first.chain(&self.behind).filter(|asked| asked.is_awaited()).map(|it| it.deadline).min()
    }
}

impl Asked {
    /// Whether its producer still waits for an answer.
    fn is_awaited(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.key.is_some() && !kept.late)
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

    /// Keeps a request over the turn. Its answer comes no later than its deadline.
    pub(super) fn keep(&mut self, turn: &Turn, asked: Asked) -> Asked {
        let key = self.key(&asked);
        if key.is_some() {
            self.note_deadline(asked.deadline);
        }
        let late = asked.kept.as_ref().is_some_and(|kept| kept.late);
        let source = asked.source.kept(turn, self.broker.budget());
        Asked { source, kept: Some(Kept { key, late }), ..asked }
    }

    /// Answers those that have waited for too long.
    pub(super) fn progress_joins(&mut self) {
        if self.joins.is_empty() {
            return;
        }
        let now = self.now();
        let Self { joins, acks, outbox, .. } = self;
        let first = joins.first.iter_mut().map(|first| &mut first.asked);
        for asked in first.chain(&mut joins.behind) {
            if now >= asked.deadline
                && asked.is_awaited()
                && let Some(Kept { key: Some(key), late }) = &mut asked.kept
            {
                *late = true;
                let text = "the partitions did not join the transaction in the time given; the records may still be appended";
                acks.refuse(*key, &WireError::new(ErrorCode::TIMED_OUT, text), outbox);
            }
        }
    }

    /// Goes on with what waits, as far as it can.
    pub(super) fn go_on_joining(&mut self, context: &mut Context<'_>) {
        while let Some(joining) = &mut self.joins.first {
            let Poll::Ready(result) = joining.adding.as_mut().poll(context) else { return };
            let Some(Joining { asked, .. }) = self.joins.first.take() else { return };
            let shared = Rc::clone(&self.shared);
            let mut turn = shared.turn.borrow_mut();
            let handled = match result {
                Ok(()) => self.gather(&mut turn, asked),
                Err(error) => self.refuse_produce(&asked, wire_error(&error)),
            };
            self.closed_by(handled);
            self.take_held(&mut turn);
        }
    }

    /// Takes what came behind, until something of it has to wait as well.
    fn take_held(&mut self, turn: &mut Turn) {
        while !self.is_closing()
            && self.joins.is_empty()
            && let Some(asked) = self.joins.behind.pop_front()
        {
            let handled = self.produce_next(turn, asked);
            self.closed_by(handled);
        }
    }

    /// Refuses all of a request. Who wants no answers learns it by the end of the connection.
    pub(super) fn refuse_produce(&mut self, asked: &Asked, error: WireError) -> Result<(), Close> {
        match self.key(asked) {
            Some(key) => {
                self.acks.refuse(key, &error, &mut self.outbox);
                Ok(())
            }
            None => Err(Close::Refused(error)),
        }
    }
}
