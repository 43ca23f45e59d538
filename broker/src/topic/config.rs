//! A topic's configuration: Kafka's names and defaults, and a few of our own.

use onrush_storage::{CleanPolicy, LogConfig, Visibility};

use crate::settings::{ConfigEntry, Key, Keys, Overrides, assign, ranged};
use crate::{Acks, Result};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Whose clock a record's timestamp is by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's, when it appends.
    LogAppendTime,
}

/// How old records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cleanup {
    /// Whole segments, by age and size.
    pub deletes: bool,
    /// Those whose key has a newer record.
    pub compacts: bool,
}

impl Cleanup {
    fn parse(value: &str) -> Option<Cleanup> {
        let mut cleanup = Cleanup { deletes: false, compacts: false };
        for word in value.split(',') {
            match word.trim() {
                "delete" => cleanup.deletes = true,
                "compact" => cleanup.compacts = true,
                _ => return None,
            }
        }
        Some(cleanup)
    }

    fn name(self) -> &'static str {
        match (self.compacts, self.deletes) {
            (true, true) => "compact,delete",
            (true, false) => "compact",
            _ => "delete",
        }
    }
}

/// A part of a whole, between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio(f64);

// A number it always is.
impl Eq for Ratio {}

impl Ratio {
    /// As a number between 0 and 1.
    pub fn get(self) -> f64 {
        self.0
    }

    fn parse(value: &str) -> Option<Ratio> {
        let number: f64 = value.parse().ok()?;
        (0.0..=1.0).contains(&number).then_some(Ratio(number))
    }
}

/// A topic's settings, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfig {
    /// How old records go.
    pub cleanup: Cleanup,
    /// Compacted: the part of a log that is dirty before it is cleaned.
    pub min_dirty_ratio: Ratio,
    /// Compacted: how long tombstones stay once they have been cleaned.
    pub delete_retention_ms: u64,
    /// Compacted: records younger than this are not cleaned.
    pub min_compaction_lag_ms: u64,
    /// Compacted: records older than this are cleaned however little is dirty; None: not by age.
    pub max_compaction_lag_ms: Option<u64>,
    /// How long records are kept; None keeps them for good.
    pub retention_ms: Option<u64>,
    /// How many bytes a partition keeps; None keeps all.
    pub retention_bytes: Option<u64>,
    /// The size at which a segment is closed and the next begun.
    pub segment_bytes: u64,
    /// The age at which a segment is closed and the next begun.
    pub segment_ms: Option<u64>,
    /// The largest record batch that is accepted.
    pub max_message_bytes: u32,
    /// Whose clock timestamps are by.
    pub timestamp_type: TimestampType,
    /// How far a batch's timestamps may lie before the broker's clock.
    pub timestamp_before_max_ms: i64,
    /// How far a batch's timestamps may lie after the broker's clock.
    pub timestamp_after_max_ms: i64,
    /// Which records consumers see.
    pub visibility: Visibility,
    /// The weakest durability an acknowledged produce has, whatever the producer asks for.
    pub acks_minimum: Acks,
    /// Whether each record of a batch is looked at, or its header and checksum only.
    pub validate_records: bool,
    /// Bytes of log that one entry of the index covers.
    pub index_interval_bytes: u32,
}

impl Default for TopicConfig {
    fn default() -> TopicConfig {
        TopicConfig {
            cleanup: Cleanup { deletes: true, compacts: false },
            min_dirty_ratio: Ratio(0.5),
            delete_retention_ms: DAY_MS.unsigned_abs(),
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: None,
            retention_ms: Some((7 * DAY_MS).unsigned_abs()),
            retention_bytes: None,
            segment_bytes: 1 << 30,
            segment_ms: Some((7 * DAY_MS).unsigned_abs()),
            max_message_bytes: 1_048_588,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 60 * 60 * 1000,
            visibility: Visibility::Durable,
            acks_minimum: Acks::None,
            validate_records: false,
            index_interval_bytes: 64 << 10,
        }
    }
}

const KEYS: Keys<TopicConfig> = Keys { of: "topic", keys: TOPIC_KEYS };

