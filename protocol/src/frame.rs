//! Frames: how a byte stream is cut into messages.
//!
//! A frame is a header of 16 bytes, a body of fields, and a payload of raw record batches, which
//! this crate never looks into or copies.

use std::ops::Range;

use bytes::{BufMut, BytesMut};

use crate::opcode::Opcode;

/// Bytes of a frame's header, its length field included.
pub const HEADER_LEN: usize = 16;

/// Bytes of the header that its length field counts.
const COUNTED_HEADER: u32 = 12;

/// The largest frame (as its length field counts) unless `Hello` says otherwise: 64 MiB.
pub const DEFAULT_MAX_FRAME: u32 = 64 << 20;

/// The largest body: 1 MiB. Only payloads may be larger.
pub const MAX_BODY: u32 = 1 << 20;

/// Flag: the frame answers the request that had its correlation id.
pub const FLAG_RESPONSE: u16 = 1 << 0;

/// Flag: the broker sends the frame unasked.
pub const FLAG_PUSH: u16 = 1 << 1;

const KNOWN_FLAGS: u16 = FLAG_RESPONSE | FLAG_PUSH;

/// The fixed head of a frame. The opcode is kept as a number: an unknown one is a refusal of that
/// request, not the end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// Bytes after the length field: 12, body and payload.
    pub length: u32,
    /// See [`Opcode`].
    pub opcode: u16,
    /// [`FLAG_RESPONSE`], [`FLAG_PUSH`] or neither.
    pub flags: u16,
    /// Chosen by the requester; its response has the same.
    pub correlation: u32,
    /// Bytes of body; what remains of the frame is payload.
    pub body_length: u32,
}

impl FrameHeader {
    /// A header over `body_length` and `payload_length` bytes.
    ///
    /// Lengths that do not fit are cut to the largest there is, which every receiver refuses.
    pub fn new(
        opcode: Opcode,
        flags: u16,
        correlation: u32,
        body_length: usize,
        payload_length: usize,
    ) -> Self {
        let total = body_length.saturating_add(payload_length);
        Self {
            length: u32::try_from(total).unwrap_or(u32::MAX).saturating_add(COUNTED_HEADER),
            opcode: opcode.code(),
            flags,
            correlation,
            body_length: u32::try_from(body_length).unwrap_or(u32::MAX),
        }
    }

    /// Reads the fields; [`FrameDecoder::check`] says whether they are acceptable.
    pub fn read(bytes: &[u8; HEADER_LEN]) -> Self {
        let u32_at = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        Self {
            length: u32_at(0),
            opcode: u16_at(4),
            flags: u16_at(6),
            correlation: u32_at(8),
            body_length: u32_at(12),
        }
    }

    /// The header as it goes on the wire.
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[0..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4..6].copy_from_slice(&self.opcode.to_le_bytes());
        bytes[6..8].copy_from_slice(&self.flags.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.correlation.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.body_length.to_le_bytes());
        bytes
    }

    /// Appends the header.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_slice(&self.to_bytes());
    }

    /// Whether this answers a request.
    pub fn is_response(&self) -> bool {
        self.flags & FLAG_RESPONSE != 0
    }

    /// Whether the broker sent this unasked.
    pub fn is_push(&self) -> bool {
        self.flags & FLAG_PUSH != 0
    }

    /// Bytes of the whole frame, from its first to its last.
    pub fn frame_len(&self) -> usize {
        self.length as usize + 4
    }

    /// Bytes of payload.
    pub fn payload_len(&self) -> usize {
        (self.length as usize).saturating_sub(COUNTED_HEADER as usize + self.body_length as usize)
    }

    /// Where the body is, from the frame's first byte.
    pub fn body_range(&self) -> Range<usize> {
        HEADER_LEN..HEADER_LEN + self.body_length as usize
    }

    /// Where the payload is, from the frame's first byte.
    pub fn payload_range(&self) -> Range<usize> {
        HEADER_LEN + self.body_length as usize..self.frame_len()
    }
}

/// Bytes that cannot be a frame. Nothing after them can be trusted: say so and close.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The frame, or its body, is announced larger than allowed.
    #[error("frame announces {announced} bytes, at most {max} are allowed")]
    TooLarge {
        /// Bytes announced.
        announced: u32,
        /// Bytes allowed.
        max: u32,
    },
    /// The length does not even cover the header.
    #[error("frame announces {announced} bytes, its header alone has {COUNTED_HEADER}")]
    TooShort {
        /// Bytes announced.
        announced: u32,
    },
    /// The body reaches beyond the frame.
    #[error("a body of {body} bytes does not fit into a frame of {length}")]
    BodyBeyondFrame {
        /// Bytes of body announced.
        body: u32,
        /// The frame's length field.
        length: u32,
    },
    /// Flags that no one has given a meaning, or both at once.
    #[error("frame flags {flags:#06x} have no meaning")]
    BadFlags {
        /// The flags.
        flags: u16,
    },
}

