//! Time, as something that a test can move.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The future that [`Clock::sleep`] gives.
pub type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where time comes from.
pub trait Clock: Send + Sync + Debug {
    /// Wall-clock time, in milliseconds since 1970; may jump either way.
    fn now_ms(&self) -> i64;
    /// Time since some fixed moment; never goes back.
    fn monotonic(&self) -> Duration;
    /// Is done once `duration` has passed. Dropping it is all there is to cancelling it.
    fn sleep(&self, duration: Duration) -> Sleep;
}

/// The machine's time. Its [`Clock::sleep`] must be awaited within a tokio runtime that has its
/// timer enabled.
#[derive(Copy, Clone, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |ms| -ms),
        }
    }

    fn monotonic(&self) -> Duration {
        static START: OnceLock<Instant> = OnceLock::new();
        START.get_or_init(Instant::now).elapsed()
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        // Made within the future, so that no runtime is needed until it is polled.
        Box::pin(async move { tokio::time::sleep(duration).await })
    }
}

/// Time that stands still until a test moves it. Clones share it.
#[derive(Clone)]
pub struct ManualClock(Arc<Mutex<Manual>>);

struct Manual {
    wall_at_start_ms: i64,
    elapsed: Duration,
    next_sleeper: u64,
    /// By deadline, then by the order of coming; so they are woken in that order.
    sleepers: BTreeMap<(Duration, u64), Option<Waker>>,
}

impl ManualClock {
    /// A clock whose wall time is `start_ms`.
    pub fn new(start_ms: i64) -> ManualClock {
        ManualClock(Arc::new(Mutex::new(Manual {
            wall_at_start_ms: start_ms,
            elapsed: Duration::ZERO,
            next_sleeper: 0,
            sleepers: BTreeMap::new(),
        })))
    }

    /// Moves time forward, waking whoever becomes due, in the order of deadlines; the time that
    /// others see steps from deadline to deadline.
    pub fn advance(&self, by: Duration) {
        let target = self.0.lock().elapsed.saturating_add(by);
        while let Some(waker) = self.step_towards(target) {
            // Outside the lock: waking may run code that asks for the time.
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Moves to the next deadline that is not beyond `target` and takes its sleeper; otherwise
    /// moves to `target`.
    fn step_towards(&self, target: Duration) -> Option<Option<Waker>> {
        let mut manual = self.0.lock();
        match manual.sleepers.first_key_value() {
            Some((&(deadline, _), _)) if deadline <= target => {
                manual.elapsed = manual.elapsed.max(deadline);
                manual.sleepers.pop_first().map(|(_, waker)| waker)
            }
            _ => {
                manual.elapsed = manual.elapsed.max(target);
                None
            }
        }
    }

    /// Moves the wall clock only, either way, as a correction of the machine's time would.
    pub fn shift_wall(&self, by_ms: i64) {
        let mut manual = self.0.lock();
        manual.wall_at_start_ms = manual.wall_at_start_ms.saturating_add(by_ms);
    }

    /// When the next sleeper is due, as [`Clock::monotonic`] counts.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.0.lock().sleepers.first_key_value().map(|(&(deadline, _), _)| deadline)
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        let manual = self.0.lock();
        let elapsed_ms = i64::try_from(manual.elapsed.as_millis()).unwrap_or(i64::MAX);
        manual.wall_at_start_ms.saturating_add(elapsed_ms)
    }

    fn monotonic(&self) -> Duration {
        self.0.lock().elapsed
    }

    fn sleep(&self, duration: Duration) -> Sleep {
        let mut manual = self.0.lock();
        let deadline = manual.elapsed.saturating_add(duration);
        let sleeper = manual.next_sleeper;
        manual.next_sleeper += 1;
        if deadline > manual.elapsed {
            manual.sleepers.insert((deadline, sleeper), None);
        }
        Box::pin(Sleeper { clock: self.clone(), key: (deadline, sleeper) })
    }
}

impl Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let manual = self.0.lock();
        f.debug_struct("ManualClock")
            .field("elapsed", &manual.elapsed)
            .field("sleepers", &manual.sleepers.len())
            .finish_non_exhaustive()
    }
}

/// Counts from when it was made, not from its first poll, and is due once it left the clock's list.
struct Sleeper {
    clock: ManualClock,
    key: (Duration, u64),
}

impl Future for Sleeper {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.clock.0.lock().sleepers.get_mut(&self.key) {
            None => Poll::Ready(()),
            Some(waker) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        // The waker is dropped outside the lock: its drop may drop a task, and a sleeper with it.
        let removed = self.clock.0.lock().sleepers.remove(&self.key);
        drop(removed);
    }
}

#[cfg(test)]
mod tests;
