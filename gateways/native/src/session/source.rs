//! A frame and where its parts are.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use onrush_broker::{Budget, Held};
use onrush_gateway_net::{Payload, Turn};
use onrush_protocol::{FrameHeader, HEADER_LEN};

/// A frame and where its parts are.
pub(crate) enum Source {
    /// It came over a wire, all of it in one place.
    Wire(onrush_gateway_net::Source),
    /// It never was on a wire.
    InProcess { body: Bytes, payload: BytesMut, held: Option<Held> },
}

impl Source {
    /// The message itself.
    pub(super) fn body<'a>(&'a self, header: &FrameHeader, turn: &'a Turn) -> &'a [u8] {
        match self {
            Source::Wire(frame) => &frame.bytes(turn)[HEADER_LEN..header.payload_range().start],
            Source::InProcess { body, .. } => body,
        }
    }

    /// Bytes of record batches behind it.
    pub(super) fn payload_len(&self, header: &FrameHeader) -> usize {
        match self {
            Source::Wire(_) => header.payload_len(),
            Source::InProcess { payload, .. } => payload.len(),
        }
    }

    /// The same outside of the hot buffer, and counted against the byte budget: for who has to keep
    /// it over the turn.
    pub(super) fn kept(self, turn: &Turn, budget: &Arc<Budget>) -> Source {
        match self {
            Source::Wire(frame) => Source::Wire(frame.kept(turn, budget)),
            Source::InProcess { body, payload, held } => {
                let held = held.unwrap_or_else(|| budget.hold((body.len() + payload.len()) as u64));
                Source::InProcess { body, payload, held: Some(held) }
            }
        }
    }

    /// Its record batches, as far as they are there.
    pub(super) fn payload<'a>(&'a self, header: &FrameHeader, turn: &'a Turn) -> &'a [u8] {
        match self {
            Source::Wire(frame) => &frame.bytes(turn)[header.payload_range()],
            Source::InProcess { payload, .. } => payload,
        }
    }

    /// Has the turn keep it; tells where its record batches begin.
    pub(super) fn hold(self, header: &FrameHeader, turn: &mut Turn) -> Payload {
        match self {
            Source::Wire(frame) => turn.hold(frame).after(header.payload_range().start),
            Source::InProcess { payload, held, .. } => {
                turn.hold(onrush_gateway_net::Source::Own(payload, held))
            }
        }
    }
}
