//! A cleaned copy being written, and made to count.

use std::io::IoSlice;
use std::sync::Arc;

use onrush_record::batch::{BatchHeader, filler};
use onrush_record::{LeaderEpoch, Offset, TimestampMs};
use onrush_sys::{File, OpenMode};

use crate::error::{IoContext, Result};
use crate::index::{Index, Point};
use crate::interval::Interval;
use crate::layout::{ENTRY_LEN, Entry, IDX_HEADER_LEN, IdxHeader};
use crate::names::SegmentSeq;
use crate::segment::{NO_TIMESTAMP, Segment};
use crate::view::Shared;

/// Bytes gathered before they are written.
const CHUNK: usize = 256 * 1024;
/// Bytes written before they are synced, so that no sync has much to do.
const SYNC_EVERY: u64 = 4 << 20;

/// What a copy is of.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) seq: SegmentSeq,
    pub(super) base: Offset,
    pub(super) first_append_ms: TimestampMs,
    /// It stands in for the segments from this number on.
    pub(super) replaces: SegmentSeq,
    pub(super) clean_to: Offset,
    pub(super) interval_bytes: u32,
}

/// A copy that does not count yet.
#[derive(Debug)]
pub(super) struct Output {
    place: Place,
    file: Arc<dyn File>,
    buffer: Vec<u8>,
    written: u64,
    synced: u64,
    interval: Interval,
    entries: Vec<Entry>,
    hole: Option<Hole>,
}

/// Offsets that nothing is left of, not written yet.
#[derive(Copy, Clone, Debug)]
struct Hole {
    from: Offset,
    to: Offset,
    epoch: LeaderEpoch,
}

impl Output {
    /// Begins a copy; what an earlier attempt left there is written over.
    pub(super) fn begin(shared: &Shared, place: Place) -> Result<Output> {
        let path = place.seq.log_path(&shared.dir);
        let file = shared.env.disk.open(&path, OpenMode::Create).at("create", &path)?;
        file.truncate(0).at("truncate", &path)?;
        let interval = Interval::at(Point { offset: place.base, position: 0 });
        Ok(Output {
            place,
            file,
            buffer: Vec::new(),
            written: 0,
            synced: 0,
            interval,
            entries: Vec::new(),
            hole: None,
        })
    }

    pub(super) fn bytes_written(&self) -> u64 {
        self.written
    }

    /// Adds a batch.
    pub(super) fn push(
        &mut self,
        shared: &Shared,
        header: &BatchHeader,
        bytes: &[u8],
    ) -> Result<()> {
        self.fill_hole();
        self.add(header, bytes);
        self.write(shared, CHUNK)
    }

    /// Adds a batch of which nothing is left but its offsets.
    pub(super) fn push_hole(&mut self, header: &BatchHeader) {
        const MOST: u64 = i32::MAX as u64;
        let (from, to, epoch) = (header.base_offset, header.next_offset(), header.leader_epoch);
        match &mut self.hole {
            Some(hole) if hole.epoch == epoch && to.since(hole.from) <= MOST => hole.to = to,
            _ => {
                self.fill_hole();
                self.hole = Some(Hole { from, to, epoch });
            }
        }
    }

    fn fill_hole(&mut self) {
        let Some(hole) = self.hole.take() else { return };
        let bytes = filler(hole.from, hole.to.since(hole.from), hole.epoch);
        let header = BatchHeader::parse(&bytes).expect("a filler is a batch");
        self.add(&header, &bytes);
    }

    fn add(&mut self, header: &BatchHeader, bytes: &[u8]) {
        if self.interval.is_full(header.total_len, self.place.interval_bytes) {
            self.entries.extend(self.interval.close());
        }
        self.interval.add(bytes, header);
        self.buffer.extend_from_slice(bytes);
    }

    /// Writes what is gathered if it is that much, and syncs it now and then.
    fn write(&mut self, shared: &Shared, least: usize) -> Result<()> {
        if self.buffer.len() < least {
            return Ok(());
        }
        let path = self.place.seq.log_path(&shared.dir);
        let mut bytes = [IoSlice::new(&self.buffer)];
        self.file.write_all_at(&mut bytes, self.written).at("write", &path)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        if self.written - self.synced >= SYNC_EVERY {
            self.file.sync_data().at("sync", &path)?;
            self.synced = self.written;
        }
        Ok(())
    }

    /// Makes the copy durable, with an index that does not speak for it yet: only its head does, which
    /// is [`Finished::commit`]'s.
    pub(super) fn finish(mut self, shared: &Shared) -> Result<Finished> {
        self.fill_hole();
        self.write(shared, 1)?;
        self.entries.extend(self.interval.close());
        let disk = &*shared.env.disk;
        let seq = self.place.seq;
        let path = seq.log_path(&shared.dir);
        self.file.sync_data().at("sync", &path)?;
        let path = seq.idx_path(&shared.dir);
        let idx = disk.open(&path, OpenMode::Create).at("create", &path)?;
        idx.truncate(0).at("truncate", &path)?;
        let mut bytes = Vec::with_capacity(IDX_HEADER_LEN + self.entries.len() * ENTRY_LEN);
        bytes.resize(IDX_HEADER_LEN, 0);
        for (slot, entry) in (0..).zip(&self.entries) {
            bytes.extend_from_slice(&entry.encode(seq, slot));
        }
        idx.write_all_at(&mut [IoSlice::new(&bytes)], 0).at("write", &path)?;
        idx.sync_data().at("sync", &path)?;
        disk.sync_dir(&shared.dir).at("sync", &shared.dir)?;
        let end = self.interval.end();
        Ok(Finished { place: self.place, idx, entries: self.entries, end })
    }
}

/// A durable copy that does not count yet.
#[derive(Debug)]
pub(super) struct Finished {
    place: Place,
    idx: Arc<dyn File>,
    entries: Vec<Entry>,
    end: Point,
}

impl Finished {
    /// Makes it count: from here on its originals are gone, also for whoever opens the log next.
    pub(super) fn commit(&self, shared: &Shared) -> Result<()> {
        let place = &self.place;
        let header = IdxHeader {
            seq: place.seq,
            base: place.base,
            first_append_ms: place.first_append_ms,
            replaces: Some(place.replaces),
            clean_to: Some(place.clean_to),
        };
        let path = place.seq.idx_path(&shared.dir);
        self.idx.write_all_at(&mut [IoSlice::new(&header.encode())], 0).at("write", &path)?;
        self.idx.sync_data().at("sync", &path)
    }

    /// The segment that it is.
    pub(super) fn segment(&self, shared: &Shared) -> Arc<Segment> {
        let place = &self.place;
        let index = Index::new(self.entries.len() as u64, self.end);
        let segment = Segment::new(shared.dir.clone(), place.seq, place.base, index);
        segment.set_first_append_ms(place.first_append_ms);
        let newest = self.entries.iter().map(|entry| entry.max_timestamp).max();
        segment.raise_max_timestamp(newest.unwrap_or(NO_TIMESTAMP), true);
        segment.set_clean_to(place.clean_to);
        segment.seal(self.end);
        Arc::new(segment)
    }
}
