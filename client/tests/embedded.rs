//! The client against the real broker, in process and by TCP.
#![allow(clippy::unwrap_used)] // A test may panic.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use onrush::{Config, Onrush};
use onrush_client::{
    Acks, Client, Codec, ErrorCode, NewRecord, NewTopic, Offset, OffsetSpec, Start, TopicPartition,
};

/// Runs a test in each flavour of runtime, in process and by TCP.
fn everywhere<F: Future<Output = ()>>(test: impl Fn(Client) -> F) {
    let current = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let multi = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    for runtime in [current, multi] {
        runtime.block_on(async {
            let broker = Onrush::open(Config::ephemeral()).unwrap();
            test(broker.client()).await;
            let broker = Onrush::open(Config::ephemeral()).unwrap();
            let address = broker.listen("127.0.0.1:0").unwrap().to_string();
            test(Client::connect(&address).await.unwrap()).await;
        });
    }
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), what).await.expect("it should not take so long")
}

#[test]
fn a_topic_that_takes_small_batches_only_takes_everything() {
    everywhere(|client| async move {
        let small = NewTopic::named("t").config("max.message.bytes", "5000");
        client.admin().create_topic(small).await.unwrap();
        let producer = client.producer().build().await.unwrap();
        let mut deliveries = Vec::new();
        for _ in 0..2000 {
            let record = NewRecord::to("t").value(&[b'x'; 100]);
            deliveries.push(producer.send(record).await.unwrap());
        }
        for (i, delivery) in deliveries.into_iter().enumerate() {
            assert_eq!(within(delivery).await.unwrap().offset, Some(Offset::new(i as u64)));
        }
        let large = producer.send(NewRecord::to("t").value(&[b'x'; 6000])).await.unwrap();
        assert_eq!(within(large).await.unwrap_err().code(), Some(ErrorCode::BATCH_TOO_LARGE));
        producer.close().await;
    });
}

#[test]
fn a_topic_made_anew_with_fewer_partitions_gets_its_records_into_those() {
    everywhere(|client| async move {
        client.admin().create_topic(NewTopic::named("t").partitions(8)).await.unwrap();
        let producer = client.producer().build().await.unwrap();
        let send = async |key: u8| {
            within(producer.send(NewRecord::to("t").key(&[key]).value(b"v")).await.unwrap()).await
        };
        for key in 0..8 {
            send(key).await.unwrap();
        }
        client.admin().delete_topic("t").await.unwrap();
        client.admin().create_topic(NewTopic::named("t").partitions(2)).await.unwrap();
        // It learns of that by what is refused.
        for _ in 0..5 {
            let _ = send(0).await;
        }
        for key in 0..20 {
            assert!(send(key).await.unwrap().partition < 2);
        }
        for _ in 0..5 {
            let sent = producer.send(NewRecord::to("t").value(b"v")).await.unwrap();
            assert!(within(sent).await.unwrap().partition < 2);
        }
    });
}

#[test]
fn many_records_arrive_once_and_in_order() {
    everywhere(|client| async move {
        client.admin().create_topic(NewTopic::named("t").partitions(3)).await.unwrap();
        for (acks, codec) in [(Acks::All, Codec::None), (Acks::Written, Codec::Lz4)] {
            let builder = client.producer().acks(acks).compression(codec).batch_bytes(8 << 10);
            let producer = builder.build().await.unwrap();
            let mut deliveries = Vec::new();
            for i in 0..5000_u32 {
                let value = i.to_string();
                let record = NewRecord::to("t").partition(i % 3).value(value.as_bytes());
                deliveries.push(producer.send(record).await.unwrap());
            }
            for delivery in deliveries {
                within(delivery).await.unwrap();
            }
            producer.close().await;
        }
        let mut consumer =
            client.consumer().start(Start::Earliest).subscribe(&["t"]).await.unwrap();
        let mut seen: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        while seen.values().map(Vec::len).sum::<usize>() < 10_000 {
            let polled = within(consumer.poll()).await.unwrap();
            let values = seen.entry(polled.partition()).or_default();
            for record in polled.records().unwrap() {
                assert_eq!(record.offset, Offset::new(values.len() as u64));
                values.push(std::str::from_utf8(record.value.unwrap()).unwrap().parse().unwrap());
            }
        }
        for (partition, values) in seen {
            let once = (0..5000).filter(|i| i % 3 == partition);
            let expected: Vec<u32> = once.clone().chain(once).collect();
            assert_eq!(values, expected);
        }
    });
}

