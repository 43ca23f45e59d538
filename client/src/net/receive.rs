//! Received bytes: read into large buffers that are used again, handed out as slices of them.

use std::collections::VecDeque;
use std::io;

use bytes::BytesMut;
use onrush_protocol::frame::FrameError;
use onrush_protocol::{FrameDecoder, HEADER_LEN};

use crate::connector::{Frame, Payload};

/// What one buffer holds at first: a few reads of a busy connection, small enough to stay cached.
const CHUNK_BYTES: usize = 256 << 10;

/// With less room than this left, a read goes to the next buffer.
const LEAST_READ_BYTES: usize = 16 << 10;

/// Used buffers kept to be used again once nothing points into them.
const KEPT: usize = 8;

/// Cuts a byte stream into frames without copying them.
#[derive(Debug)]
pub(crate) struct ReceiveBuffer {
    current: BytesMut,
    used: VecDeque<BytesMut>,
    chunk_bytes: usize,
    decoder: FrameDecoder,
    /// Whole length of the frame at the front, once its header is known.
    expected: usize,
}

impl ReceiveBuffer {
    pub(crate) fn new() -> Self {
        Self {
            current: BytesMut::new(),
            used: VecDeque::new(),
            chunk_bytes: 0,
            decoder: FrameDecoder::default(),
            expected: HEADER_LEN,
        }
    }

    /// The buffer to read into, with room in it.
    pub(crate) fn room(&mut self) -> &mut BytesMut {
        let have = self.current.len();
        let spare = self.current.capacity() - have;
        let missing = self.expected.saturating_sub(have);
        if spare < missing.max(LEAST_READ_BYTES.min(self.chunk_bytes / 2)) || spare == 0 {
            self.next_chunk(missing);
        }
        &mut self.current
    }

    /// Moves on to another buffer, taking along the piece of a frame that has arrived.
    fn next_chunk(&mut self, missing: usize) {
        let have = self.current.len();
        // The first one is small, so that an idle connection costs little; a frame larger than a
        // buffer gets room as its bytes come, not as they are announced.
        let grown = if self.chunk_bytes == 0 { LEAST_READ_BYTES } else { CHUNK_BYTES };
        let frame = (have + missing).min(have.max(CHUNK_BYTES) * 2);
        let need = grown.max(frame).next_power_of_two();
        if need > self.chunk_bytes {
            self.chunk_bytes = need;
            self.used.clear();
        }
        let mut next = self.reused(self.chunk_bytes);
        next.extend_from_slice(&self.current);
        let mut old = std::mem::replace(&mut self.current, next);
        if old.capacity() > 0 || have > 0 {
            old.clear();
            self.used.push_back(old);
            if self.used.len() > KEPT {
                self.used.pop_front();
            }
        }
    }

    fn reused(&mut self, bytes: usize) -> BytesMut {
        for i in 0..self.used.len() {
            if self.used[i].try_reclaim(bytes)
                && let Some(chunk) = self.used.remove(i)
            {
                return chunk;
            }
        }
        BytesMut::with_capacity(bytes)
    }

    /// Takes out every whole frame that has arrived.
    pub(crate) fn take_frames(&mut self, frames: &mut VecDeque<Frame>) -> io::Result<()> {
        loop {
            let Some(header) = self.decoder.header(&self.current).map_err(broken)? else {
                self.expected = HEADER_LEN;
                return Ok(());
            };
            let whole = header.frame_len();
            if self.current.len() < whole {
                self.expected = whole;
                return Ok(());
            }
            let mut bytes = self.current.split_to(whole).freeze();
            let _ = bytes.split_to(HEADER_LEN);
            let body = bytes.split_to(header.body_range().len());
            let payload =
                if bytes.is_empty() { Payload::new() } else { Payload::from_buf([bytes]) };
            frames.push_back(Frame { header, body, payload });
        }
    }
}

fn broken(error: FrameError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
