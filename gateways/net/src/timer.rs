//! A connection's one timer: armed only while something has a deadline.

use std::task::{Context, Poll};
use std::time::Duration;

use onrush_sys::{Clock, Sleep};

/// Sleeps until the connection's next deadline. It may wake early, never late.
#[derive(Default)]
pub struct Timer {
    armed: Option<(Duration, Sleep)>,
    /// It had gone off before it could be armed.
    due: bool,
}

impl Timer {
    /// Ready once after it has gone off.
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::take(&mut self.due) {
            return Poll::Ready(());
        }
        let Some((_, sleep)) = &mut self.armed else { return Poll::Pending };
        let gone_off = sleep.as_mut().poll(context);
        if gone_off.is_ready() {
            self.armed = None;
        }
        gone_off
    }

    /// Makes sure to be woken at `wanted`, if there is such a moment.
    pub fn arm(&mut self, context: &mut Context<'_>, wanted: Option<Duration>, clock: &dyn Clock) {
        let Some(wanted) = wanted else { return };
        if self.due || self.armed.as_ref().is_some_and(|(at, _)| *at <= wanted) {
            return;
        }
        let mut sleep = clock.sleep(wanted.saturating_sub(clock.monotonic()));
        // What is over is not kept: it must not be asked again.
        if sleep.as_mut().poll(context).is_pending() {
            self.armed = Some((wanted, sleep));
        } else {
            self.armed = None;
            self.due = true;
            context.waker().wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Time stands still, and every sleep is over at once, and may be asked only once.
    #[derive(Debug)]
    struct Restless;

    impl Clock for Restless {
        fn now_ms(&self) -> i64 {
            0
        }

        fn monotonic(&self) -> Duration {
            Duration::from_secs(5)
        }

        fn sleep(&self, _: Duration) -> Sleep {
            Box::pin(async {})
        }
    }

    #[test]
    fn what_is_due_already_goes_off_once() {
        let mut context = Context::from_waker(Waker::noop());
        let mut timer = Timer::default();
        timer.arm(&mut context, None, &Restless);
        assert!(timer.poll(&mut context).is_pending());
        for _ in 0..2 {
            timer.arm(&mut context, Some(Duration::from_secs(4)), &Restless);
            timer.arm(&mut context, Some(Duration::from_secs(3)), &Restless);
            assert!(timer.poll(&mut context).is_ready());
            assert!(timer.poll(&mut context).is_pending());
        }
    }
}
