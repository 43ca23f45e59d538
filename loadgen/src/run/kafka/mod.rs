//! The same load over the Kafka protocol, through librdkafka: what a thread does instead of the
//! tasks of `worker.rs`.
//!
//! librdkafka has threads of its own, so that here nothing waits but the thread itself: it goes
//! round its producers and consumers, hands over what is due, and takes what has come.

mod consumer;
mod producer;
mod thread;
pub(super) mod topic;

use std::time::Duration;

use rdkafka::ClientConfig;

pub(super) use self::thread::work;

/// How long a request about topics and offsets may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// What every client is set to.
fn settings(address: &str) -> ClientConfig {
    let mut settings = ClientConfig::new();
    settings
        .set("bootstrap.servers", address)
        .set("client.id", "onrush-loadgen")
        .set("socket.nagle.disable", "true");
    settings
}
