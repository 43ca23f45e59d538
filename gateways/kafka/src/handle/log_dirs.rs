//! DescribeLogDirs: how large partitions are.

use std::sync::Arc;

use onrush_broker::Topic;
use onrush_kafka_protocol::RequestHeader;
use onrush_kafka_protocol::messages::{
    DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeLogDirsResult, DescribeLogDirsTopic,
};

use crate::context::Context;
use crate::lookup::wire_number;

/// Describes the one data directory.
pub(crate) async fn describe_log_dirs(
    ctx: &Context,
    _header: &RequestHeader,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let topics = match request.topics {
        None => {
            let all = ctx.broker.topics();
            all.iter().map(|topic| sizes(topic, 0..topic.partition_count())).collect()
        }
        Some(asked) => asked
            .into_iter()
            .filter_map(|asked| {
                let topic: Arc<Topic> = ctx.broker.topic_by_name(&asked.topic)?;
                let indexes = asked.partitions.iter();
                Some(sizes(&topic, indexes.filter_map(|index| u32::try_from(*index).ok())))
            })
            .collect(),
    };
    let directory = DescribeLogDirsResult {
        log_dir: ctx.broker.config().data_dir.display().to_string(),
        topics,
        ..DescribeLogDirsResult::default()
    };
    DescribeLogDirsResponse { results: vec![directory], ..DescribeLogDirsResponse::default() }
}

fn sizes(topic: &Topic, indexes: impl Iterator<Item = u32>) -> DescribeLogDirsTopic {
    let size = |index: u32| {
        let partition = topic.partition(index).ok()?;
        Some(DescribeLogDirsPartition {
            partition_index: wire_number(index),
            partition_size: i64::try_from(partition.size_bytes()).unwrap_or(i64::MAX),
            ..DescribeLogDirsPartition::default()
        })
    };
    DescribeLogDirsTopic {
        name: topic.name().to_string(),
        partitions: indexes.filter_map(size).collect(),
    }
}
