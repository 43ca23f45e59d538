//! What a record batch is by itself, whatever the log holds: looked at before the partition is
//! locked, since it is here that time goes (the checksum).

use onrush_record::TimestampMs;
use onrush_record::batch::{self, BatchError, BatchHeader, BatchRef};
use smallvec::SmallVec;

use crate::Error;
use crate::topic::{TimestampType, TopicConfig};

/// Bytes a batch may decompress to where its records are looked at.
pub(super) const DECOMPRESSED_MAX: usize = 64 << 20;

pub(super) type Few<T> = SmallVec<[T; 4]>;

/// Checks what one producer sent for one partition, one whole batch or several, and adds the
/// headers to `headers`; tells how many.
pub(super) fn check(
    mut bytes: &mut [u8],
    config: &TopicConfig,
    now_ms: TimestampMs,
    headers: &mut Few<BatchHeader>,
) -> Result<usize, Error> {
    let before = headers.len();
    loop {
        let header = BatchHeader::parse(bytes).map_err(invalid)?;
        let len = (header.total_len as usize).min(bytes.len());
        let (batch, rest) = bytes.split_at_mut(len);
        headers.push(check_batch(batch, config, now_ms)?);
        if rest.is_empty() {
            return Ok(headers.len() - before);
        }
        bytes = rest;
    }
}

fn check_batch(
    bytes: &mut [u8],
    config: &TopicConfig,
    now_ms: TimestampMs,
) -> Result<BatchHeader, Error> {
    let header = batch::validate(bytes, config.max_message_bytes).map_err(invalid)?;
    header.check_from_client().map_err(invalid)?;
    if header.attributes.is_transactional() && !header.producer_id.is_some() {
        let reason = "a batch of a transaction has no producer id; ask for one first".to_owned();
        return Err(Error::InvalidRequest { reason });
    }
    if config.cleanup.compacts {
        check_keys(bytes)?;
    } else if config.validate_records {
        check_records(bytes).map_err(invalid)?;
    }
    match config.timestamp_type {
        TimestampType::CreateTime => {
            check_timestamps(&header, config, now_ms)?;
            Ok(header)
        }
        TimestampType::LogAppendTime => {
            batch::stamp_append_time(bytes, now_ms);
            BatchHeader::parse(bytes).map_err(invalid)
        }
    }
}

/// What the broker calls what is wrong with a batch.
pub(super) fn invalid(error: BatchError) -> Error {
    match error {
        BatchError::TooLarge { length, max } => Error::BatchTooLarge { bytes: length, max },
        other => Error::BatchInvalid(other),
    }
}

fn check_records(bytes: &[u8]) -> Result<(), BatchError> {
    let mut scratch = Vec::new();
    for record in BatchRef::parse(bytes)?.records_with(&mut scratch, DECOMPRESSED_MAX)? {
        record?;
    }
    Ok(())
}

/// A record without a key would never be replaced, so that a compacted topic takes none.
fn check_keys(bytes: &[u8]) -> Result<(), Error> {
    let mut scratch = Vec::new();
    let batch = BatchRef::parse(bytes).map_err(invalid)?;
    let records = batch.records_with(&mut scratch, DECOMPRESSED_MAX).map_err(invalid)?;
    for (index, record) in (0..).zip(records) {
        if record.map_err(invalid)?.key.is_none() {
            return Err(Error::NullKey { index });
        }
    }
    Ok(())
}

/// By the header alone, whose base timestamp is that of the first record.
fn check_timestamps(
    header: &BatchHeader,
    config: &TopicConfig,
    now_ms: TimestampMs,
) -> Result<(), Error> {
    let refuse = |timestamp, key| Err(Error::InvalidTimestamp { timestamp, now: now_ms, key });
    if header.max_timestamp > now_ms.saturating_add(config.timestamp_after_max_ms) {
        return refuse(header.max_timestamp, "message.timestamp.after.max.ms");
    }
    let earliest = now_ms.saturating_sub(config.timestamp_before_max_ms);
    if header.base_timestamp >= 0 && header.base_timestamp < earliest {
        return refuse(header.base_timestamp, "message.timestamp.before.max.ms");
    }
    Ok(())
}
