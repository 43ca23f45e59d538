//! A broker within a test: in process and over a port.

use std::error::Error;
use std::time::Duration;

use onrush::{Client, Config, Consumer, NewRecord, NewTopic, OffsetSpec, Onrush, Start};
use onrush_client::Kind;

type Outcome = Result<(), Box<dyn Error>>;

/// Produces `count` records and reads them back.
async fn round_trip(client: &Client, topic: &str, count: usize) -> Outcome {
    client.admin().create_topic(NewTopic::named(topic)).await?;
    let producer = client.producer().build().await?;
    let mut deliveries = Vec::new();
    for number in 0..count {
        let value = number.to_string();
        deliveries.push(producer.send(NewRecord::to(topic).value(value.as_bytes())).await?);
    }
    for (number, delivery) in (0_u64..).zip(deliveries) {
        assert_eq!(delivery.await?.offset.map(|offset| offset.get()), Some(number));
    }
    let mut consumer = client.consumer().start(Start::Earliest).subscribe(&[topic]).await?;
    let mut read = 0;
    while read < count {
        let polled = consumer.poll().await?;
        for record in polled.records()? {
            assert_eq!(record.value, Some(read.to_string().as_bytes()));
            read += 1;
        }
    }
    Ok(())
}

#[tokio::test]
async fn records_make_it_through_without_a_socket() -> Outcome {
    let broker = Onrush::open(Config::ephemeral())?;
    round_trip(&broker.client(), "embedded", 1000).await
}

#[tokio::test(flavor = "multi_thread")]
async fn records_make_it_through_a_port() -> Outcome {
    let broker = Onrush::open(Config::ephemeral())?;
    let address = broker.listen("127.0.0.1:0")?;
    let client = Client::connect(&address.to_string()).await?;
    round_trip(&client, "over-tcp", 1000).await
}

#[test]
fn it_works_without_a_runtime_around_it() -> Outcome {
    let broker = Onrush::open(Config::ephemeral())?;
    let client = broker.client();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(round_trip(&client, "from-elsewhere", 10))
}

