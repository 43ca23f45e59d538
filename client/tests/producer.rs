//! A producer against a broker that fails in chosen ways: nothing lost, nothing twice, in order.

#![allow(clippy::unwrap_used)] // A test may panic.

mod fake;

use std::time::Duration;

use fake::{Fake, Fault};
use futures::future::join_all;
use onrush_client::{
    Acks, Client, Codec, Delivery, Error, ErrorCode, Kind, NewRecord, Offset, Producer,
    ProducerBuilder, TrySend,
};

async fn client(fake: &Fake) -> Client {
    // Lazy: the producer's connection is then the only one.
    Client::builder().connector(fake.connector()).lazy().unwrap()
}

async fn producer(fake: &Fake) -> Producer {
    tuned(fake, |builder| builder).await
}

async fn tuned(fake: &Fake, tune: impl Fn(ProducerBuilder) -> ProducerBuilder) -> Producer {
    tune(client(fake).await.producer()).build().await.unwrap()
}

async fn send(producer: &Producer, value: &str) -> Delivery {
    producer.send(NewRecord::to("t").value(value.as_bytes())).await.unwrap()
}

/// Sends values one by one, each in a batch of its own, without waiting for the answers.
async fn send_batches(producer: &Producer, range: std::ops::Range<u32>) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    for i in range {
        let value = format!("{i:0>1000}");
        deliveries.push(send(producer, &value).await);
        tokio::task::yield_now().await;
    }
    deliveries
}

/// Sends values whose second half is their number, without waiting for the answers.
async fn send_paired(producer: &Producer, range: std::ops::Range<u32>) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    for i in range {
        // Half of it is the same nearly everywhere, so that compressing it is worth something.
        let value = format!("{:0>30}{i:0>30}", i.wrapping_mul(2_654_435_761));
        deliveries.push(send(producer, &value).await);
    }
    deliveries
}

fn numbers(values: &[String]) -> Vec<u32> {
    values.iter().map(|value| value.parse().unwrap()).collect()
}

#[tokio::test]
async fn delivers_with_partition_and_offset() {
    let fake = Fake::with_topic("t", 1);
    let producer = producer(&fake).await;
    let mut deliveries = Vec::new();
    for i in 0..10 {
        deliveries.push(send(&producer, &i.to_string()).await);
    }
    for (i, delivery) in deliveries.into_iter().enumerate() {
        let delivered = delivery.await.unwrap();
        assert_eq!(delivered.offset, Some(Offset::new(i as u64)));
        assert_eq!(delivered.partition, 0);
    }
    assert_eq!(fake.state().logs[&(fake.topic(), 0)].batches.len(), 1, "sent as they accumulated");
}

#[tokio::test]
async fn unknown_topics_are_refused_by_name() {
    let fake = Fake::with_topic("t", 1);
    let producer = producer(&fake).await;
    let error = producer.send(NewRecord::to("none").value(b"x")).await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::UNKNOWN_TOPIC));
    assert_eq!(error.kind(), Kind::Refused);
    let error = producer.send(NewRecord::to("t").partition(7).value(b"x")).await.unwrap_err();
    assert!(error.to_string().contains("no partition 7"), "{error}");
    let refused = producer.try_send(NewRecord::to("none").value(b"x")).unwrap_err();
    assert!(matches!(refused, TrySend::UnknownTopic));
}

#[tokio::test]
async fn a_lost_connection_neither_loses_nor_repeats() {
    for fault in [Fault::LoseAfter, Fault::LoseBefore] {
        for at in 0..6 {
            let fake = Fake::with_topic("t", 1);
            let producer = tuned(&fake, |builder| builder.batch_bytes(1024)).await;
            {
                let mut state = fake.state();
                state.faults.extend(std::iter::repeat_n(Fault::None, at));
                state.faults.push_back(fault);
            }
            let deliveries = send_batches(&producer, 0..20).await;
            for (i, outcome) in join_all(deliveries).await.into_iter().enumerate() {
                assert_eq!(outcome.unwrap().offset, Some(Offset::new(i as u64)));
            }
            assert_eq!(numbers(&fake.values(0)), (0..20).collect::<Vec<_>>(), "{fault:?} at {at}");
            assert_eq!(fake.state().connections, 2);
        }
    }
}

