//! A topic as a request names it, kept for the answer.

use std::sync::Arc;

use onrush_broker::{Broker, Error, Partition, Topic};
use onrush_kafka_protocol::{ErrorCode, TopicRef, Uuid};
use onrush_record::TopicId;

use crate::error::code;

/// How a request names a topic.
#[derive(Clone)]
pub(super) enum Named {
    /// By the name of one there is.
    Known(Arc<str>),
    /// By a name that no topic has.
    Unknown(Box<str>),
    /// By its id.
    Id(Uuid),
}

impl Named {
    /// For the answer.
    pub(super) fn as_ref(&self) -> TopicRef<'_> {
        match self {
            Named::Known(name) => TopicRef::Name(name),
            Named::Unknown(name) => TopicRef::Name(name),
            Named::Id(id) => TopicRef::Id(*id),
        }
    }
}

/// Why a part of a request is refused.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) code: ErrorCode,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(code: ErrorCode, message: impl Into<String>) -> Refusal {
        Refusal { code, message: message.into() }
    }
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Refusal {
        Refusal::new(code(error), error.to_string())
    }
}

/// A topic that a request names, if there is such a one.
pub(super) struct Found {
    topic: Option<Arc<Topic>>,
    pub(super) named: Named,
}

impl Found {
    pub(super) fn find(broker: &Broker, asked: TopicRef<'_>) -> Found {
        match asked {
            TopicRef::Name(name) => {
                let topic = broker.topic_by_name(name);
                let named = match &topic {
                    Some(topic) => Named::Known(Arc::clone(topic.name())),
                    None => Named::Unknown(name.into()),
                };
                Found { topic, named }
            }
            TopicRef::Id(id) => {
                Found { topic: broker.topic(TopicId::new(id.0)), named: Named::Id(id) }
            }
        }
    }

    /// One of its partitions.
    pub(super) fn partition(&self, index: i32) -> Result<Arc<Partition>, Refusal> {
        let Some(topic) = &self.topic else {
            return Err(match self.named.as_ref() {
                TopicRef::Id(id) => Refusal::new(
                    ErrorCode::UNKNOWN_TOPIC_ID,
                    format!("there is no topic with the id {id}"),
                ),
                TopicRef::Name(name) => Refusal::new(
                    ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                    format!("there is no topic {name}; create it first, or check the name"),
                ),
            });
        };
        match u32::try_from(index) {
            Ok(index) => topic.partition(index).map_err(|error| Refusal::from(&error)),
            Err(_) => Err(Refusal::new(
                ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
                format!("{index} is no partition's number"),
            )),
        }
    }
}
