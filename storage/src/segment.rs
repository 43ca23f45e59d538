//! One segment: a data file and its index, opened when needed.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use onrush_record::{Offset, TimestampMs};
use onrush_sys::{File, Mapping, OpenMode};
use parking_lot::Mutex;

use crate::config::Env;
use crate::error::{IoContext, Result, StorageError};
use crate::index::{Index, Point};
use crate::layout::{ENTRY_LEN, Entry, IDX_HEADER_LEN, IdxHeader, entry_position};
use crate::names::SegmentSeq;

/// What "no timestamp seen" and "not known yet" look like in a segment's largest timestamp.
pub(crate) const NO_TIMESTAMP: TimestampMs = i64::MIN;
pub(crate) const UNKNOWN_TIMESTAMP: TimestampMs = i64::MIN + 1;

/// The open data file of one segment. Cheap to share; the descriptor is closed with the last user.
#[derive(Debug)]
pub struct SegmentFile {
    dir: Arc<Path>,
    seq: SegmentSeq,
    file: Arc<dyn File>,
    map_bytes: u64,
    mapping: Mutex<Option<Mapping>>,
}

impl SegmentFile {
    /// The file itself.
    pub fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    pub(crate) fn seq(&self) -> SegmentSeq {
        self.seq
    }

    /// Its path under the disk's root.
    pub fn path(&self) -> PathBuf {
        self.seq.log_path(&self.dir)
    }

    /// Bytes over the mapping, which is made once; copied if they lie beyond it.
    pub(crate) fn mapped(&self, position: u64, length: u32) -> Result<Bytes> {
        let end = position + u64::from(length);
        if end > self.map_bytes {
            return self.copied(position, length);
        }
        let mapping = {
            let mut mapping = self.mapping.lock();
            match &*mapping {
                Some(mapping) => mapping.clone(),
                None => {
                    let made = self.file.map(self.map_bytes).in_segment("map", self)?;
                    mapping.insert(made).clone()
                }
            }
        };
        Ok(mapping.bytes(position..end))
    }

    /// Bytes read into memory of our own.
    pub(crate) fn copied(&self, position: u64, length: u32) -> Result<Bytes> {
        let mut bytes = BytesMut::zeroed(length as usize);
        self.file.read_exact_at(&mut bytes, position).in_segment("read", self)?;
        Ok(bytes.freeze())
    }
}

/// Where a segment ended when it was rolled.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Sealed {
    pub end: Point,
}

/// One segment of a log, open or not.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) dir: Arc<Path>,
    pub(crate) seq: SegmentSeq,
    pub(crate) base: Offset,
    pub(crate) first_append_ms: AtomicI64,
    max_timestamp: AtomicI64,
    sealed: OnceLock<Sealed>,
    /// Of a cleaned copy, once somebody asked: see [`Segment::clean_to`].
    clean_to: OnceLock<Offset>,
    index: Mutex<Index>,
    handle: Mutex<Option<Arc<SegmentFile>>>,
    used: AtomicBool,
}

impl Segment {
    pub(crate) fn new(dir: Arc<Path>, seq: SegmentSeq, base: Offset, index: Index) -> Segment {
        Segment {
            dir,
            seq,
            base,
            first_append_ms: AtomicI64::new(NO_TIMESTAMP),
            max_timestamp: AtomicI64::new(NO_TIMESTAMP),
            sealed: OnceLock::new(),
            clean_to: OnceLock::new(),
            index: Mutex::new(index),
            handle: Mutex::new(None),
            used: AtomicBool::new(false),
        }
    }

    /// A segment without a byte in it.
    pub(crate) fn empty(dir: Arc<Path>, seq: SegmentSeq, base: Offset) -> Segment {
        Segment::new(dir, seq, base, Index::new(0, Point { offset: base, position: 0 }))
    }

    pub(crate) fn base_point(&self) -> Point {
        Point { offset: self.base, position: 0 }
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.seq.log_path(&self.dir)
    }

    pub(crate) fn idx_path(&self) -> PathBuf {
        self.seq.idx_path(&self.dir)
    }

    pub(crate) fn seal(&self, end: Point) {
        let first = self.sealed.set(Sealed { end }).is_ok();
        debug_assert!(first, "a segment is sealed once");
    }

    pub(crate) fn sealed(&self) -> Option<Sealed> {
        self.sealed.get().copied()
    }

    /// Up to where no key has a newer record below: of a segment that was never cleaned, its base.
    /// May read the index file's head; if that is damaged, nothing is known to be clean.
    pub(crate) fn clean_to(&self, env: &Env) -> Result<Offset> {
        if !self.seq.is_cleaned() {
            return Ok(self.base);
        }
        if let Some(known) = self.clean_to.get() {
            return Ok(*known);
        }
        let path = self.idx_path();
        let file = env.disk.open(&path, OpenMode::Read).at("open", &path)?;
        let mut head = [0; IDX_HEADER_LEN];
        let have = file.read_at(&mut head, 0).at("read", &path)?;
        let head = IdxHeader::decode(&head[..have], self.seq).ok();
        let clean_to = head.and_then(|head| head.clean_to).unwrap_or(self.base);
        Ok(*self.clean_to.get_or_init(|| clean_to))
    }

    pub(crate) fn set_clean_to(&self, offset: Offset) {
        self.clean_to.get_or_init(|| offset);
    }

    pub(crate) fn first_append_ms(&self) -> Option<TimestampMs> {
        let ms = self.first_append_ms.load(Ordering::Relaxed);
        (ms != NO_TIMESTAMP).then_some(ms)
    }