/// A whole frame inside received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its header.
    pub header: FrameHeader,
    /// The fields, to be decoded by `request` or `response`.
    pub body: &'a [u8],
    /// Raw record batches.
    pub payload: &'a [u8],
}

/// What the bytes received so far amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameStep<'a> {
    /// Not a whole frame yet.
    Incomplete {
        /// Bytes, counted from the frame's first, without which there is no progress. It grows to
        /// the whole frame once the header is there; it is no reason to allocate as much.
        need: usize,
    },
    /// A whole frame; the next begins [`FrameHeader::frame_len`] bytes further on.
    Frame(Frame<'a>),
}

/// Cuts a byte stream into frames. Holds limits, no bytes.
#[derive(Clone, Copy, Debug)]
pub struct FrameDecoder {
    max_frame: u32,
    max_body: u32,
}

impl Default for FrameDecoder {
    fn default() -> Self {
        Self::new(DEFAULT_MAX_FRAME)
    }
}

impl FrameDecoder {
    /// Accepts frames whose length field is at most `max_frame`, and bodies up to [`MAX_BODY`].
    pub const fn new(max_frame: u32) -> Self {
        Self { max_frame, max_body: MAX_BODY }
    }

    /// The largest length field accepted.
    pub const fn max_frame(&self) -> u32 {
        self.max_frame
    }

    /// The header at the start of `bytes`, checked; `None` while it is incomplete.
    pub fn header(&self, bytes: &[u8]) -> Result<Option<FrameHeader>, FrameError> {
        // The length alone is enough to refuse: the rest of a header may never come.
        if let Some(length) = bytes.first_chunk::<4>() {
            self.check_length(u32::from_le_bytes(*length))?;
        }
        let Some(bytes) = bytes.first_chunk::<HEADER_LEN>() else { return Ok(None) };
        let header = FrameHeader::read(bytes);
        self.check(&header)?;
        Ok(Some(header))
    }

    /// Whether a header is acceptable.
    pub fn check(&self, header: &FrameHeader) -> Result<(), FrameError> {
        self.check_length(header.length)?;
        if header.body_length > header.length - COUNTED_HEADER {
            return Err(FrameError::BodyBeyondFrame {
                body: header.body_length,
                length: header.length,
            });
        }
        if header.body_length > self.max_body {
            return Err(FrameError::TooLarge { announced: header.body_length, max: self.max_body });
        }
        if header.flags & !KNOWN_FLAGS != 0 || header.flags == KNOWN_FLAGS {
            return Err(FrameError::BadFlags { flags: header.flags });
        }
        Ok(())
    }

    fn check_length(&self, length: u32) -> Result<(), FrameError> {
        if length < COUNTED_HEADER {
            return Err(FrameError::TooShort { announced: length });
        }
        if length > self.max_frame {
            return Err(FrameError::TooLarge { announced: length, max: self.max_frame });
        }
        Ok(())
    }

    /// The frame at the start of `bytes`.
    pub fn decode<'a>(&self, bytes: &'a [u8]) -> Result<FrameStep<'a>, FrameError> {
        let Some(header) = self.header(bytes)? else {
            return Ok(FrameStep::Incomplete { need: HEADER_LEN });
        };
        match (bytes.get(header.body_range()), bytes.get(header.payload_range())) {
            (Some(body), Some(payload)) => Ok(FrameStep::Frame(Frame { header, body, payload })),
            _ => Ok(FrameStep::Incomplete { need: header.frame_len() }),
        }
    }
}

/// Appends a frame up to where its payload begins: header and body. The caller sends
/// `payload_length` bytes of payload right after, from wherever they lie.
pub fn encode_frame(
    out: &mut BytesMut,
    opcode: Opcode,
    flags: u16,
    correlation: u32,
    payload_length: usize,
    body: impl FnOnce(&mut BytesMut),
) {
    let start = out.len();
    out.put_slice(&[0; HEADER_LEN]);
    body(out);
    let body_length = out.len() - start - HEADER_LEN;
    let header = FrameHeader::new(opcode, flags, correlation, body_length, payload_length);
    out[start..start + HEADER_LEN].copy_from_slice(&header.to_bytes());
}
