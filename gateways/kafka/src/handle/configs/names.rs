//! What Kafka knows of a setting beside its value: its type, and what the broker's default for a
//! topic's setting is called.

/// The type of a setting's value, by Kafka's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Boolean = 1,
    String = 2,
    Int = 3,
    Long = 5,
    Double = 6,
    List = 7,
}

impl Type {
    pub(super) fn wire(self) -> i8 {
        self as i8
    }
}

struct Name {
    topic: &'static str,
    kind: Type,
    broker: &'static str,
}

const fn name(topic: &'static str, kind: Type, broker: &'static str) -> Name {
    Name { topic, kind, broker }
}

/// Settings of groups are nobody's defaults.
const fn of_group(group: &'static str, kind: Type) -> Name {
    name(group, kind, group)
}

const NAMES: &[Name] = &[
    name("acks.minimum", Type::String, "acks.minimum"),
    name("cleanup.policy", Type::List, "log.cleanup.policy"),
    name("compression.gzip.level", Type::Int, "compression.gzip.level"),
    name("compression.lz4.level", Type::Int, "compression.lz4.level"),
    name("compression.type", Type::String, "compression.type"),
    name("compression.zstd.level", Type::Int, "compression.zstd.level"),
    of_group("consumer.heartbeat.interval.ms", Type::Int),
    of_group("consumer.session.timeout.ms", Type::Int),
    name("delete.retention.ms", Type::Long, "log.cleaner.delete.retention.ms"),
    name("file.delete.delay.ms", Type::Long, "log.segment.delete.delay.ms"),
    name("flush.messages", Type::Long, "log.flush.interval.messages"),
    name("flush.ms", Type::Long, "log.flush.interval.ms"),
    name("index.interval.bytes", Type::Int, "log.index.interval.bytes"),
    name("max.compaction.lag.ms", Type::Long, "log.cleaner.max.compaction.lag.ms"),
    name("max.message.bytes", Type::Int, "message.max.bytes"),
    name("message.timestamp.after.max.ms", Type::Long, "log.message.timestamp.after.max.ms"),
    name("message.timestamp.before.max.ms", Type::Long, "log.message.timestamp.before.max.ms"),
    name("message.timestamp.type", Type::String, "log.message.timestamp.type"),
    name("min.cleanable.dirty.ratio", Type::Double, "log.cleaner.min.cleanable.ratio"),
    name("min.compaction.lag.ms", Type::Long, "log.cleaner.min.compaction.lag.ms"),
    name("min.insync.replicas", Type::Int, "min.insync.replicas"),
    name("preallocate", Type::Boolean, "log.preallocate"),
    name("retention.bytes", Type::Long, "log.retention.bytes"),
    name("retention.ms", Type::Long, "log.retention.ms"),
    name("segment.bytes", Type::Int, "log.segment.bytes"),
    name("segment.index.bytes", Type::Int, "log.index.size.max.bytes"),
    name("segment.jitter.ms", Type::Long, "log.roll.jitter.ms"),
    name("segment.ms", Type::Long, "log.roll.ms"),
    of_group("share.auto.offset.reset", Type::String),
    of_group("share.delivery.count.limit", Type::Int),
    of_group("share.heartbeat.interval.ms", Type::Int),
    of_group("share.isolation.level", Type::String),
    of_group("share.order.by.key", Type::Boolean),
    of_group("share.partition.max.record.locks", Type::Int),
    of_group("share.record.lock.duration.ms", Type::Int),
    of_group("share.renew.acknowledge.enable", Type::Boolean),
    of_group("share.session.timeout.ms", Type::Int),
    name("unclean.leader.election.enable", Type::Boolean, "unclean.leader.election.enable"),
    name("validate.records", Type::Boolean, "validate.records"),
    name("visibility", Type::String, "visibility"),
];

fn find(topic: &str) -> Option<&'static Name> {
    NAMES.iter().find(|name| name.topic == topic)
}

/// The type of a topic's setting.
pub(super) fn kind(topic: &str) -> Type {
    find(topic).map_or(Type::String, |name| name.kind)
}

/// What the broker's default of a topic's setting is called.
pub(super) fn broker_name(topic: &str) -> &str {
    find(topic).map_or(topic, |name| name.broker)
}

#[cfg(test)]
mod tests {
    use onrush_broker::{Overrides, TopicConfig};

    use super::*;

    #[test]
    fn every_setting_of_a_topic_has_its_type() {
        for entry in TopicConfig::default().describe(&Overrides::new()) {
            assert!(find(entry.key).is_some(), "{} is not in the table", entry.key);
        }
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(NAMES.is_sorted_by_key(|name| name.topic));
    }
}
