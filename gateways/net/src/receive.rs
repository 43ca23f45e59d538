//! Receiving what does not come at once: a buffer of its own for what a connection holds of a frame
//! that has not wholly arrived in the shard's hot buffer.

use std::io::IoSliceMut;
use std::sync::Arc;

use onrush_broker::{Budget, Held};

/// A tail grows by at least this much.
const GROWTH_BYTES: usize = 4 * 1024;

/// The part of a frame that has arrived. It grows with what was received, never to what a header
/// announces, and is gone once the frame is whole.
#[derive(Default)]
pub(crate) struct Tail {
    /// Longer than what has arrived; never shrinks while in use, so that it is zeroed once.
    buffer: Vec<u8>,
    filled: usize,
    /// Length of the whole frame, once its beginning tells it.
    frame_len: Option<usize>,
    held: Option<Held>,
}

impl Tail {
    /// What has arrived.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// Bytes still missing from the frame; nothing while that cannot be told.
    pub(crate) fn missing(&self) -> Option<usize> {
        self.frame_len.map(|len| len - self.filled)
    }

    /// Keeps the incomplete frame `rest`, which is the end of a read.
    pub(crate) fn keep<E>(
        &mut self,
        rest: &[u8],
        frame_len: impl FnOnce(&[u8]) -> Result<Option<usize>, E>,
        budget: &Arc<Budget>,
        pool: &mut TailPool,
    ) -> Result<(), E> {
        if rest.is_empty() {
            return Ok(());
        }
        if self.buffer.is_empty() {
            self.buffer = pool.take();
        }
        let end = self.filled + rest.len();
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        self.buffer[self.filled..end].copy_from_slice(rest);
        self.grew(rest.len(), frame_len, budget)
    }

    /// `count` bytes were read into [`Tail::room`].
    pub(crate) fn grew<E>(
        &mut self,
        count: usize,
        frame_len: impl FnOnce(&[u8]) -> Result<Option<usize>, E>,
        budget: &Arc<Budget>,
    ) -> Result<(), E> {
        self.filled += count;
        if self.frame_len.is_none() {
            self.frame_len = frame_len(self.bytes())?;
        }
        self.held.get_or_insert_with(|| budget.hold(0));
        self.resume();
        Ok(())
    }

    /// Its connection is muted: for minutes, it may be. What has come with one read, which was at most
    /// `read_max`, counts as held no more until it goes on, for others would wait for it. The memory
    /// is bounded all the same: by that much for each connection that may be open, less than what the
    /// kernel may keep of it. So the buffer is cut to what it has. What is beyond still counts.
    pub(crate) fn pause(&mut self, read_max: usize) {
        let counts = self.filled.saturating_sub(read_max);
        if let Some(held) = &mut self.held
            && held.bytes() > counts as u64
        {
            self.buffer.truncate(self.filled);
            self.buffer.shrink_to_fit();
            held.resize(counts as u64);
        }
    }

    /// All of it counts as held, again.
    pub(crate) fn resume(&mut self) {
        if let Some(held) = &mut self.held {
            held.resize(self.filled as u64);
        }
    }

    /// Where the frame goes on: as much as it misses, but at most as much again as has arrived.
    pub(crate) fn room(&mut self) -> &mut [u8] {
        let frame_len = self.frame_len.unwrap_or(self.filled);
        let wanted = frame_len.min(self.filled + self.filled.max(GROWTH_BYTES));
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        let end = self.buffer.len().min(frame_len);
        &mut self.buffer[self.filled..end]
    }

    /// Gives the frame away, once it is whole.
    pub(crate) fn take_whole(&mut self) -> Option<TailFrame> {
        if self.frame_len != Some(self.filled) {
            return None;
        }
        let Tail { buffer, filled, held, .. } = std::mem::take(self);
        Some(TailFrame { buffer, len: filled, _held: held })
    }

    /// Forgets the frame.
    pub(crate) fn clear(&mut self, pool: &mut TailPool) {
        if !self.buffer.is_empty() {
            pool.give_buffer(std::mem::take(&mut self.buffer));
        }
        self.filled = 0;
        self.frame_len = None;
        self.held = None;
    }
}

/// A whole frame that came with several reads. It counts as held until it is dropped.
#[derive(Debug)]
pub struct TailFrame {
    buffer: Vec<u8>,
    len: usize,
    _held: Option<Held>,
}

impl TailFrame {
    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.buffer[..self.len]
    }
}

/// Buffers of finished tails, for the next ones.
#[derive(Default)]
pub(crate) struct TailPool {
    spare: Vec<Vec<u8>>,
}

impl TailPool {
    const SPARE_MAX: usize = 4;
    const BYTES_MAX: usize = 1024 * 1024;

    fn take(&mut self) -> Vec<u8> {
        self.spare.pop().unwrap_or_default()
    }

    /// A frame is done with.
    pub(crate) fn give(&mut self, frame: TailFrame) {
        self.give_buffer(frame.buffer);
    }

    fn give_buffer(&mut self, buffer: Vec<u8>) {
        if self.spare.len() < Self::SPARE_MAX && buffer.capacity() <= Self::BYTES_MAX {
            self.spare.push(buffer);
        }
    }
}

/// The two places that one read fills, one after the other.
pub(crate) fn places<'a>(tail: &'a mut Tail, hot: &'a mut [u8]) -> [IoSliceMut<'a>; 2] {
    [IoSliceMut::new(tail.room()), IoSliceMut::new(hot)]
}
