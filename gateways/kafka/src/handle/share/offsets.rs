//! Where share groups have come to: described, moved, and forgotten.

use std::collections::BTreeMap;

use onrush_broker::group::TopicPartition;
use onrush_broker::share::ShareOffset;
use onrush_broker::{Error, Result};
use onrush_kafka_protocol::messages::{
    AlterShareGroupOffsetsRequest, AlterShareGroupOffsetsResponse,
    AlterShareGroupOffsetsResponsePartition as AlteredPartition,
    AlterShareGroupOffsetsResponseTopic as AlteredTopic, DeleteShareGroupOffsetsRequest,
    DeleteShareGroupOffsetsResponse, DeleteShareGroupOffsetsResponseTopic as DeletedTopic,
    DescribeShareGroupOffsetsRequest, DescribeShareGroupOffsetsRequestGroup as AskedGroup,
    DescribeShareGroupOffsetsResponse, DescribeShareGroupOffsetsResponseGroup as DescribedGroup,
    DescribeShareGroupOffsetsResponsePartition as DescribedPartition,
    DescribeShareGroupOffsetsResponseTopic as DescribedTopic,
};
use onrush_kafka_protocol::{ErrorCode, RequestHeader};
use onrush_record::Offset;

use crate::context::Context;
use crate::error::coordinator_code;
use crate::lookup::{wire_epoch, wire_id, wire_number, wire_offset};

const NO_PARTITION: &str = "This server does not host this topic-partition.";

/// Describes where groups have come to.
pub(crate) async fn describe_share_group_offsets(
    ctx: &Context,
    _header: &RequestHeader,
    request: DescribeShareGroupOffsetsRequest,
) -> DescribeShareGroupOffsetsResponse {
    let mut response = DescribeShareGroupOffsetsResponse::default();
    for group in request.groups {
        let group_id = group.group_id.clone();
        response.groups.push(match describe(ctx, group).await {
            Ok(topics) => DescribedGroup { group_id, topics, ..DescribedGroup::default() },
            Err(error) => DescribedGroup {
                group_id,
                error_code: coordinator_code(&error).0,
                error_message: Some(error.to_string()),
                ..DescribedGroup::default()
            },
        });
    }
    response
}

async fn describe(ctx: &Context, group: AskedGroup) -> Result<Vec<DescribedTopic>> {
    let mut topics: BTreeMap<String, DescribedTopic> = BTreeMap::new();
    let wanted = group.topics.map(|asked| {
        let mut wanted: Vec<TopicPartition> = Vec::new();
        for topic in asked {
            let found = ctx.broker.topic_by_name(&topic.topic_name);
            for partition_index in topic.partitions {
                let index = u32::try_from(partition_index).ok();
                if let Some((topic, index)) = found.as_ref().zip(index) {
                    wanted.push((topic.id(), index));
                    continue;
                }
                let place = topics.entry(topic.topic_name.clone()).or_default();
                place.partitions.push(DescribedPartition {
                    partition_index,
                    start_offset: -1,
                    error_code: ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0,
                    error_message: Some(NO_PARTITION.to_owned()),
                    ..DescribedPartition::default()
                });
            }
        }
        wanted
    });
    for ((topic, index), offset) in
        ctx.broker.share_offsets(&group.group_id, wanted.as_deref()).await?
    {
        let Some(topic) = ctx.broker.topic(topic) else { continue };
        let place = topics.entry(topic.name().to_string()).or_default();
        place.topic_id = wire_id(topic.id());
        place.partitions.push(partition(wire_number(index), offset));
    }
    let named = topics.into_iter();
    Ok(named.map(|(topic_name, topic)| DescribedTopic { topic_name, ..topic }).collect())
}

