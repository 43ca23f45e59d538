//! Metadata: which topics there are, and where to reach their partitions' leader, which is us.

use std::collections::HashSet;
use std::sync::Arc;

use onrush_broker::{Error, NewTopic, Topic};
use onrush_gateway_net::Pace;
use onrush_kafka_protocol::messages::{
    MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader, Uuid};

use super::operations;
use crate::context::Context;
use crate::lookup::{self, wire_epoch, wire_id, wire_number};

/// How many missing topics one request may bring into being; those beyond are answered as not
/// there yet, and the client asks again.
const AUTO_CREATED_MAX: usize = 64;

/// Answers which topics there are, and makes those that are missing if both sides want that.
pub(crate) async fn metadata(
    ctx: &Context,
    header: &RequestHeader,
    request: MetadataRequest,
) -> MetadataResponse {
    let version = header.api_version;
    let mut response = MetadataResponse {
        brokers: vec![MetadataResponseBroker {
            node_id: ctx.broker.node_id(),
            host: ctx.endpoint.host.clone(),
            port: i32::from(ctx.endpoint.port),
            ..MetadataResponseBroker::default()
        }],
        cluster_id: Some(ctx.broker.cluster_id().to_string()),
        controller_id: ctx.broker.node_id(),
        ..MetadataResponse::default()
    };
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = operations::ON_CLUSTER;
    }
    response.topics = match request.topics {
        // An empty list was the way to ask for all before there was a null.
        Some(topics) if version > 0 || !topics.is_empty() => {
            let create = ctx.options.auto_create_topics && request.allow_auto_topic_creation;
            some(ctx, version, topics, create).await
        }
        _ => all(ctx).await,
    };
    if request.include_topic_authorized_operations {
        for topic in response.topics.iter_mut().filter(|topic| topic.error_code == 0) {
            topic.topic_authorized_operations = operations::ON_TOPIC;
        }
    }
    response
}

async fn all(ctx: &Context) -> Vec<MetadataResponseTopic> {
    let mut pace = Pace::default();
    let mut topics = Vec::new();
    for topic in ctx.broker.topics() {
        pace.steps(topic.partition_count() as usize).await;
        topics.push(describe(ctx, &topic));
    }
    topics
}

async fn some(
    ctx: &Context,
    version: i16,
    asked: Vec<MetadataRequestTopic>,
    create: bool,
) -> Vec<MetadataResponseTopic> {
    let by_id = |topic: &MetadataRequestTopic| topic.topic_id != Uuid::default();
    // Ids have their place in versions 10 and 11 already, but no meaning yet.
    if version < 12 && asked.iter().any(|topic| by_id(topic) || topic.name.is_none()) {
        let refused = asked.into_iter().map(|topic| {
            let name = Some(topic.name.unwrap_or_default());
            failed(name, topic.topic_id, ErrorCode::INVALID_REQUEST)
        });
        return refused.collect();
    }
    // As Kafka does it: ids count, if there are any.
    let ids = asked.iter().any(by_id);
    let mut seen = HashSet::new();
    let mut created = 0;
    let mut topics = Vec::new();
    let mut pace = Pace::default();
    for MetadataRequestTopic { topic_id, name, .. } in asked {
        let partitions =
            topics.last().map_or(0, |last: &MetadataResponseTopic| last.partitions.len());
        pace.steps(1 + partitions).await;
        if ids {
            if topic_id == Uuid::default() || !seen.insert((topic_id, String::new())) {
                continue;
            }
            topics.push(match lookup::topic(&ctx.broker, "", topic_id) {
                Ok(topic) => describe(ctx, &topic),
                Err(code) => failed(None, topic_id, code),
            });
            continue;
        }
        let Some(name) = name else { continue };
        if !seen.insert((topic_id, name.clone())) {
            continue;
        }
        topics.push(match ctx.broker.topic_by_name(&name) {
            Some(topic) => describe(ctx, &topic),
            None if create && created < AUTO_CREATED_MAX => {
                created += 1;
                match make(ctx, &name).await {
                    Ok(topic) => describe(ctx, &topic),
                    Err(code) => failed(Some(name), topic_id, code),
                }
            }
            None => failed(Some(name), topic_id, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION),
        });
    }
    topics
}

/// Creates a topic that somebody asked about.
async fn make(ctx: &Context, name: &str) -> Result<Arc<Topic>, ErrorCode> {
    let partitions = ctx.options.num_partitions;
    let new = NewTopic { name: name.to_owned(), partitions, ..NewTopic::default() };
    match ctx.broker.create_topic(new).await {
        Ok(_) => {}
        Err(Error::IllegalTopicName { .. }) => return Err(ErrorCode::INVALID_TOPIC_EXCEPTION),
        // Another client is just creating it.
        Err(Error::TopicExists { .. }) => {}
        Err(error) => tracing::warn!(topic = name, %error, "a topic asked for is not created"),
    }
    // What is not there yet is asked for again.
    ctx.broker.topic_by_name(name).ok_or(ErrorCode::LEADER_NOT_AVAILABLE)
}

fn failed(name: Option<String>, topic_id: Uuid, code: ErrorCode) -> MetadataResponseTopic {
    MetadataResponseTopic { error_code: code.0, name, topic_id, ..MetadataResponseTopic::default() }
}

fn describe(ctx: &Context, topic: &Topic) -> MetadataResponseTopic {
    let node = ctx.broker.node_id();
    let partition = |index: u32| {
        let partition_index = wire_number(index);
        let replica_nodes = vec![node];
        match topic.partition(index) {
            Ok(partition) => MetadataResponsePartition {
                partition_index,
                leader_id: node,
                leader_epoch: wire_epoch(partition.leader_epoch()),
                replica_nodes,
                isr_nodes: vec![node],
                ..MetadataResponsePartition::default()
            },
            // Its log does not open: like a replica whose disk is offline.
            Err(_) => MetadataResponsePartition {
                error_code: ErrorCode::LEADER_NOT_AVAILABLE.0,
                partition_index,
                leader_id: -1,
                replica_nodes,
                offline_replicas: vec![node],
                ..MetadataResponsePartition::default()
            },
        }
    };
    MetadataResponseTopic {
        name: Some(topic.name().to_string()),
        topic_id: wire_id(topic.id()),
        partitions: (0..topic.partition_count()).map(partition).collect(),
        ..MetadataResponseTopic::default()
    }
}
