//! One cleaning of one log, a step at a time.

use std::io;
use std::sync::Arc;

use onrush_record::Offset;
use onrush_record::batch::{BatchHeader, BatchRef};

use super::hash::hash;
use super::judge::{Judge, Rules, Tally, Verdict};
use super::map::OffsetMap;
use super::output::{Finished, Output, Place};
use super::plan::{Plan, end_of};
use super::source::Source;
use super::survey::{self, Survey};
use super::{CleanBounds, CleanClaim, CleanLimits, CleanPolicy, CleanStats, Swapped};
use crate::error::{IoContext, Result, StorageError};
use crate::index::Point;
use crate::names::SegmentSeq;
use crate::scan::{Headers, Seen, after};
use crate::segment::{NO_TIMESTAMP, Segment, damaged};

/// Of the map's memory, this part is for remembering transactions.
const TRANSACTION_BYTES: usize = 64;

/// Marks stay at least so long, for whoever keeps a list of aborted transactions to write down that
/// these no longer belong on it.
const MARKS_MIN_MS: i64 = 60_000;

/// What to do next with a [`Cleaning`].
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum CleanStep {
    /// Call [`Cleaning::step`] again, when there is time.
    More,
    /// Call [`LogWriter::swap_cleaned`](crate::LogWriter::swap_cleaned), then go on.
    Swap,
    /// It is done: [`LogWriter::end_cleaning`](crate::LogWriter::end_cleaning).
    Done,
}

/// One cleaning under way: [`Cleaning::step`] it, off the writer's lock, until it is done. One that
/// failed or is given up is [`Cleaning::abandon`]ed.
#[derive(Debug)]
pub struct Cleaning {
    claim: CleanClaim,
    plan: Plan,
    judge: Judge,
    phase: Phase,
    /// The copy begun last may count or not.
    doubtful: bool,
    stats: CleanStats,
}

#[derive(Debug)]
enum Phase {
    /// Looking for the ends of transactions: in this segment of the dirty ones and those beyond, from
    /// there on.
    Survey {
        index: usize,
        at: Option<Point>,
    },
    /// Taking in the dirty segments' keys.
    Map {
        index: usize,
        source: Option<Source>,
    },
    /// The group that begins with this segment is next.
    Group {
        first: usize,
    },
    Copy(Box<Copying>),
    Swap {
        fresh: Arc<Segment>,
        first: usize,
        next: usize,
    },
    Delete {
        first: usize,
        next: usize,
    },
    Done,
}

/// One group being copied.
#[derive(Debug)]
struct Copying {
    first: usize,
    next: usize,
    index: usize,
    source: Option<Source>,
    place: Place,
    /// None while it is not known whether anything changes.
    output: Option<Output>,
    /// The judge's tally at the beginning.
    before: Tally,
}

impl Cleaning {
    /// Plans a cleaning. May wait for the disk.
    ///
    /// # Errors
    /// If the disk fails: see [`LogWriter::cancel_cleaning`](crate::LogWriter::cancel_cleaning).
    pub fn plan(
        claim: CleanClaim,
        policy: &CleanPolicy,
        limits: &CleanLimits,
        bounds: CleanBounds,
    ) -> Result<Cleaning> {
        let CleanBounds { stable, last_batches, now_ms } = bounds;
        let plan = Plan::of(&claim.shared, policy, stable, Some(claim.below), now_ms)?;
        let retention = i64::try_from(policy.delete_retention_ms).unwrap_or(i64::MAX);
        let rules = Rules {
            hash_key: limits.hash_key,
            batch_bytes: limits.batch_bytes,
            clean_to: plan.dirty_from,
            last_batches,
            now_ms,
            horizon: now_ms.saturating_add(retention),
            mark_horizon: now_ms.saturating_add(retention.max(MARKS_MIN_MS)),
        };
        let map = OffsetMap::new(limits.map_bytes, plan.limit.since(plan.dirty_from));
        let survey = Survey::new(limits.map_bytes / TRANSACTION_BYTES);
        let index =
            plan.segments.partition_point(|segment| end_of(segment).offset <= plan.dirty_from);
        let phase = if plan.dirty_from < plan.limit {
            Phase::Survey { index, at: None }
        } else {
            Phase::Done
        };
        let stats = CleanStats { clean_to: plan.dirty_from, ..CleanStats::default() };
        let judge = Judge::new(map, survey, rules);
        Ok(Cleaning { claim, plan, judge, phase, doubtful: false, stats })
    }

