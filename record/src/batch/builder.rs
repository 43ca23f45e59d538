//! Makes a batch of records.

use super::header::{MAGIC, at};
use super::stamp::{put, stamp_crc};
use super::{Attributes, BatchError, Codec, HEADER_LEN, LENGTH_PREFIX};
use crate::{ProducerEpoch, ProducerId, Sequence, TimestampMs, codec, varint};

/// No whole batch is longer, so that its length fits the header's 31 bits.
const LONGEST: usize = i32::MAX as usize;

/// Builds one batch after the other. Records are encoded straight into the buffer that goes out, behind
/// room for the header; only a compressed batch is copied once more.
#[derive(Debug)]
pub struct BatchBuilder {
    buffer: Vec<u8>,
    codec: Codec,
    count: u32,
    base_timestamp: TimestampMs,
    max_timestamp: TimestampMs,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    base_sequence: Sequence,
    transactional: bool,
    /// A record was left out because no batch could hold it.
    overflown: bool,
}

impl BatchBuilder {
    /// Builds batches whose records are compressed by `codec`.
    pub fn new(codec: Codec) -> Self {
        Self::with_buffer(codec, Vec::new())
    }

    /// The same, with room for `bytes` from the start.
    pub fn with_capacity(codec: Codec, bytes: usize) -> Self {
        Self::with_buffer(codec, Vec::with_capacity(bytes))
    }

    /// The same, into a buffer that has served before: cleared, its room kept.
    pub fn with_buffer(codec: Codec, buffer: Vec<u8>) -> Self {
        let mut builder = Self {
            buffer,
            codec,
            count: 0,
            base_timestamp: 0,
            max_timestamp: 0,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            base_sequence: Sequence::NONE,
            transactional: false,
            overflown: false,
        };
        builder.clear();
        builder
    }

    /// The same builder with an idempotent producer's fields set.
    #[must_use]
    pub fn with_producer(mut self, id: ProducerId, epoch: ProducerEpoch, first: Sequence) -> Self {
        self.set_producer(id, epoch, first);
        self
    }

    /// Says whose batch it is and which sequence its first record has. Any time before
    /// [`finish`](Self::finish), which forgets it again.
    pub fn set_producer(&mut self, id: ProducerId, epoch: ProducerEpoch, first: Sequence) {
        self.producer_id = id;
        self.producer_epoch = epoch;
        self.base_sequence = first;
    }

    /// Marks the batch as part of its producer's open transaction, or not.
    pub fn set_transactional(&mut self, on: bool) {
        self.transactional = on;
    }

    /// Encodes a record at the end of the batch and returns its index in it.
    ///
    /// A record that would make the batch longer than 2 GiB is left out, and [`finish`](Self::finish)
    /// then fails: callers bound their batches far below that.
    #[inline]
    pub fn push(
        &mut self,
        timestamp: TimestampMs,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) -> u32 {
        if self.count == 0 {
            self.base_timestamp = timestamp;
            self.max_timestamp = timestamp;
            self.buffer.resize(HEADER_LEN, 0);
        }
        let timestamp_delta = timestamp.wrapping_sub(self.base_timestamp);
        let (key_len, value_len) = (optional_len(key), optional_len(value));
        let after_key = varint::len(value_len) + value.map_or(0, <[u8]>::len);
        let body = 1
            + varint::len(timestamp_delta)
            + varint::len(i64::from(self.count))
            + varint::len(key_len)
            + key.map_or(0, <[u8]>::len)
            + after_key
            + headers_len(headers);
        if body > LONGEST
            || self.buffer.len() + body + varint::len(body.cast_signed() as i64) > LONGEST
        {
            self.overflown = true;
            return self.count;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.buffer.reserve(body + 2 * BLOCK);

        let mut block = [0; BLOCK];
        let mut end = varint::put(&mut block, 0, body.cast_signed() as i64);
        end = varint::put(&mut block, end + 1, timestamp_delta);
        end = varint::put(&mut block, end, i64::from(self.count));
        end = varint::put(&mut block, end, key_len);
        if let Some(key) = key {
            self.put_block(&block, end);
            self.buffer.extend_from_slice(key);
            end = 0;
        }
        end = varint::put(&mut block, end, value_len);
        self.put_block(&block, end);
        if let Some(value) = value {
            self.buffer.extend_from_slice(value);
        }
        if headers.is_empty() {
            self.buffer.push(0);
        } else {
            self.put_headers(headers);
        }
        let index = self.count;
        self.count += 1;
        index
    }

    /// Appends the first `len` bytes of `block`. Copying all of it and giving the rest back is a few
    /// fixed moves, where a copy of `len` bytes is a call.
    #[inline(always)]
    fn put_block(&mut self, block: &[u8; BLOCK], len: usize) {
        let end = self.buffer.len() + len;
        self.buffer.extend_from_slice(block);
        self.buffer.truncate(end);
    }

    #[cold]
    fn put_headers(&mut self, headers: &[(&[u8], Option<&[u8]>)]) {
        let mut block = [0; BLOCK];
        let end = varint::put(&mut block, 0, signed_len(headers.len()));
        self.put_block(&block, end);
        for (name, value) in headers {
            let end = varint::put(&mut block, 0, signed_len(name.len()));
            self.put_block(&block, end);
            self.buffer.extend_from_slice(name);
            let end = varint::put(&mut block, 0, optional_len(*value));
            self.put_block(&block, end);
            self.buffer.extend_from_slice(value.unwrap_or_default());
        }
    }

    /// How many records were pushed.
    #[inline]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Whether nothing was pushed.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Length of the batch as it stands, before compression.
    #[inline]
    pub fn len(&self) -> usize {
        self.buffer.len().max(HEADER_LEN)
    }

    /// Forgets all records, and whose they were; keeps the buffer.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.count = 0;
        self.overflown = false;
        self.set_producer(ProducerId::NONE, ProducerEpoch::NONE, Sequence::NONE);
    }

