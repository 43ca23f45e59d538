//! One producer's task: open loop or closed loop.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use onrush_client::{Delivery, Error, Producer, TrySend};

use super::pending::Pending;
use super::recorder::Recorder;
use super::schedule::Schedule;
use super::shared::Shared;
use super::source::Source;
use crate::args::Pacing;
use crate::time::Timeline;

/// One producer and all it needs.
pub(super) struct Producing {
    pub(super) producer: Producer,
    pub(super) source: Source,
    pub(super) pending: Pending,
    pub(super) recorder: Rc<RefCell<Recorder>>,
    pub(super) shared: Arc<Shared>,
    pub(super) timeline: Timeline,
    /// Messages to send at most.
    pub(super) limit: u64,
    /// Entries that may be pending; none: as many as the producer has room for.
    pub(super) in_flight: Option<usize>,
}

/// In a closed loop without a limit in flight, so many messages share a look at the clock and one
/// delivery: per message these would cost more than the client's own work.
const CLOSED_STRIDE: u64 = 16;
/// Messages that a closed loop hands over before it lets the connection's task run.
const CLOSED_TURN: u64 = 1024;

impl Producing {
    /// Sends each message when it is due, then waits until all are decided.
    pub(super) async fn open_loop(mut self, schedule: Schedule, pacing: Pacing) {
        let until_ns = self.recorder.borrow().window.until_ns;
        let mut announced = 0;
        loop {
            let now_ns = self.timeline.now_ns();
            let due = schedule.due_by(now_ns.min(until_ns - 1)).min(self.limit);
            self.announce(&schedule, announced..due);
            announced = announced.max(due);
            while self.source.made() < due {
                let due_ns = schedule.due_ns(self.source.made());
                if self.send(due_ns, 1).await.is_err() {
                    return self.finish().await;
                }
            }
            if now_ns >= until_ns || due >= self.limit {
                return self.finish().await;
            }
            match pacing {
                Pacing::Spin => {
                    self.reap();
                    tokio::task::yield_now().await;
                }
                Pacing::Timer => {
                    let next_ns = schedule.due_ns(self.source.made());
                    let wait = Duration::from_nanos(next_ns.saturating_sub(now_ns));
                    self.reap_while(tokio::time::sleep(wait)).await;
                }
            }
        }
    }

    /// Sends as fast as the producer takes messages, then waits until all are decided.
    pub(super) async fn closed_loop(mut self) {
        let window = self.recorder.borrow().window;
        let stride = if self.in_flight.is_some() { 1 } else { CLOSED_STRIDE };
        while self.timeline.now_ns() < window.start_ns {
            tokio::task::yield_now().await;
        }
        loop {
            let now_ns = self.timeline.now_ns();
            let count = stride.min(self.limit - self.source.made());
            if now_ns >= window.until_ns || count == 0 {
                return self.finish().await;
            }
            for _ in 1..count {
                // The last one's delivery stands for these.
                if let Err(refusal) = self.try_send(now_ns).map(drop)
                    && self.send_slowly(refusal).await.is_err()
                {
                    return self.finish().await;
                }
            }
            if self.send(now_ns, count).await.is_err() {
                return self.finish().await;
            }
            if window.holds(now_ns) {
                self.recorder.borrow_mut().offered += count;
            }
            if let Some(in_flight) = self.in_flight {
                while self.pending.len() >= in_flight {
                    self.reap_one().await;
                }
            } else if self.source.made() % CLOSED_TURN < stride {
                self.reap();
                tokio::task::yield_now().await;
            }
        }
    }

    /// Counts what falls due within the window, sent or not.
    fn announce(&self, schedule: &Schedule, numbers: std::ops::Range<u64>) {
        let mut recorder = self.recorder.borrow_mut();
        let window = recorder.window;
        let due = numbers.filter(|number| window.holds(schedule.due_ns(*number)));
        recorder.offered += due.count() as u64;
    }

    /// Makes a message and hands it over; its delivery, unless there was no room at once. Inlined, so
    /// that the delivery comes in registers: through memory it cost as much as encoding the record.
    #[inline(always)]
    fn try_send(&mut self, due_ns: u64) -> Result<Delivery, TrySend> {
        self.source.advance(due_ns);
        self.producer.try_send(self.source.record())
    }

    /// Makes a message and hands it over, waiting for room if need be; its delivery stands for
    /// `count` messages. Fails only when no more can be sent.
    async fn send(&mut self, due_ns: u64, count: u64) -> Result<(), Error> {
        let delivery = match self.try_send(due_ns) {
            Ok(delivery) => delivery,
            Err(refusal) => self.send_slowly(refusal).await?,
        };
        self.shared.add_sent(count);
        self.pending.push(due_ns, count, delivery);
        Ok(())
    }

    /// Hands over the message that was made last, once there is room.
    #[cold]
    async fn send_slowly(&mut self, refusal: TrySend) -> Result<Delivery, Error> {
        let sent = if let TrySend::Failed(error) = refusal {
            Err(error)
        } else {
            let Producing { producer, source, pending, recorder, shared, timeline, .. } = self;
            let mut sending = pin!(producer.send(source.record()));
            poll_fn(|cx| {
                // What frees room is acknowledgements: count them when they come.
                pending.reap(&mut recorder.borrow_mut(), shared, || timeline.now_ns());
                sending.as_mut().poll(cx)
            })
            .await
        };
        if let Err(error) = &sent {
            self.recorder.borrow_mut().failed(error, 1);
            self.shared.add_failed(1);
        }
        sent
    }

    /// Takes what is decided, without waiting.
    fn reap(&mut self) {
        let timeline = self.timeline;
        let recorder = &mut self.recorder.borrow_mut();
        self.pending.reap(recorder, &self.shared, || timeline.now_ns());
    }

    fn poll_reap(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.reap();
        self.pending.poll_empty(cx)
    }

    /// Waits until at least one is decided.
    async fn reap_one(&mut self) {
        let before = self.pending.len();
        poll_fn(|cx| {
            let all = self.poll_reap(cx);
            if self.pending.len() < before { Poll::Ready(()) } else { all }
        })
        .await;
    }

    /// Takes what is decided until `until` is done.
    async fn reap_while(&mut self, until: impl Future<Output = ()>) {
        let mut until = pin!(until);
        poll_fn(|cx| {
            let _ = self.poll_reap(cx);
            until.as_mut().poll(cx)
        })
        .await;
    }

    async fn finish(mut self) {
        {
            let producer = self.producer.clone();
            let mut flush = pin!(producer.flush());
            poll_fn(|cx| {
                self.reap();
                flush.as_mut().poll(cx)
            })
            .await;
        }
        poll_fn(|cx| self.poll_reap(cx)).await;
        self.shared.producer_is_done();
    }
}
