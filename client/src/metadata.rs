//! What the broker says about topics.

use std::sync::Arc;

use onrush_protocol::request::{MetadataRequest, TopicRef};
use onrush_protocol::response::{MetadataResponse, TopicMetadata};
use onrush_record::TopicId;

use crate::error::Error;
use crate::net::link::LinkShared;

/// A partition of a topic, by name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's name.
    pub topic: Arc<str>,
    /// The partition's number, from 0.
    pub partition: u32,
}

impl TopicPartition {
    /// Names a partition.
    pub fn new(topic: impl Into<Arc<str>>, partition: u32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl std::fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)
    }
}

/// What clients need to know of a topic.
#[derive(Clone, Debug)]
pub(crate) struct TopicInfo {
    pub(crate) name: Arc<str>,
    pub(crate) id: TopicId,
    pub(crate) partitions: u32,
}

/// Asks about topics; one answer each, in their order.
pub(crate) async fn topics(
    link: &LinkShared,
    asked: Vec<TopicRef>,
) -> Result<Vec<Result<TopicInfo, Error>>, Error> {
    let expected = asked.len();
    let request = MetadataRequest { topics: Some(asked), internal: true };
    let MetadataResponse { topics, .. } = link.call_again(&request).await?;
    if topics.len() != expected {
        return Err(Error::short_answer("Metadata"));
    }
    Ok(topics.into_iter().map(info).collect())
}

/// Asks about one topic.
pub(crate) async fn topic(link: &LinkShared, name: &str) -> Result<TopicInfo, Error> {
    let mut found = topics(link, vec![TopicRef::Name(name.to_owned())]).await?;
    found.pop().unwrap_or_else(|| Err(Error::short_answer("Metadata")))
}

/// What there is to know, or why there is nothing.
pub(crate) fn info(topic: TopicMetadata) -> Result<TopicInfo, Error> {
    if let Some(error) = topic.error.0 {
        return Err(Error::broker(format_args!("topic {}", topic.name), error));
    }
    Ok(TopicInfo {
        name: topic.name.into(),
        id: topic.topic_id,
        partitions: u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX),
    })
}
