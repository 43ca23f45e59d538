//! Open- and closed-loop load generator for log brokers, with latency reports.
//!
//! `run` measures: how fast a broker can go (closed loop), or what latency it has at a fixed
//! arrival rate (open loop, counted from when each message was due, so that a stall shows in every
//! message that it delayed). `verify` proves: it writes numbered records while the broker may be
//! killed and restarted under it, reads all of them back, and counts what was lost, doubled or
//! reordered.
//!
//! Read `run/mod.rs` first for the one, `verify/mod.rs` for the other.

pub mod args;
pub mod keys;
pub mod meter;
pub mod payload;
pub mod report;
pub mod run;
pub mod target;
pub mod time;
pub mod verify;
