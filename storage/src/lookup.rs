//! Finding records by time.

use std::sync::Arc;

use onrush_record::batch::{BatchHeader, BatchRef, TimestampType};
use onrush_record::{Offset, TimestampMs};

use crate::error::{IoContext, Result, StorageError};
use crate::index::{Index, Point};
use crate::reader::LogReader;
use crate::scan::{Headers, Seen, after};
use crate::segment::{Segment, damaged};

/// Most that the records of one batch may decompress to in a lookup; beyond it the batch's first
/// record stands for all of them.
const DECOMPRESSED_MAX: usize = 64 << 20;

impl LogReader {
    /// The first readable record, in the order of offsets, whose timestamp is `timestamp` or later.
    ///
    /// # Errors
    /// `Damaged` if the answer lies beyond a damaged range, or an I/O error.
    pub fn offset_for_timestamp(
        &self,
        timestamp: TimestampMs,
    ) -> Result<Option<(Offset, TimestampMs)>> {
        self.retrying(|| self.find(|max| max >= timestamp, |found| found >= timestamp))
    }

    /// The first readable record that has the largest timestamp of all.
    ///
    /// # Errors
    /// As [`LogReader::offset_for_timestamp`].
    pub fn max_timestamp(&self) -> Result<Option<(Offset, TimestampMs)>> {
        self.retrying(|| self.try_max_timestamp())
    }

    fn try_max_timestamp(&self) -> Result<Option<(Offset, TimestampMs)>> {
        let mut largest: Option<TimestampMs> = None;
        self.each_batch_range(|_| true, &mut |segment, from, to, known| {
            let max = match known {
                Some(max) => Some(max),
                None => self.largest_in(segment, from, to)?,
            };
            largest = largest.max(max);
            Ok(false)
        })?;
        let Some(largest) = largest else { return Ok(None) };
        self.find(|max| max >= largest, |found| found >= largest)
    }

    fn find(
        &self,
        may_hold: impl Fn(TimestampMs) -> bool,
        is_it: impl Fn(TimestampMs) -> bool,
    ) -> Result<Option<(Offset, TimestampMs)>> {
        let mut found = None;
        self.each_batch_range(&may_hold, &mut |segment, from, to, _| {
            found = self.find_in(segment, from, to, &may_hold, &is_it)?;
            Ok(found.is_some())
        })?;
        Ok(found)
    }