    /// Completes the batch and hands it out: base offset 0, leader epoch -1, as every client sends it.
    /// The builder is then empty. Uncompressed, this gives its buffer away; compressed, it keeps it.
    ///
    /// # Errors
    /// [`BatchError::Empty`] without a record; [`BatchError::TooLarge`] if a record was too large to be
    /// taken, and [`BatchError::Compress`] if the codec fails (the builder is cleared in both cases).
    pub fn finish(&mut self) -> Result<Vec<u8>, BatchError> {
        if self.overflown {
            let length = self.buffer.len() as u64;
            self.clear();
            return Err(BatchError::TooLarge { length, max: LONGEST as u64 });
        }
        if self.count == 0 {
            return Err(BatchError::Empty);
        }
        let batch = match self.codec {
            Codec::None => std::mem::take(&mut self.buffer),
            codec => {
                let plain = &self.buffer[HEADER_LEN..];
                let mut batch = Vec::with_capacity(HEADER_LEN + plain.len() / 2);
                batch.resize(HEADER_LEN, 0);
                let compressed = codec::compress(codec, plain, &mut batch);
                if let Err(error) = compressed {
                    self.clear();
                    return Err(error);
                }
                batch
            }
        };
        let batch = self.with_header(batch);
        self.clear();
        batch
    }

    /// Fills the room before the records.
    fn with_header(&self, mut batch: Vec<u8>) -> Result<Vec<u8>, BatchError> {
        let Ok(length) = i32::try_from(batch.len() - LENGTH_PREFIX) else {
            let length = batch.len() as u64;
            return Err(BatchError::TooLarge { length, max: LONGEST as u64 });
        };
        let attributes = Attributes::with_codec(self.codec).transactional(self.transactional);
        put(&mut batch, 0, 0i64.to_be_bytes());
        put(&mut batch, at::LENGTH, length.to_be_bytes());
        put(&mut batch, at::LEADER_EPOCH, (-1i32).to_be_bytes());
        put(&mut batch, at::MAGIC, [MAGIC]);
        put(&mut batch, at::ATTRIBUTES, attributes.bits().to_be_bytes());
        put(&mut batch, at::LAST_OFFSET_DELTA, (self.count - 1).to_be_bytes());
        put(&mut batch, at::BASE_TIMESTAMP, self.base_timestamp.to_be_bytes());
        put(&mut batch, at::MAX_TIMESTAMP, self.max_timestamp.to_be_bytes());
        put(&mut batch, at::PRODUCER_ID, self.producer_id.get().to_be_bytes());
        put(&mut batch, at::PRODUCER_EPOCH, self.producer_epoch.get().to_be_bytes());
        put(&mut batch, at::BASE_SEQUENCE, self.base_sequence.get().to_be_bytes());
        put(&mut batch, at::COUNT, self.count.to_be_bytes());
        stamp_crc(&mut batch);
        Ok(batch)
    }
}

/// Room for all of a record's numbers up to its value: four varints of 32 bits, one of 64, a byte.
const BLOCK: usize = 32;

#[inline(always)]
fn signed_len(len: usize) -> i64 {
    len.cast_signed() as i64
}

/// The length as it is written: -1 for none.
#[inline(always)]
fn optional_len(bytes: Option<&[u8]>) -> i64 {
    bytes.map_or(-1, |bytes| signed_len(bytes.len()))
}

#[inline]
fn headers_len(headers: &[(&[u8], Option<&[u8]>)]) -> usize {
    let all: usize = headers
        .iter()
        .map(|(name, value)| {
            varint::len(signed_len(name.len()))
                + name.len()
                + varint::len(optional_len(*value))
                + value.map_or(0, <[u8]>::len)
        })
        .sum();
    varint::len(signed_len(headers.len())) + all
}
