//! What the client costs per message of 100 B, without a socket or a broker: a transport in
//! memory acknowledges batches as they come, or hands out the same batches again and again.
//! Everything runs on one thread; CPU time is counted, so that a busy machine disturbs little.
//!
//! `cargo bench -p onrush-bench --bench client`

use std::collections::VecDeque;
use std::time::Duration;

use onrush_bench::transport::Yes;
use onrush_client::{Acks, Client, NewRecord, Start};
use onrush_record::batch::{BatchBuilder, Codec};
use onrush_sys::process::cpu_time;

const MESSAGES: u64 = 4_000_000;
const VALUE: [u8; 100] = [b'v'; 100];
const BATCH_RECORDS: u32 = 600;

fn client() -> Client {
    Client::builder().connector(Yes::with(MESSAGES)).lazy().expect("a connector is given")
}

/// Nanoseconds per message, the median of several runs.
fn median(name: &str, mut run: impl FnMut() -> Duration) {
    let mut times: Vec<f64> = (0..7).map(|_| run().as_secs_f64() * 1e9 / MESSAGES as f64).collect();
    times.sort_by(f64::total_cmp);
    println!("{name:<44} {:>6.1} ns/message [{:.1}..{:.1}]", times[3], times[0], times[6]);
}

async fn produce(batch_bytes: usize, acks: Acks, deliveries: bool) -> Duration {
    let builder = client().producer().batch_bytes(batch_bytes).acks(acks);
    let producer = builder.build().await.expect("a producer");
    producer.prepare("t").await.expect("the topic");
    let begin = now();
    let mut waiting = VecDeque::new();
    for _ in 0..MESSAGES {
        let delivery = producer.send(NewRecord::to("t").value(&VALUE)).await.expect("taken");
        if deliveries {
            waiting.push_back(delivery);
            while waiting.front().is_some_and(|delivery| delivery.try_outcome().is_some()) {
                waiting.pop_front();
            }
        } else {
            drop(delivery);
        }
    }
    producer.flush().await;
    now() - begin
}

/// As an open-loop sender does: no waiting unless the buffer is full.
async fn try_produce() -> Duration {
    let builder = client().producer().batch_bytes(64 << 10).acks(Acks::Written);
    let producer = builder.build().await.expect("a producer");
    producer.prepare("t").await.expect("the topic");
    let begin = now();
    for i in 0..MESSAGES {
        drop(producer.try_send(NewRecord::to("t").value(&VALUE)).expect("room"));
        if i % 512 == 0 {
            tokio::task::yield_now().await;
        }
    }
    producer.flush().await;
    now() - begin
}

async fn consume() -> Duration {
    let builder = client().consumer().start(Start::Earliest).credit_bytes(2 << 20);
    let mut consumer = builder.subscribe(&["t"]).await.expect("a consumer");
    let begin = now();
    let (mut seen, mut bytes) = (0, 0);
    while seen < MESSAGES {
        let polled = consumer.poll().await.expect("records");
        for record in polled.records().expect("records") {
            bytes += record.value.map_or(0, <[u8]>::len);
            seen += 1;
        }
    }
    std::hint::black_box(bytes);
    now() - begin
}

fn encode_and_check() -> Duration {
    let begin = now();
    let mut builder = BatchBuilder::with_capacity(Codec::None, 65 << 10);
    for _ in 0..MESSAGES {
        builder.push(0, None, Some(&VALUE), &[]);
        if builder.count() == BATCH_RECORDS {
            let batch = builder.finish().expect("a batch");
            builder = BatchBuilder::with_buffer(Codec::None, std::hint::black_box(batch));
        }
    }
    now() - begin
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    median("rung: encode + CRC", encode_and_check);
    for batch_bytes in [16 << 10, 64 << 10, 256 << 10] {
        let name = format!("produce, batches of {} KiB", batch_bytes >> 10);
        median(&name, || runtime.block_on(produce(batch_bytes, Acks::Written, false)));
    }
    median("produce, deliveries kept and looked at", || {
        runtime.block_on(produce(64 << 10, Acks::Written, true))
    });
    median("produce by try_send", || runtime.block_on(try_produce()));
    median("consume (with stamping and copying the batch)", || runtime.block_on(consume()));
}

/// CPU time of this process.
fn now() -> Duration {
    cpu_time(None).expect("the system tells")
}
