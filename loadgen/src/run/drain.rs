//! The consumer that catches up with a backlog beside the load.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use onrush_client::Consumer;

use super::recorder::Recorder;
use super::schedule::Schedule;
use super::shared::Shared;
use crate::time::Timeline;

/// Reads another topic from its start for as long as the load lasts.
pub(super) struct Draining {
    pub(super) consumer: Consumer,
    pub(super) recorder: Rc<RefCell<Recorder>>,
    pub(super) shared: Arc<Shared>,
    pub(super) timeline: Timeline,
    /// When each of its messages may be taken; none: at once.
    pub(super) limit: Option<Schedule>,
}

/// How often one that receives nothing looks whether it is time to end.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl Draining {
    /// Reads until the run is over.
    pub(super) async fn run(mut self) {
        let start_ns = self.recorder.borrow().window.start_ns;
        while self.timeline.now_ns() < start_ns {
            tokio::task::yield_now().await;
        }
        let mut taken = 0;
        while !self.shared.is_stopped() {
            if self.limit.is_some_and(|limit| limit.due_by(self.timeline.now_ns()) < taken) {
                tokio::time::sleep(LOOK_EVERY).await;
                continue;
            }
            let looked = tokio::time::timeout(LOOK_EVERY, self.drain_once()).await;
            match looked {
                Ok(Ok(count)) => taken += count,
                Ok(Err(error)) => {
                    self.recorder.borrow_mut().failed(error, 1);
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                Err(_) => {}
            }
            // A backlog is always ready: the load has its turn after each of its batches.
            tokio::task::yield_now().await;
        }
        let Draining { consumer, recorder, .. } = self;
        if let Err(error) = consumer.close().await {
            recorder.borrow_mut().failed(error, 1);
        }
    }

    /// Takes what one poll brings, and tells how much that was.
    async fn drain_once(&mut self) -> onrush_client::Result<u64> {
        let polled = self.consumer.poll().await?;
        let now_ns = self.timeline.now_ns();
        let (mut count, mut bytes) = (0, 0);
        for record in polled.records()? {
            let value = record.value.unwrap_or_default();
            std::hint::black_box(value.first());
            count += 1;
            bytes += value.len() as u64;
        }
        self.recorder.borrow_mut().drained(now_ns, count, bytes);
        Ok(count)
    }
}
