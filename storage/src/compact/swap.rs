//! Beginning and ending a cleaning, and putting a copy in its originals' place: the parts of it that
//! hold the writer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Cleaning, Swapped};
use crate::error::{Result, StorageError};
use crate::names::SegmentSeq;
use crate::segment::Segment;
use crate::slots::Slots;
use crate::view::Shared;
use crate::writer::LogWriter;

/// The first segment of the group that is being copied: no trim may delete it or a later one, since
/// the copy, once it counts, begins with it.
#[derive(Debug)]
pub(crate) struct Floor(AtomicU64);

impl Floor {
    pub(crate) fn get(&self) -> SegmentSeq {
        SegmentSeq::new(self.0.load(Ordering::SeqCst))
    }

    /// It only rises.
    pub(super) fn raise(&self, seq: SegmentSeq) {
        self.0.store(seq.get(), Ordering::SeqCst);
    }
}

/// The right to clean a log, which only one cleaning has at a time; for [`Cleaning::plan`].
#[derive(Debug)]
pub struct CleanClaim {
    pub(super) shared: Arc<Shared>,
    pub(super) slots: Arc<Slots>,
    pub(super) floor: Arc<Floor>,
    /// This segment and those after it are still being written, if only their indexes.
    pub(super) below: SegmentSeq,
    pub(super) segment_bytes: u64,
    pub(super) interval_bytes: u32,
}

impl LogWriter {
    /// Begins a cleaning; `None` while there is one, or the log takes no writes. Waits for nothing.
    /// To be ended by [`LogWriter::end_cleaning`], or by [`LogWriter::cancel_cleaning`] if it cannot
    /// even be planned.
    pub fn begin_cleaning(&mut self) -> Option<CleanClaim> {
        if self.cleaning.is_some() || self.closing || self.check_health().is_err() {
            return None;
        }
        let (first, durable) = self.shared.look(|view| (view.segments[0].seq, view.durable.seq));
        let unstored = self.unstored.first().map(|segment| segment.seq);
        let below = unstored.map_or(durable, |unstored| unstored.min(durable));
        let floor = Arc::new(Floor(AtomicU64::new(first.get())));
        self.cleaning = Some(floor.clone());
        Some(CleanClaim {
            shared: self.shared.clone(),
            slots: self.slots.clone(),
            floor,
            below,
            segment_bytes: self.cfg.segment_bytes,
            interval_bytes: self.cfg.index_interval_bytes,
        })
    }

    /// Ends a cleaning that came to no plan.
    pub fn cancel_cleaning(&mut self) {
        self.cleaning = None;
    }

    /// Puts the copy that is ready in its originals' place: readers find it from here on, and those
    /// that read the originals read on there. Waits for nothing.
    ///
    /// # Errors
    /// `Misuse` if no copy is ready, or the log is being closed: the closing record names the
    /// originals.
    pub fn swap_cleaned(&mut self, cleaning: &mut Cleaning) -> Result<Swapped> {
        if self.closing {
            return Err(StorageError::Misuse("the log is being closed"));
        }
        let Some((fresh, old)) = cleaning.ready() else {
            return Err(StorageError::Misuse("no cleaned copy is ready to be swapped in"));
        };
        let mut placed = false;
        self.shared.publish(|view| {
            if let Some(segments) = replaced(&view.segments, &old, &fresh) {
                view.segments = segments;
                placed = true;
            }
        });
        if !placed {
            return Err(StorageError::Misuse("the segments that were copied are not in the log"));
        }
        self.oversized.retain(|segment| !old.iter().any(|gone| gone.seq == segment.seq));
        self.touched = true;
        Ok(cleaning.swapped())
    }

    /// Ends a cleaning, whatever came of it. One of whose last copy nobody knows whether it counts
    /// keeps the log from being cleaned, and its segments from being deleted, until it is opened
    /// anew.
    pub fn end_cleaning(&mut self, cleaning: &Cleaning) {
        if !cleaning.is_doubtful() {
            self.cleaning = None;
        }
    }
}

/// `all` with `fresh` where `old`, which follow each other, were.
fn replaced(
    all: &[Arc<Segment>],
    old: &[Arc<Segment>],
    fresh: &Arc<Segment>,
) -> Option<Arc<[Arc<Segment>]>> {
    let first = old.first()?;
    let at = all.iter().position(|segment| Arc::ptr_eq(segment, first))?;
    let there = all.get(at..at + old.len())?;
    let same = there.iter().zip(old).all(|(there, old)| Arc::ptr_eq(there, old));
    same.then(|| {
        let (before, rest) = all.split_at(at);
        before.iter().chain([fresh]).chain(&rest[old.len()..]).cloned().collect()
    })
}
