//! A run of whole batches, as a place in a file or as bytes.

use std::os::fd::BorrowedFd;
use std::sync::Arc;

use bytes::Bytes;

use onrush_sys::File;

use crate::error::{IoContext, Result, StorageError};
use crate::segment::SegmentFile;

/// How to turn a slice into bytes.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum ReadMode {
    /// Over the mapping, without a copy. Should the disk fail or the file be cut short beneath it,
    /// touching the bytes raises `SIGBUS`; hand them to nobody who must survive that.
    Mapped,
    /// Into memory of our own; a failing disk is an error.
    Copied,
}

/// Whole batches, below the readable end when they were asked for.
#[derive(Clone, Debug)]
pub enum Slice {
    /// A place in a segment's file.
    File {
        /// The open file.
        segment: Arc<SegmentFile>,
        /// Where the slice begins.
        position: u64,
        /// How long it is.
        length: u32,
    },
    /// Bytes in memory.
    Bytes(Bytes),
}

impl Slice {
    /// Length in bytes.
    pub fn len(&self) -> u32 {
        match self {
            Slice::File { length, .. } => *length,
            Slice::Bytes(bytes) => u32::try_from(bytes.len()).unwrap_or(u32::MAX),
        }
    }

    /// Whether it has no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The slice in memory.
    ///
    /// # Errors
    /// If the file cannot be read or mapped.
    pub fn to_bytes(&self, mode: ReadMode) -> Result<Bytes> {
        match self {
            Slice::Bytes(bytes) => Ok(bytes.clone()),
            Slice::File { segment, position, length } => match mode {
                ReadMode::Mapped => segment.mapped(*position, *length),
                ReadMode::Copied => segment.copied(*position, *length),
            },
        }
    }

    /// Reads into `buf` what the slice has from byte `at` on.
    ///
    /// # Errors
    /// If the slice has fewer bytes than asked for there, or the file cannot be read.
    pub fn read_into(&self, at: u32, buf: &mut [u8]) -> Result<()> {
        let within =
            (at as usize).checked_add(buf.len()).is_some_and(|end| end <= self.len() as usize);
        if !within {
            return Err(StorageError::Misuse("a read past the end of a slice"));
        }
        match self {
            Slice::Bytes(bytes) => {
                buf.copy_from_slice(&bytes[at as usize..at as usize + buf.len()]);
                Ok(())
            }
            Slice::File { segment, position, .. } => segment
                .file()
                .read_exact_at(buf, position + u64::from(at))
                .in_segment("read", segment),
        }
    }

    /// The open file, the position and the length, to send from: holding the file keeps its
    /// descriptor open.
    pub fn file_range(&self) -> Option<(Arc<dyn File>, u64, u32)> {
        match self {
            Slice::Bytes(_) => None,
            Slice::File { segment, position, length } => {
                Some((segment.file().clone(), *position, *length))
            }
        }
    }

    /// Whether sending it would not wait for the disk, as far as can be told without waiting.
    pub fn is_cached(&self) -> bool {
        match self {
            Slice::Bytes(_) => true,
            Slice::File { segment, position, length } => {
                segment.file().is_cached(*position, u64::from(*length))
            }
        }
    }

    /// Waits until it is in the page cache. For an I/O thread.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn warm(&self) -> Result<()> {
        match self {
            Slice::Bytes(_) => Ok(()),
            Slice::File { segment, position, length } => {
                segment.file().warm(*position, u64::from(*length)).in_segment("read", segment)
            }
        }
    }

    /// The descriptor to send from, and the position; none where there is no real file.
    pub fn descriptor(&self) -> Option<(BorrowedFd<'_>, u64)> {
        match self {
            Slice::Bytes(_) => None,
            Slice::File { segment, position, .. } => {
                segment.file().descriptor().map(|descriptor| (descriptor, *position))
            }
        }
    }
}
