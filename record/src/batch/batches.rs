//! Whole batches, one after the other, in bytes that came from a socket or a file.

use super::header::announced_len;
use super::validate::check_crc;
use super::{BatchError, BatchHeader, Codec, HEADER_LEN, Records};
use crate::codec;

/// Goes through batches that stand back to back. A batch cut short at the end is left alone, since a
/// fetch may end anywhere: [`remaining`](Self::remaining) tells how much of it there is.
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    rest: &'a [u8],
    failed: bool,
}

impl<'a> Batches<'a> {
    /// The batches in `bytes`.
    #[inline]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, failed: false }
    }

    /// The next whole batch, its header parsed but its checksum not looked at; `None` once there is none.
    /// After an error there is no telling where the next batch begins, so the iteration ends there.
    #[inline]
    pub fn next_batch(&mut self) -> Option<Result<BatchRef<'a>, BatchError>> {
        if self.failed {
            return None;
        }
        let parsed = match announced_len(self.rest)? {
            Ok(len) if len as usize > self.rest.len() => return None,
            Ok(_) => BatchHeader::parse(self.rest),
            Err(error) => Err(error),
        };
        match parsed {
            Ok(header) => {
                let (bytes, rest) = self.rest.split_at(header.total_len as usize);
                self.rest = rest;
                Some(Ok(BatchRef { header, bytes }))
            }
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }

    /// Bytes not yet gone through: behind the last whole batch, or from the one that failed on.
    #[inline]
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }
}

impl<'a> Iterator for Batches<'a> {
    type Item = Result<BatchRef<'a>, BatchError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch()
    }
}

impl std::iter::FusedIterator for Batches<'_> {}

/// One whole batch, where it lies.
#[derive(Copy, Clone, Debug)]
pub struct BatchRef<'a> {
    header: BatchHeader,
    bytes: &'a [u8],
}

impl<'a> BatchRef<'a> {
    /// The batch at the start of `bytes`, which may go on behind it.
    ///
    /// # Errors
    /// If there is no whole batch, or its header is impossible.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchError> {
        let header = BatchHeader::parse(bytes)?;
        let need = header.total_len as usize;
        let bytes = bytes.get(..need).ok_or(BatchError::Truncated { have: bytes.len(), need })?;
        Ok(Self { header, bytes })
    }

    /// Its header.
    #[inline]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// All its bytes.
    #[inline]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes behind the header: the records, compressed or not.
    #[inline]
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[HEADER_LEN..]
    }

    /// Checks the bytes against the checksum. Base offset and leader epoch are not covered by it.
    ///
    /// # Errors
    /// [`BatchError::BadCrc`].
    #[inline]
    pub fn verify(&self) -> Result<(), BatchError> {
        check_crc(self.bytes, &self.header)
    }

    /// The records of a batch that is not compressed, borrowed from it.
    ///
    /// # Errors
    /// [`BatchError::Compressed`] if it is.
    #[inline]
    pub fn records(&self) -> Result<Records<'a>, BatchError> {
        match self.header.attributes.codec()? {
            Codec::None => Ok(Records::new(&self.header, self.payload())),
            codec => Err(BatchError::Compressed { codec }),
        }
    }

    /// The records of any batch; of a compressed one they are decompressed into `scratch`, to no more
    /// than `cap` bytes.
    ///
    /// # Errors
    /// As [`decompress_into`](Self::decompress_into).
    pub fn records_with<'s>(
        &self,
        scratch: &'s mut Vec<u8>,
        cap: usize,
    ) -> Result<Records<'s>, BatchError>
    where
        'a: 's,
    {
        if self.header.attributes.codec()? == Codec::None {
            return Ok(Records::new(&self.header, self.payload()));
        }
        self.decompress_into(scratch, cap)?;
        Ok(Records::new(&self.header, scratch))
    }

    /// Puts the records' plain bytes into `scratch`, cleared first: at most `cap` of them. They are read
    /// with [`records_in`](Self::records_in).
    ///
    /// # Errors
    /// If the codec is unknown, the bytes are damaged, or there are more than `cap`.
    pub fn decompress_into(&self, scratch: &mut Vec<u8>, cap: usize) -> Result<(), BatchError> {
        let codec = self.header.attributes.codec()?;
        // A batch that compaction emptied has nothing to decompress, not even a frame of nothing.
        if self.payload().is_empty() && self.header.record_count == 0 {
            scratch.clear();
            return Ok(());
        }
        codec::decompress(codec, self.payload(), cap, scratch)
    }

    /// The records in `plain`, which [`decompress_into`](Self::decompress_into) has filled for this batch.
    #[inline]
    pub fn records_in<'p>(&self, plain: &'p [u8]) -> Records<'p> {
        Records::new(&self.header, plain)
    }
}