#[tokio::test]
async fn a_refusal_to_be_retried_keeps_the_order() {
    for at in 0..6 {
        let fake = Fake::with_topic("t", 1);
        let producer = tuned(&fake, |builder| builder.batch_bytes(1024)).await;
        {
            let mut state = fake.state();
            state.faults.extend(std::iter::repeat_n(Fault::None, at));
            state.faults.push_back(Fault::Refuse(ErrorCode::OVERLOADED));
            state.faults.push_back(Fault::None);
            state.faults.push_back(Fault::Refuse(ErrorCode::OUTCOME_UNKNOWN));
        }
        let deliveries = send_batches(&producer, 0..20).await;
        for (i, outcome) in join_all(deliveries).await.into_iter().enumerate() {
            assert_eq!(outcome.unwrap().offset, Some(Offset::new(i as u64)));
        }
        assert_eq!(numbers(&fake.values(0)), (0..20).collect::<Vec<_>>(), "at {at}");
    }
}

#[tokio::test]
async fn a_refused_batch_does_not_block_what_follows() {
    for at in 0..6 {
        let fake = Fake::with_topic("t", 1);
        let producer = tuned(&fake, |builder| builder.batch_bytes(1024)).await;
        {
            let mut state = fake.state();
            state.faults.extend(std::iter::repeat_n(Fault::None, at));
            state.faults.push_back(Fault::Refuse(ErrorCode::BATCH_TOO_LARGE));
        }
        let deliveries = send_batches(&producer, 0..20).await;
        let outcomes = join_all(deliveries).await;
        let failed: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
        assert_eq!(failed.len(), 1);
        assert_eq!(failed[0].code(), Some(ErrorCode::BATCH_TOO_LARGE));
        let expected: Vec<u32> = (0..20).filter(|i| *i as usize != at).collect();
        assert_eq!(numbers(&fake.values(0)), expected, "at {at}");
    }
}

#[tokio::test]
async fn a_batch_too_large_for_its_topic_goes_in_pieces() {
    for (codec, idempotent) in [(Codec::None, true), (Codec::None, false), (Codec::Lz4, true)] {
        let fake = Fake::with_topic("t", 1);
        fake.state().max_batch_bytes = Some(1000);
        let producer = tuned(&fake, |builder| {
            builder.batch_bytes(16 << 10).compression(codec).idempotent(idempotent).max_in_flight(1)
        });
        let producer = producer.await;
        let outcomes = join_all(send_paired(&producer, 0..1000).await).await;
        for (i, outcome) in outcomes.into_iter().enumerate() {
            assert_eq!(outcome.unwrap().offset, Some(Offset::new(i as u64)), "{codec:?}");
        }
        let values = fake.values(0);
        assert_eq!(values.len(), 1000);
        for (i, value) in values.iter().enumerate() {
            assert_eq!(value[30..].parse::<usize>().unwrap(), i, "{codec:?}");
        }
        // What was learned is kept to: hardly a batch is refused from now on.
        let (produced, batches) = {
            let state = fake.state();
            (state.produced, state.logs[&(fake.topic(), 0)].batches.len())
        };
        assert!(join_all(send_paired(&producer, 1000..1500).await).await.iter().all(Result::is_ok));
        let state = fake.state();
        let taken = state.logs[&(fake.topic(), 0)].batches.len() - batches;
        assert!(state.produced - produced <= taken + 1, "{codec:?}: refused again and again");
    }
}

#[tokio::test]
async fn pieces_of_a_batch_keep_the_order_of_what_was_sent_behind_it() {
    let fake = Fake::with_topic("t", 1);
    let producer = tuned(&fake, |builder| builder.batch_bytes(4 << 10)).await;
    fake.state().max_batch_bytes = Some(900);
    fake.state().hold = true;
    let mut deliveries = Vec::new();
    for i in 0..200 {
        deliveries.push(send(&producer, &format!("{i:0>100}")).await);
    }
    // One that is too large leads; what follows is under way before it is refused.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    fake.release();
    let flush = producer.flush();
    for (i, outcome) in join_all(deliveries).await.into_iter().enumerate() {
        assert_eq!(outcome.unwrap().offset, Some(Offset::new(i as u64)));
    }
    flush.await;
    assert_eq!(numbers(&fake.values(0)), (0..200).collect::<Vec<_>>());
    assert_eq!(fake.state().producer_ids, 1, "the row of sequences never broke");
}

