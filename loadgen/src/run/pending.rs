//! Messages that were sent and are not yet acknowledged.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use onrush_client::Delivery;

use super::recorder::Recorder;
use super::shared::Shared;

/// Sent messages in order; an entry may stand for the few sent just before it as well.
#[derive(Debug, Default)]
pub(super) struct Pending {
    entries: VecDeque<Entry>,
}

#[derive(Debug)]
struct Entry {
    due_ns: u64,
    count: u64,
    delivery: Delivery,
}

impl Pending {
    /// How many entries wait.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Adds one that stands for `count` messages, the last of them due at `due_ns`.
    pub(super) fn push(&mut self, due_ns: u64, count: u64, delivery: Delivery) {
        self.entries.push_back(Entry { due_ns, count, delivery });
    }

    /// Takes those at the front that are decided, without waiting.
    ///
    /// `now` is asked at most once, after the first has turned out to be decided.
    pub(super) fn reap(&mut self, recorder: &mut Recorder, shared: &Shared, now: impl Fn() -> u64) {
        let (mut now_ns, mut acknowledged) = (None, 0);
        while let Some(entry) = self.entries.front() {
            let Some(outcome) = entry.delivery.try_outcome() else { break };
            let now_ns = *now_ns.get_or_insert_with(&now);
            match outcome {
                Ok(_) => {
                    recorder.acknowledged(entry.due_ns, now_ns, entry.count);
                    acknowledged += entry.count;
                }
                Err(error) => {
                    recorder.failed(error, entry.count);
                    shared.add_failed(entry.count);
                }
            }
            self.entries.pop_front();
        }
        shared.add_acknowledged(acknowledged);
    }

    /// Whether none waits any more; if some do, `cx` is woken when the first of them is decided.
    pub(super) fn poll_empty(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.entries.front_mut() {
            None => Poll::Ready(()),
            Some(entry) => match Pin::new(&mut entry.delivery).poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(_) => {
                    // Decided since it was looked at: look again.
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            },
        }
    }
}