    /// Shows every readable run of batches whose largest timestamp passes `may_hold` or is not
    /// known, until `visit` says it is done. The last argument is the largest timestamp, if known.
    #[expect(clippy::type_complexity, reason = "one callback, used right above")]
    fn each_batch_range(
        &self,
        may_hold: impl Fn(TimestampMs) -> bool,
        visit: &mut dyn FnMut(&Arc<Segment>, Point, Point, Option<TimestampMs>) -> Result<bool>,
    ) -> Result<()> {
        let mut from = self.ends().start;
        loop {
            let spot = match self.shared.spot(from) {
                Ok(Some(spot)) => spot,
                Ok(None) => return Ok(()),
                Err(StorageError::Damaged { to, .. }) => {
                    from = to;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let (segment, limit) = (&spot.segment, spot.limit);
            from = limit.offset;
            let rolled = segment.sealed().is_some_and(|sealed| sealed.end == limit);
            if rolled && !self.shared.max_timestamp(segment)?.is_some_and(&may_hold) {
                continue;
            }
            for (start, end, max) in self.runs(segment, limit)? {
                if max.is_none_or(&may_hold) && visit(segment, start, end, max)? {
                    return Ok(());
                }
            }
        }
    }

    /// A segment's intervals up to `limit`, and the runs between and after them.
    fn runs(
        &self,
        segment: &Arc<Segment>,
        limit: Point,
    ) -> Result<Vec<(Point, Point, Option<TimestampMs>)>> {
        let log_start = self.ends().start;
        let index = segment.index_with(&self.shared.env, Index::must_load)?;
        let mut runs = Vec::new();
        let mut at = segment.base_point();
        for entry in index.entries().take_while(|entry| entry.position < limit.position) {
            let start = Point { offset: entry.first, position: entry.position };
            let end = Point { offset: entry.next, position: entry.end() };
            if at.position < start.position && !self.is_damaged(at.offset) {
                runs.push((at, start, None));
            }
            let whole = end.position <= limit.position && log_start <= start.offset;
            let end = if end.position <= limit.position { end } else { limit };
            runs.push((start, end, whole.then_some(entry.max_timestamp)));
            at = end;
        }
        if at.position < limit.position {
            runs.push((at, limit, None));
        }
        runs.retain(|(start, end, _)| end.offset > log_start && !self.is_damaged(start.offset));
        Ok(runs)
    }

    fn is_damaged(&self, offset: Offset) -> bool {
        self.shared.look(|view| {
            view.damage.iter().any(|damage| damage.from <= offset && offset < damage.to)
        })
    }

    fn largest_in(
        &self,
        segment: &Arc<Segment>,
        from: Point,
        to: Point,
    ) -> Result<Option<TimestampMs>> {
        let start = self.ends().start;
        let mut largest = None;
        self.walk(segment, from, to, |_, header| {
            if header.next_offset() > start && header.record_count > 0 {
                largest = largest.max(Some(header.max_timestamp));
            }
            Ok(false)
        })?;
        Ok(largest)
    }

    fn walk(
        &self,
        segment: &Arc<Segment>,
        from: Point,
        to: Point,
        mut visit: impl FnMut(Point, &BatchHeader) -> Result<bool>,
    ) -> Result<()> {
        let file = self.shared.open(segment)?;
        let path = segment.log_path();
        let mut headers = Headers::new(&**file.file(), &path, to.position);
        let mut at = from;
        while at.position < to.position {
            match headers.at(at)? {
                Seen::Bad(reason) => return Err(damaged(segment, at.offset, to.offset, reason)),
                Seen::Batch(header) => {
                    if visit(at, &header)? {
                        return Ok(());
                    }
                    at = after(at, &header);
                }
            }
        }
        Ok(())
    }

    fn find_in(
        &self,
        segment: &Arc<Segment>,
        from: Point,
        to: Point,
        may_hold: &impl Fn(TimestampMs) -> bool,
        is_it: &impl Fn(TimestampMs) -> bool,
    ) -> Result<Option<(Offset, TimestampMs)>> {
        let start = self.ends().start;
        let mut found = None;
        self.walk(segment, from, to, |at, header| {
            let some = header.next_offset() > start && header.record_count > 0;
            if some && may_hold(header.max_timestamp) {
                found = self.find_record(segment, at, header, start, is_it)?;
            }
            Ok(found.is_some())
        })?;
        Ok(found)
    }

    fn find_record(
        &self,
        segment: &Arc<Segment>,
        at: Point,
        header: &BatchHeader,
        start: Offset,
        is_it: &impl Fn(TimestampMs) -> bool,
    ) -> Result<Option<(Offset, TimestampMs)>> {
        let first = header.base_offset.max(start);
        if header.attributes.timestamp_type() == TimestampType::LogAppendTime {
            return Ok(Some((first, header.max_timestamp)));
        }
        let file = self.shared.open(segment)?;
        let mut bytes = vec![0; header.total_len as usize];
        file.file().read_exact_at(&mut bytes, at.position).in_segment("read", &file)?;
        let bad = |reason: String| damaged(segment, at.offset, header.next_offset(), reason);
        let batch = BatchRef::parse(&bytes).map_err(|error| bad(error.to_string()))?;
        batch.verify().map_err(|error| bad(error.to_string()))?;
        let mut scratch = Vec::new();
        // What a client compressed is its own affair: if it does not decompress, the batch stands
        // for its records.
        let Ok(records) = batch.records_with(&mut scratch, DECOMPRESSED_MAX) else {
            return Ok(Some((first, header.max_timestamp)));
        };
        for record in records {
            let Ok(record) = record else { return Ok(Some((first, header.max_timestamp))) };
            if record.offset >= start && is_it(record.timestamp) {
                return Ok(Some((record.offset, record.timestamp)));
            }
        }
        Ok(None)
    }
}
