//! A session's one timer: armed only while something has a deadline.

use std::task::{Context, Poll};
use std::time::Duration;

use onrush_sys::Sleep;

use crate::session::Session;

/// Sleeps until the session's next deadline. It may wake early, never late.
#[derive(Default)]
pub(crate) struct Timer {
    armed: Option<(Duration, Sleep)>,
}

impl Timer {
    /// Ready after it has gone off; the session has looked again by then.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>, session: &mut Session) -> Poll<()> {
        let Some((_, sleep)) = &mut self.armed else { return Poll::Pending };
        match sleep.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                self.armed = None;
                session.progress();
                session.recount_deadline();
                Poll::Ready(())
            }
        }
    }

    /// Makes sure to be woken at the session's next deadline.
    pub(crate) fn arm(&mut self, context: &mut Context<'_>, session: &Session) {
        let Some(wanted) = session.soonest() else { return };
        if self.armed.as_ref().is_some_and(|(at, _)| *at <= wanted) {
            return;
        }
        let mut sleep = session.sleep_until(wanted);
        if sleep.as_mut().poll(context).is_ready() {
            context.waker().wake_by_ref();
        }
        self.armed = Some((wanted, sleep));
    }
}
