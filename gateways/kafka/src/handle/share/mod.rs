//! Share groups (KIP-932): records are acquired, and acknowledged one by one.

mod acknowledge;
mod administer;
mod fetch;
mod heartbeat;
mod offsets;
mod sessions;

pub(crate) use acknowledge::share_acknowledge;
pub(crate) use administer::share_group_describe;
pub(crate) use fetch::share_fetch;
pub(crate) use heartbeat::share_group_heartbeat;
pub(crate) use offsets::{
    alter_share_group_offsets, delete_share_group_offsets, describe_share_group_offsets,
};
pub(crate) use sessions::ShareSessions;

use std::collections::BTreeMap;

use onrush_broker::group::TopicPartition;
use onrush_record::TopicId;

use crate::lookup::wire_number;

/// Partitions gathered by their topic.
fn by_topic(
    partitions: impl IntoIterator<Item = TopicPartition>,
) -> impl Iterator<Item = (TopicId, Vec<i32>)> {
    let mut topics: BTreeMap<TopicId, Vec<i32>> = BTreeMap::new();
    for (topic, index) in partitions {
        topics.entry(topic).or_default().push(wire_number(index));
    }
    topics.into_iter()
}
