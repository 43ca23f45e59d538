//! Transactions by the native client, their broker killed again and again: each input has exactly one
//! output, in every partition that it goes to; and what an operator can see and do of them.
#![allow(clippy::disallowed_methods, reason = "the test times real processes")]

use onrush_client::{
    Client, Consumer, Error, Isolation, NewRecord, NewTopic, Offset, Producer, Start,
    TopicPartition,
};
use onrush_tests::{BrokerProcess, ServeOptions, long, run};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Partitions of the input, and of the output: each input goes to all of those.
const PARTITIONS: u32 = 2;
/// Records of one transaction, at most.
const STEP: usize = 5;

/// What the test's threads share.
#[derive(Default)]
struct Progress {
    /// Records of the input so far; all of them once `fed`.
    inputs: AtomicU64,
    fed: AtomicBool,
    kills_over: AtomicBool,
}

fn pause(time: Duration) {
    let until = std::time::Instant::now() + time;
    while let Some(left) = until.checked_duration_since(std::time::Instant::now()) {
        std::thread::park_timeout(left);
    }
}

/// Writes numbers to the input until the kills are over.
async fn feed(client: Client, progress: Arc<Progress>) {
    let producer = client.producer().build().await.expect("the broker is there at first");
    while !progress.kills_over.load(Ordering::SeqCst) {
        let mut deliveries = Vec::new();
        for _ in 0..STEP {
            let number = progress.inputs.fetch_add(1, Ordering::SeqCst);
            let value = number.to_string();
            let partition = u32::try_from(number).expect("a small number") % PARTITIONS;
            let record = NewRecord::to("in").partition(partition).value(value.as_bytes());
            deliveries.push(producer.send(record).await.expect("it is taken"));
        }
        for delivery in deliveries {
            delivery.await.expect("an idempotent producer gets over kills");
        }
    }
    progress.fed.store(true, Ordering::SeqCst);
}

