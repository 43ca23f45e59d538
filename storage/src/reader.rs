//! Reading a log, from any thread and without the writer's lock.

use std::io::ErrorKind;
use std::sync::Arc;

use onrush_record::{LeaderEpoch, Offset};

use crate::error::{Result, StorageError};
use crate::index::Point;
use crate::names::SegmentSeq;
use crate::report::Damage;
use crate::scan::{Headers, Seen, after, holds};
use crate::segment::{Segment, damaged};
use crate::slice::Slice;
use crate::view::{Ends, Shared, Spot};

/// A lookup meets a file that is gone once for each swap under way, and these take their time.
const RETRIES: usize = 4;

/// Reads one log. Clones share it.
#[derive(Clone, Debug)]
pub struct LogReader {
    pub(crate) shared: Arc<Shared>,
}

/// Where a sequential reader left off, so that its next read looks nothing up. A fresh one is fine
/// at any time.
#[derive(Clone, Debug, Default)]
pub struct Cursor(Option<(SegmentSeq, Point)>);

/// What a read found.
#[derive(Clone, Debug)]
pub struct SliceRead {
    /// The batches.
    pub slice: Slice,
    /// Base offset of the first batch; below the asked offset if that lies within the batch.
    pub first: Offset,
    /// The offset after the last batch: where to read on.
    pub next: Offset,
}

impl LogReader {
    /// The ends as they stand.
    pub fn ends(&self) -> Ends {
        self.shared.ends()
    }

    /// The damaged ranges that are known.
    pub fn damage(&self) -> Arc<[Damage]> {
        self.shared.look(|view| view.damage.clone())
    }

    /// Whole batches from the one that holds `from` on: at most `max_bytes`, but at least one batch.
    /// `None` at the readable end.
    ///
    /// # Errors
    /// `OffsetOutOfRange` below the log's start or above its end, `Damaged` where the range is
    /// known or seen to be damaged, or an I/O error.
    pub fn read(
        &self,
        from: Offset,
        max_bytes: u32,
        cursor: &mut Cursor,
    ) -> Result<Option<SliceRead>> {
        self.read_below(from, max_bytes, Offset::new(u64::MAX), cursor)
    }

    /// The same, of batches that lie wholly below `below`. `None` also where none does.
    ///
    /// # Errors
    /// As [`LogReader::read`].
    pub fn read_below(
        &self,
        from: Offset,
        max_bytes: u32,
        below: Offset,
        cursor: &mut Cursor,
    ) -> Result<Option<SliceRead>> {
        self.retrying(|| self.try_read(from, max_bytes, below, cursor))
    }

