//! What a broker counts. All names stand in one table, at the top.

mod requests;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

pub use self::requests::RequestMeter;
use self::requests::Requests;

/// Names and meanings; `_total` and units are added by the encoder.
mod name {
    pub(super) const RECORDS_IN: (&str, &str) = ("records_in", "Records appended");
    pub(super) const BYTES_IN: (&str, &str) = ("bytes_in", "Bytes of record batches appended");
    pub(super) const BATCHES_IN: (&str, &str) = ("batches_in", "Record batches appended");
    pub(super) const BATCHES_REFUSED: (&str, &str) =
        ("batches_refused", "Record batches refused, duplicates not counted");
    pub(super) const DUPLICATES: (&str, &str) =
        ("batches_duplicate", "Record batches that were in the log already");
    pub(super) const RECORDS_OUT: (&str, &str) = ("records_out", "Records handed to readers");
    pub(super) const BYTES_OUT: (&str, &str) = ("bytes_out", "Bytes handed to readers");
    pub(super) const REQUESTS: (&str, &str) = ("requests", "Requests taken in, by kind");
    pub(super) const REQUEST_SECONDS: (&str, &str) = (
        "request_seconds",
        "How long requests took from their turn to their answer, by kind; what is never \
         answered, or pushed, is left out",
    );
    pub(super) const CONNECTIONS: (&str, &str) = ("connections", "Connections now open");
    pub(super) const SYNC_SECONDS: (&str, &str) =
        ("sync_seconds", "How long one round of syncing took");
    pub(super) const SYNC_FAILURES: (&str, &str) =
        ("sync_failures", "Logs whose sync failed; each was poisoned");
    pub(super) const UNSYNCED: (&str, &str) =
        ("unsynced_bytes", "Bytes written but not yet durable");
    pub(super) const HELD: (&str, &str) =
        ("budget_held_bytes", "Bytes of requests held by gateways, counted against the budget");
    pub(super) const BUDGET: (&str, &str) = ("budget_bytes", "The budget for requests held");
    pub(super) const TOPICS: (&str, &str) = ("topics", "Topics");
    pub(super) const PARTITIONS: (&str, &str) = ("partitions", "Partitions");
    pub(super) const GROUPS: (&str, &str) = ("groups", "Consumer groups");
    pub(super) const DISK_FULL: (&str, &str) =
        ("disk_full", "1 while produce requests are refused for want of space");
    pub(super) const SHARE_GIVEN_UP: (&str, &str) =
        ("share_records_given_up", "Records that share groups rejected or tried too often");
    pub(super) const CLEANER_RUNS: (&str, &str) = ("cleaner_runs", "Cleanings of compacted logs");
    pub(super) const CLEANER_READ: (&str, &str) =
        ("cleaner_bytes_read", "Bytes read by compaction");
    pub(super) const CLEANER_WRITTEN: (&str, &str) =
        ("cleaner_bytes_written", "Bytes written by compaction");
    pub(super) const CLEANER_FREED: (&str, &str) =
        ("cleaner_bytes_freed", "Bytes by which compaction made logs shorter");
    pub(super) const CLEANER_REMOVED: (&str, &str) =
        ("cleaner_records_removed", "Records that compaction removed");
    pub(super) const CLEANER_FAILURES: (&str, &str) =
        ("cleaner_failures", "Logs that could not be cleaned");
    pub(super) const CLEANER_DIRTY: (&str, &str) = (
        "cleaner_dirty_ratio_max",
        "The largest part of a compacted log that may be cleaned and is not, as last looked at",
    );
    pub(super) const LAG: (&str, &str) =
        ("group_lag", "Records between a group's committed offset and the readable end");
}

/// Who serves a connection or request, and what kind of request it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    /// The gateway.
    pub(crate) gateway: &'static str,
    /// The request's name.
    pub(crate) request: &'static str,
}

/// Who serves a connection.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct GatewayLabels {
    /// The gateway.
    pub(crate) gateway: &'static str,
}

/// Whose lag, and on what.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub(crate) struct LagLabels {
    pub(crate) group: String,
    pub(crate) topic: String,
    pub(crate) partition: u32,
}

/// One broker's counters. What is hot is bumped once a call, not once a record.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub(crate) records_in: Counter,
    pub(crate) bytes_in: Counter,
    pub(crate) batches_in: Counter,
    pub(crate) batches_refused: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) records_out: Counter,
    pub(crate) bytes_out: Counter,
    requests: Arc<Requests>,
    connections: Family<GatewayLabels, Gauge>,
    pub(crate) sync_seconds: Histogram,
    pub(crate) sync_failures: Counter,
    pub(crate) unsynced: Gauge,
    pub(crate) held: Gauge,
    pub(crate) budget: Gauge,
    pub(crate) topics: Gauge,
    pub(crate) partitions: Gauge,
    pub(crate) groups: Gauge,
    pub(crate) disk_full: Gauge,
    pub(crate) lag: Family<LagLabels, Gauge>,
    pub(crate) share_given_up: Counter,
    pub(crate) cleaner_runs: Counter,
    pub(crate) cleaner_bytes_read: Counter,
    pub(crate) cleaner_bytes_written: Counter,
    pub(crate) cleaner_bytes_freed: Counter,
    pub(crate) cleaner_records_removed: Counter,
    pub(crate) cleaner_failures: Counter,
    pub(crate) cleaner_dirty_ratio: Gauge<f64, AtomicU64>,
}

