//! Where the batches of one segment lie: the closed intervals, in part in memory, in part on disk.

use std::sync::Arc;

use onrush_record::Offset;

use crate::layout::Entry;

/// A batch boundary within one segment.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub(crate) struct Point {
    pub offset: Offset,
    pub position: u64,
}

/// The intervals of one segment. Slots `0..loaded_below` are in the file only (`loaded` is their
/// copy, if someone asked); the `recent` ones follow and may not be in the file yet.
#[derive(Debug)]
pub(crate) struct Index {
    recent: Vec<Entry>,
    loaded_below: u64,
    loaded: Option<Arc<[Entry]>>,
    /// Slots that are in the file, durably.
    stored: u64,
    /// End of the last closed interval.
    covered: Point,
}

impl Index {
    /// The index of a segment of which `stored` intervals, up to `covered`, are in its file.
    pub(crate) fn new(stored: u64, covered: Point) -> Index {
        Index { recent: Vec::new(), loaded_below: stored, loaded: None, stored, covered }
    }

    pub(crate) fn stored(&self) -> u64 {
        self.stored
    }

    pub(crate) fn slots(&self) -> u64 {
        self.loaded_below + self.recent.len() as u64
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        debug_assert!(entry.position >= self.covered.position, "intervals follow each other");
        self.covered = Point { offset: entry.next, position: entry.end() };
        self.recent.push(entry);
    }

    /// The intervals that are not in the file yet, with the slot of the first.
    pub(crate) fn unstored(&self) -> (u64, &[Entry]) {
        let skip = usize::try_from(self.stored - self.loaded_below).unwrap_or(usize::MAX);
        (self.stored, self.recent.get(skip..).unwrap_or(&[]))
    }

    /// Slots below `stored` are in the file now; memory keeps the last `keep` of those.
    pub(crate) fn mark_stored(&mut self, stored: u64, keep: u64) {
        self.stored = self.stored.max(stored.min(self.slots()));
        let drop_below = self.stored.saturating_sub(keep);
        if drop_below > self.loaded_below {
            let count = usize::try_from(drop_below - self.loaded_below).unwrap_or(0);
            self.recent.drain(..count.min(self.recent.len()));
            self.recent.shrink_to_fit();
            self.loaded_below = drop_below;
            self.loaded = None;
        }
    }

    /// The file was written anew with these entries.
    pub(crate) fn replace(&mut self, entries: Vec<Entry>) {
        self.stored = entries.len() as u64;
        self.loaded_below = self.stored;
        self.recent = Vec::new();
        self.loaded = None;
    }

    /// How many slots must be loaded before `offset` can be looked up; `None` if none need to.
    pub(crate) fn must_load_for(&self, offset: Offset) -> Option<u64> {
        let in_memory = self.recent.first().map_or(self.covered.offset, |first| first.first);
        (offset < in_memory && self.loaded.is_none() && self.loaded_below > 0)
            .then_some(self.loaded_below)
    }

    /// As [`Index::must_load_for`], by position.
    pub(crate) fn must_load_for_position(&self, position: u64) -> Option<u64> {
        let in_memory = self.recent.first().map_or(self.covered.position, |first| first.position);
        (position < in_memory && self.loaded.is_none() && self.loaded_below > 0)
            .then_some(self.loaded_below)
    }

    /// How many slots must be loaded to see them all.
    pub(crate) fn must_load(&self) -> Option<u64> {
        (self.loaded.is_none() && self.loaded_below > 0).then_some(self.loaded_below)
    }

    /// Takes what was read of the first `slots` slots, unless they were loaded meanwhile.
    pub(crate) fn set_loaded(&mut self, slots: u64, entries: Arc<[Entry]>) {
        if slots == self.loaded_below {
            self.loaded = Some(entries);
        }
    }

    pub(crate) fn drop_loaded(&mut self) {
        self.loaded = None;
    }

    fn loaded(&self) -> &[Entry] {
        self.loaded.as_deref().unwrap_or(&[])
    }

    /// The nearest known boundary at or below `offset`, and the next known one above that.
    pub(crate) fn locate(&self, base: Point, offset: Offset) -> (Point, Option<Point>) {
        let of = |entries: &[Entry]| {
            let count = entries.partition_point(|entry| entry.first <= offset);
            (count.checked_sub(1).map(|i| entries[i]), entries.get(count).copied())
        };
        let (below, mut above) = of(&self.recent);
        let below = match below {
            Some(entry) => Some(entry),
            None => {
                let (below, next) = of(self.loaded());
                above = next.or(above);
                below
            }
        };
        let start = |entry: &Entry| Point { offset: entry.first, position: entry.position };
        match below {
            None => (base, above.as_ref().map(start)),
            Some(entry) => {
                let end = Point { offset: entry.next, position: entry.end() };
                if offset < entry.next {
                    (start(&entry), Some(end))
                } else {
                    (end, above.as_ref().map(start))
                }
            }
        }
    }

    /// The furthest known boundary above `from` and not above `limit`.
    pub(crate) fn cut(&self, from: u64, limit: u64) -> Option<Point> {
        let of = |entries: &[Entry]| {
            let count = entries.partition_point(|entry| entry.position <= limit);
            let entry = entries[..count].last()?;
            let point = if entry.end() <= limit {
                Point { offset: entry.next, position: entry.end() }
            } else {
                match entries[..count - 1].last().filter(|before| before.end() <= limit) {
                    Some(before) if before.end() > entry.position => {
                        Point { offset: before.next, position: before.end() }
                    }
                    _ => Point { offset: entry.first, position: entry.position },
                }
            };
            (point.position > from).then_some(point)
        };
        of(&self.recent).or_else(|| of(self.loaded()))
    }

    /// All known intervals, in order. Call after loading.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.loaded().iter().chain(&self.recent)
    }
}
