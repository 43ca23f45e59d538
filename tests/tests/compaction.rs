//! A compacted topic under load, its broker killed again and again: the newest value of each key is
//! there, and the log stays short.
#![allow(clippy::disallowed_methods, reason = "the test times real processes")]

use onrush_tests::{BrokerProcess, ServeOptions, long, run, spawn};
use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

const KEYS: usize = 40;
const LINES: usize = 200;

/// Looks for logs to clean all the time, and is in no hurry once it cleans: so that kills find it at
/// it. Only what a checkpoint has covered can be cleaned.
const CONFIG: &str = "[broker]\ncheckpoint_interval_ms = 20\n\n\
    [cleaner]\ninterval_ms = 10\nbytes_per_second = 4000000\n";

fn wait(pause: Duration) {
    let until = std::time::Instant::now() + pause;
    while let Some(left) = until.checked_duration_since(std::time::Instant::now()) {
        std::thread::park_timeout(left);
    }
}

#[test]
fn the_newest_of_each_key_survives_kills_while_it_is_cleaned() {
    let rounds = if long() { 100 } else { 12 };
    let data = tempfile::tempdir().expect("a fresh directory");
    let config = tempfile::NamedTempFile::new().expect("a fresh file");
    std::fs::write(config.path(), CONFIG).expect("it can be written");
    let path = config.path().to_str().expect("a path in UTF-8");
    let options = ServeOptions::at(&data.path().join("data")).with("--config").with(path);
    let mut broker = BrokerProcess::start(options);
    let address = broker.native();
    let create = [
        "topic",
        "create",
        "table",
        "--partitions",
        "1",
        "--config",
        "cleanup.policy=compact",
        "--config",
        "segment.bytes=16384",
        "--config",
        "min.cleanable.dirty.ratio=0.1",
        "--server",
        &address,
    ];
    run("onrush", &create).succeeded();
    let produce = ["produce", "table", "--key-separator", "="];
    let mut producer = spawn("onrush", &[&produce[..], &["--server", &address]].concat());
    let mut stdin = producer.stdin.take().expect("standard input is piped");
    let mut sent = 0_usize;
    for round in 0..rounds {
        for burst in 0..10 {
            for _ in 0..LINES / 10 {
                let (key, text) = (sent * 7 % KEYS, "x".repeat(300 + sent % 100));
                writeln!(stdin, "key {key}={sent} {text}").expect("the producer takes it");
                sent += 1;
            }
            wait(Duration::from_millis(5 + (round * 13 + burst * 7) % 20));
        }
        broker.kill_and_restart();
    }
    drop(stdin);
    let ended = producer.wait_with_output().expect("its output can be read");
    assert!(ended.status.success(), "{ended:?}");

    let sent_last: BTreeMap<String, String> =
        (0..sent).map(|n| (format!("key {}", n * 7 % KEYS), n.to_string())).collect();
    let consume = ["consume", "table", "--from", "start", "--key-separator", "="];
    let read = |address: &str| {
        let out = run("onrush", &[&consume[..], &["--server", address]].concat()).succeeded();
        let lines = out.lines().map(|line| {
            let (key, value) = line.split_once('=').expect("a key before the value");
            let number = value.split_once(' ').expect("a number first").0;
            (key.to_owned(), number.to_owned())
        });
        lines.collect::<Vec<_>>()
    };
    let mut count = sent;
    // Kills may have kept it from coming far; now it is given time.
    for _ in 0..300 {
        let found = read(&broker.native());
        count = found.len();
        assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), sent_last);
        if count < sent / 2 {
            break;
        }
        wait(Duration::from_millis(100));
    }
    println!("{sent} records sent, {count} left after {rounds} kills");
    assert!(count < sent / 2, "{count} of {sent} are left: was it cleaned at all?");
    assert!(broker.stop().success());
    let checked = run("onrush", &["check", data.path().join("data").to_str().expect("UTF-8")]);
    checked.succeeded();
}
