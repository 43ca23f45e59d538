//! Transactions of the client against the real broker, in process and by TCP.
#![allow(clippy::unwrap_used)] // A test may panic.

use std::future::Future;
use std::time::Duration;

use onrush::{Config, Onrush};
use onrush_client::{
    Acks, Client, Error, ErrorCode, Isolation, NewRecord, NewTopic, Offset, OffsetSpec, Producer,
    Start, TopicPartition, TransactionState,
};

/// Runs a test in process and by TCP.
fn everywhere<F: Future<Output = ()>>(test: impl Fn(Client) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let broker = Onrush::open(Config::ephemeral()).unwrap();
        test(broker.client()).await;
        let broker = Onrush::open(Config::ephemeral()).unwrap();
        let address = broker.listen("127.0.0.1:0").unwrap().to_string();
        test(Client::connect(&address).await.unwrap()).await;
    });
}

async fn within<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(30), what).await.expect("it should not take so long")
}

async fn transactional(client: &Client, id: &str) -> Producer {
    within(client.producer().transactional_id(id).build()).await.unwrap()
}

fn to(partition: u32, value: &str) -> NewRecord<'_> {
    NewRecord::to("t").partition(partition).value(value.as_bytes())
}

/// The values that a reader of this isolation finds up to the end as it sees it now.
async fn read(client: &Client, partition: u32, isolation: Isolation) -> Vec<String> {
    let spec = match isolation {
        Isolation::ReadUncommitted => OffsetSpec::Latest,
        Isolation::ReadCommitted => OffsetSpec::LastStable,
    };
    let ends = client.admin().list_offsets("t", spec).await.unwrap();
    let end = ends[partition as usize].offset.unwrap();
    let consumer = client.consumer().isolation(isolation);
    let mut consumer = consumer.assign(&[("t", partition, Start::Earliest)]).await.unwrap();
    let mut values = Vec::new();
    while consumer.position("t", partition).unwrap() < end {
        // What is left may hold no records to hand out.
        let more = tokio::time::timeout(Duration::from_millis(20), consumer.poll());
        let Ok(polled) = more.await else { continue };
        for record in polled.unwrap().records().unwrap() {
            values.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
        }
    }
    values
}

#[test]
fn a_producer_that_was_forgotten_goes_on() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let broker = Onrush::open(Config::ephemeral().manual_clock()).unwrap();
        let client = broker.client();
        client.admin().create_topic(NewTopic::named("t")).await.unwrap();
        let producer = transactional(&client, "sleeper").await;
        producer.begin().unwrap();
        within(producer.send(to(0, "forgotten")).await.unwrap()).await.unwrap();
        // Its transaction takes too long, and then its id is not used for more than a week.
        broker.advance(Duration::from_secs(120)).await.unwrap();
        broker.advance(Duration::from_secs(8 * 24 * 3600)).await.unwrap();
        assert!(client.admin().transactions().await.unwrap().is_empty());
        assert!(matches!(within(producer.commit()).await.unwrap_err(), Error::MustAbort(_)));
        within(producer.abort()).await.unwrap();
        producer.begin().unwrap();
        within(producer.send(to(0, "remembered")).await.unwrap()).await.unwrap();
        within(producer.commit()).await.unwrap();
        assert_eq!(read(&client, 0, Isolation::ReadCommitted).await, ["remembered"]);
    });
}

