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

/// How a batch ended.
#[derive(Debug)]
enum End {
    /// All of it in one way.
    Settled(Outcome),
    /// As batches of their own, each with the number that its first record had.
    Split(Vec<(u32, Arc<Completion>)>),
}

/// Shared by the records of one batch.
#[derive(Debug, Default)]
pub(crate) struct Completion {
    end: OnceLock<End>,
    waiting: Mutex<Vec<Option<Waker>>>,
}

impl Completion {
    /// Tells everyone who waits, now or later.
    pub(crate) fn complete(&self, outcome: Outcome) {
        self.end(End::Settled(outcome));
    }

    /// From now on, the records are those of the parts: batches in order, each with the number of its
    /// first record in this one, beginning with 0.
    pub(crate) fn split(&self, parts: Vec<(u32, Arc<Self>)>) {
        self.end(End::Split(parts));
    }

    fn end(&self, end: End) {
        // A batch ends once; a second end would be a repetition of the first.
        let _ = self.end.set(end);
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
        let (mut completion, mut index) = (&self.completion, self.index());
        let outcome = loop {
            match completion.end.get()? {
                End::Settled(outcome) => break outcome,
                End::Split(parts) => (completion, index) = part(parts, index)?,
            }
        };
        Some(outcome.clone().map(|(partition, first)| Delivered {
            partition,
            offset: first.map(|first| first.plus(index)),
        }))
    }

    /// Waits for the part that the record has become one of, if its batch was split.
    #[cold]
    fn follow(&mut self) {
        while let Some(End::Split(parts)) = self.completion.end.get()
            && let Some((completion, index)) = part(parts, self.index())
        {
            let completion = Arc::clone(completion);
            self.at = NOWHERE << 32 | index;
            self.completion = completion;
        }
    }

    #[cold]
    fn forget_waker(&mut self) {
        if self.completion.end.get().is_none()
            && let Some(slot) = self.completion.waiting.lock().get_mut(self.place())
        {
            *slot = None;
        }
    }

    fn wait(&mut self, cx: &Context<'_>) {
        if self.completion.end.get().is_some() {
            self.follow();
        }
        let mut waiting = self.completion.waiting.lock();
        if self.completion.end.get().is_some() {
            // Ended meanwhile; whoever ends it may have taken the wakers already.
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

/// The part of a split batch with this record in it, and the record's number there.
fn part(parts: &[(u32, Arc<Completion>)], index: u64) -> Option<(&Arc<Completion>, u64)> {
    let after = parts.partition_point(|(first, _)| u64::from(*first) <= index);
    let (first, completion) = parts.get(after.checked_sub(1)?)?;
    Some((completion, index - u64::from(*first)))
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
