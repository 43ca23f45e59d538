//! Reading a journal back at start.

use onrush_record::Offset;
use onrush_record::batch::Batches;
use onrush_storage::{Cursor, ReadMode, StorageError};

use super::{Journal, snapshot};
use crate::{Error, Result};

const READ_BYTES: u32 = 1 << 20;

impl Journal {
    /// Hands the snapshot's records and those after it to `apply`. What is damaged is skipped, and
    /// disables the journal.
    pub(super) fn replay(&self, apply: &mut dyn FnMut(&[u8]) -> Result<(), String>) -> Result<()> {
        let found = snapshot::read(&*self.services.storage.disk, &self.directory());
        let from = match found {
            Ok(Some(found)) => {
                for record in &found.records {
                    self.apply_one(record, apply);
                }
                found.offset
            }
            Ok(None) => Offset::ZERO,
            Err(error @ Error::Damaged { .. }) => {
                self.disable(&error.to_string());
                Offset::ZERO
            }
            Err(error) => return Err(error),
        };
        self.replay_log(from, apply)
    }

    fn replay_log(
        &self,
        from: Offset,
        apply: &mut dyn FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<()> {
        let ends = self.log.ends();
        if from > ends.written || from < ends.start {
            self.disable(&format!(
                "its snapshot ends at {from}, its log holds {} to {}",
                ends.start, ends.written
            ));
        }
        let mut next = from.max(ends.start);
        let mut cursor = Cursor::default();
        while next < ends.written {
            match self.log.reader.read(next, READ_BYTES, &mut cursor) {
                Ok(Some(read)) => {
                    let bytes = read.slice.to_bytes(ReadMode::Copied);
                    let bytes = bytes.map_err(|e| Error::storage(&self.log.name, e))?;
                    if let Err(reason) = self.replay_batches(&bytes, next, apply) {
                        self.disable(&reason);
                    }
                    next = read.next;
                }
                Ok(None) => break,
                Err(StorageError::Damaged { to, file, reason, .. }) => {
                    self.disable(&format!("{file}: {reason}"));
                    next = to;
                }
                Err(error) => return Err(Error::storage(&self.log.name, error)),
            }
        }
        self.grown.store(next.since(from), std::sync::atomic::Ordering::Relaxed);
        Ok(())
    }

    fn replay_batches(
        &self,
        bytes: &[u8],
        from: Offset,
        apply: &mut dyn FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        for batch in Batches::new(bytes) {
            let batch = batch.map_err(|error| error.to_string())?;
            batch.verify().map_err(|error| error.to_string())?;
            for record in batch.records().map_err(|error| error.to_string())? {
                let record = record.map_err(|error| error.to_string())?;
                // The batch that holds the snapshot's end may begin before it.
                if record.offset >= from {
                    self.apply_one(record.value.unwrap_or_default(), apply);
                }
            }
        }
        Ok(())
    }

    fn apply_one(&self, record: &[u8], apply: &mut dyn FnMut(&[u8]) -> Result<(), String>) {
        if let Err(reason) = apply(record) {
            self.disable(&reason);
        }
    }
}
