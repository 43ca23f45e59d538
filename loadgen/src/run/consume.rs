//! One consumer's task.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use onrush_client::Consumer;

use super::recorder::Recorder;
use super::shared::Shared;
use crate::payload::Stamp;
use crate::time::Timeline;

/// One consumer and all it needs.
pub(super) struct Consuming {
    pub(super) consumer: Consumer,
    pub(super) recorder: Rc<RefCell<Recorder>>,
    pub(super) shared: Arc<Shared>,
    pub(super) timeline: Timeline,
    /// Whether messages tell when they were due in this run, so that latency means something.
    pub(super) stamped: bool,
}

/// How often a consumer that receives nothing looks whether it is time to end.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl Consuming {
    /// Consumes until the run is over.
    pub(super) async fn run(mut self) {
        while !self.shared.is_stopped() {
            let looked = tokio::time::timeout(LOOK_EVERY, pin!(self.consume_once())).await;
            if let Ok(Err(error)) = looked {
                self.recorder.borrow_mut().failed(error, 1);
                // A consumer that fails at once, again and again, must not keep the others out.
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        let Consuming { consumer, recorder, .. } = self;
        if let Err(error) = consumer.close().await {
            recorder.borrow_mut().failed(error, 1);
        }
    }

    /// Takes what one poll brings.
    async fn consume_once(&mut self) -> onrush_client::Result<()> {
        let polled = self.consumer.poll().await?;
        let now_ns = self.timeline.now_ns();
        let mut recorder = self.recorder.borrow_mut();
        let mut count = 0;
        for record in polled.records()? {
            let value = record.value.unwrap_or_default();
            count += 1;
            if self.stamped {
                if let Some(stamp) = Stamp::read(value) {
                    recorder.received(stamp.due_ns, now_ns);
                }
            } else {
                // Something of each value is looked at, as any consumer would.
                std::hint::black_box(value.first());
            }
        }
        recorder.arrived(now_ns, count);
        self.shared.add_consumed(count);
        Ok(())
    }
}
