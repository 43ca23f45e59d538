//! One cleaning of one log, a step at a time: which phase it is in, and what comes next.

mod files;
mod groups;
mod keys;
mod transactions;

use std::sync::Arc;

use self::files::discard;
use self::groups::Copying;
use super::judge::{Judge, Rules};
use super::map::OffsetMap;
use super::plan::{Plan, end_of};
use super::source::Source;
use super::survey::Survey;
use super::{CleanBounds, CleanClaim, CleanLimits, CleanPolicy, CleanStats, Swapped};
use crate::error::Result;
use crate::index::Point;
use crate::segment::Segment;

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