#[test]
fn partitions_and_a_group_count_at_once_or_not_at_all() {
    everywhere(|client| async move {
        let admin = client.admin();
        admin.create_topic(NewTopic::named("t").partitions(2)).await.unwrap();
        let producer = transactional(&client, "mover").await;
        let at = TopicPartition::new("t", 0);
        for (round, commits) in [(1, true), (2, false), (3, true)] {
            producer.begin().unwrap();
            let mut deliveries = Vec::new();
            for number in 0..100 {
                let value = format!("{round}.{number}");
                let record = NewRecord::to("t").partition(number % 2).value(value.as_bytes());
                deliveries.push(producer.send(record).await.unwrap());
            }
            producer.send_offsets("g", &[(at.clone(), Offset::new(round))]).await.unwrap();
            if round != 2 {
                for delivery in deliveries.split_off(50) {
                    within(delivery).await.unwrap();
                }
            }
            match commits {
                true => within(producer.commit()).await.unwrap(),
                false => within(producer.abort()).await.unwrap(),
            }
        }
        let of = |round: u32, partition| {
            (0..50).map(move |number| format!("{round}.{}", number * 2 + partition))
        };
        for partition in [0, 1] {
            let expected: Vec<String> = of(1, partition).chain(of(3, partition)).collect();
            assert_eq!(read(&client, partition, Isolation::ReadCommitted).await, expected);
        }
        let group = admin.describe_group("g").await.unwrap();
        assert_eq!(group.offsets[0].offset, Offset::new(3));
        // To commit nothing is fine.
        producer.begin().unwrap();
        within(producer.commit()).await.unwrap();
        producer.close().await;
    });
}

#[test]
fn readers_of_all_records_are_the_default() {
    everywhere(|client| async move {
        client.admin().create_topic(NewTopic::named("t")).await.unwrap();
        let producer = transactional(&client, "mover").await;
        producer.begin().unwrap();
        within(producer.send(to(0, "open")).await.unwrap()).await.unwrap();
        let mut consumer = client.consumer().assign(&[("t", 0, Start::Earliest)]).await.unwrap();
        let polled = within(consumer.poll()).await.unwrap();
        assert_eq!(polled.records().unwrap().count(), 1);
        assert!(read(&client, 0, Isolation::ReadCommitted).await.is_empty());
        within(producer.abort()).await.unwrap();
        assert_eq!(read(&client, 0, Isolation::ReadUncommitted).await, ["open"]);
        assert!(read(&client, 0, Isolation::ReadCommitted).await.is_empty());
    });
}

#[test]
fn a_zombie_is_fenced_for_good() {
    everywhere(|client| async move {
        client.admin().create_topic(NewTopic::named("t")).await.unwrap();
        for touched in [false, true] {
            let zombie = transactional(&client, "mover").await;
            zombie.begin().unwrap();
            if touched {
                within(zombie.send(to(0, "zombie's")).await.unwrap()).await.unwrap();
            }
            let newer = transactional(&client, "mover").await;
            let late = within(zombie.send(to(0, "late")).await.unwrap()).await.unwrap_err();
            assert_eq!(late.code(), Some(ErrorCode::FENCED_PRODUCER));
            let fenced = within(zombie.commit()).await.unwrap_err();
            assert!(matches!(fenced, Error::Fenced(_)), "{fenced}");
            for again in [
                zombie.begin().unwrap_err(),
                zombie.send(to(0, "later")).await.unwrap_err(),
                zombie.abort().await.unwrap_err(),
                zombie.send_offsets("g", &[]).await.unwrap_err(),
            ] {
                assert!(matches!(again, Error::Fenced(_)), "{again}");
            }
            newer.begin().unwrap();
            within(newer.send(to(0, "new")).await.unwrap()).await.unwrap();
            within(newer.commit()).await.unwrap();
        }
        assert_eq!(read(&client, 0, Isolation::ReadCommitted).await, ["new", "new"]);
    });
}

#[test]
fn one_that_took_too_long_is_aborted_and_the_next_goes_well() {
    everywhere(|client| async move {
        let admin = client.admin();
        admin.create_topic(NewTopic::named("t")).await.unwrap();
        let builder = client.producer().transactional_id("slow");
        let short = builder.clone().transaction_timeout(Duration::from_millis(50));
        let producer = short.build().await.unwrap();
        producer.begin().unwrap();
        within(producer.send(to(0, "lost")).await.unwrap()).await.unwrap();
        let over = async {
            while admin.describe_transaction("slow").await.unwrap().state
                != TransactionState::CompleteAbort
            {
                tokio::task::yield_now().await;
            }
        };
        within(over).await;
        let error = within(producer.commit()).await.unwrap_err();
        assert!(matches!(error, Error::MustAbort(_)), "{error}");
        let error = producer.begin().unwrap_err();
        assert!(matches!(error, Error::MustAbort(_)), "{error}");
        within(producer.abort()).await.unwrap();
        producer.begin().unwrap();
        within(producer.send(to(0, "in time")).await.unwrap()).await.unwrap();
        // Whether that was in time is up to the machine.
        if within(producer.commit()).await.is_ok() {
            assert_eq!(read(&client, 0, Isolation::ReadCommitted).await, ["in time"]);
        }
        assert!(builder.acks(Acks::Written).build().await.is_err());
    });
}

