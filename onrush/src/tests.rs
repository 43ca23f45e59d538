//! What native consumers see of topics that transactions write to.

use std::time::Duration;

use onrush_broker::{Acks, Broker, Partition, ProduceBatch};
use onrush_record::batch::{BatchBuilder, Codec};
use onrush_record::{ProducerEpoch, ProducerId, Sequence};
use onrush_sys::Clock as _;

use crate::{Config, Isolation, NewTopic, Onrush, Start};

/// A transaction with one record, which is left open unless its end is said.
async fn transaction(broker: &Broker, partition: &Partition, value: &str, commits: Option<bool>) {
    let id = if commits.is_some() { "writer" } else { "slow writer" };
    let (producer, epoch) = broker.init_transactional(id, 60_000, None).await.unwrap();
    let at = [(partition.topic_id(), partition.index())];
    broker.transaction_add_partitions(id, producer, epoch, &at).await.unwrap();
    append(partition, Some((producer, epoch)), value).await;
    if let Some(commits) = commits {
        broker.transaction_end(id, producer, epoch, commits, false).await.unwrap();
    }
}

async fn append(partition: &Partition, who: Option<(ProducerId, ProducerEpoch)>, value: &str) {
    let mut builder = BatchBuilder::new(Codec::None);
    builder.push(onrush_sys::SystemClock.now_ms(), None, Some(value.as_bytes()), &[]);
    if let Some((producer, epoch)) = who {
        builder.set_producer(producer, epoch, Sequence::ZERO);
        builder.set_transactional(true);
    }
    let mut bytes = builder.finish().unwrap();
    let mut results = Vec::new();
    let part = ProduceBatch { bytes: &mut bytes, expected_offset: None, acks: Acks::All };
    partition.produce(&mut [part], &mut results);
    let mark = results.remove(0).unwrap().await_durable.unwrap();
    partition.wait_durable(mark).await.unwrap();
}

#[tokio::test]
async fn a_native_consumer_sees_what_is_committed_and_no_marker() {
    let onrush = Onrush::open(Config::ephemeral()).unwrap();
    let broker = &onrush.broker;
    onrush.admin().create_topic(NewTopic::named("orders")).await.unwrap();
    let partition = broker.topic_by_name("orders").unwrap().partition(0).unwrap();
    transaction(broker, &partition, "a", Some(true)).await;
    transaction(broker, &partition, "lost", Some(false)).await;
    append(&partition, None, "plain").await;
    transaction(broker, &partition, "b", Some(true)).await;
    transaction(broker, &partition, "open", None).await;
    append(&partition, None, "behind it").await;
    let consumer = onrush.consumer().start(Start::Earliest).isolation(Isolation::ReadCommitted);
    let mut consumer = consumer.subscribe(&["orders"]).await.unwrap();
    let mut seen: Vec<(u64, String)> = Vec::new();
    while seen.len() < 3 {
        let polled = consumer.poll().await.unwrap();
        for record in polled.records().unwrap() {
            let value = String::from_utf8_lossy(record.value.unwrap()).into_owned();
            seen.push((record.offset.get(), value));
        }
    }
    let expected = [(0, "a"), (4, "plain"), (5, "b")].map(|(at, value)| (at, value.to_owned()));
    assert_eq!(seen, expected);
    let more = tokio::time::timeout(Duration::from_millis(50), async {
        while consumer.poll().await.unwrap().records().unwrap().next().is_none() {}
    });
    assert!(more.await.is_err(), "a transaction is open");
    // Its end lets go of what is behind it.
    broker.init_transactional("slow writer", 60_000, None).await.unwrap();
    let last = loop {
        let polled = consumer.poll().await.unwrap();
        if let Some(record) = polled.records().unwrap().next() {
            break String::from_utf8_lossy(record.value.unwrap()).into_owned();
        }
    };
    assert_eq!(last, "behind it");
    onrush.stop().await.unwrap();
}
