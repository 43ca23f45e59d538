//! A conversation's one timer: armed only while something has a deadline.

use std::task::{Context, Poll};
use std::time::Duration;

use onrush_broker::Broker;
use onrush_sys::Sleep;

use crate::conversation::Conversation;

/// Sleeps until the conversation's next deadline. It may wake early, never late.
#[derive(Default)]
pub struct Timer {
    armed: Option<(Duration, Sleep)>,
}

impl Timer {
    /// Ready after it has gone off; the conversation has looked again by then.
    pub fn poll<C: Conversation>(
        &mut self,
        context: &mut Context<'_>,
        conversation: &mut C,
    ) -> Poll<()> {
        let Some((_, sleep)) = &mut self.armed else { return Poll::Pending };
        match sleep.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                self.armed = None;
                conversation.progress();
                conversation.recount_deadline();
                Poll::Ready(())
            }
        }
    }

    /// Makes sure to be woken at the conversation's next deadline.
    pub fn arm<C: Conversation>(
        &mut self,
        context: &mut Context<'_>,
        conversation: &C,
        broker: &Broker,
    ) {
        let Some(wanted) = conversation.soonest() else { return };
        if self.armed.as_ref().is_some_and(|(at, _)| *at <= wanted) {
            return;
        }
        let clock = broker.clock();
        let mut sleep = clock.sleep(wanted.saturating_sub(clock.monotonic()));
        if sleep.as_mut().poll(context).is_ready() {
            context.waker().wake_by_ref();
        }
        self.armed = Some((wanted, sleep));
    }
}