fn partition(partition_index: i32, found: Result<Option<ShareOffset>>) -> DescribedPartition {
    let none =
        DescribedPartition { partition_index, start_offset: -1, ..DescribedPartition::default() };
    match found {
        Ok(None) => none,
        Ok(Some(offset)) => DescribedPartition {
            start_offset: wire_offset(offset.start),
            leader_epoch: wire_epoch(offset.leader_epoch),
            lag: i64::try_from(offset.lag).unwrap_or(i64::MAX),
            ..none
        },
        Err(error) => DescribedPartition {
            error_code: coordinator_code(&error).0,
            error_message: Some(error.to_string()),
            ..none
        },
    }
}

/// Moves a group that has no members.
pub(crate) async fn alter_share_group_offsets(
    ctx: &Context,
    _header: &RequestHeader,
    request: AlterShareGroupOffsetsRequest,
) -> AlterShareGroupOffsetsResponse {
    let mut response = AlterShareGroupOffsetsResponse::default();
    let mut offsets = Vec::new();
    // Where in the response the answer to each belongs.
    let mut places = Vec::new();
    for topic in request.topics {
        let found = ctx.broker.topic_by_name(&topic.topic_name);
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for asked in topic.partitions {
            let index = u32::try_from(asked.partition_index).ok();
            let offset = u64::try_from(asked.start_offset).ok();
            let mut answer = AlteredPartition {
                partition_index: asked.partition_index,
                ..AlteredPartition::default()
            };
            match found.as_ref().zip(index).zip(offset) {
                Some(((topic, index), offset)) => {
                    places.push((response.responses.len(), partitions.len()));
                    offsets.push(((topic.id(), index), Offset::new(offset)));
                }
                None => {
                    answer.error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0;
                    answer.error_message = Some(NO_PARTITION.to_owned());
                }
            }
            partitions.push(answer);
        }
        response.responses.push(AlteredTopic {
            topic_name: topic.topic_name,
            topic_id: found.map(|topic| wire_id(topic.id())).unwrap_or_default(),
            partitions,
        });
    }
    match ctx.broker.share_alter_offsets(&request.group_id, offsets).await {
        Ok(results) => {
            for ((topic, partition), result) in places.into_iter().zip(results) {
                let place = &mut response.responses[topic].partitions[partition];
                (place.error_code, place.error_message) = told(result);
            }
        }
        Err(error) => {
            (response.error_code, response.error_message) = told(Err(error));
            response.responses.clear();
        }
    }
    response
}

/// Forgets where a group has come to in topics.
pub(crate) async fn delete_share_group_offsets(
    ctx: &Context,
    _header: &RequestHeader,
    request: DeleteShareGroupOffsetsRequest,
) -> DeleteShareGroupOffsetsResponse {
    let mut response = DeleteShareGroupOffsetsResponse::default();
    let mut topics = Vec::new();
    let mut places = Vec::new();
    for asked in request.topics {
        let found = ctx.broker.topic_by_name(&asked.topic_name);
        let mut answer = DeletedTopic { topic_name: asked.topic_name, ..DeletedTopic::default() };
        match found {
            Some(topic) => {
                answer.topic_id = wire_id(topic.id());
                places.push(response.responses.len());
                topics.push(topic.id());
            }
            None => {
                answer.error_code = ErrorCode::UNKNOWN_TOPIC_OR_PARTITION.0;
                answer.error_message = Some(NO_PARTITION.to_owned());
            }
        }
        response.responses.push(answer);
    }
    match ctx.broker.share_delete_offsets(&request.group_id, &topics).await {
        Ok(results) => {
            for (place, result) in places.into_iter().zip(results) {
                let place = &mut response.responses[place];
                (place.error_code, place.error_message) = told(result);
            }
        }
        Err(error) => {
            (response.error_code, response.error_message) = told(Err(error));
            response.responses.clear();
        }
    }
    response
}

fn told(result: Result<(), Error>) -> (i16, Option<String>) {
    match result {
        Ok(()) => (0, None),
        Err(error) => (coordinator_code(&error).0, Some(error.to_string())),
    }
}
