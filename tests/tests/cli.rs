//! The commands a newcomer types, and what they say when something is wrong.
#![allow(clippy::disallowed_methods, reason = "the test damages real files")]

use onrush_tests::{BrokerProcess, Finished, ServeOptions, run, run_with_input};
use serde_json::Value;
use std::path::{Path, PathBuf};

struct Broker {
    data: tempfile::TempDir,
    process: BrokerProcess,
    server: String,
}

fn broker() -> Broker {
    let data = tempfile::tempdir().expect("a fresh directory");
    let process = BrokerProcess::start(ServeOptions::at(&data.path().join("data")));
    let server = process.native();
    Broker { data, process, server }
}

impl Broker {
    fn run(&self, arguments: &[&str]) -> Finished {
        self.feed(arguments, b"")
    }

    fn feed(&self, arguments: &[&str], input: &[u8]) -> Finished {
        let mut all = arguments.to_vec();
        all.extend(["--server", &self.server]);
        run_with_input("onrush", &all, input)
    }

    fn directory(&self) -> PathBuf {
        self.data.path().join("data")
    }
}

fn refused(finished: &Finished, status: i32, words: &[&str]) {
    assert_eq!(finished.status, status, "{finished:?}");
    for word in words {
        assert!(finished.stderr.contains(word), "{word:?} is not in {:?}", finished.stderr);
    }
}

#[test]
fn lines_go_in_and_come_out() {
    let broker = broker();
    broker.run(&["topic", "create", "orders", "--partitions", "3"]).succeeded();
    let lines = b"ann:3 apples\nbob:1 pear\nann:2 figs\n";
    broker.feed(&["produce", "orders", "--key-separator", ":"], lines).succeeded();
    let out = broker.run(&["consume", "orders", "--from", "start", "--format", "raw"]).succeeded();
    let mut values: Vec<&str> = out.lines().collect();
    values.sort_unstable();
    assert_eq!(values, ["1 pear", "2 figs", "3 apples"]);

    // One key, one partition, one order.
    let json =
        broker.run(&["consume", "orders", "--from", "start", "--format", "json"]).succeeded();
    let records: Vec<Value> =
        json.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of_ann: Vec<&Value> = records.iter().filter(|record| record["key"] == "ann").collect();
    assert_eq!(of_ann.len(), 2);
    assert_eq!(of_ann[0]["partition"], of_ann[1]["partition"]);
    assert_eq!(of_ann[0]["value"], "3 apples");

    // A group goes on where it was.
    let first = broker.run(&["consume", "orders", "--group", "billing"]).succeeded();
    assert_eq!(first.lines().count(), 3);
    let again = broker.run(&["consume", "orders", "--group", "billing"]).succeeded();
    assert_eq!(again, "");
    broker.feed(&["produce", "orders"], b"late\n").succeeded();
    let described = broker.run(&["group", "describe", "billing", "--json"]).succeeded();
    let group: Value = serde_json::from_str(&described).expect("JSON");
    let lag: u64 = group["offsets"]
        .as_array()
        .expect("offsets")
        .iter()
        .filter_map(|o| o["lag"].as_u64())
        .sum();
    assert_eq!(lag, 1, "{group}");
    broker.run(&["group", "reset", "billing", "--topic", "orders", "--to", "start"]).succeeded();
    let all = broker.run(&["consume", "orders", "--group", "billing"]).succeeded();
    assert_eq!(all.lines().count(), 4);
    assert!(broker.process.stop().success());
}

#[test]
fn what_is_wrong_is_said_with_what_to_do() {
    let broker = broker();
    refused(&broker.run(&["consume", "nothere", "--from", "start"]), 1, &["nothere", "create it"]);
    refused(&broker.run(&["topic", "create", "a/b"]), 1, &["a/b"]);
    broker.run(&["topic", "create", "twice"]).succeeded();
    refused(&broker.run(&["topic", "create", "twice"]), 1, &["twice", "exists"]);
    refused(
        &broker.run(&["topic", "create", "odd", "--config", "retention=1"]),
        1,
        &["retention", "retention.ms"],
    );
    refused(
        &broker.run(&["consume", "twice", "--partition", "9"]),
        1,
        &["partition 9", "last is 0"],
    );
    refused(&broker.run(&["consume", "twice", "--from", "yesterday"]), 2, &["start, end"]);
    refused(&broker.run(&["group", "describe", "nobody"]), 1, &["nobody"]);
    refused(&run("onrush", &["topic", "list", "--server", "127.0.0.1:1"]), 3, &["127.0.0.1:1"]);
    refused(&run("onrush", &["topic", "create"]), 2, &["NAME"]);
}

#[test]
fn where_others_serve_kafka_clients_it_does_without() {
    // Somebody has it, be it this test or a Kafka that runs here.
    let _taken = std::net::TcpListener::bind("127.0.0.1:9092");
    let data = tempfile::tempdir().expect("a fresh directory");
    let options = ServeOptions { kafka: None, ..ServeOptions::at(data.path()) };
    let broker = BrokerProcess::start(options);
    assert!(!broker.ready_line().contains("kafka="), "{:?}", broker.ready_line());
    assert!(broker.stop().success());
}

