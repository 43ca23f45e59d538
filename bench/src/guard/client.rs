//! The client, with nobody at the other end of its connection ([`Yes`]).

use std::hint::black_box;
use std::sync::Arc;

use anyhow::Result;
use onrush_client::{Acks, Client, NewRecord, Start};
use onrush_sys::ManualClock;
use tokio::runtime::Builder;

use super::VALUE;
use crate::transport::{DELIVERED, Yes};

/// Messages between two chances for the connection to go on.
const SENT: u32 = 1_000;

/// Runs on one thread, with a clock that stands still: batches are sent because they are full.
fn run(body: impl AsyncFnOnce(Client) -> Result<u64>, messages: u64) -> Result<u64> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let clock = Arc::new(ManualClock::new(1_704_067_200_000));
    let transport = Yes::with(messages);
    let client = Client::builder().connector(transport).clock(clock).lazy()?;
    runtime.block_on(body(client))
}

pub(super) fn produce(rounds: u32) -> Result<u64> {
    let body = async |client: Client| {
        let builder = client.producer().batch_bytes(64 << 10).acks(Acks::Written);
        let producer = builder.build().await?;
        producer.prepare("t").await?;
        for _ in 0..rounds {
            for _ in 0..SENT {
                drop(producer.send(NewRecord::to("t").value(black_box(&VALUE))).await?);
            }
            tokio::task::yield_now().await;
        }
        producer.flush().await;
        Ok(u64::from(rounds * SENT))
    };
    run(body, 0)
}

pub(super) fn consume(rounds: u32) -> Result<u64> {
    let messages = u64::from(rounds * DELIVERED);
    let body = async |client: Client| {
        let builder = client.consumer().start(Start::Earliest).credit_bytes(2 << 20);
        let mut consumer = builder.subscribe(&["t"]).await?;
        let mut seen = 0;
        while seen < messages {
            let polled = consumer.poll().await?;
            for record in polled.records()? {
                black_box(record.value);
                seen += 1;
            }
        }
        Ok(seen)
    };
    run(body, messages)
}
