//! A report of invented figures: two rounds, the way in is that of `--from-json`.

use super::{Findings, markdown, plot};

/// No round of any machine.
const FIXTURE: &str = include_str!("fixture.json");

fn findings() -> Findings {
    serde_json::from_str(FIXTURE).unwrap()
}

/// The line of the document that begins so.
#[track_caller]
fn line(begin: &str) -> String {
    let text = markdown(&findings()).unwrap();
    let line = text.lines().find(|line| line.starts_with(begin));
    line.unwrap_or_else(|| panic!("no line begins with {begin:?} in\n{text}")).to_owned()
}

#[test]
fn the_top_says_what_ran_where_and_what_did_not() {
    assert_eq!(
        line("The machine:"),
        "The machine: a virtual machine with 2 cores (Some Chip), 24.0 GiB of memory, Linux 6.18.0, \
         ext4 on /dev/vda; fdatasync after 4 KiB takes 200 [190..210] µs at the median, \
         280 [270..290] µs at p99."
    );
    assert_eq!(
        line("| Redis Streams"),
        "| Redis Streams | 7.0.15 | appendfsync everysec | 0.020 s |"
    );
    assert_eq!(line("- RabbitMQ"), "- RabbitMQ streams is missing: it is not installed");
    assert_eq!(line("- Redis"), "- Redis Streams: one thread.");
}

#[test]
fn rows_stand_beside_kafka_and_beside_the_limit() {
    assert_eq!(
        line("| page cache | **Onrush** | own client | 9.00 M"),
        "| page cache | **Onrush** | own client | 9.00 M [8.00..10.0] | 55.0 [50.0..60.0] | \
         95.0 [90.0..100] | 14.0 | 1.00 [0.500..1.50] |  | 45 [40..50] | 50 [50..50] |"
    );
    assert!(line("| page cache | **Onrush** | Java tools").contains("| 0.28 [0.25..0.30] |"));
    assert!(line("|  | this machine").contains("| bare receive + CRC + append | 20.0 M |"));
    // What is synced is bound by the disk.
    assert!(line("| synced | **Onrush**").contains("| 89 [86..93] |"));
}

#[test]
fn who_has_no_such_thing_stands_there_once() {
    let text = markdown(&findings()).unwrap();
    let row = "| synced | Some Streams | Go library | not offered: they never sync |";
    assert_eq!(text.matches(row).count(), 1);
}

#[test]
fn where_a_peer_wins_is_said() {
    let redis = line("- **50,000 msg/s");
    assert!(redis.contains("page cache: Redis Streams, Go library beats Onrush (own client)"));
    assert!(redis.contains("end to end p99 µs 705 to our 1,260"), "{redis}");
    // In that one it is slower, and the rate was given.
    assert!(!redis.contains("end to end p50") && !redis.contains("messages/s"), "{redis}");
    let text = markdown(&findings()).unwrap();
    assert!(!text.contains("NATS JetStream, Go library beats"), "it never does");
}

#[test]
fn who_runs_alone_has_beaten_nobody() {
    let mut alone = findings();
    alone.rows.retain(|row| row.is_ours());
    assert!(markdown(&alone).unwrap().contains("\n- No peer ran.\n"));
}

#[test]
fn what_fails_in_each_round_is_told_once() {
    let mut findings = findings();
    findings.failure("Bulk, some peer, came to no end".to_owned());
    findings.failure("Bulk, some peer, came to no end".to_owned());
    let text = markdown(&findings).unwrap();
    assert_eq!(text.matches("came to no end").count(), 1);
}

#[test]
fn marks_are_met_or_missed_by_the_median_of_the_rounds_ratios() {
    assert_eq!(
        line("| R1 | produce: messages/s to the best"),
        "| R1 | produce: messages/s to the best peer's (Apache Kafka, Java tools) | \
         9.44× [8.89..10.00] | ≥ 8× | met |"
    );
    assert!(line("| R1 | produce: broker CPU/message to Kafka's").ends_with("| ≤ 1/4 | met |"));
    assert!(
        line("| R5 | 50,000/s, page cache: end-to-end p99 to that of Redis")
            .ends_with("reported |")
    );
    assert!(line("| R6 | Apache Kafka under the same Java tools: produce, b").ends_with("| met |"));
    assert!(line("| R7 | cold start").ends_with("| 0.004× [0.003..0.004] | ≤ 1/50 | met |"));
    assert!(line("| R8 | 1,000 partitions: broker").ends_with("|  | ≤ 1/4 | not measured |"));
    assert!(line("| R10 | W1 broker CPU").ends_with("| 2.00× | ≤ 1.15× | MISSED |"));
    // Ten times Kafka, of which Iggy had 4.4.
    assert!(line("| R1 | produce: messages/s to Iggy's").contains("| 2.14× ["));
}

#[test]
fn plots_are_small_and_the_same_each_time() {
    let plots = plot::all(&findings()).unwrap();
    let names: Vec<&str> = plots.iter().map(|plot| plot.file.as_str()).collect();
    let expected = [
        "bulk-100-b-produce.svg",
        "bulk-100-b-consume.svg",
        "50000-a-second-no-linger-produce-and-consume.svg",
        "cold-start-to-first-ack.svg",
    ];
    assert_eq!(names, expected);
    let text = markdown(&findings()).unwrap();
    for (plot, again) in plots.iter().zip(plot::all(&findings()).unwrap()) {
        assert_eq!(plot.svg, again.svg);
        assert!(plot.svg.len() < 60_000, "{} has {} bytes", plot.file, plot.svg.len());
        assert!(text.contains(&format!("(plots/{})", plot.file)), "{} is not shown", plot.file);
    }
    assert!(plots[0].svg.contains("Apache Kafka, Java tools"));
}

#[test]
fn what_is_written_can_be_read_again() {
    let text = serde_json::to_string(&findings()).unwrap();
    let again: Findings = serde_json::from_str(&text).unwrap();
    assert_eq!(markdown(&again).unwrap(), markdown(&findings()).unwrap());
}