#[tokio::test]
async fn one_record_too_large_fails_by_itself() {
    let fake = Fake::with_topic("t", 1);
    fake.state().max_batch_bytes = Some(500);
    let producer = producer(&fake).await;
    let lengths = [100, 100, 2000, 100];
    let sends = lengths.map(|length| {
        let producer = &producer;
        async move { send(producer, &format!("{length:0>length$}")).await.await }
    });
    let outcomes = join_all(sends).await;
    let failed: Vec<bool> = outcomes.iter().map(Result::is_err).collect();
    assert_eq!(failed, [false, false, true, false]);
    assert_eq!(outcomes[2].as_ref().unwrap_err().code(), Some(ErrorCode::BATCH_TOO_LARGE));
    assert_eq!(numbers(&fake.values(0)), [100, 100, 100]);
}

#[tokio::test]
async fn a_broker_that_forgot_the_producer_gets_a_new_one() {
    let fake = Fake::with_topic("t", 1);
    let producer = producer(&fake).await;
    send(&producer, "0").await.await.unwrap();
    fake.state().faults.push_back(Fault::Refuse(ErrorCode::UNKNOWN_PRODUCER));
    send(&producer, "1").await.await.unwrap();
    send(&producer, "2").await.await.unwrap();
    assert_eq!(fake.values(0), ["0", "1", "2"]);
    assert_eq!(fake.state().producer_ids, 2);
}

#[tokio::test]
async fn without_idempotence_an_unknown_outcome_is_told() {
    let fake = Fake::with_topic("t", 1);
    let producer = tuned(&fake, |builder| builder.idempotent(false)).await;
    fake.state().faults.push_back(Fault::LoseAfter);
    let error = send(&producer, "0").await.await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unknown);
    send(&producer, "1").await.await.unwrap();
    assert_eq!(fake.values(0), ["0", "1"]);
    assert_eq!(fake.state().producer_ids, 0);
}

#[tokio::test]
async fn no_refusal_after_a_lost_answer_tells_that_nothing_happened() {
    for (lost, appended) in [(Fault::LoseAfter, 1), (Fault::LoseBefore, 0)] {
        for code in [ErrorCode::BATCH_TOO_LARGE, ErrorCode::UNKNOWN_PRODUCER] {
            let fake = Fake::with_topic("t", 1);
            let producer = producer(&fake).await;
            fake.state().faults.extend([lost, Fault::Refuse(code)]);
            let error = send(&producer, "0").await.await.unwrap_err();
            assert!(matches!(error, Error::DeliveryUnknown(_)), "{error}");
            assert_eq!((error.kind(), error.code()), (Kind::Unknown, Some(code)));
            // Without a word lost, a refusal is one.
            fake.state().faults.push_back(Fault::Refuse(ErrorCode::BATCH_INVALID));
            let error = send(&producer, "1").await.await.unwrap_err();
            assert_eq!(error.kind(), Kind::Refused, "{error}");
            send(&producer, "2").await.await.unwrap();
            assert_eq!(fake.values(0), ["0", "2"][1 - appended..]);
        }
    }
}

#[tokio::test]
async fn without_acks_delivery_is_leaving() {
    let fake = Fake::with_topic("t", 1);
    let producer = tuned(&fake, |builder| builder.acks(Acks::None)).await;
    assert_eq!(send(&producer, "0").await.await.unwrap().offset, None);
    producer.close().await;
    assert_eq!(fake.values(0), ["0"]);
}

#[tokio::test]
async fn a_full_buffer_makes_senders_wait() {
    let fake = Fake::with_topic("t", 1);
    let producer = tuned(&fake, |builder| builder.buffer_bytes(16 << 10).batch_bytes(4096)).await;
    producer.prepare("t").await.unwrap();
    fake.state().hold = true;
    let value = [b'x'; 1000];
    let mut taken = 0;
    let refused = loop {
        match producer.try_send(NewRecord::to("t").value(&value)) {
            Ok(_) => taken += 1,
            Err(refused) => break refused,
        }
    };
    assert!(matches!(refused, TrySend::Full));
    assert!((10..=16).contains(&taken), "{taken}");
    let waiting = producer.send(NewRecord::to("t").value(b"y"));
    tokio::pin!(waiting);
    for _ in 0..10 {
        assert!(futures::poll!(waiting.as_mut()).is_pending());
        tokio::task::yield_now().await;
    }
    fake.release();
    waiting.await.unwrap().await.unwrap();
    producer.flush().await;
    assert_eq!(fake.values(0).len(), taken + 1);
}

