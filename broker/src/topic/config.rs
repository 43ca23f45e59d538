//! A topic's configuration: Kafka's names and defaults, and a few of our own.

use std::collections::BTreeMap;

use onrush_storage::{LogConfig, Visibility};

use crate::{Acks, Error, Result};

/// The settings a topic was given, by key; what is absent has its default.
pub type Overrides = BTreeMap<String, String>;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Whose clock a record's timestamp is by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's, when it appends.
    LogAppendTime,
}

/// A topic's settings, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicConfig {
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

/// One configuration key: how it is read, written and explained.
struct Key {
    name: &'static str,
    allowed: &'static str,
    doc: &'static str,
    set: fn(&mut TopicConfig, &str) -> Option<()>,
    get: fn(&TopicConfig) -> String,
}

/// Where the value of a setting comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigSource {
    /// Built in.
    Default,
    /// The broker's configuration.
    Broker,
    /// The topic was given it.
    Topic,
}

/// One setting, as `describe` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Its key.
    pub key: &'static str,
    /// The value in force.
    pub value: String,
    /// Where that comes from.
    pub source: ConfigSource,
    /// Whether it can be changed only by a restart.
    pub read_only: bool,
    /// What it does.
    pub documentation: &'static str,
}

const KEYS: &[Key] = &[
    Key {
        name: "acks.minimum",
        allowed: "0, 1 or all",
        doc: "The weakest durability of an acknowledged produce: all lifts producers that ask for less.",
        set: |config, value| assign(&mut config.acks_minimum, Acks::parse(value)),
        get: |config| config.acks_minimum.to_string(),
    },
    Key {
        name: "cleanup.policy",
        allowed: "delete",
        doc: "How old records go: delete drops whole segments by age and size.",
        set: |_, value| (value == "delete").then_some(()),
        get: |_| "delete".to_owned(),
    },
    Key {
        name: "compression.type",
        allowed: "producer",
        doc: "Batches stay compressed as the producer sent them.",
        set: |_, value| (value == "producer").then_some(()),
        get: |_| "producer".to_owned(),
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

fn assign<T>(place: &mut T, value: Option<T>) -> Option<()> {
    *place = value?;
    Some(())
}

fn ranged<T: TryFrom<u64>>(value: &str, least: u64, most: u64) -> Option<T> {
    let value: u64 = value.parse().ok()?;
    (least..=most).contains(&value).then(|| T::try_from(value).ok())?
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
        let mut config = self.clone();
        for (name, value) in overrides {
            config.set(name, value)?;
        }
        Ok(config)
    }

    /// Changes one setting.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names the key, the value and what is allowed.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let key = find(name)?;
        (key.set)(self, value).ok_or_else(|| {
            let value: String = value.chars().take(100).collect();
            Error::invalid_config(name, format!("{value:?} is not allowed; use {}", key.allowed))
        })
    }

    /// Every setting; those among `overrides` are the topic's own.
    pub fn describe(&self, overrides: &Overrides) -> Vec<ConfigEntry> {
        let built_in = TopicConfig::default();
        let entry = |key: &Key| {
            let value = (key.get)(self);
            let source = if overrides.contains_key(key.name) {
                ConfigSource::Topic
            } else if value == (key.get)(&built_in) {
                ConfigSource::Default
            } else {
                ConfigSource::Broker
            };
            let (key, documentation) = (key.name, key.doc);
            ConfigEntry { key, value, source, read_only: false, documentation }
        };
        KEYS.iter().map(entry).collect()
    }

    /// What the log of a partition needs of this.
    pub(crate) fn log(&self) -> LogConfig {
        LogConfig {
            segment_bytes: self.segment_bytes,
            segment_ms: self.segment_ms,
            retention_ms: self.retention_ms,
            retention_bytes: self.retention_bytes,
            index_interval_bytes: self.index_interval_bytes,
            max_batch_bytes: self.max_message_bytes,
            visibility: self.visibility,
            ..LogConfig::default()
        }
    }
}

/// Refuses a key that no topic has.
pub(crate) fn check_key(name: &str) -> Result<()> {
    find(name).map(|_| ())
}

fn find(name: &str) -> Result<&'static Key> {
    KEYS.iter().find(|key| key.name == name).ok_or_else(|| {
        let known: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
        let name: String = name.chars().take(100).collect();
        Error::invalid_config(name, format!("no topic has this key; it has {}", known.join(", ")))
    })
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
            ("cleanup.policy", "compact"),
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
    fn an_unknown_key_is_refused_with_those_there_are() {
        let message = TopicConfig::default().set("retention", "1").unwrap_err().to_string();
        assert!(message.contains("retention.ms"), "{message}");
    }

    #[test]
    fn keys_are_sorted() {
        assert!(KEYS.is_sorted_by_key(|key| key.name));
    }
}
