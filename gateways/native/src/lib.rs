//! Serves the native protocol: maps its frames to broker calls, and holds no state beyond its
//! connections.
//!
//! Read it from the inside out: `session` is one connection's conversation without its socket,
//! `outbox` what waits to be sent, by frames; `onrush-gateway-net` drives a session from a TCP socket,
//! `in_process` from a queue of frames; `service` opens them.

mod frame;
mod in_process;
mod options;
mod outbox;
mod pipe;
mod service;
mod session;

pub use frame::{Frame, Payload};
pub use in_process::InProcess;
pub use onrush_broker::ReadMode;
pub use options::Options;
pub use pipe::{FrameReceiver, FrameSender};
pub use service::{Address, Native};
