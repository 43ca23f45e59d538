//! Topics.

use onrush_protocol::request::{
    AlterTopicsRequest, ConfigEntry, CreateTopicsRequest, DeleteTopicsRequest,
    DescribeConfigsRequest, MetadataRequest, NewTopic as WireTopic, TopicChange, TopicRef,
};
pub use onrush_protocol::response::ConfigValue;
use onrush_protocol::response::TopicMetadata;
use onrush_record::TopicId;

use super::{Admin, only};
use crate::error::{Error, Result};

/// A topic to create.
///
/// ```
/// use onrush_client::NewTopic;
/// let topic = NewTopic::named("orders").partitions(8).config("retention.ms", "86400000");
/// # let _ = topic;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Its partitions; `None`: the broker's default.
    pub partitions: Option<u32>,
    /// Settings that differ from the broker's defaults, by Kafka's names.
    pub configs: Vec<(String, String)>,
}

impl NewTopic {
    /// A topic with defaults.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), partitions: None, configs: Vec::new() }
    }

    /// How many partitions it shall have.
    #[must_use]
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = Some(partitions);
        self
    }

    /// One setting.
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.configs.push((key.into(), value.into()));
        self
    }
}

/// A topic as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Its id.
    pub id: TopicId,
    /// How many partitions it has.
    pub partitions: u32,
    /// Whether it belongs to the broker itself.
    pub internal: bool,
}

impl Admin {
    /// Creates a topic; it is durable when this returns.
    ///
    /// # Errors
    /// When the name is taken or illegal, or a setting is.
    pub async fn create_topic(&self, topic: NewTopic) -> Result<TopicDescription> {
        let doing = format!("create topic {}", topic.name);
        let request = CreateTopicsRequest {
            topics: vec![WireTopic {
                name: topic.name,
                partitions: topic.partitions,
                configs: entries(topic.configs),
            }],
            validate_only: false,
        };
        let created = only("CreateTopics", self.once(&request).await?.topics)?;
        match created.error.0 {
            Some(error) => Err(Error::broker(doing, error)),
            None => Ok(TopicDescription {
                name: created.name,
                id: created.topic_id,
                partitions: created.partitions,
                internal: false,
            }),
        }
    }

    /// Deletes a topic with all its records.
    ///
    /// # Errors
    /// When there is no such topic.
    pub async fn delete_topic(&self, topic: &str) -> Result<()> {
        let request = DeleteTopicsRequest { topics: vec![TopicRef::Name(topic.to_owned())] };
        let deleted = only("DeleteTopics", self.once(&request).await?.topics)?;
        let doing = format_args!("delete topic {topic}");
        deleted.error.or(()).map_err(|error| Error::broker(doing, error))
    }

    /// Every topic, in order of name; the broker's own only if asked for.
    ///
    /// # Errors
    /// When the broker cannot be reached.
    pub async fn topics(&self, internal: bool) -> Result<Vec<TopicDescription>> {
        let response = self.look(&MetadataRequest { topics: None, internal }).await?;
        response.topics.into_iter().map(describe).collect()
    }

    /// One topic.
    ///
    /// # Errors
    /// When there is no such topic.
    pub async fn describe_topic(&self, topic: &str) -> Result<TopicDescription> {
        let topics = Some(vec![TopicRef::Name(topic.to_owned())]);
        let response = self.look(&MetadataRequest { topics, internal: true }).await?;
        describe(only("Metadata", response.topics)?)
    }

    /// Sets some of a topic's settings, and takes others back to the broker's default.
    ///
    /// # Errors
    /// When there is no such topic, or a setting is illegal: then nothing is changed.
    pub async fn alter_topic(
        &self,
        topic: &str,
        set: &[(&str, &str)],
        unset: &[&str],
    ) -> Result<()> {
        let set = set.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        self.change(TopicChange {
            topic: TopicRef::Name(topic.to_owned()),
            set: entries(set),
            unset: unset.iter().map(|&key| key.to_owned()).collect(),
            partitions: None,
        })
        .await
    }

    /// Gives a topic more partitions: `partitions` in all. Keys may go to other partitions then.
    ///
    /// # Errors
    /// When there is no such topic, or it has as many already.
    pub async fn add_partitions(&self, topic: &str, partitions: u32) -> Result<()> {
        self.change(TopicChange {
            topic: TopicRef::Name(topic.to_owned()),
            set: Vec::new(),
            unset: Vec::new(),
            partitions: Some(partitions),
        })
        .await
    }

    async fn change(&self, change: TopicChange) -> Result<()> {
        let request = AlterTopicsRequest { topics: vec![change], validate_only: false };
        let changed = only("AlterTopics", self.once(&request).await?.topics)?;
        let doing = format_args!("alter topic {}", changed.name);
        changed.error.or(()).map_err(|error| Error::broker(doing, error))
    }

    /// Every setting of a topic.
    ///
    /// # Errors
    /// When there is no such topic.
    pub async fn describe_configs(&self, topic: &str) -> Result<Vec<ConfigValue>> {
        let topics = vec![TopicRef::Name(topic.to_owned())];
        let response = self.look(&DescribeConfigsRequest { topics, broker: false }).await?;
        let described = only("DescribeConfigs", response.topics)?;
        let doing = format_args!("settings of topic {topic}");
        described.error.or(described.configs).map_err(|error| Error::broker(doing, error))
    }

    /// The broker's own settings.
    ///
    /// # Errors
    /// When the broker cannot be reached.
    pub async fn describe_broker_configs(&self) -> Result<Vec<ConfigValue>> {
        let request = DescribeConfigsRequest { topics: Vec::new(), broker: true };
        Ok(self.look(&request).await?.broker)
    }
}

fn entries(configs: Vec<(String, String)>) -> Vec<ConfigEntry> {
    configs.into_iter().map(|(key, value)| ConfigEntry { key, value }).collect()
}

fn describe(topic: TopicMetadata) -> Result<TopicDescription> {
    if let Some(error) = topic.error.0 {
        return Err(Error::broker(format_args!("topic {}", topic.name), error));
    }
    Ok(TopicDescription {
        name: topic.name,
        id: topic.topic_id,
        partitions: u32::try_from(topic.partitions.len()).unwrap_or(u32::MAX),
        internal: topic.internal,
    })
}
