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
    /// Room for the header, the records up to `end`, then bytes of no meaning: all room is there to be
    /// written by index, since growing a vector bit by bit costs more than encoding a record.
    buffer: Vec<u8>,
    end: usize,
    codec: Codec,
    count: u32,
    base_timestamp: TimestampMs,
    max_timestamp: TimestampMs,
    producer_id: ProducerId,
    producer_epoch: ProducerEpoch,
    base_sequence: Sequence,
    transactional: bool,
    control: bool,
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

    /// The same, into a buffer that has served before: what it holds is written over, its room kept.
    /// Best given back as it came from [`finish`](Self::finish), for bytes that it holds need not be
    /// cleared first.
    pub fn with_buffer(codec: Codec, buffer: Vec<u8>) -> Self {
        let mut builder = Self {
            buffer,
            end: HEADER_LEN,
            codec,
            count: 0,
            base_timestamp: 0,
            max_timestamp: 0,
            producer_id: ProducerId::NONE,
            producer_epoch: ProducerEpoch::NONE,
            base_sequence: Sequence::NONE,
            transactional: false,
            control: false,
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

    /// Marks the batch as a control batch, or not: what only a broker writes.
    pub(super) fn set_control(&mut self, on: bool) {
        self.control = on;
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
        }
        let timestamp_delta = timestamp.wrapping_sub(self.base_timestamp);
        let fits = headers.is_empty() && self.push_short(timestamp_delta, key, value).is_some();
        if !fits && self.push_any(timestamp_delta, key, value, headers).is_none() {
            self.overflown = true;
            return self.count;
        }
        self.max_timestamp = self.max_timestamp.max(timestamp);
        let index = self.count;
        self.count += 1;
        index
    }

    /// Encodes a record as nearly all are: no headers, and no number in it of more than two bytes. Those
    /// are put together in a register and written eight bytes at a time.
    #[inline(always)]
    fn push_short(
        &mut self,
        timestamp_delta: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Option<()> {
        const NUMBERS: u64 = 1 << 14;
        const LENGTHS: usize = 1 << 12;
        let time = varint::zigzag(timestamp_delta);
        let index = u64::from(self.count) << 1;
        let key_len = key.map_or(0, <[u8]>::len);
        let value_len = value.map_or(0, <[u8]>::len);
        if time >= NUMBERS || index >= NUMBERS || (key_len | value_len) >= LENGTHS {
            return None;
        }
        let (time, time_bits) = varint::short(time);
        let (index, index_bits) = varint::short(index);
        let (key_size, key_bits) = varint::short(key.map_or(1, |_| (key_len as u64) << 1));
        let (value_size, value_bits) = varint::short(value.map_or(1, |_| (value_len as u64) << 1));
        // Besides the numbers, a byte of attributes and one for "no headers".
        let numbers = (time_bits + index_bits + key_bits + value_bits) / 8 + 2;
        let body = numbers as usize + key_len + value_len;
        if body >= 2 * LENGTHS {
            return None;
        }
        let (size, size_bits) = varint::short((body as u64) << 1);
        let mut room = self.room_for(body)?;

        // The size, the attributes, the timestamp, the index: seven bytes at the most.
        let head = size | (time | index << time_bits) << (size_bits + 8);
        room.put_low(head, (size_bits + 8 + time_bits + index_bits) / 8);
        if let Some(key) = key {
            room.put_low(key_size, key_bits / 8);
            room.put_slice(key);
            room.put_low(value_size, value_bits / 8);
        } else {
            room.put_low(key_size | value_size << key_bits, (key_bits + value_bits) / 8);
        }
        room.put_slice(value.unwrap_or_default());
        room.put_low(0, 1);
        self.end += room.at;
        Some(())
    }

    /// Encodes any record; `None` if the batch cannot hold it.
    #[cold]
    fn push_any(
        &mut self,
        timestamp_delta: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) -> Option<()> {
        let index = i64::from(self.count);
        let body = 1
            + varint::len(timestamp_delta)
            + varint::len(index)
            + bytes_len(key)
            + bytes_len(value)
            + headers_len(headers);
        let mut room = self.room_for(body)?;
        room.put_number(signed_len(body));
        room.put_low(0, 1);
        room.put_number(timestamp_delta);
        room.put_number(index);
        room.put_bytes(key);
        room.put_bytes(value);
        room.put_number(signed_len(headers.len()));
        for (name, value) in headers {
            room.put_bytes(Some(name));
            room.put_bytes(*value);
        }
        self.end += room.at;
        Some(())
    }

    /// Room for a record whose length is `body` without that number itself, if one so long may be.
    #[inline(always)]
    fn room_for(&mut self, body: usize) -> Option<Room<'_>> {
        if body > LONGEST || self.end + body + BESIDES > LONGEST {
            return None;
        }
        let end = self.end + body + BESIDES;
        if end > self.buffer.len() {
            self.grow(end);
        }
        Some(Room { bytes: &mut self.buffer[self.end..end], at: 0 })
    }

    /// Gets the buffer ready for writing up to `end`, and for some time to come.
    #[cold]
    fn grow(&mut self, end: usize) {
        let step = self.buffer.len() + STEP;
        let within =
            if end <= self.buffer.capacity() { self.buffer.capacity() } else { usize::MAX };
        let len = end.max(step).min(within);
        self.buffer.resize(len, 0);
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
    pub const fn len(&self) -> usize {
        self.end
    }

    /// Forgets all records, and whose they were; keeps the buffer.
    pub fn clear(&mut self) {
        self.end = HEADER_LEN;
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
            let length = self.end as u64;
            self.clear();
            return Err(BatchError::TooLarge { length, max: LONGEST as u64 });
        }
        if self.count == 0 {
            return Err(BatchError::Empty);
        }
        let batch = match self.codec {
            Codec::None => {
                self.buffer.truncate(self.end);
                std::mem::take(&mut self.buffer)
            }
            codec => {
                let plain = &self.buffer[HEADER_LEN..self.end];
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
        let attributes = Attributes::with_codec(self.codec)
            .transactional(self.transactional)
            .control(self.control);
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

/// Bytes wanted besides a record's body: its length in front, and what [`Room::put_low`] writes too many.
const BESIDES: usize = 16;

/// How much more of a buffer is made ready at a time: little, since it is for nothing if the batch ends.
const STEP: usize = 4 * 1024;

/// Where a record is written to.
struct Room<'a> {
    bytes: &'a mut [u8],
    at: usize,
}

impl Room<'_> {
    /// Writes the lowest `len` bytes of `bytes`. To write eight and go back is one move; to write `len`
    /// is a call.
    #[inline(always)]
    fn put_low(&mut self, bytes: u64, len: u32) {
        self.bytes[self.at..self.at + 8].copy_from_slice(&bytes.to_le_bytes());
        self.at += len as usize;
    }

    #[inline(always)]
    fn put_slice(&mut self, bytes: &[u8]) {
        self.bytes[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    fn put_number(&mut self, value: i64) {
        self.at = varint::put(self.bytes, self.at, value);
    }

    fn put_bytes(&mut self, bytes: Option<&[u8]>) {
        self.put_number(optional_len(bytes));
        self.put_slice(bytes.unwrap_or_default());
    }
}

#[inline(always)]
fn signed_len(len: usize) -> i64 {
    len.cast_signed() as i64
}

/// The length as it is written: -1 for none.
#[inline(always)]
fn optional_len(bytes: Option<&[u8]>) -> i64 {
    bytes.map_or(-1, |bytes| signed_len(bytes.len()))
}

/// What `bytes` take with their length in front.
fn bytes_len(bytes: Option<&[u8]>) -> usize {
    varint::len(optional_len(bytes)) + bytes.map_or(0, <[u8]>::len)
}

fn headers_len(headers: &[(&[u8], Option<&[u8]>)]) -> usize {
    let all: usize =
        headers.iter().map(|(name, value)| bytes_len(Some(name)) + bytes_len(*value)).sum();
    varint::len(signed_len(headers.len())) + all
}