impl Metrics {
    pub(crate) fn new() -> Metrics {
        let mut metrics = Metrics {
            registry: Registry::with_prefix("onrush"),
            records_in: Counter::default(),
            bytes_in: Counter::default(),
            batches_in: Counter::default(),
            batches_refused: Counter::default(),
            duplicates: Counter::default(),
            records_out: Counter::default(),
            bytes_out: Counter::default(),
            requests: Arc::default(),
            connections: Family::default(),
            sync_seconds: Histogram::new(exponential_buckets(0.000_05, 2.0, 18)),
            sync_failures: Counter::default(),
            unsynced: Gauge::default(),
            held: Gauge::default(),
            budget: Gauge::default(),
            topics: Gauge::default(),
            partitions: Gauge::default(),
            groups: Gauge::default(),
            disk_full: Gauge::default(),
            lag: Family::default(),
            share_given_up: Counter::default(),
            cleaner_runs: Counter::default(),
            cleaner_bytes_read: Counter::default(),
            cleaner_bytes_written: Counter::default(),
            cleaner_bytes_freed: Counter::default(),
            cleaner_records_removed: Counter::default(),
            cleaner_failures: Counter::default(),
            cleaner_dirty_ratio: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let r = &mut self.registry;
        let counters = [
            (name::RECORDS_IN, &self.records_in),
            (name::BYTES_IN, &self.bytes_in),
            (name::BATCHES_IN, &self.batches_in),
            (name::BATCHES_REFUSED, &self.batches_refused),
            (name::DUPLICATES, &self.duplicates),
            (name::RECORDS_OUT, &self.records_out),
            (name::BYTES_OUT, &self.bytes_out),
            (name::SYNC_FAILURES, &self.sync_failures),
            (name::SHARE_GIVEN_UP, &self.share_given_up),
            (name::CLEANER_RUNS, &self.cleaner_runs),
            (name::CLEANER_READ, &self.cleaner_bytes_read),
            (name::CLEANER_WRITTEN, &self.cleaner_bytes_written),
            (name::CLEANER_FREED, &self.cleaner_bytes_freed),
            (name::CLEANER_REMOVED, &self.cleaner_records_removed),
            (name::CLEANER_FAILURES, &self.cleaner_failures),
        ];
        for ((name, help), counter) in counters {
            r.register(name, help, counter.clone());
        }
        let gauges = [
            (name::UNSYNCED, &self.unsynced),
            (name::HELD, &self.held),
            (name::BUDGET, &self.budget),
            (name::TOPICS, &self.topics),
            (name::PARTITIONS, &self.partitions),
            (name::GROUPS, &self.groups),
            (name::DISK_FULL, &self.disk_full),
        ];
        for ((name, help), gauge) in gauges {
            r.register(name, help, gauge.clone());
        }
        r.register_collector(Box::new(Arc::clone(&self.requests)));
        r.register(name::CONNECTIONS.0, name::CONNECTIONS.1, self.connections.clone());
        r.register(name::SYNC_SECONDS.0, name::SYNC_SECONDS.1, self.sync_seconds.clone());
        let (name, help) = name::CLEANER_DIRTY;
        r.register(name, help, self.cleaner_dirty_ratio.clone());
        r.register(name::LAG.0, name::LAG.1, self.lag.clone());
    }

    /// A meter of a gateway's requests, of which each shard has its own: fetch it once and keep it.
    /// Kinds of requests have the number of their name in `kinds`.
    pub fn request_meter(
        &self,
        gateway: &'static str,
        kinds: impl IntoIterator<Item = &'static str>,
    ) -> Arc<RequestMeter> {
        self.requests.meter(gateway, kinds)
    }

    /// The gauge of a gateway's open connections: fetch it once and keep it.
    pub fn connections(&self, gateway: &'static str) -> Gauge {
        self.connections.get_or_create(&GatewayLabels { gateway }).clone()
    }

    /// All of it in Prometheus's text format.
    pub(crate) fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail, and the encoder has no other reason to.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_counted_is_shown() {
        let metrics = Metrics::new();
        metrics.records_in.inc_by(7);
        for number in 0..2 {
            let meter = metrics.request_meter("native", ["Fetch", "Produce"]);
            meter.taken(1);
            meter.answered(1, Duration::from_micros(70 + 600 * number));
            meter.taken(9);
        }
        metrics.connections("native").inc();
        metrics.sync_seconds.observe(0.001);
        let text = metrics.encode();
        for line in [
            "onrush_records_in_total 7",
            "onrush_requests_total{gateway=\"native\",request=\"Produce\"} 2",
            "onrush_request_seconds_count{gateway=\"native\",request=\"Produce\"} 2",
            "onrush_request_seconds_bucket{le=\"0.0001\",gateway=\"native\",request=\"Produce\"} 1",
            "onrush_request_seconds_bucket{le=\"0.0008\",gateway=\"native\",request=\"Produce\"} 2",
            "onrush_request_seconds_bucket{le=\"+Inf\",gateway=\"native\",request=\"Produce\"} 2",
            "onrush_connections{gateway=\"native\"} 1",
            "onrush_sync_seconds_count 1",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        assert!(!text.contains("Fetch"), "nobody asked for that:\n{text}");
    }
}