const TOPIC_KEYS: &[Key<TopicConfig>] = &[
    Key {
        name: "acks.minimum",
        allowed: "0, 1 or all",
        doc: "The weakest durability of an acknowledged produce: all lifts producers that ask for less.",
        set: |config, value| assign(&mut config.acks_minimum, Acks::parse(value)),
        get: |config| config.acks_minimum.to_string(),
    },
    Key {
        name: "cleanup.policy",
        allowed: "delete, compact or compact,delete",
        doc: "How old records go: delete drops whole segments by age and size, compact keeps the newest record of each key.",
        set: |config, value| assign(&mut config.cleanup, Cleanup::parse(value)),
        get: |config| config.cleanup.name().to_owned(),
    },
    Key {
        name: "compression.type",
        allowed: "producer",
        doc: "Batches stay compressed as the producer sent them.",
        set: |_, value| (value == "producer").then_some(()),
        get: |_| "producer".to_owned(),
    },
    Key {
        name: "delete.retention.ms",
        allowed: "0 and more",
        doc: "Compacted topics: how long a deletion (a record without a value) stays readable once its key is cleaned.",
        set: |config, value| assign(&mut config.delete_retention_ms, milliseconds(value)),
        get: |config| config.delete_retention_ms.to_string(),
    },
    Key {
        name: "index.interval.bytes",
        allowed: "4096 to 16777216",
        doc: "Bytes of log that one entry of the index, and its checksum, cover.",
        set: |config, value| {
            assign(&mut config.index_interval_bytes, ranged(value, 4096, 16 << 20))
        },
        get: |config| config.index_interval_bytes.to_string(),
    },
    Key {
        name: "max.compaction.lag.ms",
        allowed: "1 and more; 9223372036854775807 for no limit",
        doc: "Compacted topics: how long a record may stay uncleaned at the most, also in a log that is hardly dirty.",
        set: |config, value| {
            let lag = ranged(value, 1, i64::MAX.unsigned_abs())?;
            config.max_compaction_lag_ms = (lag < i64::MAX.unsigned_abs()).then_some(lag);
            Some(())
        },
        get: |config| config.max_compaction_lag_ms.unwrap_or(i64::MAX.unsigned_abs()).to_string(),
    },
    Key {
        name: "max.message.bytes",
        allowed: "61 to 1073741824",
        doc: "The largest record batch that is accepted, compressed as it is sent.",
        set: |config, value| assign(&mut config.max_message_bytes, ranged(value, 61, 1 << 30)),
        get: |config| config.max_message_bytes.to_string(),
    },
    Key {
        name: "message.timestamp.after.max.ms",
        allowed: "0 to 9223372036854775807",
        doc: "How far a batch's latest timestamp may lie ahead of the broker's clock.",
        set: |config, value| {
            assign(&mut config.timestamp_after_max_ms, ranged(value, 0, i64::MAX.unsigned_abs()))
        },
        get: |config| config.timestamp_after_max_ms.to_string(),
    },
    Key {
        name: "message.timestamp.before.max.ms",
        allowed: "0 to 9223372036854775807",
        doc: "How far a batch's first timestamp may lie behind the broker's clock.",
        set: |config, value| {
            assign(&mut config.timestamp_before_max_ms, ranged(value, 0, i64::MAX.unsigned_abs()))
        },
        get: |config| config.timestamp_before_max_ms.to_string(),
    },
    Key {
        name: "message.timestamp.type",
        allowed: "CreateTime or LogAppendTime",
        doc: "Whose clock a record's timestamp is by: the producer's or the broker's.",
        set: |config, value| {
            assign(
                &mut config.timestamp_type,
                match value {
                    "CreateTime" => Some(TimestampType::CreateTime),
                    "LogAppendTime" => Some(TimestampType::LogAppendTime),
                    _ => None,
                },
            )
        },
        get: |config| format!("{:?}", config.timestamp_type),
    },
    Key {
        name: "min.cleanable.dirty.ratio",
        allowed: "0 to 1",
        doc: "Compacted topics: the part of a log that must be dirty before it is cleaned.",
        set: |config, value| assign(&mut config.min_dirty_ratio, Ratio::parse(value)),
        get: |config| config.min_dirty_ratio.get().to_string(),
    },
    Key {
        name: "min.compaction.lag.ms",
        allowed: "0 and more",
        doc: "Compacted topics: how long a record stays at the least, also when its key has a newer one.",
        set: |config, value| assign(&mut config.min_compaction_lag_ms, milliseconds(value)),
        get: |config| config.min_compaction_lag_ms.to_string(),
    },
    Key {
        name: "min.insync.replicas",
        allowed: "1",
        doc: "Accepted for Kafka's sake: there is one replica.",
        set: |_, value| (value == "1").then_some(()),
        get: |_| "1".to_owned(),
    },
    Key {
        name: "retention.bytes",
        allowed: "-1 (no limit), or 0 and more",
        doc: "How many bytes a partition keeps before its oldest segments go.",
        set: |config, value| assign(&mut config.retention_bytes, unlimited(value)),
        get: |config| or_minus_one(config.retention_bytes),
    },
    Key {
        name: "retention.ms",
        allowed: "-1 (no limit), or 0 and more",
        doc: "How long records are kept before their segment goes.",
        set: |config, value| assign(&mut config.retention_ms, unlimited(value)),
        get: |config| or_minus_one(config.retention_ms),
    },
    Key {
        name: "segment.bytes",
        allowed: "16384 to 2147483647",
        doc: "The size at which a segment is closed and the next one begun.",
        set: |config, value| {
            assign(
                &mut config.segment_bytes,
                ranged(value, 16 << 10, i32::MAX.unsigned_abs().into()),
            )
        },
        get: |config| config.segment_bytes.to_string(),
    },
    Key {
        name: "segment.ms",
        allowed: "1 and more",
        doc: "The age at which a segment is closed and the next one begun.",
        set: |config, value| {
            assign(&mut config.segment_ms, ranged(value, 1, i64::MAX.unsigned_abs()).map(Some))
        },
        get: |config| or_minus_one(config.segment_ms),
    },
    Key {
        name: "validate.records",
        allowed: "true or false",
        doc: "Whether each record of a batch is looked at, or only its header and checksum.",
        set: |config, value| assign(&mut config.validate_records, value.parse().ok()),
        get: |config| config.validate_records.to_string(),
    },
    Key {
        name: "visibility",
        allowed: "durable or written",
        doc: "Which records consumers see: those on stable storage, or all that are written.",
        set: |config, value| {
            assign(
                &mut config.visibility,
                match value {
                    "durable" => Some(Visibility::Durable),
                    "written" => Some(Visibility::Written),
                    _ => None,
                },
            )
        },
        get: |config| {
            match config.visibility {
                Visibility::Durable => "durable",
                Visibility::Written => "written",
            }
            .to_owned()
        },
    },
];

