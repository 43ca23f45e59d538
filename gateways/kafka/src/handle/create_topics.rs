//! CreateTopics: as a Kafka of one node does it.

use std::collections::{BTreeMap, HashMap, HashSet};

use onrush_broker::NewTopic;
use onrush_kafka_protocol::messages::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest,
    CreateTopicsResponse,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};

use super::configs::source_of;
use super::placement::{Refused, check_replicas};
use crate::context::Context;
use crate::error::admin_code;
use crate::lookup::{wire_id, wire_number};

/// Creates topics, or says whether they could be.
pub(crate) async fn create_topics(
    ctx: &Context,
    _header: &RequestHeader,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let mut times: HashMap<&str, u32> = HashMap::new();
    for topic in &request.topics {
        *times.entry(&topic.name).or_default() += 1;
    }
    let repeated: HashSet<String> =
        times.into_iter().filter(|(_, n)| *n > 1).map(|(name, _)| name.to_owned()).collect();
    let mut answered = HashSet::new();
    let mut response = CreateTopicsResponse::default();
    for topic in request.topics {
        if repeated.contains(&topic.name) {
            if answered.insert(topic.name.clone()) {
                let reason = Refused::invalid_request("Duplicate topic name.");
                response.topics.push(refused(topic.name, reason));
            }
            continue;
        }
        let name = topic.name.clone();
        let created = create(ctx, topic, request.validate_only).await;
        response.topics.push(created.unwrap_or_else(|reason| refused(name, reason)));
    }
    response
}

fn refused(name: String, Refused { code, message }: Refused) -> CreatableTopicResult {
    CreatableTopicResult {
        name,
        error_code: code.0,
        error_message: Some(message),
        configs: Some(Vec::new()),
        ..CreatableTopicResult::default()
    }
}

async fn create(
    ctx: &Context,
    topic: CreatableTopic,
    validate_only: bool,
) -> Result<CreatableTopicResult, Refused> {
    if ctx.broker.topic_by_name(&topic.name).is_some() {
        let message = format!("Topic '{}' already exists.", topic.name);
        return Err(Refused { code: ErrorCode::TOPIC_ALREADY_EXISTS, message });
    }
    let partitions = partitions(ctx, &topic)?;
    let mut configs = Vec::with_capacity(topic.configs.len());
    for config in topic.configs {
        let Some(value) = config.value else {
            let message = format!("Null value not supported for topic configs: {}", config.name);
            return Err(Refused { code: ErrorCode::INVALID_CONFIG, message });
        };
        configs.push((config.name, value));
    }
    let name = topic.name;
    let new = NewTopic { name: name.clone(), partitions, configs: configs.clone(), validate_only };
    let created = ctx
        .broker
        .create_topic(new)
        .await
        .map_err(|error| Refused { code: admin_code(&error), message: error.to_string() })?;
    Ok(CreatableTopicResult {
        topic_id: created.id.map(wire_id).unwrap_or_default(),
        num_partitions: wire_number(created.partitions),
        replication_factor: 1,
        configs: Some(settings(ctx, configs)),
        name,
        ..CreatableTopicResult::default()
    })
}

/// How many partitions the topic shall have; None: the default.
fn partitions(ctx: &Context, topic: &CreatableTopic) -> Result<Option<u32>, Refused> {
    if !topic.assignments.is_empty() {
        return assigned(ctx, topic).map(Some);
    }
    match topic.replication_factor {
        -1 | 1 => {}
        2.. => {
            return Err(Refused {
                code: ErrorCode::INVALID_REPLICATION_FACTOR,
                message: format!(
                    "Unable to replicate the partition {0} time(s): The target replication factor \
                     of {0} cannot be reached because only 1 broker(s) are registered.",
                    topic.replication_factor
                ),
            });
        }
        _ => {
            return Err(Refused {
                code: ErrorCode::INVALID_REPLICATION_FACTOR,
                message:
                    "Replication factor must be larger than 0, or -1 to use the default value."
                        .to_owned(),
            });
        }
    }
    match topic.num_partitions {
        -1 => Ok(ctx.options.num_partitions),
        count => match u32::try_from(count) {
            Ok(count @ 1..) if count <= ctx.broker.config().partitions_max => Ok(Some(count)),
            Ok(1..) => Err(Refused {
                code: ErrorCode::INVALID_PARTITIONS,
                message: format!(
                    "{count} partitions are too many: this broker allows {} a topic.",
                    ctx.broker.config().partitions_max
                ),
            }),
            _ => Err(Refused {
                code: ErrorCode::INVALID_PARTITIONS,
                message: "Number of partitions was set to an invalid non-positive value."
                    .to_owned(),
            }),
        },
    }
}

/// Partitions counted by an assignment that the client made: everything can only go to this node.
fn assigned(ctx: &Context, topic: &CreatableTopic) -> Result<u32, Refused> {
    for (given, what) in [
        (i32::from(topic.replication_factor), "replication factor"),
        (topic.num_partitions, "numPartitions"),
    ] {
        if given != -1 {
            return Err(Refused::invalid_request(&format!(
                "A manual partition assignment was specified, but {what} was not set to -1."
            )));
        }
    }
    let mut placed = BTreeMap::new();
    for assignment in &topic.assignments {
        check_replicas(ctx.broker.node_id(), &assignment.broker_ids)?;
        if placed.insert(assignment.partition_index, ()).is_some() {
            return Err(Refused::placement(&format!(
                "Found multiple manual partition assignments for partition {}",
                assignment.partition_index
            )));
        }
    }
    let count = wire_number(u32::try_from(placed.len()).unwrap_or(u32::MAX));
    if !placed.keys().copied().eq(0..count) {
        return Err(Refused::placement(
            "partitions should be a consecutive 0-based integer sequence",
        ));
    }
    Ok(count.unsigned_abs())
}

/// The settings the new topic has, its own and inherited ones.
fn settings(ctx: &Context, own: Vec<(String, String)>) -> Vec<CreatableTopicConfigs> {
    let overrides = own.into_iter().collect();
    let defaults = &ctx.broker.config().topic_defaults;
    let entries = match defaults.with(&overrides) {
        Ok(config) => config.describe(&overrides),
        // It was accepted a moment ago.
        Err(_) => Vec::new(),
    };
    let entry = |entry: onrush_broker::ConfigEntry| CreatableTopicConfigs {
        name: entry.key.to_owned(),
        config_source: source_of(entry.source),
        value: Some(entry.value),
        read_only: entry.read_only,
        ..CreatableTopicConfigs::default()
    };
    entries.into_iter().map(entry).collect()
}
