//! Start-up: the binary from cold to its first durable acknowledgement, the embedded broker to its
//! first, and both with many partitions.
#![allow(missing_docs, reason = "criterion's macro makes an undocumented function")]
#![allow(clippy::disallowed_methods, reason = "a bench starts processes and reads the clock")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use onrush::{Config, Onrush};
use onrush_client::{Acks, Client, NewRecord, NewTopic};
use onrush_sys::TempDir;
use tokio::runtime::Runtime;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("tokio can start")
}

fn data() -> TempDir {
    TempDir::new("onrush-bench-start").expect("a temporary directory can be made")
}

/// Sends one record and waits until it is on stable storage.
async fn first_ack(client: &Client, topic: &str) {
    let producer = client.producer().acks(Acks::All).build().await.expect("a producer can be made");
    let delivery = producer.send(NewRecord::to(topic).value(b"ack")).await;
    delivery.expect("it is taken").await.expect("it is acknowledged");
}

/// Leaves a data directory with that many partitions behind.
fn prepare(dir: &Path, runtime: &Runtime, partitions: u32) {
    let broker = Onrush::open(Config::at(dir)).expect("an empty directory can be opened");
    let topic = NewTopic::named("first").partitions(partitions);
    runtime.block_on(async {
        broker.admin().create_topic(topic).await.expect("a topic can be made");
        broker.stop().await.expect("it stops cleanly");
    });
}

fn embedded(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("Onrush::open");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    group.bench_function("ephemeral, to the first ack in a new topic", |bencher| {
        bencher.iter(|| {
            let broker = Onrush::open(Config::ephemeral()).expect("it opens");
            runtime.block_on(async {
                let topic = NewTopic::named("first");
                broker.admin().create_topic(topic).await.expect("a topic can be made");
                first_ack(&broker.client(), "first").await;
            });
        });
    });
    for partitions in [1, 1_000, 10_000] {
        let dir = data();
        prepare(dir.path(), &runtime, partitions);
        group.bench_function(
            format!("{partitions} partitions, to the first durable ack"),
            |bencher| {
                bencher.iter_custom(|times| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..times {
                        let started = Instant::now();
                        let broker = Onrush::open(Config::at(dir.path())).expect("it opens");
                        runtime.block_on(first_ack(&broker.client(), "first"));
                        spent += started.elapsed();
                        runtime.block_on(broker.stop()).expect("it stops cleanly");
                    }
                    spent
                });
            },
        );
    }
    group.finish();
}

/// The release binary, if it was built.
fn binary() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/onrush");
    path.exists().then_some(path)
}

/// Starts it and waits for its ready line; gives the address.
fn serve(binary: &Path, data: &Path) -> (Child, String) {
    let mut command = Command::new(binary);
    command.arg("serve").arg("--data").arg(data).args(["--native", "127.0.0.1:0", "--no-kafka"]);
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("the binary can be started");
    let output = child.stdout.take().expect("it was piped");
    let mut lines = BufReader::new(output).lines().map_while(Result::ok);
    let ready = lines.find(|line| line.starts_with("ready ")).expect("it becomes ready");
    let address = ready.split(' ').find_map(|word| word.strip_prefix("native="));
    let address = address.expect("the line names the address").to_owned();
    (child, address)
}

fn process(criterion: &mut Criterion) {
    let Some(binary) = binary() else {
        eprintln!("not measured, for want of the binary: cargo build --release -p onrush");
        return;
    };
    let runtime = runtime();
    let mut group = criterion.benchmark_group("onrush serve");
    group.sample_size(10).measurement_time(Duration::from_secs(3));
    for partitions in [1, 1_000, 10_000] {
        let dir = data();
        prepare(dir.path(), &runtime, partitions);
        group.bench_function(
            format!("{partitions} partitions, to the first durable ack"),
            |bencher| {
                bencher.iter_custom(|times| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..times {
                        let started = Instant::now();
                        let (mut child, address) = serve(&binary, dir.path());
                        runtime.block_on(async {
                            let client = Client::connect(&address).await.expect("it is there");
                            first_ack(&client, "first").await;
                        });
                        spent += started.elapsed();
                        // What a killed broker leaves behind is recovered: a start as after a crash.
                        child.kill().expect("it runs");
                        child.wait().expect("it was started");
                    }
                    spent
                });
            },
        );
    }
    group.finish();
}

criterion_group!(benches, embedded, process);
criterion_main!(benches);
