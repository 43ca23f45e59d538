//! A topic's configuration: Kafka's names and defaults, and a few of our own.

use onrush_record::batch::Codec;
use onrush_storage::{CleanPolicy, LogConfig, Visibility};

use super::keys::KEYS;
use crate::settings::{ConfigEntry, Overrides};
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
    pub(super) fn parse(value: &str) -> Option<Cleanup> {
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

    pub(super) fn name(self) -> &'static str {
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

    pub(super) fn parse(value: &str) -> Option<Ratio> {
        let number: f64 = value.parse().ok()?;
        (0.0..=1.0).contains(&number).then_some(Ratio(number))
    }
}

/// How a topic's batches are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As the producer sent them.
    Producer,
    /// In this way, whatever the producer sent.
    Topic(Codec),
}

impl Compression {
    /// The topic's own, if it has one.
    pub fn codec(self) -> Option<Codec> {
        match self {
            Compression::Producer => None,
            Compression::Topic(codec) => Some(codec),
        }
    }

    pub(super) fn parse(value: &str) -> Option<Compression> {
        Some(match value {
            "producer" => Compression::Producer,
            "uncompressed" => Compression::Topic(Codec::None),
            _ => Compression::Topic(COMPRESSING.into_iter().find(|codec| codec.name() == value)?),
        })
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Compression::Producer => "producer",
            Compression::Topic(Codec::None) => "uncompressed",
            Compression::Topic(codec) => codec.name(),
        }
    }
}

const COMPRESSING: [Codec; 4] = [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

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
    /// How batches are compressed.
    pub compression: Compression,
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
    /// Whether every acknowledged produce is durable, as Kafka's `flush.messages=1` has it.
    pub flush_each_batch: bool,
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
            compression: Compression::Producer,
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
            flush_each_batch: false,
            validate_records: false,
            index_interval_bytes: 64 << 10,
        }
    }
}

impl TopicConfig {
    /// These settings with `overrides` on top.
    ///
    /// # Errors
    /// [`InvalidConfig`](crate::Error::InvalidConfig) names the key, the value and what is allowed.
    pub fn with(&self, overrides: &Overrides) -> Result<TopicConfig> {
        KEYS.with(self, overrides)
    }

    /// Changes one setting.
    ///
    /// # Errors
    /// [`InvalidConfig`](crate::Error::InvalidConfig) names the key, the value and what is allowed.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        KEYS.set(self, name, value)
    }

    /// Every setting; those among `overrides` are the topic's own.
    pub fn describe(&self, overrides: &Overrides) -> Vec<ConfigEntry> {
        KEYS.describe(self, overrides)
    }

    /// The weakest durability of an acknowledged produce, by all that says so.
    pub(crate) fn least_acks(&self) -> Acks {
        if self.flush_each_batch { Acks::All } else { self.acks_minimum }
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
