//! The broker's own settings under Kafka's names: to be read, not to be changed while it runs.

use onrush_broker::ConfigSource;

use super::names::{self, Type};
use super::source_of;
use crate::context::Context;

/// One setting of the broker.
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) kind: Type,
    pub(super) source: i8,
    pub(super) documentation: &'static str,
}

/// All of them, in order of name.
pub(super) fn settings(ctx: &Context) -> Vec<Setting> {
    let config = ctx.broker.config();
    let endpoint = &ctx.endpoint;
    let partitions = ctx.options.num_partitions.unwrap_or(config.default_partitions);
    let node = ctx.broker.node_id().to_string();
    let data_dir = config.data_dir.display().to_string();
    let mut settings = vec![
        set(
            "advertised.listeners",
            Type::String,
            format!("PLAINTEXT://{}:{}", endpoint.host, endpoint.port),
            "Where clients of this listener are told to connect.",
        ),
        set(
            "auto.create.topics.enable",
            Type::Boolean,
            ctx.options.auto_create_topics.to_string(),
            "Whether topics are created when they are first asked for.",
        ),
        set(
            "connections.max.idle.ms",
            Type::Long,
            ctx.options.idle_timeout.map_or(-1, |time| time.as_millis() as i128).to_string(),
            "How long a connection may be idle before it is closed.",
        ),
        set("broker.id", Type::Int, node.clone(), "This broker's number."),
        fixed("default.replication.factor", Type::Int, "1", "There is one replica."),
        fixed("delete.topic.enable", Type::Boolean, "true", "Topics can be deleted."),
        set("log.dir", Type::String, data_dir.clone(), "The data directory."),
        set("log.dirs", Type::String, data_dir, "The data directory."),
        set(
            "max.connections",
            Type::Int,
            ctx.options.connections_max.to_string(),
            "How many connections a listener takes.",
        ),
        set("node.id", Type::Int, node, "This broker's number."),
        set(
            "num.partitions",
            Type::Int,
            partitions.to_string(),
            "The partitions of a topic that does not say.",
        ),
        fixed(
            "offsets.topic.replication.factor",
            Type::Int,
            "1",
            "Offsets are kept in the broker's own journal.",
        ),
        set(
            "socket.request.max.bytes",
            Type::Int,
            ctx.options.request_bytes_max.to_string(),
            "The largest request that is taken.",
        ),
    ];
    settings.extend(ctx.broker.describe_configs().into_iter().map(|entry| Setting {
        name: names::broker_name(entry.key).to_owned(),
        kind: names::kind(entry.key),
        source: source_of(entry.source),
        value: entry.value,
        documentation: entry.documentation,
    }));
    settings.sort_by(|one, other| one.name.cmp(&other.name));
    settings
}

fn set(name: &str, kind: Type, value: String, documentation: &'static str) -> Setting {
    let source = source_of(ConfigSource::Broker);
    Setting { name: name.to_owned(), value, kind, source, documentation }
}

fn fixed(name: &str, kind: Type, value: &str, documentation: &'static str) -> Setting {
    let source = source_of(ConfigSource::Default);
    Setting { name: name.to_owned(), value: value.to_owned(), kind, source, documentation }
}
