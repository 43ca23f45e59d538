//! Produce from version 12 on: what a transaction appends to takes part in it without having been
//! added before, so it is added here first.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as Wakes, Poll, Waker};

use onrush_broker::{Broker, Error};
use onrush_gateway_net::{Source, Turn};
use onrush_record::batch::BatchHeader;

use super::Session;
use super::produce::Asked;
use super::queue::Running;
use super::topic::Refusal;

/// The first version that does so.
pub(super) const FROM: i16 = 12;

type Adding = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

/// A produce whose partitions are being added to its transaction.
pub(super) struct Joining {
    asked: Asked,
    source: Source,
    adding: Adding,
}

impl Joining {
    pub(super) fn poll(&mut self, wakes: &mut Wakes<'_>) -> Poll<Result<(), Error>> {
        self.adding.as_mut().poll(wakes)
    }
}

impl Session {
    /// Adds the partitions of a request to the transaction `id`, then gathers it. Usually they are
    /// in it already, and nothing has to be waited for.
    pub(super) fn join(&mut self, turn: &mut Turn, source: Source, id: String, mut asked: Asked) {
        let bytes = source.bytes(turn);
        let first =
            asked.parts.first().map(|part| BatchHeader::parse(&bytes[part.records.clone()]));
        // What cannot be read is refused when it is appended.
        let Some(Ok(header)) = first else { return self.gather(turn, source, asked) };
        let partitions: Vec<_> = asked
            .parts
            .iter()
            .map(|part| (part.partition.topic_id(), part.partition.index()))
            .collect();
        let broker: Broker = self.context.broker.clone();
        let mut adding: Adding = Box::pin(async move {
            let (producer, epoch) = (header.producer_id, header.producer_epoch);
            broker.transaction_add_partitions(&id, producer, epoch, &partitions).await
        });
        match adding.as_mut().poll(&mut Wakes::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => self.gather(turn, source, asked),
            Poll::Ready(Err(error)) => {
                asked.refuse(&error);
                self.gather(turn, source, asked);
            }
            Poll::Pending => {
                let source = source.kept(turn, self.context.broker.budget());
                let joining = Joining { asked, source, adding };
                self.queue.begin(Running::Joining(Box::new(joining)));
            }
        }
    }

    /// The partitions have been added, or not: goes on with the request.
    pub(super) fn joined(&mut self, result: Result<(), Error>) {
        let Some(Joining { mut asked, source, .. }) = self.queue.joined() else { return };
        if let Err(error) = result {
            asked.refuse(&error);
        }
        let shared = Rc::clone(&self.shared);
        self.gather(&mut shared.turn.borrow_mut(), source, asked);
    }
}

impl Asked {
    /// Refuses all that was to be appended.
    fn refuse(&mut self, error: &Error) {
        for part in self.parts.drain(..) {
            self.refused.push((part.number, Refusal::from(error)));
        }
    }
}
