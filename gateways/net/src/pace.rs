//! Long work in slices: a request may name a million things, and a shard has other connections.

use std::future::poll_fn;
use std::task::Poll;

/// Steps of one slice; each is worth a look-up and its answer.
const SLICE: usize = 256;

/// Counts the steps of one request, and lets others have their turn after so many.
#[derive(Debug, Default)]
pub struct Pace {
    steps: usize,
}

impl Pace {
    /// One step is to be taken.
    pub async fn step(&mut self) {
        self.steps(1).await;
    }

    /// So many steps are to be taken at once.
    pub async fn steps(&mut self, steps: usize) {
        self.steps += steps;
        if self.steps >= SLICE {
            self.steps = 0;
            let mut waited = false;
            poll_fn(|context| {
                if std::mem::replace(&mut waited, true) {
                    return Poll::Ready(());
                }
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        }
    }
}
