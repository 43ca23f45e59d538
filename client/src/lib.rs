//! The native client library: producer, consumer, admin.
//!
//! A [`Client`] knows where a broker is; [`Producer`], [`Consumer`] and [`Admin`] are made from it.
//! Connections are pipelined and come back by themselves. Every outcome is one of: done, refused
//! (nothing happened), unknown (it may have happened): see [`Error::kind`].
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use onrush_client::{Client, NewRecord, NewTopic, Start};
//!
//! // In a test, the broker is at hand; elsewhere it is at an address such as 127.0.0.1:7222.
//! let broker = onrush::Onrush::open(onrush::Config::ephemeral())?;
//! let address = broker.listen("127.0.0.1:0")?;
//!
//! let client = Client::connect(&address.to_string()).await?;
//! client.admin().create_topic(NewTopic::named("orders")).await?;
//!
//! let producer = client.producer().build().await?;
//! let order = NewRecord::to("orders").key(b"customer-7").value(b"3 apples");
//! let delivery = producer.send(order).await?; // It is on its way;
//! println!("stored at {:?}", delivery.await?.offset); // now it is on stable storage.
//!
//! let mut consumer = client.consumer().start(Start::Earliest).subscribe(&["orders"]).await?;
//! let polled = consumer.poll().await?;
//! for record in polled.records()? {
//!     assert_eq!(record.value, Some(&b"3 apples"[..]));
//! }
//! # Ok(())
//! # }
//! ```

mod admin;
mod client;
pub mod connector;
mod consumer;
mod error;
mod metadata;
mod net;
mod producer;

pub use admin::{
    Admin, CommittedOffset, ConfigSource, ConfigValue, GroupDescription, GroupListing, GroupMember,
    GroupState, HangingTransaction, ListedOffset, MemberState, NewTopic, OffsetSpec,
    TopicDescription, TransactionDescription, TransactionListing, TransactionState,
};
pub use client::{Client, ClientBuilder};
pub use connector::Connector;
pub use consumer::{
    Commits, Consumer, ConsumerBuilder, GroupMemberRef, Isolation, Polled, PolledRecords,
    RebalanceListener, Start,
};
pub use error::{Answered, Corrupt, Error, Expired, Fenced, Kind, Result, Transport};
pub use metadata::TopicPartition;
pub use net::TcpConnector;
pub use onrush_protocol::ErrorCode;
pub use onrush_record::Offset;
pub use onrush_record::batch::{Codec, Headers, RecordRef};
pub use producer::{
    Acks, Delivered, Delivery, NewRecord, Producer, ProducerBuilder, Sending, TrySend,
};
