//! What one index file says, judged before it is believed.

use std::path::Path;

use onrush_record::{Offset, TimestampMs};
use onrush_sys::{Disk, OpenMode};

use crate::error::{IoContext, Result, StorageError};
use crate::index::Point;
use crate::layout::{
    ENTRY_LEN, Entry, FORMAT_VERSION, HeaderFault, IDX_HEADER_LEN, IdxHeader, entry_position,
};
use crate::names::SegmentSeq;
use crate::report::Damage;
use crate::segment::NO_TIMESTAMP;

/// What an index file is good for.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    pub header: Option<IdxHeader>,
    /// Entries at the start of the file that follow each other without a gap.
    pub slots: u64,
    /// Where the first and the last of those begin and end.
    pub first: Option<Point>,
    pub covered: Option<Point>,
    /// Valid entries after a gap: the bytes between were durable too.
    pub beyond: Vec<Entry>,
    /// Largest timestamp of what the valid entries are about; as an entry has it.
    pub max_timestamp: TimestampMs,
    /// Something in it is damaged, other than a last entry that was being written.
    pub damaged: bool,
}

impl Default for Summary {
    fn default() -> Summary {
        Summary {
            header: None,
            slots: 0,
            first: None,
            covered: None,
            beyond: Vec::new(),
            max_timestamp: NO_TIMESTAMP,
            damaged: false,
        }
    }
}

impl Summary {
    /// What lies below was durable.
    pub(crate) fn durable(&self) -> Option<Point> {
        let last = self.beyond.last();
        last.map(|entry| Point { offset: entry.next, position: entry.end() }).or(self.covered)
    }

    /// First offset of the segment, as far as the index knows.
    pub(crate) fn base(&self) -> Option<Offset> {
        let first = self.first.filter(|first| first.position == 0).map(|first| first.offset);
        self.header.map(|header| header.base).or(first)
    }

    /// Reads the index file of `len` bytes, and judges every entry in it. No entry is about the
    /// ranges that are known to be damaged.
    pub(crate) fn read(
        disk: &dyn Disk,
        dir: &Path,
        seq: SegmentSeq,
        len: u64,
        known: &[Damage],
    ) -> Result<Summary> {
        let path = seq.idx_path(dir);
        if len == 0 {
            return Ok(Summary::default());
        }
        let file = disk.open(&path, OpenMode::Read).at("open", &path)?;
        let read = |position: u64, len: u64| -> Result<Vec<u8>> {
            let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
            let have = file.read_at(&mut bytes, position).at("read", &path)?;
            bytes.truncate(have);
            Ok(bytes)
        };
        let mut summary = Summary::default();
        match IdxHeader::decode(&read(0, IDX_HEADER_LEN as u64)?, seq) {
            Ok(header) => summary.header = Some(header),
            Err(HeaderFault::Newer(found)) => {
                let file = path.display().to_string();
                return Err(StorageError::NewerFormat { file, found, supported: FORMAT_VERSION });
            }
            Err(HeaderFault::Damaged) => {}
        }
        let slots = len.saturating_sub(IDX_HEADER_LEN as u64) / ENTRY_LEN as u64;
        let bytes = read(entry_position(0), slots * ENTRY_LEN as u64)?;
        summary.judge(seq, &bytes, known);
        summary.damaged |= summary.header.is_none() && summary.durable().is_some();
        Ok(summary)
    }

    fn judge(&mut self, seq: SegmentSeq, bytes: &[u8], known: &[Damage]) {
        for (slot, raw) in (0u64..).zip(bytes.chunks_exact(ENTRY_LEN)) {
            let Some(entry) = Entry::decode(raw, seq, slot) else { continue };
            let start = Point { offset: entry.first, position: entry.position };
            let end = Point { offset: entry.next, position: entry.end() };
            let base = self.header.map(|header| Point { offset: header.base, position: 0 });
            let follows = match self.covered {
                Some(covered) => covered == start || is_known(known, covered, start),
                None => base.is_none_or(|base| base == start || is_known(known, base, start)),
            };
            if slot == self.slots && follows {
                self.slots += 1;
                self.first = self.first.or(Some(start));
                self.covered = Some(end);
            } else if self.durable().is_none_or(|last| last.offset <= entry.first) {
                self.beyond.push(entry);
                self.damaged = true;
            } else {
                continue;
            }
            self.max_timestamp = self.max_timestamp.max(entry.max_timestamp);
        }
    }
}

/// Whether all that lies between is known to be damaged.
fn is_known(known: &[Damage], from: Point, to: Point) -> bool {
    from.position <= to.position
        && known.iter().any(|damage| damage.from == from.offset && damage.to == to.offset)
}