#[test]
fn a_start_that_cannot_work_says_why() {
    let broker = broker();
    let data = broker.directory();
    let data = data.to_str().expect("text");
    let over_the_same = ["serve", "--data", data, "--native", "127.0.0.1:0", "--no-kafka"];
    refused(&run("onrush", &over_the_same), 1, &["in use"]);
    let other = tempfile::tempdir().expect("a fresh directory");
    let fresh = other.path().join("data");
    let fresh = fresh.to_str().expect("text");
    let serve = |native: &str, kafka: &str| {
        run("onrush", &["serve", "--data", fresh, "--native", native, "--kafka", kafka])
    };
    let any = "127.0.0.1:0";
    refused(&serve(&broker.server, any), 1, &["in use", &broker.server]);
    refused(&serve("0.0.0.0:0", any), 1, &["--insecure-listen"]);
    let kafka = broker.process.kafka();
    refused(&serve(any, &kafka), 1, &["in use", &kafka]);
    refused(&serve(any, "0.0.0.0:0"), 1, &["--insecure-listen"]);
    refused(&serve(any, "127.0.0.1:0,127.0.0.1:0"), 2, &["PLAINTEXT", "name them"]);
    let config = other.path().join("onrush.toml");
    std::fs::write(&config, "[broker]\n\nsync_byte = 1\n").expect("it can be written");
    let config = config.to_str().expect("text");
    refused(&run("onrush", &["serve", "--config", config]), 2, &["line 3", "sync_byte"]);
}

#[test]
fn a_stopped_broker_starts_with_everything() {
    let broker = broker();
    broker.run(&["topic", "create", "kept", "--config", "retention.ms=-1"]).succeeded();
    broker.feed(&["produce", "kept"], b"one\ntwo\n").succeeded();
    broker.run(&["consume", "kept", "--group", "g"]).succeeded();
    let directory = broker.directory();
    let Broker { data, process, .. } = broker;
    assert!(process.stop().success());

    let process = BrokerProcess::start(ServeOptions::at(&directory));
    let broker = Broker { data, server: process.native(), process };
    let out = broker.run(&["consume", "kept", "--from", "start"]).succeeded();
    assert_eq!(out, "one\ntwo\n");
    let described = broker.run(&["topic", "describe", "kept", "--json"]).succeeded();
    let topic: Value = serde_json::from_str(&described).expect("JSON");
    assert_eq!(topic["configs"]["retention.ms"], "-1");
    assert_eq!(broker.run(&["consume", "kept", "--group", "g"]).succeeded(), "");
}

/// The data file of the only topic that is not the broker's own.
fn data_file(directory: &Path) -> PathBuf {
    let topics = directory.join("topics");
    let own = |name: &str| name.starts_with("00000000-0000-0000");
    let topic = std::fs::read_dir(&topics)
        .expect("it can be listed")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| !own(path.file_name().expect("a name").to_str().expect("text")))
        .expect("a topic");
    topic.join("0").join("0000000000.log")
}

#[test]
fn check_names_damage_and_repair_gives_it_up_only_when_told() {
    let broker = broker();
    broker.run(&["topic", "create", "hurt"]).succeeded();
    for line in ["one", "two", "three"] {
        broker.feed(&["produce", "hurt"], format!("{line}\n").as_bytes()).succeeded();
    }
    let directory = broker.directory();
    let path = directory.to_str().expect("text").to_owned();
    refused(&run("onrush", &["check", &path]), 2, &["use"]);
    let Broker { data: _data, process, .. } = broker;
    assert!(process.stop().success());
    assert!(run("onrush", &["check", &path]).succeeded().contains("sound"));
    assert_eq!(run("onrush", &["check", "/nonexistent"]).status, 2);

    // One bit within the second record's value.
    let file = data_file(&directory);
    let mut bytes = std::fs::read(&file).expect("it can be read");
    let at = bytes.windows(3).position(|window| window == b"two").expect("it is there");
    bytes[at] ^= 1;
    std::fs::write(&file, &bytes).expect("it can be written");

    let found = run("onrush", &["check", &path, "--json"]);
    assert_eq!(found.status, 1, "{found:?}");
    let report: Value = serde_json::from_str(&found.stdout).expect("JSON");
    assert_eq!(report["sound"], false);
    let damage = report["findings"].as_array().expect("findings");
    assert!(
        damage
            .iter()
            .any(|finding| finding["file"].as_str().is_some_and(|f| f.contains("0000000000.log"))),
        "{report}"
    );

    let dry = run("onrush", &["repair", &path]);
    assert_eq!(dry.status, 1, "{dry:?}");
    assert!(dry.stdout.contains("nothing was changed"), "{dry:?}");
    assert_eq!(std::fs::read(&file).expect("it can be read"), bytes);
    assert!(run("onrush", &["repair", &path, "--apply"]).succeeded().contains("repaired"));
    run("onrush", &["check", &path]).succeeded();
}
