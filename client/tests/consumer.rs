//! A consumer against a broker in memory: positions, damage, groups.

#![allow(clippy::unwrap_used)] // A test may panic.

mod fake;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fake::Fake;
use onrush_client::{
    Client, Codec, Commits, Consumer, ConsumerBuilder, Error, ErrorCode, Kind, Offset,
    RebalanceListener, Start, TopicPartition,
};
use onrush_record::batch::BatchBuilder;

fn batch(codec: Codec, values: &[&str]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec);
    for value in values {
        builder.push(1, None, Some(value.as_bytes()), &[]);
    }
    builder.finish().unwrap()
}

fn builder(fake: &Fake) -> ConsumerBuilder {
    let client = Client::builder().connector(fake.connector()).lazy().unwrap();
    client.consumer().start(Start::Earliest)
}

async fn reader(fake: &Fake) -> Consumer {
    builder(fake).subscribe(&["t"]).await.unwrap()
}

async fn poll(consumer: &mut Consumer) -> Vec<String> {
    let polled = tokio::time::timeout(Duration::from_secs(10), consumer.poll()).await;
    let polled = polled.expect("records should come").unwrap();
    polled
        .records()
        .unwrap()
        .map(|record| String::from_utf8(record.value.unwrap().to_vec()).unwrap())
        .collect()
}

/// Polls until the background has settled, without expecting records.
async fn idle(consumer: &mut Consumer) {
    let _ = tokio::time::timeout(Duration::from_millis(60), consumer.poll()).await;
}

#[tokio::test]
async fn reads_what_is_there_and_what_comes() {
    let fake = Fake::with_topic("t", 1);
    fake.append(0, batch(Codec::None, &["a", "b"]));
    let mut consumer = reader(&fake).await;
    assert_eq!(poll(&mut consumer).await, ["a", "b"]);
    fake.append(0, batch(Codec::None, &["c"]));
    assert_eq!(poll(&mut consumer).await, ["c"]);
    assert_eq!(consumer.position("t", 0), Some(Offset::new(3)));
}

#[tokio::test]
async fn begins_within_a_batch() {
    let fake = Fake::with_topic("t", 1);
    fake.append(0, batch(Codec::None, &["a", "b", "c"]));
    fake.append(0, batch(Codec::Zstd, &["d", "e", "f"]));
    let start = Start::Offset(Offset::new(1));
    let mut consumer = builder(&fake).assign(&[("t", 0, start)]).await.unwrap();
    assert_eq!(poll(&mut consumer).await, ["b", "c"]);
    assert_eq!(poll(&mut consumer).await, ["d", "e", "f"]);
    consumer.seek("t", 0, Offset::new(4)).unwrap();
    assert_eq!(poll(&mut consumer).await, ["e", "f"]);
}

#[tokio::test]
async fn starts_at_the_end_when_asked() {
    let fake = Fake::with_topic("t", 1);
    fake.append(0, batch(Codec::None, &["a"]));
    let mut consumer = builder(&fake).start(Start::Latest).subscribe(&["t"]).await.unwrap();
    fake.append(0, batch(Codec::None, &["b"]));
    assert_eq!(poll(&mut consumer).await, ["b"]);
}

#[tokio::test]
async fn credit_comes_back_as_records_are_polled() {
    let fake = Fake::with_topic("t", 1);
    let value = "x".repeat(10_000);
    for _ in 0..100 {
        fake.append(0, batch(Codec::None, &[&value]));
    }
    let mut consumer = builder(&fake).credit_bytes(64 << 10).subscribe(&["t"]).await.unwrap();
    let mut records = 0;
    while records < 100 {
        records += poll(&mut consumer).await.len();
    }
}