    /// Does it again where a file was gone: between finding a segment and opening it, a trim may
    /// delete it, or a reopening or a cleaning replace it.
    pub(crate) fn retrying<T>(&self, mut what: impl FnMut() -> Result<T>) -> Result<T> {
        for _ in 0..RETRIES {
            match what() {
                Err(StorageError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
                outcome => return outcome,
            }
        }
        what()
    }

    fn try_read(
        &self,
        from: Offset,
        max_bytes: u32,
        below: Offset,
        cursor: &mut Cursor,
    ) -> Result<Option<SliceRead>> {
        let Some(Spot { segment, limit }) = self.shared.spot(from)? else { return Ok(None) };
        if from >= below {
            return Ok(None);
        }
        let start = match cursor.0 {
            Some((seq, point)) if seq == segment.seq && point.offset == from => point,
            _ => self.locate(&segment, from, limit)?,
        };
        let wanted = start.position.saturating_add(u64::from(max_bytes));
        let end = if limit.position <= wanted {
            limit
        } else {
            self.cut(&segment, start, wanted, limit)?
        };
        // Looked up only by who comes near it.
        let end = if end.offset > below { self.locate(&segment, below, limit)? } else { end };
        if end.position <= start.position {
            return Ok(None);
        }
        let file = self.shared.open(&segment)?;
        cursor.0 = Some((segment.seq, end));
        let length = u32::try_from(end.position - start.position).unwrap_or(u32::MAX);
        let slice = Slice::File { segment: file, position: start.position, length };
        Ok(Some(SliceRead { slice, first: start.offset, next: end.offset }))
    }

    /// The boundary at which the batch that holds `offset` begins.
    pub(crate) fn locate(
        &self,
        segment: &Arc<Segment>,
        offset: Offset,
        limit: Point,
    ) -> Result<Point> {
        if offset <= segment.base {
            return Ok(segment.base_point());
        }
        let (mut at, known) = segment
            .index_with(&self.shared.env, |index| index.must_load_for(offset))?
            .locate(segment.base_point(), offset);
        if at.offset == offset {
            return Ok(at);
        }
        let known = known.filter(|known| known.position < limit.position).unwrap_or(limit);
        let file = self.shared.open(segment)?;
        let path = segment.log_path();
        let mut headers = Headers::new(&**file.file(), &path, known.position);
        loop {
            match headers.at(at)? {
                Seen::Batch(header) if holds(&header, offset) => return Ok(at),
                Seen::Batch(header) => at = after(at, &header),
                Seen::Bad(reason) => {
                    return Err(damaged(segment, at.offset, known.offset, reason));
                }
            }
        }
    }

    /// The furthest boundary at or below `wanted`, or else the end of the first batch.
    fn cut(
        &self,
        segment: &Arc<Segment>,
        start: Point,
        wanted: u64,
        limit: Point,
    ) -> Result<Point> {
        let (cut, known) = {
            let index = segment.index_with(&self.shared.env, |index| {
                index.must_load_for_position(start.position)
            })?;
            (index.cut(start.position, wanted), index.locate(segment.base_point(), start.offset).1)
        };
        if let Some(cut) = cut.filter(|cut| cut.position <= limit.position) {
            return Ok(cut);
        }
        let known = known.filter(|known| known.position < limit.position).unwrap_or(limit);
        let file = self.shared.open(segment)?;
        let path = segment.log_path();
        let mut headers = Headers::new(&**file.file(), &path, known.position);
        let mut at = start;
        while at.position < known.position {
            match headers.at(at)? {
                Seen::Batch(header) => {
                    let next = after(at, &header);
                    if next.position > wanted && at != start {
                        break;
                    }
                    at = next;
                }
                // What came before is good; the next read names the damage.
                Seen::Bad(_) if at != start => break,
                Seen::Bad(reason) => {
                    return Err(damaged(segment, at.offset, known.offset, reason));
                }
            }
        }
        Ok(at)
    }

    /// Where the records of `epoch` end: the start of the next higher epoch, or the log's end; with
    /// the largest known epoch that is not above the asked one.
    pub fn epoch_end(&self, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> {
        self.shared.look(|view| {
            let after = view.epochs.partition_point(|(known, _)| *known <= epoch);
            let (found, _) = view.epochs.get(after.checked_sub(1)?)?;
            let end = view.epochs.get(after).map_or(view.written.offset, |(_, start)| *start);
            Some((*found, end))
        })
    }

    /// The epoch that the record at `offset` was, or would be, appended in.
    pub fn epoch_at(&self, offset: Offset) -> LeaderEpoch {
        self.shared.look(|view| {
            let after = view.epochs.partition_point(|(_, start)| *start <= offset);
            let found = view.epochs.get(after.saturating_sub(1));
            found.map_or(LeaderEpoch::new(0), |(epoch, _)| *epoch)
        })
    }

    /// How many bytes of batches the log's segments hold.
    pub fn size_bytes(&self) -> u64 {
        self.shared.look(|view| {
            let sealed = |segment: &Arc<Segment>| segment.sealed().map_or(0, |at| at.end.position);
            view.segments.iter().map(sealed).sum::<u64>() + view.written.position
        })
    }

    /// The epoch that appends carry now.
    pub fn epoch(&self) -> LeaderEpoch {
        self.shared.look(|view| view.epochs.last().map_or(LeaderEpoch::new(0), |(epoch, _)| *epoch))
    }
}
