//! What is computed when somebody asks for the metrics.

use crate::Broker;
use crate::metrics::LagLabels;

impl Broker {
    /// All metrics in Prometheus's text format.
    pub fn scrape(&self) -> String {
        let services = &self.inner.services;
        let metrics = &services.metrics;
        let gauge = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        metrics.unsynced.set(gauge(services.budget.unsynced_bytes()));
        metrics.held.set(gauge(services.budget.held_bytes()));
        metrics.budget.set(gauge(services.budget.held_max_bytes()));
        metrics.disk_full.set(i64::from(services.space.is_full()));
        let topics = self.topics();
        metrics.topics.set(i64::try_from(topics.len()).unwrap_or(i64::MAX));
        let partitions: i64 = topics.iter().map(|topic| i64::from(topic.partition_count())).sum();
        metrics.partitions.set(partitions);
        metrics.groups.set(i64::try_from(self.inner.coordinator.count()).unwrap_or(i64::MAX));
        self.set_lag();
        metrics.encode()
    }

    fn set_lag(&self) {
        let lag = &self.inner.services.metrics.lag;
        // Groups and topics come and go: what is gone must not be shown.
        lag.clear();
        for (group, (topic, index), committed) in self.inner.coordinator.committed() {
            let Ok(partition) = self.partition(topic, index) else { continue };
            let records = partition.ends().readable.since(committed);
            let topic = partition.topic_name().to_string();
            let labels = LagLabels { group, topic, partition: index };
            lag.get_or_create(&labels).set(i64::try_from(records).unwrap_or(i64::MAX));
        }
    }
}
