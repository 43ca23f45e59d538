//! Topics: metadata, create, delete, alter, describe.

use std::sync::Arc;

use onrush_broker::{Error, NewTopic, Topic, TopicChange};
use onrush_protocol::WireError;
use onrush_protocol::request::{
    AlterTopicsRequest, ConfigEntry, CreateTopicsRequest, DeleteTopicsRequest,
    DescribeConfigsRequest, MetadataRequest, TopicRef,
};
use onrush_protocol::response::{
    AlterTopicsResponse, BrokerInfo, ConfigSource, ConfigValue, CreateTopicsResponse, CreatedTopic,
    DeleteTopicsResponse, DescribeConfigsResponse, MetadataResponse, PartitionMetadata,
    TopicConfigs, TopicMetadata, TopicResult,
};
use onrush_protocol::wire::Maybe;
use onrush_record::TopicId;

use super::calls::Caller;
use super::errors::wire_error;

/// Stands for the id of a topic that is not there.
fn no_id() -> TopicId {
    TopicId::new([0; 16])
}

/// What the client knows a topic by.
fn named(topic: &TopicRef) -> (String, TopicId) {
    match topic {
        TopicRef::Name(name) => (name.clone(), no_id()),
        TopicRef::Id(id) => (String::new(), *id),
    }
}

fn find(caller: &Caller, topic: &TopicRef) -> Result<Arc<Topic>, Error> {
    match topic {
        TopicRef::Name(name) => caller.broker.topic_by_name(name),
        TopicRef::Id(id) => caller.broker.topic(*id),
    }
    .ok_or_else(|| Error::UnknownTopic {
        topic: match topic {
            TopicRef::Name(name) => name.clone(),
            TopicRef::Id(id) => id.to_string(),
        },
    })
}

fn pairs(configs: Vec<ConfigEntry>) -> Vec<(String, String)> {
    configs.into_iter().map(|entry| (entry.key, entry.value)).collect()
}

pub(super) fn metadata(
    caller: &Caller,
    request: MetadataRequest,
) -> Result<MetadataResponse, WireError> {
    let node_id = caller.broker.node_id();
    let topics = match request.topics {
        None => {
            let mut all = caller.broker.topics();
            all.sort_by(|one, other| one.name().cmp(other.name()));
            all.iter().map(|topic| topic_metadata(topic, node_id)).collect()
        }
        Some(asked) => asked.iter().map(|asked| asked_metadata(caller, asked, node_id)).collect(),
    };
    let (host, port) = caller.address.clone().unwrap_or_default();
    Ok(MetadataResponse {
        node_id,
        cluster_id: caller.broker.cluster_id().to_string(),
        brokers: vec![BrokerInfo { id: node_id, host, port }],
        topics,
    })
}

fn asked_metadata(caller: &Caller, asked: &TopicRef, node_id: i32) -> TopicMetadata {
    match find(caller, asked) {
        Ok(topic) => topic_metadata(&topic, node_id),
        Err(error) => {
            let (name, topic_id) = named(asked);
            TopicMetadata {
                error: Maybe::some(wire_error(&error)),
                name,
                topic_id,
                internal: false,
                partitions: Vec::new(),
            }
        }
    }
}

fn topic_metadata(topic: &Arc<Topic>, node_id: i32) -> TopicMetadata {
    let partitions = (0..topic.partition_count()).map(|index| match topic.partition(index) {
        Ok(partition) => PartitionMetadata {
            error: Maybe(partition.failed().as_ref().map(wire_error)),
            index,
            leader_id: node_id,
            leader_epoch: Maybe::some(partition.leader_epoch()),
        },
        Err(error) => PartitionMetadata {
            error: Maybe::some(wire_error(&error)),
            index,
            leader_id: node_id,
            leader_epoch: Maybe::NONE,
        },
    });
    TopicMetadata {
        error: Maybe::NONE,
        name: topic.name().to_string(),
        topic_id: topic.id(),
        internal: false,
        partitions: partitions.collect(),
    }
}