#[test]
fn what_fails_has_to_be_aborted() {
    everywhere(|client| async move {
        let admin = client.admin();
        let small = NewTopic::named("t").config("max.message.bytes", "1000");
        admin.create_topic(small).await.unwrap();
        let producer = transactional(&client, "mover").await;
        assert!(matches!(producer.send(to(0, "x")).await, Err(Error::Invalid(_))));
        assert!(matches!(producer.commit().await, Err(Error::Invalid(_))));
        assert!(matches!(producer.abort().await, Err(Error::Invalid(_))));
        producer.begin().unwrap();
        assert!(matches!(producer.begin(), Err(Error::Invalid(_))));
        let good = producer.send(to(0, "good")).await.unwrap();
        within(good).await.unwrap();
        let large = "x".repeat(2000);
        let large = producer.send(to(0, &large)).await.unwrap();
        assert_eq!(within(large).await.unwrap_err().code(), Some(ErrorCode::BATCH_TOO_LARGE));
        let error = producer.send(to(0, "more")).await.unwrap_err();
        assert!(matches!(error, Error::MustAbort(_)), "{error}");
        let error = producer.commit().await.unwrap_err();
        assert!(matches!(error, Error::MustAbort(_)), "{error}");
        within(producer.abort()).await.unwrap();
        // A topic that there is not, and a partition.
        for record in [NewRecord::to("none"), NewRecord::to("t").partition(9)] {
            producer.begin().unwrap();
            producer.send(record).await.unwrap_err();
            let error = producer.commit().await.unwrap_err();
            assert!(matches!(error, Error::MustAbort(_)), "{error}");
            within(producer.abort()).await.unwrap();
        }
        producer.begin().unwrap();
        within(producer.send(to(0, "kept")).await.unwrap()).await.unwrap();
        within(producer.commit()).await.unwrap();
        assert_eq!(read(&client, 0, Isolation::ReadCommitted).await, ["kept"]);
    });
}

