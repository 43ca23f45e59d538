//! Offsets by time, producer ids, and the deletion of records.

use bytes::{BufMut, BytesMut};
use onrush_record::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicId};

use crate::error::WireError;
use crate::wire::{DecodeError, Maybe, Reader, Wire};

/// Which offset of a partition is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OffsetSpec {
    /// The first it still has.
    Earliest,
    /// One past the last, once all that was written when the question arrived may be read: so one
    /// always reads one's own write.
    Latest,
    /// The record with the greatest timestamp.
    MaxTimestamp,
    /// The first record at or after this time, in milliseconds since 1970.
    Timestamp(i64),
    /// Where readers of committed records wait: the first record of the earliest open transaction,
    /// or [`Self::Latest`] when none is open.
    LastStable,
}

impl Wire for OffsetSpec {
    const LEAST: usize = 1;
    fn type_name() -> String {
        "offset spec".to_owned()
    }
    fn put(&self, out: &mut BytesMut) {
        match *self {
            Self::Earliest => out.put_u8(0),
            Self::Latest => out.put_u8(1),
            Self::MaxTimestamp => out.put_u8(2),
            Self::Timestamp(timestamp) => {
                out.put_u8(3);
                out.put_i64_le(timestamp);
            }
            Self::LastStable => out.put_u8(4),
        }
    }
    fn take(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match u8::take(input)? {
            0 => Ok(Self::Earliest),
            1 => Ok(Self::Latest),
            2 => Ok(Self::MaxTimestamp),
            3 => i64::take(input).map(Self::Timestamp),
            4 => Ok(Self::LastStable),
            other => Err(DecodeError::BadValue { field: "offset spec", value: i64::from(other) }),
        }
    }
}

message! {
    /// Asks for offsets: first, end, or by time.
    pub struct ListOffsetsRequest {
        /// What is asked.
        pub parts: Vec<ListOffsetsPart>,
    }

    /// A question about one partition.
    pub struct ListOffsetsPart {
        /// The topic.
        pub topic_id: TopicId,
        /// The partition.
        pub partition: u32,
        /// The leader epoch the client knows, or -1 not to check.
        pub leader_epoch: Maybe<LeaderEpoch>,
        /// Which offset.
        pub spec: OffsetSpec,
    }

    /// The answers.
    pub struct ListOffsetsResponse {
        /// In the order of the request.
        pub parts: Vec<ListOffsetsPartResponse>,
    }

    /// An answer about one partition.
    pub struct ListOffsetsPartResponse {
        /// 0, or why there is no answer.
        pub error: Maybe<WireError>,
        /// The offset; -1 when no record is as asked.
        pub offset: Maybe<Offset>,
        /// Timestamp of the record at that offset, where one was looked for; else -1.
        pub timestamp: i64,
        /// The partition's leader epoch.
        pub leader_epoch: Maybe<LeaderEpoch>,
    }

    /// Asks for a producer id. Empty.
    pub struct InitProducerRequest {}

    /// A producer id that no one else has or will have.
    pub struct InitProducerResponse {
        /// The id, for the producer field of record batches.
        pub producer_id: ProducerId,
        /// The epoch, for the same place.
        pub producer_epoch: ProducerEpoch,
    }

    /// Deletes the records of partitions below given offsets.
    pub struct DeleteRecordsRequest {
        /// What is to go.
        pub parts: Vec<DeleteRecordsPart>,
    }

    /// What is to go from one partition.
    pub struct DeleteRecordsPart {
        /// The topic.
        pub topic_id: TopicId,
        /// The partition.
        pub partition: u32,
        /// Records below this offset go; -1: all that may be read now.
        pub before: Maybe<Offset>,
    }

    /// What went.
    pub struct DeleteRecordsResponse {
        /// In the order of the request.
        pub parts: Vec<DeleteRecordsPartResponse>,
    }

    /// What went from one partition.
    pub struct DeleteRecordsPartResponse {
        /// 0 once the new start is on stable storage, else why not.
        pub error: Maybe<WireError>,
        /// First offset the partition has now; -1 with an error.
        pub log_start: Maybe<Offset>,
    }
}
