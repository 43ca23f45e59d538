//! Settings of topics, of this broker and of groups: described, and changed where they can be.

mod alter;
mod broker;
mod describe;
mod list;
mod names;

use onrush_broker::ConfigSource;

pub(crate) use alter::{alter_configs, incremental_alter_configs};
pub(crate) use describe::describe_configs;
pub(crate) use list::list_config_resources;

/// What settings belong to, by Kafka's numbers.
mod resource {
    pub(super) const TOPIC: i8 = 2;
    pub(super) const BROKER: i8 = 4;
    pub(super) const BROKER_LOGGER: i8 = 8;
    pub(super) const CLIENT_METRICS: i8 = 16;
    pub(super) const GROUP: i8 = 32;

    /// Its name, as Kafka's messages have it.
    pub(super) fn name(kind: i8) -> &'static str {
        match kind {
            TOPIC => "TOPIC",
            BROKER => "BROKER",
            BROKER_LOGGER => "BROKER_LOGGER",
            CLIENT_METRICS => "CLIENT_METRICS",
            GROUP => "GROUP",
            _ => "UNKNOWN",
        }
    }
}

/// Where the value of a group's setting comes from, by Kafka's numbers.
fn group_source(source: ConfigSource) -> i8 {
    match source {
        ConfigSource::Topic => 8,
        other => source_of(other),
    }
}

/// Where a value comes from, by Kafka's numbers.
pub(crate) fn source_of(source: ConfigSource) -> i8 {
    match source {
        ConfigSource::Topic => 1,
        ConfigSource::Broker => 4,
        ConfigSource::Default => 5,
    }
}