pub(super) async fn create(
    caller: &Caller,
    request: CreateTopicsRequest,
) -> Result<CreateTopicsResponse, WireError> {
    let validate_only = request.validate_only;
    // Side by side, so that their creation shares the broker's syncs.
    let created = request.topics.into_iter().map(|new| async move {
        let name = new.name.clone();
        let new = NewTopic {
            name: new.name,
            partitions: new.partitions,
            configs: pairs(new.configs),
            validate_only,
        };
        match caller.broker.create_topic(new).await {
            Ok(created) => CreatedTopic {
                error: Maybe::NONE,
                name,
                topic_id: created.id.unwrap_or_else(no_id),
                partitions: created.partitions,
            },
            Err(error) => CreatedTopic {
                error: Maybe::some(wire_error(&error)),
                name,
                topic_id: no_id(),
                partitions: 0,
            },
        }
    });
    Ok(CreateTopicsResponse { topics: futures::future::join_all(created).await })
}

fn result(named: (String, TopicId), result: Result<(), Error>) -> TopicResult {
    TopicResult {
        error: Maybe(result.err().as_ref().map(wire_error)),
        name: named.0,
        topic_id: named.1,
    }
}

fn name_of(topic: &Topic) -> (String, TopicId) {
    (topic.name().to_string(), topic.id())
}

pub(super) async fn delete(
    caller: &Caller,
    request: DeleteTopicsRequest,
) -> Result<DeleteTopicsResponse, WireError> {
    let deleted = request.topics.into_iter().map(|asked| async move {
        match find(caller, &asked) {
            Ok(topic) => {
                let deleted = caller.broker.delete_topic(topic.id()).await;
                result(name_of(&topic), deleted)
            }
            Err(error) => result(named(&asked), Err(error)),
        }
    });
    Ok(DeleteTopicsResponse { topics: futures::future::join_all(deleted).await })
}

pub(super) async fn alter(
    caller: &Caller,
    request: AlterTopicsRequest,
) -> Result<AlterTopicsResponse, WireError> {
    let mut topics = Vec::with_capacity(request.topics.len());
    for change in request.topics {
        topics.push(match find(caller, &change.topic) {
            Ok(topic) => {
                let change = TopicChange {
                    set: pairs(change.set),
                    unset: change.unset,
                    partitions: change.partitions,
                    validate_only: request.validate_only,
                };
                let altered = caller.broker.alter_topic(topic.id(), change).await;
                result(name_of(&topic), altered)
            }
            Err(error) => result(named(&change.topic), Err(error)),
        });
    }
    Ok(AlterTopicsResponse { topics })
}

pub(super) fn describe_configs(
    caller: &Caller,
    request: DescribeConfigsRequest,
) -> Result<DescribeConfigsResponse, WireError> {
    let topics = request.topics.iter().map(|asked| match find(caller, asked) {
        Ok(topic) => {
            let (name, topic_id) = name_of(&topic);
            let configs = topic.describe_configs().into_iter().map(config_value).collect();
            TopicConfigs { error: Maybe::NONE, name, topic_id, configs }
        }
        Err(error) => {
            let (name, topic_id) = named(asked);
            TopicConfigs {
                error: Maybe::some(wire_error(&error)),
                name,
                topic_id,
                configs: Vec::new(),
            }
        }
    });
    let topics = topics.collect();
    let broker = if request.broker {
        caller.broker.describe_configs().into_iter().map(config_value).collect()
    } else {
        Vec::new()
    };
    Ok(DescribeConfigsResponse { topics, broker })
}

fn config_value(entry: onrush_broker::ConfigEntry) -> ConfigValue {
    ConfigValue {
        key: entry.key.to_string(),
        value: entry.value,
        source: match entry.source {
            onrush_broker::ConfigSource::Default => ConfigSource::Default,
            onrush_broker::ConfigSource::Broker => ConfigSource::Broker,
            onrush_broker::ConfigSource::Topic => ConfigSource::Topic,
        },
        read_only: entry.read_only,
        documentation: entry.documentation.to_string(),
    }
}