    /// What it has done so far.
    pub fn stats(&self) -> &CleanStats {
        &self.stats
    }

    /// Bytes read and written so far, for whoever holds it back.
    pub fn bytes_moved(&self) -> u64 {
        self.stats.bytes_read + self.stats.bytes_written
    }

    pub(crate) fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    /// Goes on, for about `bytes` read and written. Waits for the disk, and never for the writer.
    ///
    /// # Errors
    /// `Damaged` if the log is, which is not copied; or an I/O error. Then it is to be abandoned; the
    /// log is as it was, but for the groups that were swapped in before.
    pub fn step(&mut self, bytes: u64) -> Result<CleanStep> {
        let upto = self.bytes_moved().saturating_add(bytes.max(1));
        while self.bytes_moved() < upto {
            match &self.phase {
                Phase::Survey { .. } => self.survey(upto)?,
                Phase::Map { .. } => self.fill_map(upto)?,
                Phase::Group { first } => self.begin_group(*first)?,
                Phase::Copy(_) => self.copy(upto)?,
                Phase::Swap { .. } => return Ok(CleanStep::Swap),
                Phase::Delete { first, next } => {
                    let (first, next) = (*first, *next);
                    self.delete(first, next);
                    self.phase = Phase::Group { first: next };
                    return Ok(CleanStep::More);
                }
                Phase::Done => return Ok(CleanStep::Done),
            }
        }
        Ok(CleanStep::More)
    }

    fn survey(&mut self, upto: u64) -> Result<()> {
        let Phase::Survey { index, at } = &mut self.phase else { return Ok(()) };
        let rolled = self.plan.segments.len();
        let beyond = index.checked_sub(rolled);
        if beyond.is_some() && self.judge.survey.first_open().is_none_or(|at| at >= self.plan.limit)
        {
            return self.end_survey();
        }
        let (segment, end) = match beyond {
            None => (&self.plan.segments[*index], end_of(&self.plan.segments[*index])),
            Some(beyond) => match self.plan.beyond.get(beyond) {
                Some((segment, end)) => (segment, *end),
                None => return self.end_survey(),
            },
        };
        let file = self.claim.shared.open(segment)?;
        let path = segment.log_path();
        let mut headers = Headers::new(&**file.file(), &path, end.position);
        let mut here = at.unwrap_or(segment.base_point());
        let before = self.stats.bytes_read;
        let mut full = None;
        while here.position < end.position && before + headers.bytes_read < upto {
            let header = match headers.at(here)? {
                Seen::Batch(header) => header,
                Seen::Bad(reason) => {
                    return Err(damaged(segment, here.offset, end.offset, reason));
                }
            };
            let mut ends = None;
            if header.attributes.is_control() {
                let mut bytes = vec![0; header.total_len as usize];
                file.file().read_exact_at(&mut bytes, here.position).at("read", &path)?;
                let batch =
                    BatchRef::parse(&bytes).and_then(|batch| batch.verify().map(|()| batch));
                let batch = batch.map_err(|error| {
                    damaged(segment, here.offset, end.offset, error.to_string())
                })?;
                ends = survey::end_of(&batch);
            }
            if !self.judge.survey.note(&header, ends) {
                full = Some(header.base_offset);
                break;
            }
            here = after(here, &header);
        }
        self.stats.bytes_read += headers.bytes_read;
        if let Some(full) = full {
            self.plan.limit = self.plan.limit.min(full);
            return self.end_survey();
        }
        if here.position < end.position {
            *at = Some(here);
        } else {
            (*index, *at) = (*index + 1, None);
        }
        Ok(())
    }

