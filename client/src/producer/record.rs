//! A record on its way out, borrowed from whoever sends it.

use onrush_record::TimestampMs;

/// A record to send. It borrows; sending copies it once, into the batch that goes out.
///
/// ```
/// use onrush_client::NewRecord;
/// let record = NewRecord::to("orders").key(b"customer-7").value(b"3 apples").header("trace", b"42");
/// # let _ = record;
/// ```
#[derive(Clone, Debug)]
pub struct NewRecord<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: Option<u32>,
    pub(crate) timestamp: Option<TimestampMs>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: Vec<(&'a [u8], Option<&'a [u8]>)>,
}

impl<'a> NewRecord<'a> {
    /// A record for `topic`, with neither key nor value.
    #[inline]
    pub fn to(topic: &'a str) -> Self {
        Self {
            topic,
            partition: None,
            timestamp: None,
            key: None,
            value: None,
            headers: Vec::new(),
        }
    }

    /// The key. Records with the same key go to the same partition, in their order.
    #[inline]
    #[must_use]
    pub fn key(mut self, key: &'a [u8]) -> Self {
        self.key = Some(key);
        self
    }

    /// The value. Without one, the record says that its key is deleted.
    #[inline]
    #[must_use]
    pub fn value(mut self, value: &'a [u8]) -> Self {
        self.value = Some(value);
        self
    }

    /// One more header. A name may come more than once.
    #[must_use]
    pub fn header(mut self, name: &'a str, value: &'a [u8]) -> Self {
        self.headers.push((name.as_bytes(), Some(value)));
        self
    }

    /// The partition, instead of the one that the key decides.
    #[inline]
    #[must_use]
    pub fn partition(mut self, partition: u32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// When it happened, in milliseconds since 1970, instead of now. "Now" is read from the clock
    /// once for a few records.
    #[inline]
    #[must_use]
    pub fn timestamp(mut self, timestamp: TimestampMs) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// The most bytes it can take in a batch.
    #[inline]
    pub(crate) fn most_bytes(&self) -> usize {
        // Length, attributes, two deltas, key and value length, header count: 38 bytes at most.
        const NUMBERS: usize = 40;
        let key = self.key.map_or(0, <[u8]>::len);
        let value = self.value.map_or(0, <[u8]>::len);
        let mut bytes = NUMBERS + key + value;
        for (name, value) in &self.headers {
            bytes += 10 + name.len() + value.map_or(0, <[u8]>::len);
        }
        bytes
    }
}