#[test]
fn calls_can_be_dropped_at_any_time() {
    everywhere(|client| async move {
        client.admin().create_topic(NewTopic::named("t")).await.unwrap();
        let producer = transactional(&client, "mover").await;
        let at = TopicPartition::new("t", 0);
        let mut expected = Vec::new();
        for round in 0..40_u32 {
            let value = round.to_string();
            producer.begin().unwrap();
            drop(producer.send(to(0, &value)).await.unwrap());
            // Polled a few times more in each round, then dropped.
            let mut commit = Box::pin(producer.commit());
            for _ in 0..round % 10 {
                if futures::poll!(commit.as_mut()).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(commit);
            if round % 3 == 0 {
                match within(producer.abort()).await {
                    Ok(()) => {}
                    // It had been committed.
                    Err(Error::Invalid(_)) => expected.push(value),
                    Err(other) => panic!("{other}"),
                }
            } else {
                match within(producer.commit()).await {
                    Ok(()) => {}
                    // It had come to its end before it was dropped.
                    Err(Error::Invalid(_)) => {}
                    Err(other) => panic!("{other}"),
                }
                expected.push(value);
            }
        }
        assert_eq!(read(&client, 0, Isolation::ReadCommitted).await, expected);
        producer.begin().unwrap();
        let mut offsets =
            Box::pin(async { producer.send_offsets("g", &[(at, Offset::new(1))]).await });
        let _ = futures::poll!(offsets.as_mut());
        drop(offsets);
        let error = producer.commit().await.unwrap_err();
        assert!(matches!(error, Error::MustAbort(_)), "{error}");
        within(producer.abort()).await.unwrap();
    });
}

#[test]
fn an_operator_lists_describes_and_ends_them() {
    everywhere(|client| async move {
        let admin = client.admin();
        admin.create_topic(NewTopic::named("t").partitions(2)).await.unwrap();
        assert!(admin.transactions().await.unwrap().is_empty());
        let producer = transactional(&client, "mover").await;
        producer.begin().unwrap();
        within(producer.send(to(1, "x")).await.unwrap()).await.unwrap();
        let at = TopicPartition::new("t", 1);
        producer.send_offsets("g", &[(at.clone(), Offset::new(1))]).await.unwrap();
        let listed = admin.transactions().await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!(
            (&*listed[0].transactional_id, listed[0].state),
            ("mover", TransactionState::Ongoing)
        );
        let open = admin.describe_transaction("mover").await.unwrap();
        assert_eq!((open.partitions, open.groups), (vec![at], vec!["g".to_owned()]));
        assert!(admin.hanging_transactions().await.unwrap().is_empty());
        admin.abort_transaction("mover").await.unwrap();
        let error = within(producer.commit()).await.unwrap_err();
        assert!(matches!(error, Error::Fenced(_)), "{error}");
        let nobody = admin.describe_transaction("nobody").await.unwrap_err();
        assert_eq!(nobody.code(), Some(ErrorCode::UNKNOWN_TRANSACTIONAL_ID));
        let nobody = admin.abort_transaction("nobody").await.unwrap_err();
        assert_eq!(nobody.code(), Some(ErrorCode::UNKNOWN_TRANSACTIONAL_ID));
    });
}

/// Reads, transforms, writes, with a job that gives up half of its work.
#[test]
fn a_copy_job_copies_each_record_once() {
    everywhere(|client| async move {
        let admin = client.admin();
        for topic in ["in", "t"] {
            admin.create_topic(NewTopic::named(topic)).await.unwrap();
        }
        let feeder = client.producer().build().await.unwrap();
        for number in 0..100 {
            let value = number.to_string();
            drop(feeder.send(NewRecord::to("in").value(value.as_bytes())).await.unwrap());
        }
        feeder.flush().await;
        let mut copied = 0;
        for incarnation in 0..4 {
            let producer = transactional(&client, "copy").await;
            let consumer = client.consumer().group("copy").start(Start::Earliest).auto_commit(None);
            let mut input =
                consumer.isolation(Isolation::ReadCommitted).subscribe(&["in"]).await.unwrap();
            for round in 0..5 {
                if copied == 100 {
                    break;
                }
                producer.begin().unwrap();
                let polled = within(input.poll()).await.unwrap();
                let first = polled.records().unwrap().next().unwrap().offset;
                let mut sent = 0;
                for record in polled.records().unwrap().take(10) {
                    let copy = NewRecord::to("t").value(record.value.unwrap());
                    drop(producer.send(copy).await.unwrap());
                    sent += 1;
                }
                let next = Offset::new(first.get() + sent);
                let offsets = [(TopicPartition::new("in", 0), next)];
                producer.send_offsets(input.group_member().unwrap(), &offsets).await.unwrap();
                if round % 2 == 1 {
                    within(producer.abort()).await.unwrap();
                } else {
                    within(producer.commit()).await.unwrap();
                    copied += sent;
                }
                within(input.seek_to_committed()).await.unwrap();
            }
            // The last of an incarnation is left open: its successor aborts it.
            if incarnation < 3 && copied < 100 {
                producer.begin().unwrap();
                within(producer.send(to(0, "left open")).await.unwrap()).await.unwrap();
                drop(producer);
            }
            within(input.close()).await.unwrap();
        }
        let expected: Vec<String> = (0..copied).map(|number| number.to_string()).collect();
        assert!(copied >= 90, "{copied}");
        assert_eq!(read(&client, 0, Isolation::ReadCommitted).await, expected);
    });
}