    /// Nothing of a transaction is cleaned whose end is not known.
    fn end_survey(&mut self) -> Result<()> {
        let open = self.judge.survey.first_open();
        self.plan.limit = open.map_or(self.plan.limit, |open| self.plan.limit.min(open));
        let from = self.plan.dirty_from;
        let index = self.plan.segments.partition_point(|segment| end_of(segment).offset <= from);
        self.phase =
            if from < self.plan.limit { Phase::Map { index, source: None } } else { Phase::Done };
        Ok(())
    }

    fn fill_map(&mut self, upto: u64) -> Result<()> {
        let Phase::Map { index, source } = &mut self.phase else { return Ok(()) };
        let (from, limit) = (self.plan.dirty_from, self.plan.limit);
        let segment = self.plan.segments.get(*index).filter(|segment| segment.base < limit);
        let Some(segment) = segment else {
            self.end_map(limit);
            return Ok(());
        };
        let source = match source {
            Some(source) => source,
            None => source.insert(Source::open(
                &self.claim.shared,
                segment,
                &self.plan.epochs,
                segment.base_point(),
                end_of(segment),
            )?),
        };
        let mut plain = Vec::new();
        while self.stats.bytes_read + self.stats.bytes_written < upto {
            let Some((header, bytes)) = source.next_batch()? else {
                self.phase = Phase::Map { index: *index + 1, source: None };
                return Ok(());
            };
            self.stats.bytes_read += u64::from(header.total_len);
            if header.base_offset >= limit {
                self.end_map(limit);
                return Ok(());
            }
            if header.next_offset() > from
                && let Some(full) =
                    take_keys(&mut self.judge, &header, bytes, from, limit, &mut plain)
            {
                self.stats.is_partial = true;
                self.end_map(full);
                return Ok(());
            }
        }
        Ok(())
    }

    fn end_map(&mut self, clean_to: Offset) {
        self.judge.rules.clean_to = clean_to;
        self.stats.clean_to = clean_to;
        let some = clean_to > self.plan.dirty_from;
        self.phase = if some { Phase::Group { first: 0 } } else { Phase::Done };
    }

    /// As many segments as fit one, from `first` on.
    fn begin_group(&mut self, first: usize) -> Result<()> {
        let clean_to = self.judge.rules.clean_to;
        let segments = &self.plan.segments;
        let Some(head) = segments.get(first).filter(|segment| segment.base < clean_to) else {
            self.phase = Phase::Done;
            return Ok(());
        };
        let mut next = first;
        let mut bytes = 0;
        while let Some(segment) = segments.get(next).filter(|segment| segment.base < clean_to) {
            bytes += end_of(segment).position;
            if next > first && bytes > self.claim.segment_bytes {
                break;
            }
            next += 1;
        }
        let last = &segments[next - 1];
        let end = end_of(last).offset;
        self.claim.floor.raise(head.seq);
        let Some(seq) = last.seq.cleaned() else {
            return Err(StorageError::Misuse(
                "a segment was cleaned more often than can be counted",
            ));
        };
        let place = Place {
            seq,
            base: head.base,
            first_append_ms: head.first_append_ms().unwrap_or(NO_TIMESTAMP),
            replaces: head.seq,
            clean_to: clean_to.min(end),
            interval_bytes: self.claim.interval_bytes,
        };
        // One that is clean already is copied only if something more is to go.
        let is_clean = head.clean_to(&self.claim.shared.env)? >= place.clean_to;
        let output = if next - first == 1 && is_clean {
            None
        } else {
            Some(Output::begin(&self.claim.shared, place.clone())?)
        };
        let before = self.judge.tally.clone();
        let copying = Copying { first, next, index: first, source: None, place, output, before };
        self.phase = Phase::Copy(Box::new(copying));
        Ok(())
    }

