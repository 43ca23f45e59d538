//! What waits to be sent: encoded bytes, and between them slices of the log that are not copied.

use std::collections::VecDeque;

use bytes::{Buf as _, BytesMut};
use onrush_broker::{ReadMode, Slice};
use onrush_protocol::frame::{FLAG_PUSH, FLAG_RESPONSE, encode_frame};
use onrush_protocol::{FrameHeader, HEADER_LEN, Opcode};

/// An empty outbox keeps a buffer of at most this size, so that an idle connection costs little.
const KEPT_CAPACITY: usize = 1024;

/// A slice that goes out once all encoded bytes before it have.
struct Placed {
    /// How many encoded bytes, counted from the first there ever was, go before it.
    after: u64,
    slice: Slice,
    sent: u32,
}

/// What is to be sent next.
pub(crate) enum Next<'a> {
    /// Encoded bytes; `more` when a slice follows at once.
    Bytes { bytes: &'a [u8], more: bool },
    /// What is left of a slice, from this byte of it on.
    Slice { slice: &'a Slice, from: u32 },
    /// Nothing.
    Nothing,
}

/// Frames in the order of their leaving.
#[derive(Default)]
pub(crate) struct Outbox {
    bytes: BytesMut,
    /// Encoded bytes that have left.
    passed: u64,
    slices: VecDeque<Placed>,
    slice_bytes: u64,
    copy_bytes_max: u32,
}

impl Outbox {
    pub(crate) fn new(copy_bytes_max: u32) -> Self {
        Self { copy_bytes_max, ..Self::default() }
    }

    /// Appends the response to a request.
    pub(crate) fn respond(
        &mut self,
        opcode: Opcode,
        correlation: u32,
        body: impl FnOnce(&mut BytesMut),
    ) {
        encode_frame(&mut self.bytes, opcode, FLAG_RESPONSE, correlation, 0, body);
    }

    /// Appends a response whose opcode has no name.
    pub(crate) fn respond_raw(
        &mut self,
        opcode: u16,
        correlation: u32,
        body: impl FnOnce(&mut BytesMut),
    ) {
        let start = self.bytes.len();
        self.respond(Opcode::Ping, correlation, body);
        self.bytes[start + 4..start + 6].copy_from_slice(&opcode.to_le_bytes());
    }

    /// Appends a response with record batches.
    pub(crate) fn respond_with(
        &mut self,
        opcode: Opcode,
        correlation: u32,
        payload: impl Iterator<Item = Slice> + Clone,
        body: impl FnOnce(&mut BytesMut),
    ) {
        let length = payload.clone().map(|slice| slice.len() as usize).sum();
        encode_frame(&mut self.bytes, opcode, FLAG_RESPONSE, correlation, length, body);
        payload.for_each(|slice| self.slice(slice));
    }

    /// Appends a frame nobody asked for.
    pub(crate) fn push(
        &mut self,
        opcode: Opcode,
        payload: Option<Slice>,
        body: impl FnOnce(&mut BytesMut),
    ) {
        let length = payload.as_ref().map_or(0, |slice| slice.len() as usize);
        encode_frame(&mut self.bytes, opcode, FLAG_PUSH, 0, length, body);
        if let Some(slice) = payload {
            self.slice(slice);
        }
    }

    /// Appends a frame encoded elsewhere.
    pub(crate) fn encoded(&mut self, frame: &[u8]) {
        self.bytes.extend_from_slice(frame);
    }

    fn slice(&mut self, slice: Slice) {
        let len = slice.len();
        if len == 0 {
            return;
        }
        if len <= self.copy_bytes_max {
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
    pub(crate) fn encoded_len(&self) -> usize {
        self.bytes.len()
    }

    /// Everything that waits.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        self.bytes.len() as u64 + self.slice_bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty() && self.slices.is_empty()
    }

    /// What to send next.
    pub(crate) fn next(&self) -> Next<'_> {
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
    pub(crate) fn sent(&mut self, count: usize) {
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

    /// Takes the first frame out whole, its record batches as bytes of the log's mapping: for
    /// connections within the process. Nothing once the outbox is empty.
    pub(crate) fn pop_frame(
        &mut self,
        mode: ReadMode,
    ) -> Option<Result<crate::Frame, onrush_broker::StorageError>> {
        let head: &[u8; HEADER_LEN] = self.bytes.first_chunk()?;
        let header = FrameHeader::read(head);
        self.skip(HEADER_LEN);
        let body = self.take(header.body_length as usize);
        let mut payload = crate::Payload::new();
        let mut missing = header.payload_len();
        while missing > 0 {
            let piece = match self.slices.front() {
                Some(placed) if placed.after == self.passed => {
                    let piece = placed.slice.to_bytes(mode);
                    self.slice_bytes -= u64::from(placed.slice.len());
                    self.slices.pop_front();
                    match piece {
                        Ok(piece) => piece,
                        Err(error) => return Some(Err(error)),
                    }
                }
                Some(placed) => {
                    let before = usize::try_from(placed.after - self.passed).unwrap_or(usize::MAX);
                    self.take(before.min(missing))
                }
                None => self.take(missing),
            };
            missing = missing.saturating_sub(piece.len());
            payload.push(piece);
        }
        Some(Ok(crate::Frame { header, body, payload }))
    }

    fn skip(&mut self, count: usize) {
        self.bytes.advance(count);
        self.passed += count as u64;
    }

    fn take(&mut self, count: usize) -> bytes::Bytes {
        let taken = self.bytes.split_to(count).freeze();
        self.passed += count as u64;
        taken
    }
}
