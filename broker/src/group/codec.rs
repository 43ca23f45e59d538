//! Little-endian fields of events: how they are written and safely read.

use onrush_record::TopicId;

use super::TopicPartition;
use super::event::EventError;

pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_len(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn put_len(out: &mut Vec<u8>, len: usize) {
    out.extend_from_slice(&u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

pub(super) fn put_option<T>(out: &mut Vec<u8>, value: Option<&T>, put: impl Fn(&mut Vec<u8>, &T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

pub(super) fn put_partition(out: &mut Vec<u8>, (topic, partition): TopicPartition) {
    out.extend_from_slice(&topic.bytes());
    out.extend_from_slice(&partition.to_le_bytes());
}

pub(super) fn put_array<T>(out: &mut Vec<u8>, values: &[T], put: impl Fn(&mut Vec<u8>, &T)) {
    put_len(out, values.len());
    values.iter().for_each(|value| put(out, value));
}

/// What is left to read.
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn bytes(&mut self, len: usize) -> Result<&'a [u8], EventError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(EventError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], EventError> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or(EventError::Truncated)?;
        self.0 = rest;
        Ok(*taken)
    }

    pub(super) fn u8(&mut self) -> Result<u8, EventError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u32(&mut self) -> Result<u32, EventError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn i32(&mut self) -> Result<i32, EventError> {
        self.array().map(i32::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Result<i64, EventError> {
        self.array().map(i64::from_le_bytes)
    }

    pub(super) fn bool(&mut self) -> Result<bool, EventError> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(EventError::BadValue),
        }
    }

    pub(super) fn text(&mut self) -> Result<String, EventError> {
        let len = self.u32()? as usize;
        let text = std::str::from_utf8(self.bytes(len)?).map_err(|_| EventError::BadValue)?;
        Ok(text.to_owned())
    }

    pub(super) fn partition(&mut self) -> Result<TopicPartition, EventError> {
        Ok((TopicId::new(self.array()?), self.u32()?))
    }

    pub(super) fn option<T>(
        &mut self,
        take: impl FnOnce(&mut Self) -> Result<T, EventError>,
    ) -> Result<Option<T>, EventError> {
        if self.bool()? { take(self).map(Some) } else { Ok(None) }
    }

    /// An array whose elements take at least `least` bytes each.
    pub(super) fn vec<T>(
        &mut self,
        least: usize,
        take: impl Fn(&mut Self) -> Result<T, EventError>,
    ) -> Result<Vec<T>, EventError> {
        let count = self.u32()? as usize;
        if count > self.0.len() / least {
            return Err(EventError::Truncated);
        }
        (0..count).map(|_| take(self)).collect()
    }
}
