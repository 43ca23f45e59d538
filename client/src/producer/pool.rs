//! Buffers of batches, used again once a batch is settled.

use std::sync::Arc;

use parking_lot::Mutex;

/// Buffers kept; those beyond go back to the allocator.
const KEPT: usize = 64;

/// A stack of buffers, the warmest on top.
#[derive(Debug)]
pub(super) struct Pool {
    free: Mutex<Vec<Vec<u8>>>,
    capacity: usize,
}

impl Pool {
    /// A pool of buffers with room for `capacity` bytes each.
    pub(super) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { free: Mutex::new(Vec::new()), capacity })
    }

    /// A buffer, perhaps with old bytes in it.
    pub(super) fn take(&self) -> Vec<u8> {
        let free = self.free.lock().pop();
        free.unwrap_or_else(|| Vec::with_capacity(self.capacity))
    }

    /// Bytes whose buffer comes back when they are dropped.
    pub(super) fn keep(self: &Arc<Self>, bytes: Vec<u8>) -> Pooled {
        Pooled { bytes, pool: Arc::clone(self) }
    }
}

/// See [`Pool::keep`].
pub(super) struct Pooled {
    bytes: Vec<u8>,
    pool: Arc<Pool>,
}

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.bytes);
        // One that had to grow for a huge record, or is a compressed batch's, is not worth keeping.
        let usual = self.pool.capacity..=self.pool.capacity.saturating_mul(2);
        if usual.contains(&buffer.capacity()) {
            let mut free = self.pool.free.lock();
            if free.len() < KEPT {
                free.push(buffer);
            }
        }
    }
}