    pub(crate) fn set_first_append_ms(&self, ms: TimestampMs) {
        self.first_append_ms.store(ms, Ordering::Relaxed);
    }

    /// The open file; opened if need be. `map_bytes` is how much of it to map when asked to.
    pub(crate) fn open(self: &Arc<Self>, env: &Env, map_bytes: u64) -> Result<Arc<SegmentFile>> {
        // A store only when it changes something keeps the cache line shared between readers.
        if !self.used.load(Ordering::Relaxed) {
            self.used.store(true, Ordering::Relaxed);
        }
        let mut handle = self.handle.lock();
        if let Some(file) = &*handle {
            return Ok(file.clone());
        }
        let path = self.log_path();
        let file = env.disk.open(&path, OpenMode::ReadWrite).at("open", &path)?;
        let opened = Arc::new(SegmentFile {
            dir: self.dir.clone(),
            seq: self.seq,
            file,
            map_bytes,
            mapping: Mutex::new(None),
        });
        *handle = Some(opened.clone());
        drop(handle);
        env.files.admit(self);
        Ok(opened)
    }

    /// Closes the file unless it was used since the last call, or is in use now.
    pub(crate) fn close_if_idle(&self) -> bool {
        if self.used.swap(false, Ordering::Relaxed) {
            return false;
        }
        let Some(mut handle) = self.handle.try_lock() else { return false };
        match &*handle {
            None => true,
            Some(file) if Arc::strong_count(file) > 1 => false,
            Some(_) => {
                *handle = None;
                true
            }
        }
    }

    /// Closes the file, as far as this segment holds it.
    pub(crate) fn close(&self) {
        *self.handle.lock() = None;
    }

    pub(crate) fn drop_loaded_index(&self) {
        self.index.lock().drop_loaded();
    }

    /// The index as it is in memory.
    pub(crate) fn index(&self) -> parking_lot::MutexGuard<'_, Index> {
        self.index.lock()
    }

    /// The index with everything in memory that `needed` says must be loaded first.
    pub(crate) fn index_with(
        self: &Arc<Self>,
        env: &Env,
        needed: impl Fn(&Index) -> Option<u64>,
    ) -> Result<parking_lot::MutexGuard<'_, Index>> {
        let index = self.index.lock();
        let Some(slots) = needed(&index) else { return Ok(index) };
        drop(index);
        let entries = read_entries(env, &self.idx_path(), self.seq, slots)?;
        env.files.admit_index(self, entries.len() * size_of::<Entry>());
        let mut index = self.index.lock();
        index.set_loaded(slots, entries.into());
        Ok(index)
    }

    /// The next known boundary above `at`.
    pub(crate) fn boundary_after(self: &Arc<Self>, env: &Env, at: Point) -> Result<Option<Point>> {
        let index = self.index_with(env, |index| index.must_load_for(at.offset))?;
        Ok(index.locate(self.base_point(), at.offset).1.filter(|known| known.offset > at.offset))
    }

    /// The largest timestamp of the segment's records, if it has any, and if that is known: see
    /// [`Shared::max_timestamp`](crate::view::Shared::max_timestamp).
    pub(crate) fn known_max_timestamp(&self) -> Option<Option<TimestampMs>> {
        let known = self.max_timestamp.load(Ordering::Relaxed);
        (known != UNKNOWN_TIMESTAMP).then_some((known != NO_TIMESTAMP).then_some(known))
    }

    /// Takes in the timestamp of appended records. While it is unknown it stays so, unless `all`
    /// says that nothing else is in the segment.
    pub(crate) fn raise_max_timestamp(&self, timestamp: TimestampMs, all: bool) {
        let known = self.max_timestamp.load(Ordering::Relaxed);
        if all || (known != UNKNOWN_TIMESTAMP && timestamp > known) {
            self.max_timestamp.store(timestamp, Ordering::Relaxed);
        }
    }

    /// As the closing record has it. What damage has kept from being known may be known next time.
    pub(crate) fn max_timestamp_for_row(&self) -> TimestampMs {
        match self.max_timestamp.load(Ordering::Relaxed) {
            TimestampMs::MAX => UNKNOWN_TIMESTAMP,
            known => known,
        }
    }
}

/// The valid ones of the first `slots` entries of an index file. A damaged one is left out: lookups
/// then start further back, and `check` names it.
pub(crate) fn read_entries(
    env: &Env,
    path: &Path,
    seq: SegmentSeq,
    slots: u64,
) -> Result<Vec<Entry>> {
    let file = env.disk.open(path, OpenMode::Read).at("open", path)?;
    let mut bytes = vec![0; usize::try_from(slots).unwrap_or(0) * ENTRY_LEN];
    let have = file.read_at(&mut bytes, entry_position(0)).at("read", path)?;
    let mut entries: Vec<Entry> = Vec::with_capacity(have / ENTRY_LEN);
    let mut damaged = 0;
    for (slot, raw) in (0u64..).zip(bytes[..have].chunks_exact(ENTRY_LEN)) {
        match Entry::decode(raw, seq, slot) {
            Some(entry) if entries.last().is_none_or(|last| last.next <= entry.first) => {
                entries.push(entry);
            }
            _ => damaged += 1,
        }
    }
    if damaged > 0 {
        tracing::warn!(file = %path.display(), damaged, "index entries are damaged and left out");
    }
    Ok(entries)
}

/// Turns a batch that does not parse into the error that names it.
pub(crate) fn damaged(segment: &Segment, from: Offset, to: Offset, reason: String) -> StorageError {
    StorageError::Damaged { from, to, file: segment.log_path().display().to_string(), reason }
}
