//! A Produce request, read where it lies.

use std::ops::Range;

use super::BY_ID;
use crate::schema::Message;
use crate::wire::{DecodeError, DecodeFault, Reader};
use crate::{ApiKey, TopicRef, messages::ProduceRequest};

/// A Produce request in the frame it came in.
///
/// It was read to its end when this was made: the walk over its partitions finds no error.
#[derive(Clone, Debug)]
pub struct ProduceView<'a> {
    /// The transaction the records are a part of.
    pub transactional_id: Option<&'a str>,
    /// How many replicas are to have the records before the answer: 0 (no answer), 1, or -1 (all).
    pub acks: i16,
    /// How long the broker may wait for that.
    pub timeout_ms: i32,
    /// How many topics the request names.
    pub topics: usize,
    partitions: Partitions<'a>,
}

/// One partition of a [`ProduceView`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionView<'a> {
    /// Its topic.
    pub topic: TopicRef<'a>,
    /// Which topic of the request this is, counted from 0.
    pub topic_number: usize,
    /// How many partitions the request has for that topic.
    pub topic_partitions: usize,
    /// The partition.
    pub index: i32,
    /// Where its record batches lie, counted from where the reader began. `None` is null.
    pub records: Option<Range<usize>>,
}

impl<'a> ProduceView<'a> {
    /// Reads the body that follows the header; `input` is left behind it. The ranges of the
    /// partitions count from where `input` began, which is best the frame's first byte: then they
    /// are positions in the frame.
    pub fn decode(input: &mut Reader<'a>, version: i16) -> Result<Self, DecodeError> {
        if !ProduceRequest::VERSIONS.contains(&version) {
            let fault = DecodeFault::UnknownVersion(version);
            return Err(DecodeError { field: ApiKey::PRODUCE.name(), fault });
        }
        let flexible = version >= ApiKey::PRODUCE.flexible_from();
        let transactional_id = match version {
            3.. => input.text(flexible).map_err(|error| error.of("transactional_id"))?,
            _ => None,
        };
        let acks = input.i16().map_err(|error| error.of("acks"))?;
        let timeout_ms = input.i32().map_err(|error| error.of("timeout_ms"))?;
        let topics = count(input, flexible, 1, "topic_data")?;
        let mut walk = Partitions {
            input: input.clone(),
            by_id: version >= BY_ID,
            flexible,
            topics_left: topics,
            topic: TopicRef::Name(""),
            topic_number: 0,
            topic_partitions: 0,
            partitions_left: 0,
            begun: false,
        };
        let partitions = walk.clone();
        while walk.step()?.is_some() {}
        *input = walk.input;
        if flexible {
            input.skip_tagged().map_err(|error| error.of("tagged fields"))?;
        }
        Ok(Self { transactional_id, acks, timeout_ms, topics, partitions })
    }

    /// The partitions, in the order of the request.
    pub fn partitions(&self) -> Partitions<'a> {
        self.partitions.clone()
    }
}

/// A walk over the partitions of a [`ProduceView`].
#[derive(Clone, Debug)]
pub struct Partitions<'a> {
    input: Reader<'a>,
    by_id: bool,
    flexible: bool,
    topics_left: usize,
    topic: TopicRef<'a>,
    topic_number: usize,
    topic_partitions: usize,
    partitions_left: usize,
    /// Whether a topic is open, whose tagged fields are still to come.
    begun: bool,
}

impl<'a> Partitions<'a> {
    fn step(&mut self) -> Result<Option<PartitionView<'a>>, DecodeError> {
        while self.partitions_left == 0 {
            self.end_topic()?;
            if self.topics_left == 0 {
                return Ok(None);
            }
            self.begin_topic()?;
        }
        self.partitions_left -= 1;
        let input = &mut self.input;
        let index = input.i32().map_err(|error| error.of("index"))?;
        let len = input.long_len(self.flexible).map_err(|error| error.of("records"))?;
        let start = input.position();
        input.bytes(len.unwrap_or(0)).map_err(|error| error.of("records"))?;
        let records = len.map(|len| start..start + len);
        if self.flexible {
            input.skip_tagged().map_err(|error| error.of("tagged fields"))?;
        }
        Ok(Some(PartitionView {
            topic: self.topic,
            topic_number: self.topic_number,
            topic_partitions: self.topic_partitions,
            index,
            records,
        }))
    }

    fn begin_topic(&mut self) -> Result<(), DecodeError> {
        self.topics_left -= 1;
        self.topic = TopicRef::take(&mut self.input, self.by_id, self.flexible)?;
        self.topic_partitions = count(&mut self.input, self.flexible, 5, "partition_data")?;
        self.partitions_left = self.topic_partitions;
        self.begun = true;
        Ok(())
    }

    fn end_topic(&mut self) -> Result<(), DecodeError> {
        if !self.begun {
            return Ok(());
        }
        self.begun = false;
        self.topic_number += 1;
        if self.flexible {
            self.input.skip_tagged().map_err(|error| error.of("tagged fields"))?;
        }
        Ok(())
    }
}

impl<'a> Iterator for Partitions<'a> {
    type Item = PartitionView<'a>;

    fn next(&mut self) -> Option<PartitionView<'a>> {
        // Whoever made the view has walked this way before, so there is no error left to find.
        self.step().ok().flatten()
    }
}

fn count(
    input: &mut Reader<'_>,
    flexible: bool,
    least: usize,
    name: &'static str,
) -> Result<usize, DecodeError> {
    let count = input.count(flexible, least).map_err(|error| error.of(name))?;
    count.ok_or(DecodeError { field: name, fault: DecodeFault::UnexpectedNull })
}
