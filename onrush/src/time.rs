//! Time that a test moves.

use std::time::Duration;

use onrush_sys::{Clock as _, ManualClock};

use crate::config::ClockChoice;
use crate::engine::Command;
use crate::{Error, Onrush, Result};

/// Turns that the caller's other tasks are given each time that time has moved.
const CALLER_ROUNDS: usize = 16;

/// Some work is due every few minutes, for ever: it takes a while to do that of ten years, and one
/// who asks for all the time there is would wait for more than a life.
const AT_ONCE_MAX: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

impl Onrush {
    /// Lets time pass. Returns once everything due meanwhile has happened, each at its time:
    /// sessions have expired, records out of retention are gone, timers of clients have gone off.
    ///
    /// # Errors
    /// [`Error::NoManualClock`] unless the broker was opened with
    /// [`Config::manual_clock`](crate::Config::manual_clock); [`Error::TooFar`] for more than about
    /// ten years at once, and then no time has passed.
    pub async fn advance(&self, by: Duration) -> Result<()> {
        let ClockChoice::Manual(clock) = &self.clock else { return Err(Error::NoManualClock) };
        if by > AT_ONCE_MAX {
            return Err(Error::TooFar { by, most: AT_ONCE_MAX });
        }
        let target = clock.monotonic().saturating_add(by);
        loop {
            self.settle().await?;
            let due = self.broker.tick();
            let now = clock.monotonic();
            if now >= target {
                return Ok(());
            }
            clock.advance(next_step(clock, due, now, target));
        }
    }

    /// Waits until the broker's thread has done what it can do without time passing.
    async fn settle(&self) -> Result<()> {
        // Clients that live on the caller's own runtime have their turn, too.
        for _ in 0..CALLER_ROUNDS {
            tokio::task::yield_now().await;
        }
        let (done, settled) = tokio::sync::oneshot::channel();
        self.engine.tell(Command::Settle(done))?;
        settled.await.map_err(|_| Error::Stopped)
    }
}

/// To whatever is due first: the broker's own work, or somebody's sleep.
fn next_step(
    clock: &ManualClock,
    due: Option<Duration>,
    now: Duration,
    target: Duration,
) -> Duration {
    let work = due.map(|wait| now.saturating_add(wait));
    // Something already due would not move time: then it is for the next settling.
    let sleeper = clock.next_deadline();
    let next = [work, sleeper].into_iter().flatten().filter(|at| *at > now).min();
    next.unwrap_or(target).min(target) - now
}
