//! The native binary protocol: frames, requests, responses, error codes. No I/O.
//!
//! `docs/PROTOCOL.md` is the description for people; this crate is the same thing as code, and its
//! tests hold the two together (every byte table and example of the page is checked).
//!
//! Read top-down: [`frame`] cuts a byte stream into frames, [`opcode`] names what a frame is,
//! [`request`] and [`response`] hold every message, [`error`] the one table of error codes, and
//! [`wire`] how a field becomes bytes.
//!
//! What this crate promises to whoever feeds it hostile input: nothing panics, no allocation is
//! sized by an announced count or length that the received bytes do not back, and a body with as
//! much as one byte too many is an error.

pub mod error;
pub mod frame;
mod messages;
pub mod opcode;
pub mod request;
pub mod response;
#[cfg(test)]
mod tests;
pub mod wire;

pub use error::{ErrorCode, ErrorKind, WireError};
pub use frame::{FrameDecoder, FrameHeader, FrameStep, HEADER_LEN};
pub use opcode::Opcode;
pub use wire::{DecodeError, Message};

/// The only version of the protocol so far, as negotiated by `Hello`.
pub const PROTOCOL_VERSION: u16 = 1;

/// The TCP port a broker listens on unless told otherwise.
pub const DEFAULT_PORT: u16 = 7222;

/// What a broker can do beyond the base protocol, one bit each; `Hello` settles on the bits both
/// sides named. A bit once given is never reused.
pub mod features {
    /// `Subscribe`, `Credit`, `Unsubscribe` and the pushed `Deliver`.
    pub const SUBSCRIBE: u64 = 1 << 0;
    /// Consumer groups: opcodes 30 to 39.
    pub const GROUPS: u64 = 1 << 1;
    /// `expected_offset` in `Produce`: an append that happens only at that offset.
    pub const EXPECTED_OFFSET: u64 = 1 << 2;
    /// Transactions: opcodes 60 to 69, and the flag of `Produce` that joins one.
    pub const TRANSACTIONS: u64 = 1 << 3;
    /// The pushed `Throttle`.
    pub const THROTTLE: u64 = 1 << 4;
    /// Every feature this crate knows.
    pub const ALL: u64 = SUBSCRIBE | GROUPS | EXPECTED_OFFSET | TRANSACTIONS | THROTTLE;
}
