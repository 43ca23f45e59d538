//! Running a loop of the broker's own: on a thread, or as a task among others.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures::future::{Either, poll_fn, select};
use onrush_sys::Clock;

use crate::Signal;

/// What a loop does after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another turn.
    Again,
    /// Another turn once it is notified or this much time has passed.
    Wait(Option<Duration>),
    /// No more turns.
    End,
}

/// Takes turns on this thread.
pub(crate) fn run_blocking(signal: &Signal, mut turn: impl FnMut() -> Next) {
    loop {
        match turn() {
            Next::Again => {}
            Next::Wait(timeout) => {
                signal.wait(timeout);
            }
            Next::End => return,
        }
    }
}

/// Takes turns as a task, letting others run in between.
pub(crate) async fn run_local(signal: &Signal, clock: &dyn Clock, mut turn: impl FnMut() -> Next) {
    loop {
        match turn() {
            Next::Again => yield_now().await,
            Next::Wait(None) => signal.notified().await,
            Next::Wait(Some(timeout)) => {
                let notified = pin!(signal.notified());
                match select(notified, clock.sleep(timeout)).await {
                    Either::Left(_) | Either::Right(_) => {}
                }
            }
            Next::End => return,
        }
    }
}

async fn yield_now() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
