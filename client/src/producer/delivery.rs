//! What becomes of a record: one shared completion per batch, an index per record.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};

use onrush_record::Offset;
use parking_lot::Mutex;

use crate::error::Error;

/// Where a record went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The partition.
    pub partition: u32,
    /// The offset in it. Absent where the broker does not say: without acknowledgements
    /// ([`Acks::None`](crate::Acks::None)), and when a retried record turns out to have been
    /// appended too long ago for the broker to remember where.
    pub offset: Option<Offset>,
}

/// What became of a batch: partition and offset of its first record.
pub(crate) type Outcome = Result<(u32, Option<Offset>), Error>;

/// Shared by the records of one batch.
#[derive(Debug, Default)]
pub(crate) struct Completion {
    outcome: OnceLock<Outcome>,
    waiting: Mutex<Vec<Option<Waker>>>,
}

impl Completion {
    /// Tells everyone who waits, now or later.
    pub(crate) fn complete(&self, outcome: Outcome) {
        // A batch is settled once; a second outcome would be a repetition of the first.
        let _ = self.outcome.set(outcome);
        let waiting = std::mem::take(&mut *self.waiting.lock());
        waiting.into_iter().flatten().for_each(Waker::wake);
    }
}

/// No waker is kept.
const NOWHERE: u64 = u32::MAX as u64;

/// The outcome of one record, some time in the future. Dropping it does not take the record back.
#[derive(Debug)]
#[must_use = "without awaiting it there is no telling whether the record arrived"]
pub struct Delivery {
    completion: Arc<Completion>,
    /// Low half: index of the record in its batch. High half: where this future's waker is kept,
    /// once it has waited; else [`NOWHERE`]. In one, so that the whole fits two registers.
    at: u64,
}

impl Delivery {
    #[inline]
    pub(crate) fn new(completion: Arc<Completion>, index: u32) -> Self {
        Self { completion, at: NOWHERE << 32 | u64::from(index) }
    }

    fn index(&self) -> u64 {
        self.at & u64::from(u32::MAX)
    }

    fn place(&self) -> usize {
        usize::try_from(self.at >> 32).unwrap_or(usize::MAX)
    }

    /// The outcome, if it is there already.
    pub fn try_outcome(&self) -> Option<Result<Delivered, Error>> {
        let outcome = self.completion.outcome.get()?;
        Some(outcome.clone().map(|(partition, first)| Delivered {
            partition,
            offset: first.map(|first| first.plus(self.index())),
        }))
    }

    #[cold]
    fn forget_waker(&mut self) {
        if self.completion.outcome.get().is_none()
            && let Some(slot) = self.completion.waiting.lock().get_mut(self.place())
        {
            *slot = None;
        }
    }

    fn wait(&mut self, cx: &Context<'_>) {
        let mut waiting = self.completion.waiting.lock();
        if self.completion.outcome.get().is_some() {
            // Settled meanwhile; whoever settles may have taken the wakers already.
            cx.waker().wake_by_ref();
            return;
        }
        match waiting.get_mut(self.place()) {
            Some(Some(waker)) if waker.will_wake(cx.waker()) => {}
            Some(slot) => *slot = Some(cx.waker().clone()),
            None => {
                let place = (waiting.len() as u64).min(NOWHERE);
                self.at = place << 32 | self.index();
                waiting.push(Some(cx.waker().clone()));
            }
        }
    }
}

impl Future for Delivery {
    type Output = Result<Delivered, Error>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.try_outcome() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                self.wait(cx);
                Poll::Pending
            }
        }
    }
}

impl Drop for Delivery {
    #[inline(always)]
    fn drop(&mut self) {
        if self.at >> 32 != NOWHERE {
            self.forget_waker();
        }
    }
}
