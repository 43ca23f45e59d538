//! DescribeConfigs.

use onrush_broker::{ConfigEntry, ConfigSource, Overrides, Topic, TopicConfig};
use onrush_kafka_protocol::messages::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult,
    DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};

use super::super::placement::Refused;
use super::{broker, group_source, names, resource, source_of};
use crate::context::Context;
use crate::error::coordinator_code;

/// What the client wants to hear of each setting.
struct Wanted {
    synonyms: bool,
    documentation: bool,
}

/// Describes settings.
pub(crate) async fn describe_configs(
    ctx: &Context,
    _header: &RequestHeader,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let wanted =
        Wanted { synonyms: request.include_synonyms, documentation: request.include_documentation };
    let describe = |asked: DescribeConfigsResource| {
        let described = match asked.resource_type {
            resource::TOPIC => topic(ctx, &asked.resource_name, &wanted),
            resource::BROKER => this_broker(ctx, &asked.resource_name, &wanted),
            resource::GROUP => group(ctx, &asked.resource_name, &wanted),
            other => Err(Refused::invalid_request(&format!(
                "Unsupported resource type: {}",
                resource::name(other)
            ))),
        };
        let mut result = DescribeConfigsResult {
            resource_type: asked.resource_type,
            resource_name: asked.resource_name,
            ..DescribeConfigsResult::default()
        };
        match described {
            Ok(mut configs) => {
                if let Some(keys) = &asked.configuration_keys {
                    configs.retain(|config| keys.contains(&config.name));
                }
                result.configs = configs;
            }
            Err(Refused { code, message }) => {
                result.error_code = code.0;
                result.error_message = Some(message);
            }
        }
        result
    };
    DescribeConfigsResponse {
        results: request.resources.into_iter().map(describe).collect(),
        ..DescribeConfigsResponse::default()
    }
}

fn topic(
    ctx: &Context,
    name: &str,
    wanted: &Wanted,
) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    let topic = ctx.broker.topic_by_name(name).ok_or_else(|| Refused {
        code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        message: format!("Topic {name} does not exist."),
    })?;
    Ok(topic_settings(ctx, &topic, wanted))
}

fn topic_settings(
    ctx: &Context,
    topic: &Topic,
    wanted: &Wanted,
) -> Vec<DescribeConfigsResourceResult> {
    let inherited = ctx.broker.describe_configs();
    let built_in = TopicConfig::default().describe(&Overrides::new());
    // The three lists are made of one table, in its order.
    let levels = inherited.into_iter().zip(built_in);
    let entries = topic.describe_configs().into_iter().zip(levels);
    let describe = |(entry, (inherited, built_in)): (ConfigEntry, (ConfigEntry, ConfigEntry))| {
        let mut synonyms = Vec::new();
        if wanted.synonyms {
            let mut level = |name: &str, value: &str, source: ConfigSource| {
                synonyms.push(DescribeConfigsSynonym {
                    name: name.to_owned(),
                    value: Some(value.to_owned()),
                    source: source_of(source),
                });
            };
            let broker_name = names::broker_name(entry.key);
            if entry.source == ConfigSource::Topic {
                level(entry.key, &entry.value, ConfigSource::Topic);
            }
            if inherited.source == ConfigSource::Broker {
                level(broker_name, &inherited.value, ConfigSource::Broker);
            }
            level(broker_name, &built_in.value, ConfigSource::Default);
        }
        DescribeConfigsResourceResult {
            name: entry.key.to_owned(),
            value: Some(entry.value),
            read_only: entry.read_only,
            config_source: source_of(entry.source),
            synonyms,
            config_type: names::kind(entry.key).wire(),
            documentation: wanted.documentation.then(|| entry.documentation.to_owned()),
            ..DescribeConfigsResourceResult::default()
        }
    };
    entries.map(describe).collect()
}

/// What was set for a group, or would hold for one of this name, of either kind.
fn group(
    ctx: &Context,
    name: &str,
    wanted: &Wanted,
) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    if name.is_empty() {
        return Err(Refused::invalid_request("Group name must not be empty"));
    }
    let entries = ctx.broker.group_config(name);
    let entries = entries
        .map_err(|error| Refused { code: coordinator_code(&error), message: error.to_string() })?;
    let describe = |entry: ConfigEntry| {
        let config_source = group_source(entry.source);
        let synonym = wanted.synonyms.then(|| DescribeConfigsSynonym {
            name: entry.key.to_owned(),
            value: Some(entry.value.clone()),
            source: config_source,
        });
        DescribeConfigsResourceResult {
            name: entry.key.to_owned(),
            value: Some(entry.value),
            read_only: entry.read_only,
            config_source,
            synonyms: synonym.into_iter().collect(),
            config_type: names::kind(entry.key).wire(),
            documentation: wanted.documentation.then(|| entry.documentation.to_owned()),
            ..DescribeConfigsResourceResult::default()
        }
    };
    Ok(entries.into_iter().map(describe).collect())
}

fn this_broker(
    ctx: &Context,
    name: &str,
    wanted: &Wanted,
) -> Result<Vec<DescribeConfigsResourceResult>, Refused> {
    let node = ctx.broker.node_id();
    // The empty name stands for what was set for all brokers while they run: nothing.
    if name.is_empty() {
        return Ok(Vec::new());
    }
    if name.parse() != Ok(node) {
        return Err(Refused::invalid_request(&format!(
            "Unexpected broker id, expected {node} or empty string, but received {name}"
        )));
    }
    let describe = |setting: broker::Setting| {
        let synonym = wanted.synonyms.then(|| DescribeConfigsSynonym {
            name: setting.name.clone(),
            value: Some(setting.value.clone()),
            source: setting.source,
        });
        DescribeConfigsResourceResult {
            name: setting.name,
            value: Some(setting.value),
            read_only: true,
            config_source: setting.source,
            synonyms: synonym.into_iter().collect(),
            config_type: setting.kind.wire(),
            documentation: wanted.documentation.then(|| setting.documentation.to_owned()),
            ..DescribeConfigsResourceResult::default()
        }
    };
    Ok(broker::settings(ctx).into_iter().map(describe).collect())
}
