//! Raw bytes on a socket: what the native gateway does with frames, sound and otherwise.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod broken;
mod produce;
mod read;
mod socket;
mod transactions;
mod turn;
