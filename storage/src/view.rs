//! What readers see: the segments and the ends, published by the writer under a lock that is held
//! for a few instructions only.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use onrush_record::{LeaderEpoch, Offset};
use parking_lot::Mutex;
use smallvec::SmallVec;

use crate::config::{Env, Visibility};
use crate::error::{Result, StorageError};
use crate::index::Point;
use crate::names::SegmentSeq;
use crate::report::Damage;
use crate::segment::Segment;

/// A batch boundary in the log.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct Mark {
    pub offset: Offset,
    pub seq: SegmentSeq,
    pub position: u64,
}

/// The ends of a log at one moment.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub struct Ends {
    /// First offset there is.
    pub start: Offset,
    /// Readers see what lies below.
    pub readable: Offset,
    /// What lies below is on stable storage.
    pub durable: Offset,
    /// What lies below is written; the next record gets this offset.
    pub written: Offset,
}

/// Epochs and where they began. Nearly always one or two.
pub(crate) type Epochs = SmallVec<[(LeaderEpoch, Offset); 1]>;

#[derive(Debug)]
pub(crate) struct View {
    pub start: Offset,
    pub durable: Mark,
    pub written: Mark,
    /// Oldest first, never empty; the last one is appended to.
    pub segments: Arc<[Arc<Segment>]>,
    pub damage: Arc<[Damage]>,
    pub visibility: Visibility,
    pub wanted_visibility: Visibility,
    pub epochs: Epochs,
    pub offline: Option<Arc<str>>,
}

impl View {
    pub(crate) fn readable(&self) -> Mark {
        match self.visibility {
            Visibility::Durable => self.durable,
            Visibility::Written => self.written,
        }
    }

    /// The one place that holds the ends in order; every change of a view passes here.
    fn assert_in_order(&self) {
        let readable = self.readable().offset;
        assert!(
            self.start <= readable
                && readable <= self.written.offset
                && self.durable.offset <= self.written.offset
                && (readable <= self.durable.offset || self.visibility == Visibility::Written),
            "ends out of order: start {} readable {readable} durable {} written {}",
            self.start,
            self.durable.offset,
            self.written.offset,
        );
    }

    /// Bytes up to `mark` are durable. A segment that was rolled meanwhile is durable to its end, so
    /// the mark moves on to the beginning of the next one.
    pub(crate) fn set_durable(&mut self, mark: Mark) {
        if mark.offset < self.durable.offset {
            return;
        }
        self.durable = if mark.offset == self.written.offset { self.written } else { mark };
        self.settle_visibility();
    }

    /// Readers of a log that turns to `Durable` keep seeing what they saw: it takes effect once all
    /// that is written is durable.
    pub(crate) fn set_visibility(&mut self, visibility: Visibility) {
        self.wanted_visibility = visibility;
        self.settle_visibility();
    }

    fn settle_visibility(&mut self) {
        if self.wanted_visibility == Visibility::Written
            || self.durable.offset == self.written.offset
        {
            self.visibility = self.wanted_visibility;
        }
    }

    fn ends(&self) -> Ends {
        Ends {
            start: self.start,
            readable: self.readable().offset,
            durable: self.durable.offset,
            written: self.written.offset,
        }
    }

    /// The segment that would hold `offset`.
    pub(crate) fn segment_of(&self, offset: Offset) -> &Arc<Segment> {
        let after = self.segments.partition_point(|segment| segment.base <= offset);
        &self.segments[after.saturating_sub(1)]
    }
}

/// Where to read: a segment, and the boundary in it that readers see up to.
#[derive(Debug)]
pub(crate) struct Spot {
    pub segment: Arc<Segment>,
    pub limit: Point,
}

/// What the writer and the readers of one log share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) dir: Arc<Path>,
    pub(crate) env: Env,
    map_bytes: AtomicU64,
    view: Mutex<View>,
}

impl Shared {
    pub(crate) fn new(dir: Arc<Path>, env: Env, map_bytes: u64, view: View) -> Shared {
        view.assert_in_order();
        Shared { dir, env, map_bytes: AtomicU64::new(map_bytes), view: Mutex::new(view) }
    }

    pub(crate) fn map_bytes(&self) -> u64 {
        self.map_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn set_map_bytes(&self, bytes: u64) {
        self.map_bytes.store(bytes, Ordering::Relaxed);
    }

    /// Changes what readers see, in one step.
    pub(crate) fn publish(&self, change: impl FnOnce(&mut View)) {
        let mut view = self.view.lock();
        change(&mut view);
        view.assert_in_order();
    }

    /// Looks at one consistent state.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&View) -> T) -> T {
        at(&self.view.lock())
    }

    pub(crate) fn ends(&self) -> Ends {
        self.view.lock().ends()
    }

    pub(crate) fn open(&self, segment: &Arc<Segment>) -> Result<Arc<crate::SegmentFile>> {
        segment.open(&self.env, self.map_bytes())
    }

    /// Where `from` is to be read; `None` where nothing is readable yet.
    pub(crate) fn spot(&self, from: Offset) -> Result<Option<Spot>> {
        let view = self.view.lock();
        if from < view.start || from > view.written.offset {
            return Err(StorageError::OffsetOutOfRange {
                asked: from,
                start: view.start,
                end: view.written.offset,
            });
        }
        if let Some(reason) = &view.offline {
            return Err(StorageError::Offline {
                path: self.dir.display().to_string(),
                reason: reason.to_string(),
            });
        }
        let readable = view.readable();
        if from >= readable.offset {
            return Ok(None);
        }
        let segment = view.segment_of(from);
        let mut limit = match segment.sealed() {
            Some(sealed) if segment.seq != readable.seq => sealed.end,
            _ => Point { offset: readable.offset, position: readable.position },
        };
        for damage in view.damage.iter() {
            if damage.from <= from && from < damage.to {
                return Err(damage.error(&self.dir));
            }
            if damage.seq == segment.seq && damage.from > from && damage.from < limit.offset {
                limit = Point { offset: damage.from, position: damage.position };
            }
        }
        Ok(Some(Spot { segment: segment.clone(), limit }))
    }
}
