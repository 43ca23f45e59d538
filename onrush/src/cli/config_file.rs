//! The configuration file of `onrush serve`: TOML, every key documented, unknown keys refused.

use crate::cli::exit::Failure;
use onrush_broker::{Acks, BrokerConfig};
use onrush_gateway_kafka::Options as KafkaOptions;
use onrush_gateway_native::Options as NativeOptions;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::Spanned;

/// Every key with its meaning and default; what `onrush serve --print-config` prints.
pub(crate) const TEMPLATE: &str = include_str!("onrush.toml");

/// A configuration file as it was written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ConfigFile {
    pub(crate) data: Option<PathBuf>,
    pub(crate) shards: Option<usize>,
    pub(crate) disk: Option<Spanned<String>>,
    pub(crate) listen: Listen,
    broker: Broker,
    kafka: Kafka,
    group: Group,
    cleaner: Cleaner,
    transaction: Transaction,
    topic: BTreeMap<Spanned<String>, Spanned<toml::Value>>,
}

/// Where the broker listens.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Listen {
    pub(crate) native: Option<String>,
    pub(crate) kafka: Option<Vec<String>>,
    pub(crate) kafka_advertised: Vec<String>,
    pub(crate) http: Option<String>,
    pub(crate) insecure: bool,
    connections_max_idle_ms: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Broker {
    default_partitions: Option<u32>,
    acks_minimum: Option<Spanned<String>>,
    memory_budget_bytes: Option<u64>,
    unsynced_max_bytes: Option<u64>,
    sync_bytes: Option<u64>,
    sync_interval_ms: Option<u64>,
    checkpoint_interval_ms: Option<u64>,
    producer_expiration_ms: Option<u64>,
    reserve_bytes: Option<u64>,
    free_min_bytes: Option<u64>,
    open_files_max: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Kafka {
    auto_create_topics: Option<bool>,
    num_partitions: Option<u32>,
    request_max_bytes: Option<u32>,
    control_request_max_bytes: Option<u32>,
    connections_max: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Cleaner {
    enabled: Option<bool>,
    interval_ms: Option<u64>,
    map_bytes: Option<usize>,
    bytes_per_second: Option<u64>,
    batch_bytes_max: Option<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Group {
    session_timeout_ms: Option<u32>,
    heartbeat_interval_ms: Option<u32>,
    rebalance_timeout_ms: Option<u32>,
    members_max: Option<usize>,
    offsets_retention_ms: Option<i64>,
    classic_session_min_ms: Option<u32>,
    classic_session_max_ms: Option<u32>,
    initial_rebalance_delay_ms: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Transaction {
    timeout_max_ms: Option<i32>,
    id_expiration_ms: Option<i64>,
}

/// A file read and understood, with its text for messages that name a line.
#[derive(Debug, Default)]
pub(crate) struct Configuration {
    pub(crate) file: ConfigFile,
    path: PathBuf,
    text: String,
}

impl Configuration {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::usage(format!(
                "the configuration file {} cannot be read: {error}. Write one with `onrush serve \
                 --print-config > onrush.toml`",
                path.display()
            ))
        })?;
        Self::parse(path, text)
    }

    fn parse(path: &Path, text: String) -> Result<Self, Failure> {
        match toml::from_str(&text) {
            Ok(file) => Ok(Self { file, path: path.to_owned(), text }),
            Err(error) => {
                let line = error.span().map_or(1, |span| line_of(&text, &span));
                Err(Failure::usage(format!(
                    "{}, line {line}: {}. `onrush serve --print-config` shows every key",
                    path.display(),
                    error.message().trim_end_matches('.')
                )))
            }
        }
    }

    /// What the file says of the broker, over the defaults.
    pub(crate) fn broker(&self) -> Result<BrokerConfig, Failure> {
        let mut config = BrokerConfig::default();
        let (broker, group) = (&self.file.broker, &self.file.group);
        set(&mut config.default_partitions, broker.default_partitions);
        set(&mut config.memory_budget_bytes, broker.memory_budget_bytes);
        set(&mut config.unsynced_max_bytes, broker.unsynced_max_bytes);
        set(&mut config.sync_bytes, broker.sync_bytes);
        set(&mut config.sync_interval, broker.sync_interval_ms.map(Duration::from_millis));
        let checkpoint = broker.checkpoint_interval_ms.map(Duration::from_millis);
        set(&mut config.checkpoint_interval, checkpoint);
        let expiration = broker.producer_expiration_ms.map(Duration::from_millis);
        set(&mut config.producer_expiration, expiration);
        set(&mut config.reserve_bytes, broker.reserve_bytes);
        set(&mut config.free_min_bytes, broker.free_min_bytes);
        config.open_files_max = broker.open_files_max.or(config.open_files_max);
        set(&mut config.group.session_timeout_ms, group.session_timeout_ms);
        set(&mut config.group.heartbeat_interval_ms, group.heartbeat_interval_ms);
        set(&mut config.group.rebalance_timeout_ms, group.rebalance_timeout_ms);
        set(&mut config.group.offsets_retention_ms, group.offsets_retention_ms);
        set(&mut config.group.members_max, group.members_max);
        set(&mut config.group.classic_session_min_ms, group.classic_session_min_ms);
        set(&mut config.group.classic_session_max_ms, group.classic_session_max_ms);
        set(&mut config.group.initial_rebalance_delay_ms, group.initial_rebalance_delay_ms);
        let cleaner = &self.file.cleaner;
        set(&mut config.cleaner.enabled, cleaner.enabled);
        set(&mut config.cleaner.interval, cleaner.interval_ms.map(Duration::from_millis));
        set(&mut config.cleaner.map_bytes, cleaner.map_bytes);
        set(&mut config.cleaner.bytes_per_second, cleaner.bytes_per_second);
        set(&mut config.cleaner.batch_bytes_max, cleaner.batch_bytes_max);
        let transaction = &self.file.transaction;
        set(&mut config.transaction.timeout_max_ms, transaction.timeout_max_ms);
        set(&mut config.transaction.id_expiration_ms, transaction.id_expiration_ms);
        if let Some(acks) = &broker.acks_minimum {
            config.acks_minimum = Acks::parse(acks.get_ref()).ok_or_else(|| {
                self.at(&acks.span(), "acks_minimum is one of \"0\", \"1\", \"all\"")
            })?;
        }
        for (key, value) in &self.file.topic {
            let text = scalar(value.get_ref()).ok_or_else(|| {
                self.at(&value.span(), "a topic setting is a text, number or boolean")
            })?;
            config
                .topic_defaults
                .set(key.get_ref(), &text)
                .map_err(|error| self.at(&key.span(), &error.to_string()))?;
        }
        Ok(config)
    }

    /// What the file says of Kafka clients, over the defaults.
    pub(crate) fn kafka(&self, options: &mut KafkaOptions) {
        let kafka = &self.file.kafka;
        set(&mut options.auto_create_topics, kafka.auto_create_topics);
        options.num_partitions = kafka.num_partitions.or(options.num_partitions);
        set(&mut options.request_bytes_max, kafka.request_max_bytes);
        set(&mut options.control_bytes_max, kafka.control_request_max_bytes);
        set(&mut options.connections_max, kafka.connections_max);
        set(&mut options.idle_timeout, self.idle_timeout());
    }

    /// What the file says of connections of the native protocol, over the defaults.
    pub(crate) fn native(&self, options: &mut NativeOptions) {
        set(&mut options.idle_timeout, self.idle_timeout());
    }

    /// How long connections may be idle, if the file says so; 0 stands for ever.
    fn idle_timeout(&self) -> Option<Option<Duration>> {
        let ms = self.file.listen.connections_max_idle_ms?;
        Some((ms > 0).then_some(Duration::from_millis(ms)))
    }

    /// A failure that names the file and line.
    pub(crate) fn at(&self, span: &Range<usize>, what: &str) -> Failure {
        Failure::usage(format!(
            "{}, line {}: {what}",
            self.path.display(),
            line_of(&self.text, span)
        ))
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// The line of the text on which a span begins, from 1.
fn line_of(text: &str, span: &Range<usize>) -> usize {
    let before = text.get(..span.start).unwrap_or(text);
    before.matches('\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<BrokerConfig, Failure> {
        Configuration::parse(Path::new("x.toml"), text.to_owned())?.broker()
    }

    /// The template with every default brought into force.
    fn uncommented() -> String {
        let line = |line: &str| line.strip_prefix("#:").unwrap_or(line).to_owned() + "\n";
        TEMPLATE.lines().map(line).collect()
    }

    #[test]
    fn the_template_says_the_defaults() {
        let mut told = parse(&uncommented()).unwrap();
        // The one whose default comes from the process's limits.
        told.open_files_max = None;
        assert_eq!(format!("{told:?}"), format!("{:?}", BrokerConfig::default()));
    }

    #[test]
    fn the_template_says_the_defaults_for_kafka() {
        let told = Configuration::parse(Path::new("x.toml"), uncommented()).unwrap();
        let mut options = KafkaOptions {
            connections_max: 0,
            control_bytes_max: 0,
            idle_timeout: None,
            auto_create_topics: false,
            ..KafkaOptions::default()
        };
        told.kafka(&mut options);
        assert_eq!(format!("{options:?}"), format!("{:?}", KafkaOptions::default()));
        let mut native = NativeOptions { idle_timeout: None, ..NativeOptions::default() };
        told.native(&mut native);
        assert_eq!(format!("{native:?}"), format!("{:?}", NativeOptions::default()));
        let listening = told.file.listen.kafka.unwrap();
        assert_eq!(listening, [crate::cli::kafka::DEFAULT_KAFKA]);
    }

    #[test]
    fn the_template_names_every_topic_setting() {
        for entry in BrokerConfig::default().topic_defaults.describe(&BTreeMap::new()) {
            assert!(TEMPLATE.contains(&format!("\"{}\"", entry.key)), "{} is missing", entry.key);
        }
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line() {
        let failure = parse("[broker]\ndefault_partitions = 3\nsync_byte = 1\n").unwrap_err();
        let message = failure.to_string();
        assert!(message.contains("x.toml, line 3") && message.contains("sync_byte"), "{message}");
    }

    #[test]
    fn a_wrong_value_is_refused_with_its_line() {
        let message = parse("\n[topic]\n\"retention.ms\" = \"soon\"\n").unwrap_err().to_string();
        assert!(
            message.contains("x.toml, line 3") && message.contains("retention.ms"),
            "{message}"
        );
        let message = parse("[broker]\nacks_minimum = \"2\"\n").unwrap_err().to_string();
        assert!(message.contains("line 2") && message.contains("\"all\""), "{message}");
        let message = parse("shards = \"two\"\n").unwrap_err().to_string();
        assert!(message.contains("line 1"), "{message}");
    }
}
