//! The load generator as scripts use it: its options, and the names in its JSON.
#![allow(clippy::disallowed_methods, reason = "the test reads the report that it asked for")]

use onrush_tests::{BrokerProcess, ServeOptions, run};
use serde_json::Value;

fn load(arguments: &[&str]) -> Value {
    let mut all = vec!["run", "--json"];
    all.extend(arguments);
    let told = run("onrush-loadgen", &all).succeeded();
    serde_json::from_str(&told).unwrap_or_else(|error| panic!("{error}: {told}"))
}

#[track_caller]
fn positive(outcome: &Value, names: &[&str]) {
    for name in names {
        let value = name.split('.').fold(outcome, |value, part| &value[part]);
        assert!(value.as_f64().is_some_and(|number| number > 0.0), "{name} is {value}: {outcome}");
    }
}

const LATENCY: [&str; 5] = ["p50", "p90", "p99", "p999", "max"];

#[test]
fn an_open_loop_tells_everything_by_the_names_that_scripts_rely_on() {
    let data = tempfile::tempdir().expect("a fresh directory");
    let broker = BrokerProcess::start(ServeOptions::at(&data.path().join("data")));
    let (target, pid) = (broker.native(), broker.pid().to_string());
    let report = data.path().join("report.html");
    let outcome = load(&[
        "--target",
        &target,
        "--pid",
        &pid,
        "--producers",
        "2",
        "--consumers",
        "1",
        "--partitions",
        "3",
        "--size",
        "64",
        "--rate",
        "5000",
        "--acks",
        "all",
        "--batch",
        "16384",
        "--linger",
        "1ms",
        "--warmup",
        "200ms",
        "--duration",
        "1s",
        "--keys",
        "zipf:100",
        "--report",
        report.to_str().expect("a path in UTF-8"),
    ]);
    assert_eq!(outcome["errors"], 0, "{outcome}");
    assert_eq!(outcome["produced"], 5000, "{outcome}");
    assert_eq!(outcome["consumed"], 5000, "{outcome}");
    positive(
        &outcome,
        &[
            "produced_per_second",
            "consumed_per_second",
            "broker_cpu_ns_per_message",
            "client_cpu_ns_per_message",
            "broker_rss_peak_bytes",
        ],
    );
    for latency in ["ack_latency_us", "end_to_end_latency_us"] {
        let rising: Vec<f64> =
            LATENCY.iter().filter_map(|name| outcome[latency][name].as_f64()).collect();
        assert_eq!(rising.len(), LATENCY.len(), "{outcome}");
        assert!(rising.is_sorted() && rising[0] > 0.0, "{outcome}");
    }
    let page = std::fs::read_to_string(&report).expect("the report was written");
    assert!(page.starts_with("<!doctype html>") && page.contains("<svg"), "{page:.200}");
}

#[test]
fn a_counted_run_ends_by_itself_and_what_it_made_is_drained_beside_the_next() {
    let data = tempfile::tempdir().expect("a fresh directory");
    let broker = BrokerProcess::start(ServeOptions::at(&data.path().join("data")));
    let target = broker.native();
    let made = load(&["--target", &target, "--topic", "old", "--message-count", "50000"]);
    assert_eq!(made["produced"], 50_000, "{made}");
    let read = load(&[
        "--target",
        &target,
        "--topic",
        "old",
        "--producers",
        "0",
        "--consumers",
        "1",
        "--from",
        "start",
    ]);
    assert_eq!(read["consumed"], 50_000, "{read}");
    let beside = load(&[
        "--target",
        &target,
        "--rate",
        "1000",
        "--consumers",
        "1",
        "--acks",
        "1",
        "--drain",
        "old",
        "--warmup",
        "0",
        "--duration",
        "1s",
    ]);
    assert_eq!(beside["drained"], 50_000, "{beside}");
    assert_eq!(beside["consumed"], 1_000, "{beside}");
}

#[test]
fn a_slow_consumer_falls_behind_and_holds_up_nobody() {
    let data = tempfile::tempdir().expect("a fresh directory");
    let broker = BrokerProcess::start(ServeOptions::at(&data.path().join("data")));
    let target = broker.native();
    // Several times what one frame brings.
    let made = load(&["--target", &target, "--topic", "old", "--message-count", "200000"]);
    assert_eq!(made["produced"], 200_000, "{made}");
    let beside = load(&[
        "--target",
        &target,
        "--rate",
        "1000",
        "--consumers",
        "1",
        "--acks",
        "1",
        "--drain",
        "old",
        "--drain-rate",
        "100",
        "--warmup",
        "0",
        "--duration",
        "1s",
    ]);
    positive(&beside, &["drained"]);
    assert!(beside["drained"].as_u64().is_some_and(|drained| drained < 200_000), "{beside}");
    assert_eq!(beside["consumed"], 1_000, "{beside}");
}

#[test]
fn compressed_batches_arrive_and_are_told_as_such() {
    let outcome = load(&[
        "--embedded",
        "--rate",
        "2000",
        "--consumers",
        "1",
        "--linger",
        "5ms",
        "--compression",
        "lz4",
        "--warmup",
        "0",
        "--duration",
        "1s",
    ]);
    assert_eq!(outcome["setup"]["compression"], "lz4", "{outcome}");
    assert_eq!(outcome["consumed"], 2_000, "{outcome}");
    assert_eq!(outcome["errors"], 0, "{outcome}");
}

#[test]
fn an_embedded_broker_needs_no_address() {
    let outcome = load(&["--embedded", "--message-count", "20000", "--acks", "0"]);
    assert_eq!(outcome["sent"], 20_000, "{outcome}");
    assert_eq!(outcome["errors"], 0, "{outcome}");
}

#[test]
fn a_run_that_cannot_be_says_why() {
    for (arguments, word) in [
        (&["run", "--target", "127.0.0.1:1", "--duration", "1s"][..], "127.0.0.1:1"),
        (&["run", "--embedded", "--producers", "0"], "nothing to do"),
        (&["run", "--embedded", "--producers", "0", "--consumers", "1"], "--topic"),
        (&["run", "--size", "3"], "at least"),
        (&["run", "--rate", "fast"], "rate"),
        (&["run", "--compression", "lzma"], "lzma"),
        (&["run", "--embedded", "--drain-rate", "5"], "--drain"),
        (&["run", "--embedded", "--drain", "nothing"], "nothing"),
    ] {
        let finished = run("onrush-loadgen", arguments);
        assert_ne!(finished.status, 0, "{finished:?}");
        assert!(finished.stderr.contains(word), "{word:?} is not in {:?}", finished.stderr);
    }
}