#[tokio::test]
async fn every_flipped_bit_is_an_error_or_no_change() {
    let mut sound = batch(Codec::None, &["first", "second"]);
    onrush_record::batch::stamp(&mut sound, Offset::ZERO, onrush_record::LeaderEpoch::new(0));
    for bit in 0..sound.len() * 8 {
        let fake = Fake::with_topic("t", 1);
        fake.append(0, sound.clone());
        {
            let mut state = fake.state();
            let log = state.logs.get_mut(&(fake.topic(), 0)).unwrap();
            log.batches[0][bit / 8] ^= 1 << (bit % 8);
        }
        let start = Start::Offset(Offset::ZERO);
        let mut consumer = builder(&fake).assign(&[("t", 0, start)]).await.unwrap();
        let polled = tokio::time::timeout(Duration::from_secs(10), consumer.poll()).await;
        match polled.expect("an answer") {
            Err(Error::Corrupt(corrupt)) => assert_eq!(corrupt.offset, Offset::ZERO),
            Err(other) => panic!("bit {bit}: {other}"),
            Ok(polled) => {
                // Only the leader epoch is covered by nothing, and says nothing about records.
                assert!((96..128).contains(&bit), "bit {bit} went unnoticed");
                assert_eq!(polled.records().unwrap().count(), 2);
            }
        }
    }
}

#[tokio::test]
async fn a_gap_is_an_error_and_nothing_is_skipped() {
    let fake = Fake::with_topic("t", 1);
    for value in ["a", "b", "c"] {
        fake.append(0, batch(Codec::None, &[value]));
    }
    let lost = {
        let mut state = fake.state();
        let log = state.logs.get_mut(&(fake.topic(), 0)).unwrap();
        log.ends.remove(1);
        log.batches.remove(1)
    };
    let mut consumer = reader(&fake).await;
    assert_eq!(poll(&mut consumer).await, ["a"]);
    for _ in 0..2 {
        let error = consumer.poll().await.unwrap_err();
        assert!(matches!(error, Error::Corrupt(_)), "{error}");
        assert_eq!(error.kind(), Kind::Refused);
    }
    {
        let mut state = fake.state();
        let log = state.logs.get_mut(&(fake.topic(), 0)).unwrap();
        log.ends.insert(1, 2);
        log.batches.insert(1, lost);
    }
    assert_eq!(poll(&mut consumer).await, ["b"]);
}

#[tokio::test]
async fn a_malformed_record_stops_at_its_offset() {
    let fake = Fake::with_topic("t", 1);
    let mut bytes = batch(Codec::None, &["good", "evil"]);
    // The second record claims to be longer than it is; the checksum is made to agree.
    let at = bytes.len() - 11;
    bytes[at] = 0x7e;
    onrush_record::batch::set_producer(
        &mut bytes,
        onrush_record::ProducerId::NONE,
        onrush_record::ProducerEpoch::NONE,
        onrush_record::Sequence::NONE,
    );
    fake.append(0, bytes);
    let mut consumer = reader(&fake).await;
    assert_eq!(poll(&mut consumer).await, ["good"]);
    let error = consumer.poll().await.unwrap_err();
    assert!(
        matches!(&error, Error::Corrupt(corrupt) if corrupt.offset == Offset::new(1)),
        "{error}"
    );
    assert_eq!(consumer.position("t", 0), Some(Offset::new(1)));
}

#[tokio::test]
async fn an_offset_that_does_not_exist() {
    let fake = Fake::with_topic("t", 1);
    fake.append(0, batch(Codec::None, &["a"]));
    let far = Start::Offset(Offset::new(99));
    let mut strict = builder(&fake).start(Start::Fail).assign(&[("t", 0, far)]).await.unwrap();
    let error = strict.poll().await.unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::OFFSET_OUT_OF_RANGE));
    drop(strict);
    let mut lenient = builder(&fake).assign(&[("t", 0, far)]).await.unwrap();
    assert_eq!(poll(&mut lenient).await, ["a"]);
}

#[tokio::test]
async fn a_lost_connection_goes_on_where_it_was() {
    let fake = Fake::with_topic("t", 1);
    for value in ["a", "b", "c"] {
        fake.append(0, batch(Codec::None, &[value]));
    }
    let mut consumer = reader(&fake).await;
    assert_eq!(poll(&mut consumer).await, ["a"]);
    fake.disconnect();
    tokio::task::yield_now().await;
    let mut rest = Vec::new();
    while rest.len() < 2 {
        rest.extend(poll(&mut consumer).await);
    }
    assert_eq!(rest, ["b", "c"]);
}

