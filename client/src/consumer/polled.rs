//! What a poll brings: whole batches of one partition, read where they were received.

use std::sync::{Arc, OnceLock};

use onrush_record::Offset;
use onrush_record::batch::{BatchError, BatchRef, Batches, RecordRef, Records};

use crate::error::Result;

/// Records of one partition, in order. They borrow from the buffer that received them; dropping
/// this gives the buffer back, so copy what is to be kept.
#[derive(Debug)]
pub struct Polled<'a> {
    pub(super) topic: &'a Arc<str>,
    pub(super) partition: u32,
    /// Whole batches, verified.
    pub(super) batches: &'a [u8],
    /// The records of the only batch, if that one is compressed.
    pub(super) plain: Option<&'a [u8]>,
    /// Records before this one were not asked for.
    pub(super) from: Offset,
    pub(super) end: Offset,
    pub(super) readable_end: Offset,
    pub(super) bad: &'a OnceLock<(Offset, BatchError)>,
}

impl<'a> Polled<'a> {
    /// The topic they belong to.
    pub fn topic(&self) -> &'a str {
        self.topic
    }

    /// The partition they belong to.
    pub fn partition(&self) -> u32 {
        self.partition
    }

    /// Offset of the first record.
    pub fn first_offset(&self) -> Offset {
        self.from
    }

    /// One past the last record: where the next poll of this partition goes on.
    pub fn next_offset(&self) -> Offset {
        self.end
    }

    /// One past the last record that could be read when these were sent. The lag is this minus
    /// [`next_offset`](Self::next_offset).
    pub fn readable_end(&self) -> Offset {
        self.readable_end
    }

    /// Bytes of the batches, as they came.
    pub fn wire_bytes(&self) -> usize {
        self.batches.len()
    }

    /// The records.
    ///
    /// A record that is malformed, though its batch's checksum holds, ends the iteration; the next
    /// [`poll`](crate::Consumer::poll) then returns that as an error.
    ///
    /// # Errors
    /// None at present: checksums, offsets and compression were verified by the poll itself.
    pub fn records(&self) -> Result<PolledRecords<'a>> {
        Ok(PolledRecords {
            batches: Batches::new(self.batches),
            records: None,
            plain: self.plain,
            from: self.from,
            next: self.from,
            bad: self.bad,
        })
    }
}

/// Iterates over the records of a [`Polled`].
#[derive(Clone, Debug)]
pub struct PolledRecords<'a> {
    batches: Batches<'a>,
    records: Option<Records<'a>>,
    plain: Option<&'a [u8]>,
    from: Offset,
    next: Offset,
    bad: &'a OnceLock<(Offset, BatchError)>,
}

impl<'a> Iterator for PolledRecords<'a> {
    type Item = RecordRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<RecordRef<'a>> {
        loop {
            if let Some(records) = &mut self.records {
                match records.next() {
                    Some(Ok(record)) if record.offset >= self.from => {
                        self.next = record.offset.plus(1);
                        return Some(record);
                    }
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return self.fail(error),
                    None => {}
                }
            }
            match self.batches.next_batch()? {
                Ok(batch) if batch.header().attributes.is_control() => {}
                Ok(batch) => match self.open(&batch) {
                    Ok(records) => self.records = Some(records),
                    Err(error) => return self.fail(error),
                },
                Err(error) => return self.fail(error),
            }
        }
    }
}

impl<'a> PolledRecords<'a> {
    fn open(&self, batch: &BatchRef<'a>) -> Result<Records<'a>, BatchError> {
        match self.plain {
            Some(plain) => Ok(batch.records_in(plain)),
            None => batch.records(),
        }
    }

    #[cold]
    fn fail(&mut self, error: BatchError) -> Option<RecordRef<'a>> {
        self.records = None;
        self.batches = Batches::new(&[]);
        // Only the first is kept: it is where reading stopped.
        let _ = self.bad.set((self.next, error));
        None
    }
}
