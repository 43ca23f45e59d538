//! A topic's settings by name: Kafka's, those of them that change nothing here included, and our own.

use onrush_storage::Visibility;

use super::config::{Cleanup, Compression, Ratio, TimestampType, TopicConfig};
use crate::Acks;
use crate::settings::{Key, Keys, assign, ranged};

/// All of them.
pub(super) const KEYS: Keys<TopicConfig> = Keys { of: "topic", keys: TOPIC_KEYS };

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
        name: "compression.gzip.level",
        allowed: "-1, or 1 to 9",
        doc: "Accepted for Kafka's sake: what is compressed here is compressed at the codec's usual level.",
        set: |_, value| within(value, -1, 9).filter(|level| *level != 0).map(drop),
        get: |_| "-1".to_owned(),
    },
    Key {
        name: "compression.lz4.level",
        allowed: "1 to 17",
        doc: "Accepted for Kafka's sake: what is compressed here is compressed at the codec's usual level.",
        set: |_, value| within(value, 1, 17).map(drop),
        get: |_| "9".to_owned(),
    },
    Key {
        name: "compression.type",
        allowed: "producer, uncompressed, gzip, snappy, lz4 or zstd",
        doc: "How batches are compressed. producer: they stay as the producer sent them; anything else compresses again what differs.",
        set: |config, value| assign(&mut config.compression, Compression::parse(value)),
        get: |config| config.compression.name().to_owned(),
    },
    Key {
        name: "compression.zstd.level",
        allowed: "-131072 to 22",
        doc: "Accepted for Kafka's sake: what is compressed here is compressed at the codec's usual level.",
        set: |_, value| within(value, -131_072, 22).map(drop),
        get: |_| "3".to_owned(),
    },
    Key {
        name: "delete.retention.ms",
        allowed: "0 and more",
        doc: "Compacted topics: how long a deletion (a record without a value) stays readable once its key is cleaned.",
        set: |config, value| assign(&mut config.delete_retention_ms, milliseconds(value)),
        get: |config| config.delete_retention_ms.to_string(),
    },
    Key {
        name: "file.delete.delay.ms",
        allowed: "0 and more",
        doc: "Accepted for Kafka's sake: deleted files go at once.",
        set: |_, value| milliseconds(value).map(drop),
        get: |_| "60000".to_owned(),
    },
    Key {
        name: "flush.messages",
        allowed: "1 and more",
        doc: "1 makes every acknowledgement durable, as acks.minimum=all does. More changes nothing: what is written is synced all the time.",
        set: |config, value| {
            let messages: u64 = ranged(value, 1, i64::MAX.unsigned_abs())?;
            config.flush_each_batch = messages == 1;
            Some(())
        },
        get: |config| if config.flush_each_batch { "1".to_owned() } else { i64::MAX.to_string() },
    },
    Key {
        name: "flush.ms",
        allowed: "0 and more",
        doc: "Accepted for Kafka's sake: what is written is synced all the time.",
        set: |_, value| milliseconds(value).map(drop),
        get: |_| i64::MAX.to_string(),
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
        name: "preallocate",
        allowed: "true or false",
        doc: "Accepted for Kafka's sake: room for a segment is always reserved beforehand.",
        set: |_, value| boolean(value).map(drop),
        get: |_| "false".to_owned(),
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
        name: "segment.index.bytes",
        allowed: "4 and more",
        doc: "Accepted for Kafka's sake: an index grows as its segment does.",
        set: |_, value| ranged::<u32>(value, 4, i32::MAX.unsigned_abs().into()).map(drop),
        get: |_| "10485760".to_owned(),
    },
    Key {
        name: "segment.jitter.ms",
        allowed: "0 and more",
        doc: "Accepted for Kafka's sake: segments that are due at once are rolled one after the other.",
        set: |_, value| milliseconds(value).map(drop),
        get: |_| "0".to_owned(),
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
        name: "unclean.leader.election.enable",
        allowed: "true or false",
        doc: "Accepted for Kafka's sake: there is one replica to elect.",
        set: |_, value| boolean(value).map(drop),
        get: |_| "false".to_owned(),
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

fn within(value: &str, least: i64, most: i64) -> Option<i64> {
    value.parse().ok().filter(|number| (least..=most).contains(number))
}

fn boolean(value: &str) -> Option<bool> {
    value.to_ascii_lowercase().parse().ok()
}
