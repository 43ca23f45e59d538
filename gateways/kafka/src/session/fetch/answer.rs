//! What a fetch has found, and the answer made of it: record batches stay where they are in the
//! log, and only what stands between them is encoded.

use std::sync::Arc;

use onrush_broker::{self as broker, Partition, Slice, SliceRead};
use onrush_gateway_net::Outbox;
use onrush_kafka_protocol::fetch::{FetchResponseWriter, FetchedPartition, FetchedTop};
use onrush_kafka_protocol::messages::AbortedTransaction;
use onrush_kafka_protocol::{EncodeError, ErrorCode};

use super::source::Source;
use crate::error::code;
use crate::lookup::wire_offset;
use crate::session::frame::Head;
use crate::session::topic::Named;

/// An encoded answer, and which slices belong where in it.
pub(super) type Encoded = Result<(Vec<u8>, Vec<(usize, Slice)>), EncodeError>;

/// What reading all partitions gave.
#[derive(Default)]
pub(super) struct Found {
    parts: Vec<Part>,
    pub(super) bytes: u64,
    /// There is an error to tell.
    pub(super) failed: bool,
}

/// What reading one partition gave.
struct Part {
    index: i32,
    error: ErrorCode,
    high_watermark: i64,
    last_stable: i64,
    log_start: i64,
    aborted: Option<Vec<AbortedTransaction>>,
    slice: Option<Slice>,
}

impl Part {
    fn failed(index: i32, error: ErrorCode) -> Part {
        Part {
            index,
            error,
            high_watermark: -1,
            last_stable: -1,
            log_start: -1,
            aborted: None,
            slice: None,
        }
    }

    /// What was read of a partition. Its ends are asked for afterwards, so that they are not
    /// before what was read.
    fn of(source: &Source, partition: &Partition, read: Option<SliceRead>) -> Part {
        let aborted = source.committed.then(|| match &read {
            Some(read) => partition.aborted(read.first, read.next).iter().map(aborted).collect(),
            None => Vec::new(),
        });
        let ends = partition.ends();
        Part {
            high_watermark: wire_offset(ends.readable),
            last_stable: wire_offset(ends.last_stable),
            log_start: wire_offset(ends.start),
            aborted,
            slice: read.map(|read| read.slice),
            ..Part::failed(source.index, ErrorCode::NONE)
        }
    }
}

impl Found {
    /// Reads partitions in their order: at most `max_bytes`, but at least one whole batch if there
    /// is any.
    pub(super) fn read(sources: &mut [Source], max_bytes: u32) -> Found {
        let mut found = Found::default();
        found.parts.reserve(sources.len());
        for source in sources {
            let taken = u32::try_from(found.bytes).unwrap_or(u32::MAX);
            let part = found.part(source, max_bytes.saturating_sub(taken));
            found.failed |= part.error.is_error();
            found.bytes += part.slice.as_ref().map_or(0, |slice| u64::from(slice.len()));
            found.parts.push(part);
        }
        found
    }

    /// Reads nothing, but tells of the partitions.
    pub(super) fn nothing(sources: &[Source]) -> Found {
        let part = |source: &Source| match &source.partition {
            Ok(partition) => Part::of(source, partition, None),
            Err(error) => Part::failed(source.index, *error),
        };
        Found { parts: sources.iter().map(part).collect(), ..Found::default() }
    }

    fn part(&self, source: &mut Source, room: u32) -> Part {
        let partition = match &source.partition {
            Ok(partition) => Arc::clone(partition),
            Err(error) => return Part::failed(source.index, *error),
        };
        if room == 0 && self.bytes > 0 {
            return Part::of(source, &partition, None);
        }
        match source.read(&partition, room) {
            Err(error) => Part::failed(source.index, code(&error)),
            // A first batch larger than all the room is the only one, so that no reader gets stuck.
            Ok(read) => {
                let read = read.filter(|read| self.bytes == 0 || read.slice.len() <= room);
                Part::of(source, &partition, read)
            }
        }
    }

    /// What lies in the log.
    pub(super) fn slices(&self) -> impl Iterator<Item = &Slice> {
        self.parts.iter().filter_map(|part| part.slice.as_ref())
    }

    /// The answer, whose parts are of these topics.
    pub(super) fn encode(
        self,
        head: Head,
        topics: &[(Named, usize)],
        throttle_time_ms: i32,
    ) -> Encoded {
        let mut frame = Vec::with_capacity(64 + 64 * self.parts.len());
        let mut splices = Vec::new();
        let Head { version, correlation, .. } = head;
        let top = FetchedTop { throttle_time_ms, ..FetchedTop::default() };
        let mut writer =
            FetchResponseWriter::begin(&mut frame, version, correlation, top, topics.len())?;
        let mut parts = self.parts.into_iter();
        for (named, count) in topics {
            writer.topic(named.as_ref(), *count)?;
            for part in parts.by_ref().take(*count) {
                let records = part.slice.as_ref().map_or(0, |slice| slice.len() as usize);
                let at = writer.partition(&part.header(), records)?;
                splices.extend(part.slice.map(|slice| (at, slice)));
            }
        }
        writer.finish()?;
        Ok((frame, splices))
    }
}

impl Part {
    fn header(&self) -> FetchedPartition<'_> {
        FetchedPartition {
            high_watermark: self.high_watermark,
            last_stable_offset: self.last_stable,
            log_start_offset: self.log_start,
            aborted_transactions: self.aborted.as_deref(),
            ..FetchedPartition::failed(self.index, self.error)
        }
    }
}

fn aborted(transaction: &broker::AbortedTransaction) -> AbortedTransaction {
    AbortedTransaction {
        producer_id: transaction.producer.get(),
        first_offset: wire_offset(transaction.first_offset),
    }
}

/// The answer to a request that is refused as a whole.
pub(super) fn refused(head: Head, error_code: ErrorCode) -> Result<Vec<u8>, EncodeError> {
    let mut frame = Vec::new();
    let Head { version, correlation, .. } = head;
    let top = FetchedTop { error_code, ..FetchedTop::default() };
    FetchResponseWriter::begin(&mut frame, version, correlation, top, 0)?.finish()?;
    Ok(frame)
}

/// Puts an answer into the outbox.
pub(super) fn put(outbox: &mut Outbox, frame: &[u8], splices: Vec<(usize, Slice)>) {
    let mut sent = 0;
    for (at, slice) in splices {
        outbox.bytes().extend_from_slice(&frame[sent..at]);
        outbox.slice(slice);
        sent = at;
    }
    outbox.bytes().extend_from_slice(&frame[sent..]);
}