#[tokio::test]
async fn flush_ends_lingering_and_waits() {
    let fake = Fake::with_topic("t", 3);
    let producer = tuned(&fake, |builder| builder.linger(Duration::from_secs(3600))).await;
    let mut deliveries = Vec::new();
    for p in 0..3 {
        let record = NewRecord::to("t").partition(p).value(b"v");
        deliveries.push(producer.send(record).await.unwrap());
    }
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert!(deliveries.iter().all(|delivery| delivery.try_outcome().is_none()));
    producer.flush().await;
    assert!(deliveries.iter().all(|delivery| delivery.try_outcome().is_some()));
}

#[tokio::test]
async fn keys_keep_their_partition_and_the_rest_is_spread() {
    let fake = Fake::with_topic("t", 4);
    let producer = producer(&fake).await;
    for i in 0..8_u8 {
        let record = NewRecord::to("t").key(b"same").value(b"k");
        let delivered = producer.send(record).await.unwrap().await.unwrap();
        assert_eq!(delivered.partition, onrush_record::partition_for_key(b"same", 4), "{i}");
    }
    let mut seen = [0; 4];
    for _ in 0..8 {
        seen[send(&producer, "v").await.await.unwrap().partition as usize] += 1;
    }
    assert_eq!(seen, [2; 4], "one batch each, in turn");
}

#[tokio::test]
async fn delivery_times_out_while_the_broker_is_away() {
    let fake = Fake::with_topic("t", 1);
    let producer = tuned(&fake, |b| b.delivery_timeout(Duration::from_millis(50))).await;
    producer.prepare("t").await.unwrap();
    fake.state().refuse_connections = true;
    fake.disconnect();
    for _ in 0..5 {
        // The producer notices before it sends.
        tokio::task::yield_now().await;
    }
    let error = send(&producer, "0").await.await.unwrap_err();
    assert!(matches!(&error, Error::Expired(expired) if !expired.may_have_happened), "{error}");
    assert_eq!(error.kind(), Kind::Retry);
    fake.state().refuse_connections = false;
    send(&producer, "1").await.await.unwrap();
    assert_eq!(fake.values(0), ["1"]);
}

#[tokio::test]
async fn compressed_batches_arrive() {
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        let fake = Fake::with_topic("t", 1);
        let producer = tuned(&fake, |builder| builder.compression(codec)).await;
        let deliveries = join_all((0..100).map(|i| {
            let producer = producer.clone();
            async move { send(&producer, &i.to_string()).await.await }
        }));
        assert!(deliveries.await.iter().all(Result::is_ok));
        assert_eq!(numbers(&fake.values(0)), (0..100).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_dropped_producer_sends_what_it_has() {
    let fake = Fake::with_topic("t", 1);
    let producer = tuned(&fake, |builder| builder.linger(Duration::from_secs(3600))).await;
    let delivery = send(&producer, "0").await;
    drop(producer);
    delivery.await.unwrap();
    assert_eq!(fake.values(0), ["0"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tasks_share_a_producer() {
    let fake = Fake::with_topic("t", 4);
    let producer = tuned(&fake, |b| b.batch_bytes(2048).buffer_bytes(64 << 10)).await;
    let tasks = (0..8).map(|task| {
        let producer = producer.clone();
        tokio::spawn(async move {
            let mut deliveries = Vec::new();
            for i in 0..2000 {
                let value = format!("{}", task * 10_000 + i);
                let key = [u8::try_from(task).unwrap()];
                let record = NewRecord::to("t").key(&key).value(value.as_bytes());
                deliveries.push(producer.send(record).await.unwrap());
            }
            for delivery in deliveries {
                delivery.await.unwrap();
            }
        })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
    let mut all = Vec::new();
    for partition in 0..4 {
        let values = numbers(&fake.values(partition));
        for task in 0..8 {
            let of_task: Vec<u32> =
                values.iter().copied().filter(|value| value / 10_000 == task).collect();
            assert!(of_task.is_sorted(), "each task's records stay in order");
        }
        all.extend(values);
    }
    assert_eq!(all.len(), 16_000);
}
