//! What the machine can do at most (the rungs), how far the broker is from it (the marks), and what a
//! message costs in instructions (the guard).
//!
//! A rung does one bare thing the way the broker has to do it and nothing else: receive and
//! append, send a file, answer 128 bytes. The broker's figures are quoted as multiples of rungs
//! measured in the same interleaved run, because the absolute ones drift with the machine.
//!
//! This crate reads the clock, opens files and starts threads itself: a rung measures what lies
//! below `onrush-sys`, so it cannot go through it.
#![allow(
    clippy::disallowed_methods,
    reason = "a rung is by definition below sys: it measures the bare system calls"
)]

pub mod guard;
pub mod machine;
pub mod marks;
pub mod memory;
pub mod rungs;
pub mod stats;
pub mod summary;
pub mod transport;