/// As tests do that share one broker: each has a runtime, and ends it.
#[test]
fn one_broker_serves_a_runtime_after_another_and_one_beside_another() -> Outcome {
    let broker = Onrush::open(Config::ephemeral())?;
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let shared = broker.client();
    for topic in ["first", "second"] {
        let runtime = runtime()?;
        runtime.block_on(round_trip(&broker.client(), topic, 10))?;
        // Kept from one runtime to the next, it connects again.
        assert_eq!(runtime.block_on(shared.admin().describe_topic(topic))?.partitions, 1);
    }
    let (idle, busy) = (runtime()?, runtime()?);
    idle.block_on(broker.admin().topics(false))?;
    assert_eq!(busy.block_on(broker.admin().topics(false))?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_hundred_at_once_do_not_know_of_each_other() -> Outcome {
    let brokers: Vec<_> =
        (0..100).map(|_| Onrush::open(Config::ephemeral())).collect::<Result<_, _>>()?;
    let clients: Vec<_> = brokers.iter().map(Onrush::client).collect();
    // The same name in each, and each begins at offset 0.
    let trips = clients.iter().map(|client| round_trip(client, "same", 20));
    for trip in futures::future::join_all(trips).await {
        trip?;
    }
    Ok(())
}

#[tokio::test]
async fn an_ephemeral_broker_leaves_nothing_behind() -> Outcome {
    let place = tempfile::tempdir()?;
    let broker = Onrush::open(Config::ephemeral_in(place.path()))?;
    round_trip(&broker.client(), "gone", 10).await?;
    assert_eq!(std::fs::read_dir(place.path())?.count(), 1);
    drop(broker);
    assert_eq!(std::fs::read_dir(place.path())?.count(), 0);
    Ok(())
}

#[tokio::test]
async fn what_was_stopped_can_be_opened_again() -> Outcome {
    let place = tempfile::tempdir()?;
    for round in 0..3 {
        let broker = Onrush::open(Config::at(place.path()).shards(1 + round % 2))?;
        round_trip(&broker.client(), &format!("round-{round}"), 10).await?;
        assert_eq!(broker.admin().topics(false).await?.len(), round + 1);
        broker.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_data_directory_is_for_one_broker_at_a_time() -> Outcome {
    let place = tempfile::tempdir()?;
    let first = Onrush::open(Config::at(place.path()))?;
    let error = Onrush::open(Config::at(place.path())).unwrap_err().to_string();
    assert!(error.contains("in use"), "{error}");
    first.stop().await?;
    Onrush::open(Config::at(place.path()))?.stop().await?;
    Ok(())
}

#[tokio::test]
async fn clients_of_a_dropped_broker_are_told() -> Outcome {
    let broker = Onrush::open(Config::ephemeral())?;
    let client = broker.client();
    round_trip(&client, "short", 10).await?;
    let producer = client.producer().build().await?;
    producer.prepare("short").await?;
    let mut consumer = client.consumer().subscribe(&["short"]).await?;
    drop(broker);
    let admin = client.admin();
    let sent = async {
        match producer.send(NewRecord::to("short").value(b"late")).await {
            Ok(delivery) => delivery.await.map(drop),
            Err(error) => Err(error),
        }
    };
    let polled = async { consumer.poll().await.map(drop) };
    let asked = async { admin.topics(false).await.map(drop) };
    let all = async { [sent.await, polled.await, asked.await] };
    for outcome in tokio::time::timeout(Duration::from_secs(25), all).await? {
        let told = outcome.unwrap_err();
        assert!(matches!(told.kind(), Kind::Closed | Kind::Unknown), "{told:?}");
    }
    // Once it is known, it is known at once.
    let told = admin.topics(false).await.unwrap_err();
    assert_eq!(told.kind(), Kind::Closed, "{told}");
    Ok(())
}

#[tokio::test]
async fn every_number_of_shards_serves() -> Outcome {
    for shards in [1, 2, 4] {
        let broker = Onrush::open(Config::ephemeral().shards(shards))?;
        let address = broker.listen("127.0.0.1:0")?.to_string();
        let mut trips = Vec::new();
        for number in 0..8 {
            let client = Client::connect(&address).await?;
            trips.push(async move { round_trip(&client, &format!("topic-{number}"), 200).await });
        }
        for trip in futures::future::join_all(trips).await {
            trip?;
        }
        broker.stop().await?;
    }
    Ok(())
}

#[tokio::test]
async fn metrics_and_health_are_served() -> Outcome {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let broker = Onrush::open(Config::ephemeral())?;
    let address = broker.listen_http("127.0.0.1:0")?;
    round_trip(&broker.client(), "counted", 10).await?;
    for (path, expected) in [
        ("/metrics", "onrush_records_in_total"),
        ("/healthz", "ok"),
        ("/readyz", "ready"),
        ("/nowhere", "404"),
    ] {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        assert!(answer.contains(expected), "{path}: {answer}");
    }
    Ok(())
}

#[tokio::test]
async fn records_out_of_retention_are_gone_once_time_has_passed() -> Outcome {
    let config = Config::ephemeral()
        .manual_clock()
        .topic_default("retention.ms", "60000")?
        .topic_default("segment.ms", "10000")?;
    let broker = Onrush::open(config)?;
    let admin = broker.admin();
    admin.create_topic(NewTopic::named("fading")).await?;
    let producer = broker.producer().build().await?;
    producer.send(NewRecord::to("fading").value(b"old")).await?.await?;
    let start = || admin.list_offsets("fading", OffsetSpec::Earliest);
    broker.advance(Duration::from_secs(30)).await?;
    assert_eq!(start().await?[0].offset.map(|offset| offset.get()), Some(0));
    broker.advance(Duration::from_secs(60)).await?;
    assert_eq!(start().await?[0].offset.map(|offset| offset.get()), Some(1));
    Ok(())
}

#[tokio::test]
async fn time_does_not_move_unless_it_may() -> Outcome {
    let broker = Onrush::open(Config::ephemeral())?;
    let refused = broker.advance(Duration::from_secs(1)).await;
    assert!(matches!(refused, Err(onrush::Error::NoManualClock)));
    Ok(())
}

#[tokio::test]
async fn all_the_time_there_is_is_more_than_can_be_waited_for() -> Outcome {
    let broker = Onrush::open(Config::ephemeral().manual_clock())?;
    broker.admin().create_topic(NewTopic::named("t")).await?;
    for by in [Duration::MAX, Duration::from_secs(1 << 40)] {
        let refused = tokio::time::timeout(Duration::from_secs(20), broker.advance(by)).await?;
        assert!(matches!(refused, Err(onrush::Error::TooFar { .. })));
    }
    broker.advance(Duration::from_secs(86_400)).await?;
    Ok(())
}

#[tokio::test]
async fn time_goes_on_after_its_end() -> Outcome {
    let broker = Onrush::open(Config::ephemeral().manual_clock_from(i64::MAX - 90_000))?;
    let (admin, client) = (broker.admin(), broker.client());
    admin.create_topic(NewTopic::named("t")).await?;
    let producer = client.producer().transactional_id("a").build().await?;
    let mut consumer = client.consumer().group("g").subscribe(&["t"]).await?;
    let passes = async {
        for _ in 0..4 {
            producer.begin()?;
            producer.send(NewRecord::to("t").value(b"x")).await?.await?;
            // At its end, nothing of that has taken too long.
            poll_for(&broker, &mut consumer, Duration::from_secs(50)).await;
            producer.abort().await?;
        }
        broker.advance(Duration::from_secs(8 * 86_400)).await?;
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    tokio::time::timeout(Duration::from_secs(60), passes).await??;
    Ok(())
}

/// Polls for a while; time passes by itself meanwhile.
async fn poll_for(broker: &Onrush, consumer: &mut Consumer, time: Duration) {
    let passes = std::pin::pin!(broker.advance(time));
    let polls = std::pin::pin!(async {
        loop {
            // What it reads is of no interest here.
            let _ = consumer.poll().await;
        }
    });
    futures::future::select(passes, polls).await;
}

#[test]
fn a_member_that_falls_silent_is_out_of_its_group_once_time_has_passed() -> Outcome {
    let broker = Onrush::open(Config::ephemeral().manual_clock())?;
    // Two processes, as it were: when the second one ends, nothing of it says good-bye.
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (one, other) = (runtime()?, runtime()?);
    let admin = broker.admin();
    one.block_on(admin.create_topic(NewTopic::named("shared").partitions(2)))?;
    let join = || broker.consumer().group("team").subscribe(&["shared"]);
    let mut stays = one.block_on(join())?;
    let mut leaves = other.block_on(join())?;
    for _ in 0..4 {
        let time = Duration::from_secs(4);
        one.block_on(poll_for(&broker, &mut stays, time));
        other.block_on(poll_for(&broker, &mut leaves, time));
    }
    assert_eq!((stays.assignment().len(), leaves.assignment().len()), (1, 1));

    drop(other);
    one.block_on(poll_for(&broker, &mut stays, Duration::from_secs(60)));
    assert_eq!(stays.assignment().len(), 2);
    Ok(())
}
