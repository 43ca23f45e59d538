//! AlterConfigs, which replaces all of a resource's settings, and IncrementalAlterConfigs, which
//! changes some.

use std::collections::HashSet;

use onrush_broker::{ConfigEntry, ConfigSource, Error, TopicChange};
use onrush_kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse,
    AlterConfigsResponseAlterConfigsResourceResponse as Replaced, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse,
    IncrementalAlterConfigsResponseAlterConfigsResourceResponse as Altered,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};

use super::super::placement::Refused;
use super::names::{self, Type};
use super::resource;
use crate::context::Context;
use crate::error::{admin_code, coordinator_code};

/// Replaces the settings of topics.
pub(crate) async fn alter_configs(
    ctx: &Context,
    _header: &RequestHeader,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let mut response = AlterConfigsResponse::default();
    let mut seen = HashSet::new();
    for asked in request.resources {
        let edits = asked.configs.into_iter().map(|config| Edit {
            key: config.name,
            operation: SET,
            value: config.value,
        });
        let change = Change {
            kind: asked.resource_type,
            name: asked.resource_name,
            edits: edits.collect(),
            replace: true,
            validate_only: request.validate_only,
        };
        let (error_code, error_message) = apply(ctx, &change, &mut seen).await;
        response.responses.push(Replaced {
            error_code,
            error_message,
            resource_type: change.kind,
            resource_name: change.name,
        });
    }
    response
}

/// Changes some settings of topics.
pub(crate) async fn incremental_alter_configs(
    ctx: &Context,
    _header: &RequestHeader,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let mut response = IncrementalAlterConfigsResponse::default();
    let mut seen = HashSet::new();
    for asked in request.resources {
        let edits = asked.configs.into_iter().map(|config| Edit {
            key: config.name,
            operation: config.config_operation,
            value: config.value,
        });
        let change = Change {
            kind: asked.resource_type,
            name: asked.resource_name,
            edits: edits.collect(),
            replace: false,
            validate_only: request.validate_only,
        };
        let (error_code, error_message) = apply(ctx, &change, &mut seen).await;
        response.responses.push(Altered {
            error_code,
            error_message,
            resource_type: change.kind,
            resource_name: change.name,
        });
    }
    response
}

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// One setting to be changed.
struct Edit {
    key: String,
    operation: i8,
    value: Option<String>,
}

/// What is to change about one resource.
struct Change {
    kind: i8,
    name: String,
    edits: Vec<Edit>,
    /// What is not named goes back to its default.
    replace: bool,
    validate_only: bool,
}

/// Brings a change about; the code and message to answer with.
async fn apply(
    ctx: &Context,
    change: &Change,
    seen: &mut HashSet<(i8, String)>,
) -> (i16, Option<String>) {
    let result = if seen.insert((change.kind, change.name.clone())) {
        match change.kind {
            resource::TOPIC => alter_topic(ctx, change).await,
            resource::BROKER => alter_broker(ctx, change),
            resource::GROUP => alter_group(ctx, change).await,
            other => Err(Refused::invalid_request(&format!(
                "Settings of the resource type {} cannot be altered here.",
                resource::name(other)
            ))),
        }
    } else {
        Err(Refused::invalid_request("Each resource must appear at most once."))
    };
    match result {
        Ok(()) => (0, None),
        Err(Refused { code, message }) => (code.0, Some(message)),
    }
}

async fn alter_group(ctx: &Context, change: &Change) -> Result<(), Refused> {
    if change.name.is_empty() {
        return Err(Refused::invalid_request("Group name must not be empty"));
    }
    let refused =
        |error: Error| Refused { code: coordinator_code(&error), message: error.to_string() };
    let current = ctx.broker.group_config(&change.name).map_err(refused)?;
    let TopicChange { set, unset, .. } = resolve(&current, change)?;
    let configured = ctx.broker.group_configure(&change.name, set, unset, change.validate_only);
    configured.await.map_err(refused)
}

async fn alter_topic(ctx: &Context, change: &Change) -> Result<(), Refused> {
    let topic = ctx.broker.topic_by_name(&change.name).ok_or_else(|| Refused {
        code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        message: format!("The topic '{}' does not exist.", change.name),
    })?;
    let mut wanted = resolve(&topic.describe_configs(), change)?;
    wanted.validate_only = change.validate_only;
    let altered = ctx.broker.alter_topic(topic.id(), wanted).await;
    altered.map_err(|error| Refused { code: admin_code(&error), message: error.to_string() })
}

/// The change in the broker's terms.
fn resolve(current: &[ConfigEntry], change: &Change) -> Result<TopicChange, Refused> {
    let mut keys = HashSet::new();
    let mut wanted = TopicChange::default();
    for edit in &change.edits {
        if !keys.insert(edit.key.as_str()) {
            return Err(Refused::invalid_request(&format!(
                "Error due to duplicate config keys : {}",
                edit.key
            )));
        }
        if edit.operation == DELETE {
            wanted.unset.push(edit.key.clone());
            continue;
        }
        let Some(value) = &edit.value else {
            return Err(Refused {
                code: if change.replace {
                    ErrorCode::INVALID_CONFIG
                } else {
                    ErrorCode::INVALID_REQUEST
                },
                message: format!("Null value not supported for : {}", edit.key),
            });
        };
        let value = match edit.operation {
            SET => value.clone(),
            APPEND | SUBTRACT => listed(current, edit, value)?,
            other => {
                return Err(Refused::invalid_request(&format!("Unknown operation type {other}")));
            }
        };
        wanted.set.push((edit.key.clone(), value));
    }
    if change.replace {
        let own = current.iter().filter(|entry| entry.source == ConfigSource::Topic);
        let gone = own.filter(|entry| !keys.contains(entry.key));
        wanted.unset.extend(gone.map(|entry| entry.key.to_owned()));
    }
    Ok(wanted)
}

/// A list with items added or taken away.
fn listed(current: &[ConfigEntry], edit: &Edit, items: &str) -> Result<String, Refused> {
    let verb = if edit.operation == APPEND { "APPEND" } else { "SUBTRACT" };
    if names::kind(&edit.key) != Type::List {
        return Err(Refused {
            code: ErrorCode::INVALID_CONFIG,
            message: format!("Can't {verb} to key {} because its type is not LIST.", edit.key),
        });
    }
    let entry = current.iter().find(|entry| entry.key == edit.key);
    let value = entry.map_or("", |entry| entry.value.as_str());
    let mut list: Vec<&str> = split(value).collect();
    for item in split(items) {
        match edit.operation {
            APPEND if list.contains(&item) => {}
            APPEND => list.push(item),
            _ => list.retain(|kept| *kept != item),
        }
    }
    Ok(list.join(","))
}

fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// The broker's own settings come from its configuration file and command line only.
fn alter_broker(ctx: &Context, change: &Change) -> Result<(), Refused> {
    let node = ctx.broker.node_id();
    if !change.name.is_empty() && change.name.parse() != Ok(node) {
        return Err(Refused::invalid_request(&format!(
            "Unexpected broker id, expected {node} or empty string, but received {}",
            change.name
        )));
    }
    let keys: Vec<&str> = change.edits.iter().map(|edit| edit.key.as_str()).collect();
    if keys.is_empty() {
        return Ok(());
    }
    Err(Refused {
        code: ErrorCode::INVALID_CONFIG,
        message: format!(
            "Cannot update these configs dynamically: {}. Set them in the broker's configuration \
             and restart it.",
            keys.join(", ")
        ),
    })
}