#[test]
fn a_group_shares_partitions_and_remembers_offsets() {
    everywhere(|client| async move {
        let admin = client.admin();
        admin.create_topic(NewTopic::named("t").partitions(4)).await.unwrap();
        let producer = client.producer().build().await.unwrap();
        for partition in 0..4 {
            let record = NewRecord::to("t").partition(partition).value(b"first");
            within(producer.send(record).await.unwrap()).await.unwrap();
        }
        let member = || client.consumer().group("g").start(Start::Earliest).subscribe(&["t"]);
        let mut one = member().await.unwrap();
        let mut read = 0;
        while read < 4 {
            read += within(one.poll()).await.unwrap().records().unwrap().count();
        }
        one.commit().await.unwrap();

        let mut two = client
            .consumer()
            .group("g")
            .start(Start::Earliest)
            .subscribe_matching("t|u")
            .await
            .unwrap();
        within(async {
            while (one.assignment().len(), two.assignment().len()) != (2, 2) {
                let short = Duration::from_millis(20);
                let _ = tokio::time::timeout(short, one.poll()).await;
                let _ = tokio::time::timeout(short, two.poll()).await;
            }
        })
        .await;
        let described = admin.describe_group("g").await.unwrap();
        assert_eq!(described.members.len(), 2);
        assert_eq!(described.offsets.len(), 4);
        assert!(described.offsets.iter().all(|offset| offset.lag() == Some(0)));

        two.close().await.unwrap();
        one.close().await.unwrap();
        let back = [(TopicPartition::new("t", 2), Some(Offset::ZERO))];
        admin.commit_group_offsets("g", &back).await.unwrap();
        let mut again = member().await.unwrap();
        let polled = within(again.poll()).await.unwrap();
        assert_eq!((polled.partition(), polled.first_offset()), (2, Offset::ZERO));
        again.close().await.unwrap();
        admin.delete_group("g").await.unwrap();
        let gone = admin.describe_group("g").await.unwrap_err();
        assert_eq!(gone.code(), Some(ErrorCode::UNKNOWN_GROUP));
    });
}

#[test]
fn topics_and_offsets_are_managed() {
    everywhere(|client| async move {
        let admin = client.admin();
        let made = admin.create_topic(NewTopic::named("t").partitions(1)).await.unwrap();
        assert_eq!(made.partitions, 1);
        let again = admin.create_topic(NewTopic::named("t")).await.unwrap_err();
        assert_eq!(again.code(), Some(ErrorCode::TOPIC_EXISTS));
        let producer = client.producer().build().await.unwrap();
        for time in [100, 200, 300] {
            let record = NewRecord::to("t").value(b"v").timestamp(time);
            within(producer.send(record).await.unwrap()).await.unwrap();
        }
        let listed = admin.list_offsets("t", OffsetSpec::Timestamp(150)).await.unwrap();
        assert_eq!(listed[0].offset, Some(Offset::new(1)));
        let start = admin.delete_records("t", 0, Some(Offset::new(2))).await.unwrap();
        assert_eq!(start, Offset::new(2));

        let gone = Start::Offset(Offset::ZERO);
        let builder = client.consumer().start(Start::Fail);
        let mut strict = builder.assign(&[("t", 0, gone)]).await.unwrap();
        let error = within(strict.poll()).await.unwrap_err();
        assert_eq!(error.code(), Some(ErrorCode::OFFSET_OUT_OF_RANGE));
        let builder = client.consumer().start(Start::Earliest);
        let mut lenient = builder.assign(&[("t", 0, gone)]).await.unwrap();
        assert_eq!(within(lenient.poll()).await.unwrap().first_offset(), Offset::new(2));

        admin.add_partitions("t", 2).await.unwrap();
        assert_eq!(admin.describe_topic("t").await.unwrap().partitions, 2);
        admin.alter_topic("t", &[("retention.ms", "1000")], &[]).await.unwrap();
        let configs = admin.describe_configs("t").await.unwrap();
        assert!(configs.iter().any(|c| c.key == "retention.ms" && c.value == "1000"));
        assert_eq!(admin.topics(false).await.unwrap().len(), 1);

        admin.delete_topic("t").await.unwrap();
        let error = within(producer.send(NewRecord::to("t").partition(0).value(b"v")));
        let error = match error.await {
            Ok(delivery) => within(delivery).await.unwrap_err(),
            Err(error) => error,
        };
        assert_eq!(error.code(), Some(ErrorCode::UNKNOWN_TOPIC));
        admin.create_topic(NewTopic::named("t")).await.unwrap();
        let record = NewRecord::to("t").partition(0).value(b"v");
        let delivered = within(producer.send(record).await.unwrap()).await.unwrap();
        assert_eq!(delivered.offset, Some(Offset::ZERO), "another topic of that name");
    });
}
