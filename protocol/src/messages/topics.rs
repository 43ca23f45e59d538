//! Topics: create, delete, alter, describe.

use bytes::{BufMut, BytesMut};
use onrush_record::TopicId;

use crate::error::WireError;
use crate::wire::{DecodeError, Maybe, Reader, Wire};

/// A topic by what the client knows of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TopicRef {
    /// By name, which a later topic may have again.
    Name(String),
    /// By id, which no other topic will ever have.
    Id(TopicId),
}

impl Wire for TopicRef {
    const LEAST: usize = 3;
    fn type_name() -> String {
        "topic".to_owned()
    }
    fn put(&self, out: &mut BytesMut) {
        match self {
            Self::Name(name) => {
                out.put_u8(0);
                name.put(out);
            }
            Self::Id(id) => {
                out.put_u8(1);
                id.put(out);
            }
        }
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::take(input)? {
            0 => String::take(input).map(Self::Name),
            1 => TopicId::take(input).map(Self::Id),
            other => Err(DecodeError::BadValue { field: "topic", value: i64::from(other) }),
        }
    }
}

names! {
    /// Where a configuration's value comes from.
    pub enum ConfigSource {
        /// 0: built in.
        Default = 0,
        /// 1: the broker's configuration.
        Broker = 1,
        /// 2: set on the topic.
        Topic = 2,
    }
}

message! {
    /// Creates topics. Each succeeds or fails by itself.
    pub struct CreateTopicsRequest {
        /// The topics.
        pub topics: Vec<NewTopic>,
        /// Check only; create nothing.
        pub validate_only: bool,
    }

    /// A topic to create.
    pub struct NewTopic {
        /// Its name.
        pub name: String,
        /// Its partitions; absent: the broker's default.
        pub partitions: Option<u32>,
        /// Settings that differ from the broker's defaults, by Kafka's names.
        pub configs: Vec<ConfigEntry>,
    }

    /// A configuration key and its value.
    pub struct ConfigEntry {
        /// Kafka's name for it, such as `retention.ms`.
        pub key: String,
        /// The value as text.
        pub value: String,
    }

    /// What became of each.
    pub struct CreateTopicsResponse {
        /// In the order of the request.
        pub topics: Vec<CreatedTopic>,
    }

    /// What became of one.
    pub struct CreatedTopic {
        /// 0 once the topic is durable, else why not.
        pub error: Maybe<WireError>,
        /// Its name.
        pub name: String,
        /// Its id; zeros with an error or when only checked.
        pub topic_id: TopicId,
        /// Its partitions; 0 with an error.
        pub partitions: u32,
    }

    /// Deletes topics with all their records. Each succeeds or fails by itself.
    pub struct DeleteTopicsRequest {
        /// The topics.
        pub topics: Vec<TopicRef>,
    }

    /// What became of each.
    pub struct DeleteTopicsResponse {
        /// In the order of the request.
        pub topics: Vec<TopicResult>,
    }

    /// What became of one.
    pub struct TopicResult {
        /// 0 once the change is durable, else why not.
        pub error: Maybe<WireError>,
        /// Its name; empty if asked for by an id nobody has.
        pub name: String,
        /// Its id; zeros if asked for by a name nobody has.
        pub topic_id: TopicId,
    }

    /// Changes topics. Each succeeds or fails by itself, with all its changes or none.
    pub struct AlterTopicsRequest {
        /// The changes.
        pub topics: Vec<TopicChange>,
        /// Check only; change nothing.
        pub validate_only: bool,
    }

    /// Changes to one topic.
    pub struct TopicChange {
        /// The topic.
        pub topic: TopicRef,
        /// Settings to set; others stay.
        pub set: Vec<ConfigEntry>,
        /// Settings to take back to the broker's default.
        pub unset: Vec<String>,
        /// How many partitions it shall have; absent: as many as it has. Never fewer.
        pub partitions: Option<u32>,
    }

    /// What became of each.
    pub struct AlterTopicsResponse {
        /// In the order of the request.
        pub topics: Vec<TopicResult>,
    }

    /// Asks for configurations.
    pub struct DescribeConfigsRequest {
        /// Topics to describe.
        pub topics: Vec<TopicRef>,
        /// The broker's own configuration too.
        pub broker: bool,
    }

    /// Configurations.
    pub struct DescribeConfigsResponse {
        /// In the order of the request.
        pub topics: Vec<TopicConfigs>,
        /// The broker's, if asked for.
        pub broker: Vec<ConfigValue>,
    }

    /// One topic's configuration.
    pub struct TopicConfigs {
        /// 0, or why there is nothing to say.
        pub error: Maybe<WireError>,
        /// Its name; empty if asked for by an id nobody has.
        pub name: String,
        /// Its id; zeros if asked for by a name nobody has.
        pub topic_id: TopicId,
        /// Every setting, in order of key.
        pub configs: Vec<ConfigValue>,
    }

    /// One setting.
    pub struct ConfigValue {
        /// Its name.
        pub key: String,
        /// Its value as text.
        pub value: String,
        /// Where the value comes from: 0 built in, 1 the broker's configuration, 2 set on the topic.
        pub source: ConfigSource,
        /// Whether it cannot be altered.
        pub read_only: bool,
        /// One sentence on what it does.
        pub documentation: String,
    }
}
