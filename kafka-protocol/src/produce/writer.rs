//! The answer to a Produce, written without building it first.

use super::BY_ID;
use crate::header::{patch_size, response_header};
use crate::wire::{EncodeError, Writer};
use crate::{ApiKey, ErrorCode, TopicRef};

/// What became of one partition of a Produce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducedPartition<'a> {
    /// The partition.
    pub index: i32,
    /// What went wrong.
    pub error_code: ErrorCode,
    /// The offset of the first record, or -1.
    pub base_offset: i64,
    /// When the broker appended it, if the topic's timestamps are of appending; else -1.
    pub log_append_time_ms: i64,
    /// The first offset of the log, or -1.
    pub log_start_offset: i64,
    /// What went wrong, in words.
    pub error_message: Option<&'a str>,
    /// Who leads the partition now and in which epoch, where the client has that wrong.
    pub current_leader: Option<(i32, i32)>,
}

impl ProducedPartition<'_> {
    /// A partition that could not be appended to.
    pub fn failed(index: i32, error_code: ErrorCode) -> Self {
        Self {
            index,
            error_code,
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: -1,
            error_message: None,
            current_leader: None,
        }
    }
}

/// Writes the answer to a Produce behind what a buffer holds: [`begin`](Self::begin), for every
/// topic [`topic`](Self::topic) and its [`partition`](Self::partition)s,
/// [`finish`](Self::finish).
#[derive(Debug)]
#[must_use = "an answer is whole only once it is finished"]
pub struct ProduceResponseWriter<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    version: i16,
    flexible: bool,
    in_topic: bool,
}

impl<'o> ProduceResponseWriter<'o> {
    /// Writes room for the frame's size, the header, and that `topics` topics follow.
    pub fn begin(
        out: &'o mut Vec<u8>,
        version: i16,
        correlation_id: i32,
        topics: usize,
    ) -> Result<Self, EncodeError> {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        response_header(ApiKey::PRODUCE, version, correlation_id, out);
        let flexible = version >= ApiKey::PRODUCE.flexible_from();
        Writer::new(out).long_len(flexible, Some(topics)).map_err(|error| error.of("responses"))?;
        Ok(Self { out, start, version, flexible, in_topic: false })
    }

    /// Writes a topic, and that `partitions` partitions follow.
    pub fn topic(&mut self, topic: TopicRef<'_>, partitions: usize) -> Result<(), EncodeError> {
        self.end_topic();
        self.in_topic = true;
        let mut out = Writer::new(self.out);
        topic.put(&mut out, self.version >= BY_ID, self.flexible)?;
        out.long_len(self.flexible, Some(partitions))
            .map_err(|error| error.of("partition_responses"))
    }

    /// Writes what became of one partition.
    pub fn partition(&mut self, partition: &ProducedPartition<'_>) -> Result<(), EncodeError> {
        let mut out = Writer::new(self.out);
        out.i32(partition.index);
        out.i16(partition.error_code.0);
        out.i64(partition.base_offset);
        if self.version >= 2 {
            out.i64(partition.log_append_time_ms);
        }
        if self.version >= 5 {
            out.i64(partition.log_start_offset);
        }
        if self.version >= 8 {
            // No single records are named: a batch is refused whole.
            out.long_len(self.flexible, Some(0))?;
            out.text(self.flexible, partition.error_message)
                .map_err(|error| error.of("error_message"))?;
        }
        if self.flexible {
            match partition.current_leader {
                Some((leader, epoch)) if self.version >= 10 => {
                    out.uvarint(1);
                    out.tagged(0, |out| {
                        out.i32(leader);
                        out.i32(epoch);
                        out.uvarint(0);
                        Ok(())
                    })?;
                }
                _ => out.uvarint(0),
            }
        }
        Ok(())
    }

    /// Writes what comes last, and the frame's size into the room for it.
    pub fn finish(mut self, throttle_time_ms: i32) -> Result<(), EncodeError> {
        self.end_topic();
        let mut out = Writer::new(self.out);
        if self.version >= 1 {
            out.i32(throttle_time_ms);
        }
        if self.flexible {
            out.uvarint(0);
        }
        patch_size(self.out, self.start, 0)
    }

    fn end_topic(&mut self) {
        if std::mem::take(&mut self.in_topic) && self.flexible {
            Writer::new(self.out).uvarint(0);
        }
    }
}
