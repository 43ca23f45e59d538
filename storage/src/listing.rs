//! What lies in a log's directory.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use onrush_sys::Disk;

use crate::error::{Result, StorageError};
use crate::names::{Named, SegmentSeq, parse};

/// The files of one log by kind, with their lengths.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    pub logs: BTreeMap<SegmentSeq, u64>,
    pub idxs: BTreeMap<SegmentSeq, u64>,
    pub states: [Option<u64>; 2],
    pub torn: Vec<String>,
    pub next_seq: SegmentSeq,
}

impl Listing {
    /// Lists `dir`; one that does not exist has no log in it.
    pub(crate) fn of(disk: &dyn Disk, dir: &Path) -> Result<Listing> {
        let entries = match disk.list(dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(StorageError::Missing { path: dir.display().to_string() });
            }
            Err(error) => return Err(StorageError::io("list", dir, error)),
        };
        let mut listing = Listing::default();
        for entry in entries.into_iter().filter(|entry| !entry.is_dir) {
            match parse(&entry.name) {
                Named::Log(seq) => {
                    listing.logs.insert(seq, entry.len);
                    listing.next_seq = listing.next_seq.max(seq.next());
                }
                Named::Idx(seq) => {
                    listing.idxs.insert(seq, entry.len);
                    listing.next_seq = listing.next_seq.max(seq.next());
                }
                Named::State(slot) => listing.states[slot] = Some(entry.len),
                Named::Torn(seq) => {
                    listing.next_seq = listing.next_seq.max(seq.next());
                    listing.torn.push(entry.name);
                }
                Named::Other => {}
            }
        }
        Ok(listing)
    }

    /// Whether no byte of data or index is there.
    pub(crate) fn is_blank(&self) -> bool {
        self.logs.values().chain(self.idxs.values()).all(|len| *len == 0)
    }
}
