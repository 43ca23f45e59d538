//! The answer to a Fetch around its records, which the caller splices in as they are stored.
//!
//! The plain [`FetchResponse`](crate::messages::FetchResponse) holds the records as bytes; this
//! form writes only what stands between them.

use crate::header::{patch_size, response_header};
use crate::messages::AbortedTransaction;
use crate::wire::{EncodeError, EncodeFault, Writer};
use crate::{ApiKey, ErrorCode, TopicRef};

/// The first version that names topics by id.
const BY_ID: i16 = 13;
/// The versions in which the records are a plain part of the answer that this writer knows.
const VERSIONS: std::ops::RangeInclusive<i16> = 4..=18;

/// One partition of an answer to a Fetch, without its records.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FetchedPartition<'a> {
    /// The partition.
    pub index: i32,
    /// What went wrong.
    pub error_code: ErrorCode,
    /// The end of what may be read, or -1.
    pub high_watermark: i64,
    /// The end of what may be read with open transactions left out, or -1.
    pub last_stable_offset: i64,
    /// The first offset of the log, or -1.
    pub log_start_offset: i64,
    /// The aborted transactions that overlap the records; `None` unless only committed records
    /// were asked for.
    pub aborted_transactions: Option<&'a [AbortedTransaction]>,
    /// Who else to read from, or -1.
    pub preferred_read_replica: i32,
    /// The epoch and end offset from which on the client's log is another, where it asked.
    pub diverging_epoch: Option<(i32, i64)>,
    /// Who leads the partition now and in which epoch, where the client has that wrong.
    pub current_leader: Option<(i32, i32)>,
}

impl FetchedPartition<'_> {
    /// A partition that could not be read.
    pub fn failed(index: i32, error_code: ErrorCode) -> Self {
        Self {
            index,
            error_code,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            aborted_transactions: None,
            preferred_read_replica: -1,
            diverging_epoch: None,
            current_leader: None,
        }
    }
}

/// Writes the parts of the answer to a Fetch behind what a buffer holds.
///
/// [`begin`](Self::begin), for every topic [`topic`](Self::topic) and its
/// [`partition`](Self::partition)s, [`finish`](Self::finish). A partition's records belong where
/// `partition` says: the caller keeps those positions, and sends the bytes of the buffer up to the
/// first, the first records, the bytes up to the second, and so on.
#[derive(Debug)]
#[must_use = "an answer is whole only once it is finished"]
pub struct FetchResponseWriter<'o> {
    out: &'o mut Vec<u8>,
    start: usize,
    spliced: usize,
    version: i16,
    flexible: bool,
    in_topic: bool,
    /// The tagged fields of the partition whose records come next.
    tags: Option<PartitionTags>,
}

#[derive(Debug)]
struct PartitionTags {
    diverging_epoch: Option<(i32, i64)>,
    current_leader: Option<(i32, i32)>,
}

/// The parts of an answer that do not depend on a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FetchedTop {
    /// How long the client is to wait before it asks again.
    pub throttle_time_ms: i32,
    /// What went wrong with the whole request.
    pub error_code: ErrorCode,
    /// The fetch session; 0 for none.
    pub session_id: i32,
}

impl<'o> FetchResponseWriter<'o> {
    /// Writes room for the frame's size, the header, and that `topics` topics follow.
    pub fn begin(
        out: &'o mut Vec<u8>,
        version: i16,
        correlation_id: i32,
        top: FetchedTop,
        topics: usize,
    ) -> Result<Self, EncodeError> {
        if !VERSIONS.contains(&version) {
            let fault = EncodeFault::UnknownVersion(version);
            return Err(EncodeError { field: ApiKey::FETCH.name(), fault });
        }
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        response_header(ApiKey::FETCH, version, correlation_id, out);
        let flexible = version >= ApiKey::FETCH.flexible_from();
        let mut writer = Writer::new(out);
        writer.i32(top.throttle_time_ms);
        if version >= 7 {
            writer.i16(top.error_code.0);
            writer.i32(top.session_id);
        }
        writer.long_len(flexible, Some(topics)).map_err(|error| error.of("responses"))?;
        Ok(Self { out, start, spliced: 0, version, flexible, in_topic: false, tags: None })
    }

    /// Writes a topic, and that `partitions` partitions follow.
    pub fn topic(&mut self, topic: TopicRef<'_>, partitions: usize) -> Result<(), EncodeError> {
        self.end_topic()?;
        self.in_topic = true;
        let mut out = Writer::new(self.out);
        topic.put(&mut out, self.version >= BY_ID, self.flexible)?;
        out.long_len(self.flexible, Some(partitions)).map_err(|error| error.of("partitions"))
    }

    /// Writes a partition up to its `records` bytes of records, and gives the position in the
    /// buffer at which they belong.
    pub fn partition(
        &mut self,
        partition: &FetchedPartition<'_>,
        records: usize,
    ) -> Result<usize, EncodeError> {
        self.end_partition()?;
        let mut out = Writer::new(self.out);
        out.i32(partition.index);
        out.i16(partition.error_code.0);
        out.i64(partition.high_watermark);
        out.i64(partition.last_stable_offset);
        if self.version >= 5 {
            out.i64(partition.log_start_offset);
        }
        let aborted = partition.aborted_transactions;
        out.long_len(self.flexible, aborted.map(<[_]>::len))
            .map_err(|error| error.of("aborted_transactions"))?;
        for transaction in aborted.unwrap_or(&[]) {
            out.i64(transaction.producer_id);
            out.i64(transaction.first_offset);
            if self.flexible {
                out.uvarint(0);
            }
        }
        if self.version >= 11 {
            out.i32(partition.preferred_read_replica);
        }
        out.long_len(self.flexible, Some(records)).map_err(|error| error.of("records"))?;
        self.spliced += records;
        self.tags = Some(PartitionTags {
            diverging_epoch: partition.diverging_epoch,
            current_leader: partition.current_leader,
        });
        Ok(self.out.len())
    }

    /// Writes what comes last, and the frame's size into the room for it: the records that the
    /// caller splices in count in it.
    pub fn finish(mut self) -> Result<(), EncodeError> {
        self.end_topic()?;
        if self.flexible {
            Writer::new(self.out).uvarint(0);
        }
        patch_size(self.out, self.start, self.spliced)
    }

    fn end_topic(&mut self) -> Result<(), EncodeError> {
        self.end_partition()?;
        if std::mem::take(&mut self.in_topic) && self.flexible {
            Writer::new(self.out).uvarint(0);
        }
        Ok(())
    }

    /// Writes the tagged fields of the partition whose records were the last.
    fn end_partition(&mut self) -> Result<(), EncodeError> {
        let Some(tags) = self.tags.take() else { return Ok(()) };
        if !self.flexible {
            return Ok(());
        }
        let mut out = Writer::new(self.out);
        let count = u32::from(tags.diverging_epoch.is_some());
        out.uvarint(count + u32::from(tags.current_leader.is_some()));
        if let Some((epoch, end_offset)) = tags.diverging_epoch {
            out.tagged(0, |out| {
                out.i32(epoch);
                out.i64(end_offset);
                out.uvarint(0);
                Ok(())
            })?;
        }
        if let Some((leader, epoch)) = tags.current_leader {
            out.tagged(1, |out| {
                out.i32(leader);
                out.i32(epoch);
                out.uvarint(0);
                Ok(())
            })?;
        }
        Ok(())
    }
}
