//! Serves the Kafka protocol: maps its requests to broker calls, and holds no state beyond its
//! connections.
//!
//! `session` is one connection's conversation without its socket, which `onrush-gateway-net` drives:
//! it takes the frames apart, answers them in order, and serves the two hot requests itself, Produce
//! and Fetch, around record batches that it leaves where they are. All others are functions in
//! `handle`, one module for each area, called by way of the one table of what is served (`served`).

mod context;
mod dispatch;
mod error;
mod handle;
mod lookup;
mod options;
mod served;
mod service;
mod session;
mod throttle;

pub use context::Endpoint;
pub use options::Options;
pub use service::Kafka;
