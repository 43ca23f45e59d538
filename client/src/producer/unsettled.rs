//! Which batches are not settled yet, so that a flush knows what it waits for.

use std::collections::VecDeque;

/// Counts batches by generation; each flush ends one.
#[derive(Debug)]
pub(super) struct Unsettled {
    /// Generation of the first count.
    first: u64,
    counts: VecDeque<usize>,
}

impl Unsettled {
    pub(super) fn new() -> Self {
        Self { first: 0, counts: VecDeque::from([0]) }
    }

    /// A batch was opened; answers with its generation.
    pub(super) fn opened(&mut self) -> u64 {
        if let Some(count) = self.counts.back_mut() {
            *count += 1;
        }
        self.current()
    }

    /// A batch of this generation, which is not settled, became so many more.
    pub(super) fn opened_more(&mut self, generation: u64, more: usize) {
        if let Some(count) = self.count(generation) {
            *count += more;
        }
    }

    /// A batch of this generation is settled.
    pub(super) fn settled(&mut self, generation: u64) {
        if let Some(count) = self.count(generation) {
            *count = count.saturating_sub(1);
        }
        while self.counts.len() > 1 && self.counts.front() == Some(&0) {
            self.counts.pop_front();
            self.first += 1;
        }
    }

    /// Ends the current generation and answers with it.
    pub(super) fn end_generation(&mut self) -> u64 {
        let ended = self.current();
        self.counts.push_back(0);
        self.settled(u64::MAX);
        ended
    }

    /// Whether all batches up to this generation are settled.
    pub(super) fn is_settled(&self, generation: u64) -> bool {
        self.first > generation
    }

    /// Whether there are none at all.
    pub(super) fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| *count == 0)
    }

    fn count(&mut self, generation: u64) -> Option<&mut usize> {
        let index = usize::try_from(generation.saturating_sub(self.first)).unwrap_or(usize::MAX);
        self.counts.get_mut(index)
    }

    fn current(&self) -> u64 {
        self.first + (self.counts.len() as u64).saturating_sub(1)
    }
}
