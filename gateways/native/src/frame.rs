//! Frames as they travel within the process.

use bytes::Bytes;
use onrush_protocol::FrameHeader;
use smallvec::SmallVec;

/// The record batches of a frame: usually one run of bytes, held without an allocation.
pub type Payload = SmallVec<[Bytes; 1]>;

/// One frame, its header already taken apart.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What it is, whom it answers and how long its parts are.
    pub header: FrameHeader,
    /// The message itself.
    pub body: Bytes,
    /// What follows the message: record batches, back to back.
    pub payload: Payload,
}