#[tokio::test]
async fn paused_partitions_are_silent() {
    let fake = Fake::with_topic("t", 2);
    let mut consumer = reader(&fake).await;
    consumer.pause("t", 0).unwrap();
    fake.append(0, batch(Codec::None, &["zero"]));
    fake.append(1, batch(Codec::None, &["one"]));
    assert_eq!(poll(&mut consumer).await, ["one"]);
    idle(&mut consumer).await;
    assert_eq!(consumer.position("t", 0), Some(Offset::ZERO));
    consumer.resume("t", 0).unwrap();
    assert_eq!(poll(&mut consumer).await, ["zero"]);
}

#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Log {
    fn note(&self, what: &str, partitions: &[TopicPartition]) {
        let partitions: Vec<u32> = partitions.iter().map(|at| at.partition).collect();
        self.0.lock().unwrap().push(format!("{what} {partitions:?}"));
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl RebalanceListener for Log {
    fn assigned(&self, partitions: &[TopicPartition]) {
        self.note("assigned", partitions);
    }

    fn revoked(&self, partitions: &[TopicPartition], commits: &mut Commits) {
        self.note("revoked", partitions);
        for at in partitions {
            commits.add(at.clone(), Offset::new(100 + u64::from(at.partition)));
        }
    }

    fn lost(&self, partitions: &[TopicPartition]) {
        self.note("lost", partitions);
    }
}

#[tokio::test]
async fn a_member_follows_its_group() {
    let fake = Fake::with_topic("t", 3);
    let id = fake.topic();
    fake.state().committed.insert(("g".into(), id, 1), 1);
    for partition in 0..3 {
        fake.append(partition, batch(Codec::None, &["x", "y"]));
    }
    fake.set_assignment(&[0, 1]);
    let log = Arc::new(Log::default());
    let builder = builder(&fake).group("g").auto_commit(None).listener(log.clone());
    let mut consumer = builder.subscribe(&["t"]).await.unwrap();
    let mut seen = vec![poll(&mut consumer).await, poll(&mut consumer).await];
    seen.sort();
    assert_eq!(seen, [vec!["x", "y"], vec!["y"]], "from the committed offset on");
    assert_eq!(log.take(), ["assigned [0, 1]"]);

    consumer.commit().await.unwrap();
    assert_eq!(fake.state().committed[&("g".into(), id, 0)], 2);

    fake.set_assignment(&[1, 2]);
    assert_eq!(poll(&mut consumer).await, ["x", "y"]);
    assert_eq!(log.take(), ["revoked [0]", "assigned [2]"]);
    assert_eq!(fake.state().committed[&("g".into(), id, 0)], 100, "the listener's commit");
    idle(&mut consumer).await;
    assert_eq!(fake.state().owned, [(id, 1), (id, 2)]);

    fake.state().fence_next = true;
    idle(&mut consumer).await;
    assert_eq!(log.take(), ["lost [1, 2]", "assigned [1, 2]"]);
    assert_eq!(fake.state().members.len(), 2, "it joined again");

    consumer.close().await.unwrap();
    assert_eq!(fake.state().left, 1);
}

#[tokio::test]
async fn automatic_commits_cover_what_was_polled_before() {
    let fake = Fake::with_topic("t", 1);
    let id = fake.topic();
    fake.append(0, batch(Codec::None, &["a"]));
    fake.set_assignment(&[0]);
    let builder = builder(&fake).group("g").auto_commit(Some(Duration::from_millis(20)));
    let mut consumer = builder.subscribe(&["t"]).await.unwrap();
    assert_eq!(poll(&mut consumer).await, ["a"]);
    assert!(fake.state().committed.is_empty(), "it may still be worked on");
    idle(&mut consumer).await;
    assert_eq!(fake.state().committed[&("g".into(), id, 0)], 1);
    drop(consumer);
    while fake.state().left == 0 {
        tokio::task::yield_now().await;
    }
}
