//! Buffers of batches, used again once a batch is settled.

use std::sync::Arc;

use parking_lot::Mutex;

/// Buffers kept, and bytes of them together; those beyond go back to the allocator.
const KEPT: usize = 64;
const KEPT_BYTES: usize = 8 << 20;

/// A new buffer has room for no more than this and grows as it is used: most batches of a producer
/// with many partitions never become large.
const FIRST: usize = 64 << 10;

/// A stack of buffers, the warmest on top.
#[derive(Debug)]
pub(super) struct Pool {
    free: Mutex<Free>,
    /// Room in a full batch's buffer.
    capacity: usize,
}

#[derive(Debug, Default)]
struct Free {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

impl Pool {
    /// A pool of buffers for batches that take up to `capacity` bytes each.
    pub(super) fn new(capacity: usize) -> Arc<Self> {
        Arc::new(Self { free: Mutex::default(), capacity })
    }

    /// A buffer, perhaps with old bytes in it.
    pub(super) fn take(&self) -> Vec<u8> {
        let mut free = self.free.lock();
        if let Some(buffer) = free.buffers.pop() {
            free.bytes -= buffer.capacity();
            return buffer;
        }
        drop(free);
        Vec::with_capacity(self.capacity.min(FIRST))
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
        let usual = self.pool.capacity.min(FIRST)..=self.pool.capacity.saturating_mul(2);
        if usual.contains(&buffer.capacity()) {
            let mut free = self.pool.free.lock();
            let bytes = free.bytes + buffer.capacity();
            if free.buffers.is_empty() || (free.buffers.len() < KEPT && bytes <= KEPT_BYTES) {
                free.bytes = bytes;
                free.buffers.push(buffer);
            }
        }
    }
}