fn milliseconds(value: &str) -> Option<u64> {
    ranged(value, 0, i64::MAX.unsigned_abs())
}

/// -1 is "no limit".
fn unlimited(value: &str) -> Option<Option<u64>> {
    if value == "-1" { Some(None) } else { ranged(value, 0, i64::MAX.unsigned_abs()).map(Some) }
}

fn or_minus_one(value: Option<u64>) -> String {
    value.map_or_else(|| "-1".to_owned(), |value| value.to_string())
}

impl TopicConfig {
    /// These settings with `overrides` on top.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names the key, the value and what is allowed.
    pub fn with(&self, overrides: &Overrides) -> Result<TopicConfig> {
        KEYS.with(self, overrides)
    }

    /// Changes one setting.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names the key, the value and what is allowed.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        KEYS.set(self, name, value)
    }

    /// Every setting; those among `overrides` are the topic's own.
    pub fn describe(&self, overrides: &Overrides) -> Vec<ConfigEntry> {
        KEYS.describe(self, overrides)
    }

    /// When and how the log of a partition is cleaned, if it is compacted.
    pub(crate) fn clean_policy(&self) -> CleanPolicy {
        CleanPolicy {
            min_dirty_ratio: self.min_dirty_ratio.get(),
            min_lag_ms: self.min_compaction_lag_ms,
            max_lag_ms: self.max_compaction_lag_ms,
            delete_retention_ms: self.delete_retention_ms,
        }
    }

    /// What the log of a partition needs of this.
    pub(crate) fn log(&self) -> LogConfig {
        // Only what was rolled can be cleaned, so that rolling keeps the limit, too.
        let lag = self.max_compaction_lag_ms.filter(|_| self.cleanup.compacts);
        let segment_ms = [self.segment_ms, lag].into_iter().flatten().min();
        LogConfig {
            segment_bytes: self.segment_bytes,
            segment_ms,
            retention_ms: self.retention_ms.filter(|_| self.cleanup.deletes),
            retention_bytes: self.retention_bytes.filter(|_| self.cleanup.deletes),
            index_interval_bytes: self.index_interval_bytes,
            max_batch_bytes: self.max_message_bytes,
            visibility: self.visibility,
            ..LogConfig::default()
        }
    }
}