    fn copy(&mut self, upto: u64) -> Result<()> {
        let Phase::Copy(copying) = &mut self.phase else { return Ok(()) };
        let shared = &self.claim.shared;
        if copying.index == copying.next {
            return self.end_copy();
        }
        let segment = &self.plan.segments[copying.index];
        let source = match &mut copying.source {
            Some(source) => source,
            none => none.insert(Source::open(
                shared,
                segment,
                &self.plan.epochs,
                segment.base_point(),
                end_of(segment),
            )?),
        };
        while self.stats.bytes_read + self.stats.bytes_written < upto {
            let Some((header, bytes)) = source.next_batch()? else {
                copying.index += 1;
                copying.source = None;
                return Ok(());
            };
            self.stats.bytes_read += u64::from(header.total_len);
            let batch = BatchRef::parse(bytes).map_err(|error| {
                damaged(segment, header.base_offset, header.next_offset(), error.to_string())
            })?;
            let verdict = self.judge.judge(&batch);
            let Some(output) = &mut copying.output else {
                let same = match verdict {
                    Verdict::Keep => true,
                    Verdict::Hole => header.is_filler(),
                    Verdict::Made => false,
                };
                if same {
                    continue;
                }
                // Something changes after all: from the beginning, this time writing.
                self.judge.tally = copying.before.clone();
                copying.output = Some(Output::begin(shared, copying.place.clone())?);
                copying.source = None;
                return Ok(());
            };
            let before = output.bytes_written();
            match verdict {
                Verdict::Keep => output.push(shared, &header, bytes)?,
                Verdict::Hole => output.push_hole(&header),
                Verdict::Made => {
                    let made = &self.judge.made;
                    let header = BatchHeader::parse(made).map_err(|error| {
                        damaged(
                            segment,
                            header.base_offset,
                            header.next_offset(),
                            error.to_string(),
                        )
                    })?;
                    output.push(shared, &header, made)?;
                }
            }
            self.stats.bytes_written += output.bytes_written() - before;
        }
        Ok(())
    }

    fn end_copy(&mut self) -> Result<()> {
        let Phase::Copy(copying) = &mut self.phase else { return Ok(()) };
        let (first, next) = (copying.first, copying.next);
        let Some(output) = copying.output.take() else {
            self.phase = Phase::Group { first: next };
            return Ok(());
        };
        let shared = &self.claim.shared;
        let place = copying.place.clone();
        let before = output.bytes_written();
        let finished = output.finish(shared).inspect_err(|_| discard(&self.claim, place.seq))?;
        let fresh = finished.segment(shared);
        self.stats.bytes_written += end_of(&fresh).position.saturating_sub(before);
        self.commit(&finished, place.seq)?;
        self.phase = Phase::Swap { fresh, first, next };
        Ok(())
    }

    fn commit(&mut self, finished: &Finished, seq: SegmentSeq) -> Result<()> {
        let CleanClaim { shared, slots, .. } = &self.claim;
        if !slots.look(|state| state.is_cleaned) {
            // An older version, which does not know the names of copies, must not open this log.
            slots.write_both(|state| state.is_cleaned = true)?;
        }
        self.doubtful = true;
        let committed = finished.commit(shared);
        if committed.is_err() && try_discard(&self.claim, seq).is_ok() {
            self.doubtful = false;
        }
        committed?;
        Ok(())
    }

    /// The copy that is ready, and its originals.
    pub(super) fn ready(&self) -> Option<(Arc<Segment>, Vec<Arc<Segment>>)> {
        match &self.phase {
            Phase::Swap { fresh, first, next } => {
                Some((fresh.clone(), self.plan.segments[*first..*next].to_vec()))
            }
            _ => None,
        }
    }

