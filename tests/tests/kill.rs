//! `kill -9` under load: everything acknowledged is there once, in order.
#![allow(clippy::disallowed_methods, reason = "the test times real processes")]

use onrush_tests::{BrokerProcess, ServeOptions, long, run, spawn};
use serde_json::Value;
use std::io::Read;
use std::process::Child;
use std::time::{Duration, Instant};

/// Kills a broker again and again while `loadgen verify` writes to it.
///
/// The time between kills varies with the round, so that they hit every phase: recovery, the first
/// appends, checkpoints, segment rolls.
fn survive(backend: &str, rounds: u32) {
    let data = tempfile::tempdir().expect("a fresh directory");
    let mut broker =
        BrokerProcess::start(ServeOptions::at(data.path()).with("--disk").with(backend));
    let address = broker.native();
    let seconds = format!("{}s", rounds.div_ceil(2) + 5);
    let mut verify = spawn(
        "onrush-loadgen",
        &[
            "verify",
            "--target",
            &address,
            "--producers",
            "4",
            "--partitions",
            "4",
            "--duration",
            &seconds,
            "--json",
        ],
    );
    let mut done = 0;
    while done < rounds && running(&mut verify) {
        let pause = Duration::from_millis(100 + u64::from(done * 7919 % 400));
        wait_for(pause, &mut verify);
        broker.kill_and_restart();
        done += 1;
    }
    let report = finish(verify);
    println!("{backend}: {done} kills; {report}");
    assert!(done >= rounds.min(40), "only {done} of {rounds} kills fitted into the run");
    assert!(report["acknowledged"].as_u64().expect("a count") > 1000, "{report}");
    for count in ["lost", "duplicated", "out_of_order"] {
        assert_eq!(report[count], 0, "{report}");
    }
}

fn running(child: &mut Child) -> bool {
    child.try_wait().expect("it can be asked").is_none()
}

/// The time until the next kill, cut short if the load ends.
fn wait_for(pause: Duration, load: &mut Child) {
    let until = Instant::now() + pause;
    while Instant::now() < until && running(load) {
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

fn finish(mut child: Child) -> Value {
    let mut text = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut text).expect("it can be read");
    let mut errors = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut errors).expect("it can be read");
    let status = child.wait().expect("it ends");
    let report = serde_json::from_str(&text).unwrap_or_else(|error| {
        panic!("verify ended with {status} and no report ({error}): {text}\n{errors}")
    });
    assert!(status.success(), "verify ended with {status}: {report}\n{errors}");
    report
}

#[test]
fn many_partitions_are_recovered_with_few_descriptors() {
    let data = tempfile::tempdir().expect("a fresh directory");
    let options = || ServeOptions::at(data.path()).with("--shards").with("1");
    let loaded = |broker: &BrokerProcess, more: &[&str]| -> Value {
        let target = broker.native();
        let topic =
            ["run", "--json", "--target", &target, "--topic", "many", "--partitions", "1000"];
        let text = run("onrush-loadgen", &[&topic, more].concat()).succeeded();
        serde_json::from_str(&text).expect("a report")
    };
    let mut broker = BrokerProcess::start(options());
    let produced =
        loaded(&broker, &["--acks", "all", "--message-count", "20000", "--batch", "200"]);
    assert_eq!((&produced["acknowledged"], &produced["errors"]), (&20_000.into(), &0.into()));
    broker.kill();
    let broker = BrokerProcess::start(ServeOptions { descriptors: Some(256), ..options() });
    let consumed = loaded(&broker, &["--producers", "0", "--consumers", "1", "--from", "start"]);
    assert_eq!(consumed["consumed"], 20_000, "{consumed}");
}

#[test]
fn nothing_acknowledged_is_lost_over_kills_with_system_calls() {
    survive("plain", if long() { 250 } else { 50 });
}

#[test]
fn nothing_acknowledged_is_lost_over_kills_with_io_uring() {
    survive("uring", if long() { 250 } else { 50 });
}