/// Copies the input to every partition of the output, until all of it is copied. Gives producers
/// that were replaced in the midst of a transaction.
async fn copy(client: Client, progress: Arc<Progress>) -> Vec<Producer> {
    let mut zombies = Vec::new();
    let mut turns = 0_u32;
    loop {
        // Neither may work while the broker is away; then there is another attempt.
        let Ok(producer) = client.producer().transactional_id("copy").build().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let input = client.consumer().group("copy").start(Start::Earliest).auto_commit(None);
        let input = input.isolation(Isolation::ReadCommitted).subscribe(&["in"]).await;
        let Ok(mut input) = input else { continue };
        loop {
            match turn(&producer, &mut input, &mut turns, &progress).await {
                Ok(true) => {}
                Ok(false) => return zombies,
                Err(error) => {
                    assert!(!matches!(error, Error::Fenced(_)), "only one is at work: {error}");
                    while let Err(error) = producer.abort().await {
                        // An earlier commit had come through, or there is nothing to abort.
                        if matches!(error, Error::Invalid(_)) {
                            break;
                        }
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                    if input.seek_to_committed().await.is_err() {
                        break;
                    }
                }
            }
            if turns % 13 == 12 {
                turns += 1;
                // Left in the midst of a transaction; the next one of this name ends that.
                producer.begin().expect("none is open");
                let _ = producer.send(NewRecord::to("out").partition(0).value(b"zombie")).await;
                zombies.push(producer);
                break;
            }
        }
        let _ = input.close().await;
    }
}

/// One transaction. False: all is copied.
async fn turn(
    producer: &Producer,
    input: &mut Consumer,
    turns: &mut u32,
    progress: &Progress,
) -> Result<bool, Error> {
    let Ok(polled) = tokio::time::timeout(Duration::from_millis(200), input.poll()).await else {
        let read: u64 = input.positions().iter().map(|(_, next)| next.get()).sum();
        let all = progress.fed.load(Ordering::SeqCst)
            && input.positions().len() == PARTITIONS as usize
            && read == progress.inputs.load(Ordering::SeqCst);
        return Ok(!all);
    };
    let polled = polled?;
    producer.begin()?;
    let at = TopicPartition::new(polled.topic(), polled.partition());
    let mut next = Offset::ZERO;
    for record in polled.records()?.take(STEP) {
        for partition in 0..PARTITIONS {
            let output = NewRecord::to("out").partition(partition);
            drop(producer.send(output.value(record.value.unwrap_or_default())).await?);
        }
        next = record.offset.plus(1);
    }
    input.seek(&at.topic, at.partition, next)?;
    producer.send_offsets(input.group_member()?, &[(at, next)]).await?;
    *turns += 1;
    if *turns % 7 == 6 {
        *turns += 1;
        producer.abort().await?;
        input.seek_to_committed().await?;
    } else {
        producer.commit().await?;
    }
    Ok(true)
}

fn outputs(server: &str, partition: &str, isolation: &str) -> Vec<String> {
    let arguments = ["consume", "out", "--from", "start", "--partition", partition];
    let more = ["--isolation", isolation, "--server", server];
    let text = run("onrush", &[&arguments[..], &more].concat()).succeeded();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn each_input_has_one_output_over_kills() {
    let rounds = if long() { 60 } else { 8 };
    let data = tempfile::tempdir().expect("a fresh directory");
    let mut broker = BrokerProcess::start(ServeOptions::at(data.path()));
    let server = broker.native();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let client = runtime.block_on(async {
        let client = Client::connect(&server).await.expect("it is there");
        for topic in ["in", "out"] {
            let topic = NewTopic::named(topic).partitions(PARTITIONS);
            client.admin().create_topic(topic).await.expect("it is new");
        }
        client
    });
    let progress = Arc::new(Progress::default());
    let feeding = runtime.spawn(feed(client.anew(), Arc::clone(&progress)));
    let copying = runtime.spawn(copy(client.anew(), Arc::clone(&progress)));
    for round in 0..rounds {
        pause(Duration::from_millis(150 + round * 7919 % 400));
        broker.kill_and_restart();
    }
    progress.kills_over.store(true, Ordering::SeqCst);
    let zombies = runtime.block_on(async {
        let limit = Duration::from_secs(200);
        feeding.await.expect("it does not panic");
        let copied = tokio::time::timeout(limit, copying).await;
        copied.expect("it comes to its end").expect("it does not panic")
    });
    let inputs = progress.inputs.load(Ordering::SeqCst);
    println!("{rounds} kills, {inputs} inputs, {} zombies", zombies.len());
    for partition in ["0", "1"] {
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for value in outputs(&server, partition, "committed") {
            *seen.entry(value).or_default() += 1;
        }
        let expected = (0..inputs).map(|number| (number.to_string(), 1)).collect();
        assert_eq!(seen, expected, "partition {partition}");
        let all = outputs(&server, partition, "all").len() as u64;
        assert!(all > inputs, "nothing was aborted: the test tries too little");
    }
    runtime.block_on(async {
        for zombie in zombies {
            let fenced = zombie.commit().await.expect_err("it was replaced");
            assert!(matches!(fenced, Error::Fenced(_) | Error::MustAbort(_)), "{fenced}");
        }
    });
}

#[test]
fn an_operator_sees_and_ends_what_is_open_and_what_hangs() {
    let data = tempfile::tempdir().expect("a fresh directory");
    let mut broker = BrokerProcess::start(ServeOptions::at(data.path()));
    let server = broker.native();
    let onrush = |arguments: &[&str]| {
        run("onrush", &[arguments, &["--server", &server]].concat()).succeeded()
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let open = || {
        runtime.block_on(async {
            let client = Client::connect(&server).await.expect("it is there");
            let producer = client.producer().transactional_id("job").build().await;
            let producer = producer.expect("it can be opened");
            producer.begin().expect("none is open");
            let record = NewRecord::to("out").value(b"open");
            let delivery = producer.send(record).await.expect("it is taken");
            delivery.await.expect("it arrives");
        });
    };
    onrush(&["topic", "create", "out", "--partitions", "1"]);
    assert!(onrush(&["transaction", "list"]).contains("no transactional ids"));
    open();
    let state = |listed: &str| listed.split_whitespace().last().map(str::to_owned);
    assert_eq!(state(&onrush(&["transaction", "list"])).as_deref(), Some("Ongoing"));
    let described = onrush(&["transaction", "describe", "job"]);
    assert!(described.contains("writes to out/0"), "{described}");
    onrush(&["transaction", "abort", "job"]);
    assert!(!onrush(&["transaction", "describe", "job"]).contains("writes to"));
    assert!(outputs(&server, "0", "committed").is_empty());
    assert_eq!(outputs(&server, "0", "all"), ["open"]);

    // As after a backup that has the partition and not the journal.
    open();
    broker.kill();
    let journal = data.path().join("topics").join("00000000-0000-0000-0000-000000000003");
    std::fs::remove_dir_all(&journal).expect("the journal of transactions is there");
    broker.kill_and_restart();
    let hanging = onrush(&["transaction", "list", "--hanging"]);
    assert!(hanging.contains("out/0"), "{hanging}");
    onrush(&["transaction", "abort", "--hanging", "out/0"]);
    assert_eq!(onrush(&["transaction", "list", "--hanging"]), "no transaction hangs\n");
    onrush(&["topic", "describe", "out"]);
    assert!(outputs(&server, "0", "committed").is_empty());
}
