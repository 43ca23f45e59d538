//! Raw bytes on a socket: what the native gateway does with frames, sound and otherwise.

mod broken;
mod produce;
mod read;
mod socket;
