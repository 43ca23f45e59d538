//! Serves the native protocol: maps its frames to broker calls, and holds no state beyond its
//! connections.
//!
//! Read it from the inside out: `session` is one connection's conversation without its socket,
//! `outbox` what waits to be sent, `turn` what the connections of a shard gather to append together,
//! `receive` what has come of a frame; `connection` drives a session from a TCP socket, `in_process`
//! from a queue of frames; `shard` is the event loop they live on, and `listener` hands sockets to
//! shards.
//!
//! Rules that hold throughout: a shard never waits for the disk; what a connection holds grows
//! with bytes received, never with bytes announced; a slow reader costs no memory, for what it is
//! owed stays in the log's files; one turn of one connection is bounded.

mod connection;
mod frame;
mod in_process;
mod listener;
mod options;
mod outbox;
mod pipe;
mod receive;
mod session;
mod shard;
mod timer;
mod turn;

pub use frame::{Frame, Payload};
pub use in_process::InProcess;
pub use listener::accept;
pub use onrush_broker::ReadMode;
pub use options::Options;
pub use pipe::{FrameReceiver, FrameSender};
pub use shard::{Address, Shard, ShardHandle, shard};
