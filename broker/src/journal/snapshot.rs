//! A journal's snapshot: records that lead to the state its log led to up to an offset.
//!
//! File `snapshot`, little-endian: magic `onrushSN`, version u32, offset u64, count u32, then each
//! record with its length as u32, then the CRC-32C of all before it. Written to `snapshot.new`,
//! synced, renamed over, and the directory synced, so that there is always a whole one.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::atomic::Ordering;

use onrush_record::Offset;
use onrush_sys::{Disk, OpenMode};

use super::Journal;
use crate::codec::{Decoder, Encoder};
use crate::{Error, Result};

const MAGIC: &[u8; 8] = b"onrushSN";
const VERSION: u32 = 1;

/// What a snapshot file holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Snapshot {
    /// The first offset of the log that is not in it.
    pub(super) offset: Offset,
    pub(super) records: Vec<Vec<u8>>,
}

impl Journal {
    /// Writes a snapshot of the state up to `offset`, which is durable, and lets the log go up to
    /// there. Waits for the disk.
    pub(crate) fn write_snapshot(&self, offset: Offset, records: &[Vec<u8>]) -> Result<()> {
        let disk = &*self.services.storage.disk;
        let directory = self.directory();
        write(disk, &directory, offset, records).map_err(|error| {
            if error.kind() == io::ErrorKind::StorageFull {
                self.services.space.release();
            }
            Error::io("write the snapshot in", directory.display().to_string(), &error)
        })?;
        let ticket = self.log.lock().writer.trim_to(offset);
        ticket
            .and_then(|mut ticket| {
                ticket.persist()?;
                ticket.delete_files()
            })
            .map_err(|error| Error::storage(&self.log.name, error))?;
        self.grown.store(0, Ordering::Relaxed);
        Ok(())
    }
}

fn write(disk: &dyn Disk, directory: &Path, offset: Offset, records: &[Vec<u8>]) -> io::Result<()> {
    let bytes = encode(offset, records);
    let new = directory.join("snapshot.new");
    let file = disk.open(&new, OpenMode::Create)?;
    file.truncate(0)?;
    file.write_all_at(&mut [IoSlice::new(&bytes)], 0)?;
    file.sync_data()?;
    disk.rename(&new, &directory.join("snapshot"))?;
    disk.sync_dir(directory)
}

pub(super) fn read(disk: &dyn Disk, directory: &Path) -> Result<Option<Snapshot>> {
    let path = directory.join("snapshot");
    let shown = || path.display().to_string();
    let file = match disk.open(&path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("open", shown(), &error)),
    };
    let read = || {
        let len = usize::try_from(file.len()?).map_err(io::Error::other)?;
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error: io::Error| Error::io("read", shown(), &error))?;
    if let Some(found) = version(&bytes).filter(|&version| version > VERSION) {
        return Err(Error::NewerFormat { path: shown(), found, known: VERSION });
    }
    decode(&bytes).map(Some).ok_or_else(|| Error::Damaged {
        what: shown(),
        reason: "it is not the snapshot that was written".to_owned(),
        resume_at: None,
    })
}

fn encode(offset: Offset, records: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Encoder::default();
    out.bytes(MAGIC).u32(VERSION).bytes(&offset.get().to_le_bytes());
    out.u32(u32::try_from(records.len()).unwrap_or(u32::MAX));
    for record in records {
        out.u32(u32::try_from(record.len()).unwrap_or(u32::MAX)).bytes(record);
    }
    let mut bytes = out.finish();
    let crc = onrush_record::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

fn version(bytes: &[u8]) -> Option<u32> {
    let mut from = Decoder::new(bytes);
    (from.array() == Some(*MAGIC)).then(|| from.u32())?
}

fn decode(bytes: &[u8]) -> Option<Snapshot> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    if onrush_record::crc32c(body) != u32::from_le_bytes(*crc) || version(body)? != VERSION {
        return None;
    }
    let mut from = Decoder::new(body.get(12..)?);
    let offset = Offset::new(from.u64()?);
    let count = from.u32()?;
    let mut records = Vec::new();
    for _ in 0..count {
        let len = from.u32()? as usize;
        records.push(from.slice(len)?.to_vec());
    }
    from.is_empty().then_some(Snapshot { offset, records })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let records = vec![b"one".to_vec(), Vec::new(), vec![7; 300]];
        let bytes = encode(Offset::new(17), &records);
        assert_eq!(decode(&bytes), Some(Snapshot { offset: Offset::new(17), records }));
        for cut in 0..bytes.len() {
            assert_eq!(decode(&bytes[..cut]), None);
        }
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert_eq!(decode(&flipped), None, "flipped at {at}");
        }
    }
}
