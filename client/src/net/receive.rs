//! Received bytes: read into large buffers that are used again, handed out as slices of them.

use std::collections::VecDeque;
use std::io;

use bytes::buf::Limit;
use bytes::{BufMut, BytesMut};
use onrush_protocol::frame::FrameError;
use onrush_protocol::{FrameDecoder, HEADER_LEN};

use crate::connector::{Frame, Payload};

/// What one buffer holds at first: a few reads of a busy connection, small enough to stay cached.
const CHUNK_BYTES: usize = 256 << 10;

/// With less room than this left, a read goes to the next buffer.
const LEAST_READ_BYTES: usize = 16 << 10;

/// From this size on a read ends with the last frame that its buffer holds whole, as far as can be
/// foretold: what has come of one behind it would have to be copied to the next buffer.
const LARGE_FRAME_BYTES: usize = 64 << 10;

/// How far such a read may go into the frame behind: frames of one batch each differ by a little.
const BEYOND_BYTES: usize = 4 << 10;

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
    /// Whole length of the frame before it: the next is likely to be as long.
    last: usize,
}

impl ReceiveBuffer {
    pub(crate) fn new() -> Self {
        Self {
            current: BytesMut::new(),
            used: VecDeque::new(),
            chunk_bytes: 0,
            decoder: FrameDecoder::default(),
            expected: HEADER_LEN,
            last: 0,
        }
    }

    /// The buffer to read into, with room in it, and no more of it than should be read at once.
    pub(crate) fn room(&mut self) -> Limit<&mut BytesMut> {
        let have = self.current.len();
        let spare = self.current.capacity() - have;
        let missing = self.expected.saturating_sub(have);
        let whole = self.expected.max(self.last);
        let is_large = whole >= LARGE_FRAME_BYTES;
        let cut = is_large
            && have <= BEYOND_BYTES
            && self.current.capacity() < whole.min(self.chunk_bytes);
        if cut || spare < missing.max(LEAST_READ_BYTES.min(self.chunk_bytes / 2)) || spare == 0 {
            self.next_chunk(missing);
        }
        let capacity = self.current.capacity();
        let until = match is_large {
            true => (capacity / whole).max(1) * whole + BEYOND_BYTES,
            false => capacity,
        };
        let end = until.max(have + 1).min(capacity);
        (&mut self.current).limit(end - have)
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
        // The one used last is the likeliest to be in a cache still.
        for i in (0..self.used.len()).rev() {
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
            self.last = whole;
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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BufMut;
    use onrush_protocol::{FrameHeader, Opcode};

    /// Frames of many sizes, back to back, and what they hold.
    fn stream() -> (Vec<u8>, Vec<(usize, usize)>) {
        let sizes = [(0, 0), (3, 0), (40, 70_000), (0, 1), (9, 900_000), (17, 0), (5, 300_000)];
        let mut bytes = Vec::new();
        for (i, &(body, payload)) in sizes.iter().enumerate() {
            let at = u32::try_from(i).unwrap();
            let header = FrameHeader::new(Opcode::Deliver, 0, at, body, payload);
            bytes.extend_from_slice(&header.to_bytes());
            bytes.extend(std::iter::repeat_n(b'b', body));
            bytes.extend((0..payload).map(|at| u8::try_from(at % 251).unwrap()));
        }
        (bytes, sizes.to_vec())
    }

    #[test]
    fn frames_come_whole_however_they_arrive() {
        let (bytes, sizes) = stream();
        for step in [1000, 4096, 65_537, 1 << 20, usize::MAX] {
            let mut buffer = ReceiveBuffer::new();
            let mut frames = VecDeque::new();
            // Twice, so that buffers are used again while frames still point into others.
            for _ in 0..2 {
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let mut room = buffer.room();
                    let spare = room.remaining_mut();
                    assert!(spare > 0);
                    let (now, later) = rest.split_at(rest.len().min(step).min(spare));
                    room.put_slice(now);
                    rest = later;
                    buffer.take_frames(&mut frames).unwrap();
                }
            }
            assert_eq!(frames.len(), 2 * sizes.len());
            for (frame, &(body, payload)) in frames.iter().zip(sizes.iter().cycle()) {
                assert_eq!(frame.body, vec![b'b'; body]);
                let expected: Vec<u8> =
                    (0..payload).map(|at| u8::try_from(at % 251).unwrap()).collect();
                assert_eq!(frame.payload.concat(), expected, "in steps of {step}");
            }
        }
    }

    #[test]
    fn a_buffer_is_used_again_once_nothing_points_into_it() {
        let mut buffer = ReceiveBuffer::new();
        let mut frames = VecDeque::new();
        let header = FrameHeader::new(Opcode::Deliver, 0, 0, 0, 100_000).to_bytes();
        let mut places = std::collections::BTreeSet::new();
        for _ in 0..500 {
            let mut rest = [&header[..], &[7; 100_000]].concat();
            while !rest.is_empty() {
                let mut room = buffer.room();
                let now = rest.len().min(room.remaining_mut());
                room.put_slice(&rest[..now]);
                rest.drain(..now);
                buffer.take_frames(&mut frames).unwrap();
            }
            places.insert(frames[0].payload[0].as_ptr() as usize >> 19);
            frames.clear();
        }
        assert!(places.len() <= 8, "{} places", places.len());
    }

    #[test]
    fn of_a_large_frame_little_is_moved_to_the_next_buffer() {
        for size in [66_000, 200_000, 262_200, 600_000] {
            let mut bytes = Vec::new();
            for differs in [0, 3, 1, 40, 17, 2, 9].repeat(5) {
                let header = FrameHeader::new(Opcode::Deliver, 0, 0, 0, size + differs);
                bytes.extend_from_slice(&header.to_bytes());
                bytes.resize(bytes.len() + size + differs, 7);
            }
            let (mut buffer, mut frames, mut rest) =
                (ReceiveBuffer::new(), VecDeque::new(), &bytes[..]);
            let mut moved = 0;
            while !rest.is_empty() {
                let (at, have) = (buffer.current.as_ptr() as usize, buffer.current.len());
                let mut room = buffer.room();
                let (now, later) = rest.split_at(rest.len().min(room.remaining_mut()));
                room.put_slice(now);
                rest = later;
                if buffer.current.as_ptr() as usize != at && !frames.is_empty() {
                    moved += have;
                }
                buffer.take_frames(&mut frames).unwrap();
            }
            assert_eq!(frames.len(), 35);
            // Until it is seen how large they are, one may be cut.
            assert!(moved < size + 35 * BEYOND_BYTES, "{moved} bytes of frames of {size}");
        }
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        let mut buffer = ReceiveBuffer::new();
        buffer.room().put_slice(&[0xff; 16]);
        assert!(buffer.take_frames(&mut VecDeque::new()).is_err());
    }
}
