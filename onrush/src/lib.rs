//! Onrush: a log broker in one binary, and in your tests.
//!
//! A broker inside a test takes two lines: no socket, one thread, its files gone afterwards.
//!
//! ```
//! use onrush::{Config, NewRecord, NewTopic, Onrush};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let broker = Onrush::open(Config::ephemeral())?;
//! let producer = broker.producer().build().await?;
//!
//! broker.admin().create_topic(NewTopic::named("orders")).await?;
//! let delivery = producer.send(NewRecord::to("orders").key(b"42").value(b"paid")).await?;
//! assert_eq!(delivery.await?.partition, 0);
//! # Ok(())
//! # }
//! ```
//!
//! The same [`Producer`], [`Consumer`] and [`Admin`] work over TCP: give the broker a port by
//! [`Onrush::listen`], or run the `onrush` binary, and connect by [`Client::connect`].

mod config;
mod connector;
mod engine;
mod ephemeral;
mod error;
mod listen;
mod onrush;
#[cfg(test)]
mod tests;
mod time;

pub use onrush_client as client;
pub use onrush_client::{
    Acks, Admin, Client, Codec, Consumer, ConsumerBuilder, Delivered, Delivery, Isolation,
    NewRecord, NewTopic, Offset, OffsetSpec, Polled, Producer, ProducerBuilder, RebalanceListener,
    RecordRef, Start, TopicPartition,
};
pub use onrush_sys::DiskBackend;

pub use config::Config;
pub use error::{Error, Result};
pub use listen::KafkaListener;
pub use onrush::Onrush;
