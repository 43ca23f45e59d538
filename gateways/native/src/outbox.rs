//! Frames of the native protocol, on their way out.

use bytes::BytesMut;
use onrush_broker::{ReadMode, Slice, StorageError};
use onrush_protocol::frame::{FLAG_PUSH, FLAG_RESPONSE, encode_frame};
use onrush_protocol::{FrameHeader, HEADER_LEN, Opcode};

use crate::frame::{Frame, Payload};

/// What waits to be sent, by frames.
pub(crate) struct Outbox(onrush_gateway_net::Outbox);

impl Outbox {
    pub(crate) fn new(copy_bytes_max: u32) -> Self {
        Self(onrush_gateway_net::Outbox::new(copy_bytes_max))
    }

    /// What the connection sends.
    pub(crate) fn bytes(&mut self) -> &mut onrush_gateway_net::Outbox {
        &mut self.0
    }

    /// Appends the response to a request.
    pub(crate) fn respond(
        &mut self,
        opcode: Opcode,
        correlation: u32,
        body: impl FnOnce(&mut BytesMut),
    ) {
        encode_frame(self.0.bytes(), opcode, FLAG_RESPONSE, correlation, 0, body);
    }

    /// Appends a response whose opcode has no name.
    pub(crate) fn respond_raw(
        &mut self,
        opcode: u16,
        correlation: u32,
        body: impl FnOnce(&mut BytesMut),
    ) {
        let start = self.0.encoded_len();
        self.respond(Opcode::Ping, correlation, body);
        self.0.bytes()[start + 4..start + 6].copy_from_slice(&opcode.to_le_bytes());
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
        encode_frame(self.0.bytes(), opcode, FLAG_RESPONSE, correlation, length, body);
        payload.for_each(|slice| self.0.slice(slice));
    }

    /// Appends a frame nobody asked for.
    pub(crate) fn push(
        &mut self,
        opcode: Opcode,
        payload: Option<Slice>,
        body: impl FnOnce(&mut BytesMut),
    ) {
        let length = payload.as_ref().map_or(0, |slice| slice.len() as usize);
        encode_frame(self.0.bytes(), opcode, FLAG_PUSH, 0, length, body);
        if let Some(slice) = payload {
            self.0.slice(slice);
        }
    }

    /// Appends a frame encoded elsewhere.
    pub(crate) fn encoded(&mut self, frame: &[u8]) {
        self.0.bytes().extend_from_slice(frame);
    }

    /// Encoded bytes that wait.
    pub(crate) fn encoded_len(&self) -> usize {
        self.0.encoded_len()
    }

    /// Everything that waits.
    pub(crate) fn waiting_bytes(&self) -> u64 {
        self.0.waiting_bytes()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the first frame out whole, its record batches as bytes of the log's mapping: for
    /// connections within the process. Nothing once the outbox is empty.
    pub(crate) fn pop_frame(&mut self, mode: ReadMode) -> Option<Result<Frame, StorageError>> {
        let head: &[u8; HEADER_LEN] = self.0.peek().first_chunk()?;
        let header = FrameHeader::read(head);
        self.0.skip(HEADER_LEN);
        let body = self.0.take(header.body_length as usize);
        let mut payload = Payload::new();
        let mut missing = header.payload_len();
        while missing > 0 {
            match self.0.take_piece(missing, mode) {
                Ok(piece) => {
                    missing = missing.saturating_sub(piece.len());
                    payload.push(piece);
                }
                Err(error) => return Some(Err(error)),
            }
        }
        Some(Ok(Frame { header, body, payload }))
    }
}