    /// It was swapped in.
    pub(super) fn swapped(&mut self) -> Swapped {
        let Phase::Swap { fresh, first, next } = &self.phase else { return Swapped::default() };
        let (first, next) = (*first, *next);
        let old = &self.plan.segments[first..next];
        let bytes_before = old.iter().map(|segment| end_of(segment).position).sum();
        let bytes_after = end_of(fresh).position;
        self.stats.bytes_before += bytes_before;
        self.stats.bytes_after += bytes_after;
        let tally = &mut self.judge.tally;
        self.stats.records_gone = tally.records_gone;
        self.stats.batches_unread = tally.batches_unread;
        let aborts_over = std::mem::take(&mut tally.aborts_over);
        let aborts_gone = std::mem::take(&mut tally.aborts_gone);
        self.doubtful = false;
        self.phase = Phase::Delete { first, next };
        Swapped { aborts_over, aborts_gone, bytes_before, bytes_after }
    }

    /// Deletes the originals; best effort, since what stays goes when the log is opened next. The one
    /// whose number the copy has goes first: while it is there it could be taken for the one that
    /// counts, should the copy's index be damaged.
    fn delete(&self, first: usize, next: usize) {
        let CleanClaim { shared, .. } = &self.claim;
        let old = &self.plan.segments[first..next];
        for segment in old {
            segment.close();
        }
        let Some((last, others)) = old.split_last() else { return };
        let outcome = remove(&self.claim, last.seq)
            .and_then(|()| shared.env.disk.sync_dir(&shared.dir).at("sync", &shared.dir))
            .and_then(|()| others.iter().try_for_each(|old| remove(&self.claim, old.seq)))
            .and_then(|()| shared.env.disk.sync_dir(&shared.dir).at("sync", &shared.dir));
        if let Err(error) = outcome {
            tracing::warn!(log = %shared.dir.display(), %error, "segments that were cleaned stay for now");
        }
    }

    /// Gives it up: what it had begun to write is deleted.
    pub fn abandon(&mut self) {
        if let Phase::Copy(copying) = &self.phase
            && !self.doubtful
        {
            discard(&self.claim, copying.place.seq);
        }
        if !matches!(self.phase, Phase::Swap { .. }) {
            self.phase = Phase::Done;
        }
    }
}

/// Takes in a batch's keys; gives the offset of the first record that the map has no room for.
fn take_keys(
    judge: &mut Judge,
    header: &BatchHeader,
    bytes: &[u8],
    from: Offset,
    limit: Offset,
    plain: &mut Vec<u8>,
) -> Option<Offset> {
    if header.attributes.is_control() || judge.survey.is_aborted(header) {
        return None;
    }
    let batch = BatchRef::parse(bytes).ok()?;
    // What cannot be read stays as it is, and replaces nothing.
    let records = batch.records_with(plain, judge.rules.batch_bytes).ok()?;
    if records.clone().any(|record| record.is_err()) {
        return None;
    }
    for record in records.flatten() {
        if record.offset < from || record.offset >= limit {
            continue;
        }
        let Some(key) = record.key else { continue };
        if judge.map.put(hash(judge.rules.hash_key, key), record.offset).is_err() {
            return Some(record.offset);
        }
    }
    None
}

fn remove(claim: &CleanClaim, seq: SegmentSeq) -> Result<()> {
    let CleanClaim { shared, .. } = claim;
    for path in [seq.idx_path(&shared.dir), seq.log_path(&shared.dir)] {
        match shared.env.disk.remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StorageError::io("delete", &path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn try_discard(claim: &CleanClaim, seq: SegmentSeq) -> Result<()> {
    remove(claim, seq)?;
    let shared = &claim.shared;
    shared.env.disk.sync_dir(&shared.dir).at("sync", &shared.dir)
}

/// Best effort: a copy that does not count is deleted when the log is opened next, or written over.
fn discard(claim: &CleanClaim, seq: SegmentSeq) {
    if let Err(error) = try_discard(claim, seq) {
        tracing::warn!(log = %claim.shared.dir.display(), %error, "an unfinished copy stays for now");
    }
}
