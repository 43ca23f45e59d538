//! The records of one batch, read in place.

use super::{BatchError, BatchHeader, TimestampType};
use crate::{Offset, TimestampMs, varint};

/// One record, borrowed from its batch.
#[derive(Copy, Clone, Debug)]
pub struct RecordRef<'a> {
    /// Its number within the partition.
    pub offset: Offset,
    /// When its producer made it, or the broker appended it: as the batch says.
    pub timestamp: TimestampMs,
    /// Its key, if it has one.
    pub key: Option<&'a [u8]>,
    /// Its value; none marks the key as deleted in a compacted topic.
    pub value: Option<&'a [u8]>,
    /// Its headers.
    pub headers: Headers<'a>,
}

/// Goes through the records of a batch. Ends after an error, since where the next record begins is then
/// unknown. Offsets only ever rise and stay within the batch's, whatever its bytes say.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    base_offset: Offset,
    base_timestamp: TimestampMs,
    append_time: Option<TimestampMs>,
    last_offset_delta: u32,
    /// The least offset delta that the next record may have.
    least_delta: u32,
    count: u32,
    index: u32,
}

impl<'a> Records<'a> {
    /// The records that `plain` holds according to `header`.
    #[inline]
    pub(super) fn new(header: &BatchHeader, plain: &'a [u8]) -> Self {
        let append_time = header.attributes.timestamp_type() == TimestampType::LogAppendTime;
        Self {
            rest: plain,
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            append_time: append_time.then_some(header.max_timestamp),
            last_offset_delta: header.last_offset_delta,
            least_delta: 0,
            count: header.record_count,
            index: 0,
        }
    }

    #[inline(always)]
    fn parse(&mut self) -> Result<RecordRef<'a>, &'static str> {
        const SHORT: &str = "it is cut short";
        let len = varint::take(&mut self.rest).ok_or("its length is no number")?;
        let len = usize::try_from(len).map_err(|_| "its length is negative")?;
        let (mut body, rest) = self.rest.split_at_checked(len).ok_or(SHORT)?;
        self.rest = rest;
        // The attributes of a record have no meaning yet.
        body = body.get(1..).ok_or(SHORT)?;
        let timestamp_delta = varint::take_long(&mut body).ok_or("its timestamp is no number")?;
        let delta = varint::take(&mut body).ok_or("its offset is no number")?;
        let delta = u32::try_from(delta).map_err(|_| "its offset is before the batch")?;
        if delta < self.least_delta || delta > self.last_offset_delta {
            return Err("its offset is out of order or past the batch");
        }
        self.least_delta = delta + 1;
        let key = take_bytes(&mut body).ok_or("its key is malformed")?;
        let value = take_bytes(&mut body).ok_or("its value is malformed")?;
        let headers = match body {
            [0] => Headers { rest: &[], count: 0 },
            _ => Headers::check(body).ok_or("its headers are malformed")?,
        };
        Ok(RecordRef {
            offset: self.base_offset.plus(u64::from(delta)),
            timestamp: match self.append_time {
                None => self.base_timestamp.wrapping_add(timestamp_delta),
                Some(time) => time,
            },
            key,
            value,
            headers,
        })
    }

    #[inline(always)]
    fn fail(&mut self, reason: &'static str) -> BatchError {
        let index = self.index;
        self.index = self.count;
        self.rest = &[];
        BatchError::BadRecord { index, reason }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<RecordRef<'a>, BatchError>;

    // Inlined, the place in the batch stays in registers from record to record.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        if self.index == self.count {
            if self.rest.is_empty() {
                return None;
            }
            return Some(Err(self.fail("there are bytes after the last record")));
        }
        match self.parse() {
            Ok(record) => {
                self.index += 1;
                Some(Ok(record))
            }
            Err(reason) => Some(Err(self.fail(reason))),
        }
    }
}

impl std::iter::FusedIterator for Records<'_> {}

/// Takes a length and as many bytes; a length of -1 stands for none.
#[inline(always)]
fn take_bytes<'a>(input: &mut &'a [u8]) -> Option<Option<&'a [u8]>> {
    match varint::take(input)? {
        -1 => Some(None),
        len => {
            let (bytes, rest) = input.split_at_checked(usize::try_from(len).ok()?)?;
            *input = rest;
            Some(Some(bytes))
        }
    }
}

/// Goes through the headers of a record: a name (which may come more than once) and perhaps a value.
#[derive(Copy, Clone, Debug, Default)]
pub struct Headers<'a> {
    /// Checked when the record was read: `count` well-formed headers and nothing else.
    rest: &'a [u8],
    count: u32,
}

impl<'a> Headers<'a> {
    /// Takes all that is left of a record for its headers, if that is what it is.
    #[cold]
    fn check(mut body: &'a [u8]) -> Option<Self> {
        let count = u32::try_from(varint::take(&mut body)?).ok()?;
        let headers = Self { rest: body, count };
        for _ in 0..count {
            take_header(&mut body)?;
        }
        body.is_empty().then_some(headers)
    }

    /// How many are left to go through.
    #[inline]
    pub const fn len(&self) -> usize {
        self.count as usize
    }

    /// Whether there is none left.
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[inline]
fn take_header<'a>(input: &mut &'a [u8]) -> Option<(&'a [u8], Option<&'a [u8]>)> {
    let name = take_bytes(input)??;
    Some((name, take_bytes(input)?))
}

impl<'a> Iterator for Headers<'a> {
    type Item = (&'a [u8], Option<&'a [u8]>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.count = self.count.checked_sub(1)?;
        take_header(&mut self.rest)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.len(), Some(self.len()))
    }
}

impl ExactSizeIterator for Headers<'_> {}
impl std::iter::FusedIterator for Headers<'_> {}
