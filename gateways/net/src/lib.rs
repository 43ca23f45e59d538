//! What the sockets of all gateways share, whatever their protocol.
//!
//! A [`Shard`] is one event loop on which connections of every protocol live. They read into one hot
//! buffer and append through one [`Turn`], so that a partition is appended to once a turn, whoever
//! sends. A protocol brings a [`Service`], which opens a [`Conversation`] for each socket that
//! [`accept`] hands to a shard; `connection` drives it: reads, keeps what has come of a frame
//! ([`TailFrame`]), sends what waits in its [`Outbox`], minds its deadlines. It is generic over the
//! conversation: nothing is dispatched at run time but the beginning of a connection.
//!
//! Rules that hold throughout: a shard never waits for the disk; what a connection holds grows
//! with bytes received, never with bytes announced; a slow reader costs no memory, for what it is
//! owed stays in the log's files; one turn of one connection is bounded.

mod connection;
mod conversation;
mod lanes;
mod listener;
mod outbox;
mod pace;
mod receive;
mod shard;
mod throttle;
mod timer;
mod turn;

pub use conversation::{Conversation, Peer, Service};
pub use lanes::{Lanes, Outcome, Waiting};
pub use listener::accept;
pub use outbox::{Next, Outbox};
pub use pace::Pace;
pub use receive::TailFrame;
pub use shard::{Entered, Shard, ShardHandle, Shared, shard};
pub use throttle::Throttle;
pub use timer::Timer;
pub use turn::{Answer, Entry, Inbox, PartitionKey, Payload, Place, RequestKey, Source, Turn};
