//! How who waits for a transaction's end hears of it.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::{Error, Signal};

/// How far an end has come.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Progress {
    /// It is not decided yet.
    Waiting,
    /// It is decided, durably.
    Decided,
    /// Everyone concerned knows.
    Done,
    /// It is decided, and takes longer than anyone should wait for it.
    Slow,
    /// It was not decided, or nobody can tell.
    Failed(Error),
}

/// One who waits. It may go away at any time: the end comes all the same.
#[derive(Debug)]
pub(super) struct Ticket {
    signal: Arc<Signal>,
    progress: Mutex<Progress>,
    /// When to stop waiting for what is decided, by the monotonic clock.
    pub(super) until: Duration,
}

impl Ticket {
    pub(super) fn new(until: Duration) -> Arc<Ticket> {
        let progress = Mutex::new(Progress::Waiting);
        Arc::new(Ticket { signal: Signal::new(), progress, until })
    }

    pub(super) fn tell(&self, progress: Progress) {
        *self.progress.lock() = progress;
        self.signal.notify();
    }

    /// Waits until it is over, one way or the other.
    pub(super) async fn wait(&self) -> Progress {
        loop {
            let progress = self.progress.lock().clone();
            if !matches!(progress, Progress::Waiting | Progress::Decided) {
                return progress;
            }
            self.signal.notified().await;
        }
    }
}
