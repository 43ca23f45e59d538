//! What waits to be sent: encoded bytes, and between them slices of the log that are not copied.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes, BytesMut};
use onrush_broker::{ReadMode, Slice, StorageError};

/// An empty outbox keeps a buffer of at most this size, so that an idle connection costs little.
const KEPT_CAPACITY: usize = 1024;

/// With so many bytes waiting nothing more is copied behind them: what a reader is owed stays in the
/// log's files, however many small pieces it consists of.
const COPIED_BYTES_MAX: usize = 1024 * 1024;

/// A slice that goes out once all encoded bytes before it have.
struct Placed {
    /// How many encoded bytes, counted from the first there ever was, go before it.
    after: u64,
    slice: Slice,
    sent: u32,
}

/// What is to be sent next.
pub enum Next<'a> {
    /// Encoded bytes.
    Bytes {
        /// They.
        bytes: &'a [u8],
        /// Whether a slice follows at once.
        more: bool,
    },
    /// What is left of a slice.
    Slice {
        /// It.
        slice: &'a Slice,
        /// From this byte of it on.
        from: u32,
    },
    /// Nothing.
    Nothing,
}

/// Frames in the order of their leaving.
#[derive(Default)]
pub struct Outbox {
    bytes: BytesMut,
    /// Encoded bytes that have left.
    passed: u64,
    slices: VecDeque<Placed>,
    slice_bytes: u64,
    copy_bytes_max: u32,
}

impl Outbox {
    /// An empty one; slices up to `copy_bytes_max` are copied behind their header and leave with it
    /// in one system call.
    pub fn new(copy_bytes_max: u32) -> Self {
        Self { copy_bytes_max, ..Self::default() }
    }

    /// Where encoded bytes are appended. What is there already is not to be changed.
    pub fn bytes(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// Appends record batches: small ones are copied as long as little waits, others will go from
    /// their file to the socket.
    pub fn slice(&mut self, slice: Slice) {
        let len = slice.len();
        if len == 0 {
            return;
        }
        if len <= self.copy_bytes_max && self.bytes.len() < COPIED_BYTES_MAX {
            let start = self.bytes.len();
            self.bytes.resize(start + len as usize, 0);
            if slice.read_into(0, &mut self.bytes[start..]).is_ok() {
                return;
            }
            // Sending it from the file will meet the same fault and say so.
            self.bytes.truncate(start);
        }
        self.slice_bytes += u64::from(len);
        let after = self.passed + self.bytes.len() as u64;
        self.slices.push_back(Placed { after, slice, sent: 0 });
    }

    /// Encoded bytes that wait.
    pub fn encoded_len(&self) -> usize {
        self.bytes.len()
    }

    /// Everything that waits.
    pub fn waiting_bytes(&self) -> u64 {
        self.bytes.len() as u64 + self.slice_bytes
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.slices.is_empty()
    }

    /// What to send next.
    pub fn next(&self) -> Next<'_> {
        match self.slices.front() {
            None if self.bytes.is_empty() => Next::Nothing,
            None => Next::Bytes { bytes: &self.bytes, more: false },
            Some(placed) if placed.after == self.passed => {
                Next::Slice { slice: &placed.slice, from: placed.sent }
            }
            Some(placed) => {
                let before = usize::try_from(placed.after - self.passed).unwrap_or(usize::MAX);
                Next::Bytes { bytes: &self.bytes[..before.min(self.bytes.len())], more: true }
            }
        }
    }

    /// `count` of the bytes that [`Outbox::next`] gave have left.
    pub fn sent(&mut self, count: usize) {
        match self.slices.front_mut() {
            Some(placed) if placed.after == self.passed => {
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                placed.sent += count;
                self.slice_bytes -= u64::from(count);
                if placed.sent >= placed.slice.len() {
                    self.slices.pop_front();
                }
            }
            _ => {
                self.bytes.advance(count);
                self.passed += count as u64;
            }
        }
        if self.is_empty() {
            self.let_go();
        }
    }

    /// Gives back what an idle connection does not need.
    fn let_go(&mut self) {
        if self.bytes.capacity() > KEPT_CAPACITY {
            self.bytes = BytesMut::new();
        }
        if self.slices.capacity() > 8 {
            self.slices = VecDeque::new();
        }
    }

    /// The first encoded bytes, for who takes them out instead of sending them. Slices may come
    /// before the last of them.
    pub fn peek(&self) -> &[u8] {
        &self.bytes
    }

    /// Passes over encoded bytes.
    pub fn skip(&mut self, count: usize) {
        self.bytes.advance(count);
        self.passed += count as u64;
    }

    /// Takes out what comes next: encoded bytes, at most so many, or a slice, whole, by way of the
    /// log's mapping or as a copy. For connections within the process.
    ///
    /// # Errors
    /// What reading the slice gives.
    pub fn take_piece(&mut self, max: usize, mode: ReadMode) -> Result<Bytes, StorageError> {
        let before = match self.slices.front() {
            Some(placed) if placed.after == self.passed => {
                let piece = placed.slice.to_bytes(mode);
                self.slice_bytes -= u64::from(placed.slice.len());
                self.slices.pop_front();
                return piece;
            }
            Some(placed) => usize::try_from(placed.after - self.passed).unwrap_or(usize::MAX),
            None => max,
        };
        Ok(self.take(before.min(max)))
    }

    /// Takes encoded bytes out.
    pub fn take(&mut self, count: usize) -> Bytes {
        let taken = self.bytes.split_to(count).freeze();
        self.passed += count as u64;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_small_slices_are_not_all_copied() {
        const LEN: usize = 16 * 1024;
        let mut outbox = Outbox::new(16 * 1024);
        for number in 0..200_u8 {
            outbox.bytes().extend_from_slice(&[number; 10]);
            outbox.slice(Slice::Bytes(vec![number; LEN].into()));
        }
        assert_eq!(outbox.waiting_bytes(), 200 * (10 + LEN as u64));
        assert!(outbox.encoded_len() <= COPIED_BYTES_MAX + LEN + 200 * 10);
        let mut sent = Vec::new();
        while !outbox.is_empty() {
            let piece = match outbox.next() {
                Next::Bytes { bytes, .. } => bytes.to_vec(),
                Next::Slice { slice, .. } => slice.to_bytes(ReadMode::Copied).unwrap().to_vec(),
                Next::Nothing => unreachable!("it is not empty"),
            };
            outbox.sent(piece.len());
            sent.extend(piece);
        }
        let whole = (0..200_u8).flat_map(|number| [number; 10 + LEN]);
        assert!(sent.into_iter().eq(whole), "in order, and unchanged");
    }
}