/// Refuses a key that no topic has.
pub(crate) fn check_key(name: &str) -> Result<()> {
    KEYS.find(name).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_kafkas() {
        let described = TopicConfig::default().describe(&Overrides::new());
        let value = |name: &str| {
            described.iter().find(|entry| entry.key == name).map(|entry| entry.value.as_str())
        };
        for (name, expected) in [
            ("retention.ms", "604800000"),
            ("retention.bytes", "-1"),
            ("segment.bytes", "1073741824"),
            ("segment.ms", "604800000"),
            ("max.message.bytes", "1048588"),
            ("cleanup.policy", "delete"),
            ("min.cleanable.dirty.ratio", "0.5"),
            ("delete.retention.ms", "86400000"),
            ("min.compaction.lag.ms", "0"),
            ("max.compaction.lag.ms", "9223372036854775807"),
            ("message.timestamp.type", "CreateTime"),
            ("message.timestamp.after.max.ms", "3600000"),
            ("compression.type", "producer"),
            ("visibility", "durable"),
        ] {
            assert_eq!(value(name), Some(expected), "{name}");
        }
    }

    #[test]
    fn what_describe_shows_can_be_set() {
        let shown = TopicConfig::default();
        let mut config = TopicConfig::default();
        for entry in shown.describe(&Overrides::new()) {
            config.set(entry.key, &entry.value).unwrap();
        }
        assert_eq!(config, shown);
    }

    #[test]
    fn a_wrong_value_is_refused_with_what_is_allowed() {
        let mut config = TopicConfig::default();
        for (key, value) in [
            ("retention.ms", "-2"),
            ("retention.ms", "soon"),
            ("cleanup.policy", "compact,shred"),
            ("cleanup.policy", ""),
            ("min.cleanable.dirty.ratio", "1.1"),
            ("min.cleanable.dirty.ratio", "NaN"),
            ("max.compaction.lag.ms", "0"),
            ("delete.retention.ms", "-1"),
            ("segment.bytes", "1"),
            ("validate.records", "yes"),
            ("visibility", ""),
        ] {
            let message = config.set(key, value).unwrap_err().to_string();
            assert!(message.contains(key) && message.contains("use "), "{message}");
        }
        assert_eq!(config, TopicConfig::default());
    }

    #[test]
    fn a_compacted_log_rolls_in_time_and_deletes_only_where_told() {
        let mut config = TopicConfig::default();
        config.set("max.compaction.lag.ms", "5000").unwrap();
        assert_eq!(config.log().segment_ms, config.segment_ms);
        config.set("cleanup.policy", "compact").unwrap();
        let log = config.log();
        assert_eq!((log.segment_ms, log.retention_ms), (Some(5000), None));
        config.set("cleanup.policy", "delete, compact").unwrap();
        assert_eq!(config.cleanup.name(), "compact,delete");
        assert_eq!(config.log().retention_ms, config.retention_ms);
    }

    #[test]
    fn an_unknown_key_is_refused_with_those_there_are() {
        let message = TopicConfig::default().set("retention", "1").unwrap_err().to_string();
        assert!(message.contains("retention.ms"), "{message}");
    }

    #[test]
    fn keys_are_sorted() {
        assert!(KEYS.keys.is_sorted_by_key(|key| key.name));
    }
}
