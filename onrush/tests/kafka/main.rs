//! Raw bytes on a socket: what the Kafka gateway does with requests, sound and otherwise.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod broken;
mod fetch;
mod metrics;
mod noise;
mod order;
mod produce;
mod socket;
