//! How dirty a log is, and whether that is enough.

use onrush_record::{Offset, TimestampMs};

use super::CleanPolicy;
use super::plan::{Plan, end_of};
use crate::error::Result;
use crate::reader::LogReader;

/// How much of a log is dirty.
#[derive(Copy, Clone, Debug, Default, PartialEq)]
pub struct Dirt {
    /// Bytes in which no key has a newer record.
    pub clean_bytes: u64,
    /// Bytes behind them that may be cleaned now.
    pub dirty_bytes: u64,
    /// Cleaning is due.
    pub is_due: bool,
    /// Age alone will make it due then, if nothing else does.
    pub due_ms: Option<TimestampMs>,
}

impl Dirt {
    /// The dirty part of the whole.
    #[expect(clippy::cast_precision_loss, reason = "a ratio to compare a setting with")]
    pub fn ratio(&self) -> f64 {
        let all = self.clean_bytes + self.dirty_bytes;
        if all == 0 { 0.0 } else { self.dirty_bytes as f64 / all as f64 }
    }
}

impl LogReader {
    /// How dirty the log is below `stable`. May wait for the disk: heads of index files are read.
    ///
    /// # Errors
    /// If the disk fails.
    pub fn dirt(&self, policy: &CleanPolicy, stable: Offset, now_ms: TimestampMs) -> Result<Dirt> {
        self.retrying(|| {
            let plan = Plan::of(&self.shared, policy, stable, None, now_ms)?;
            let mut dirt = Dirt::default();
            let mut oldest = None;
            for segment in &plan.segments {
                let end = end_of(segment);
                let span = end.offset.since(segment.base).max(1);
                let dirty = plan.limit.min(end.offset).since(plan.dirty_from.max(segment.base));
                let dirty = u128::from(end.position) * u128::from(dirty) / u128::from(span);
                let dirty = u64::try_from(dirty).unwrap_or(end.position).min(end.position);
                dirt.dirty_bytes += dirty;
                dirt.clean_bytes += end.position - dirty;
                if dirty > 0 && oldest.is_none() {
                    oldest = segment.first_append_ms();
                }
            }
            let lag = policy.max_lag_ms.map(|lag| i64::try_from(lag).unwrap_or(i64::MAX));
            dirt.due_ms = oldest.zip(lag).map(|(oldest, lag)| oldest.saturating_add(lag));
            dirt.is_due = dirt.dirty_bytes > 0
                && (dirt.ratio() > policy.min_dirty_ratio
                    || dirt.due_ms.is_some_and(|due| due <= now_ms));
            Ok(dirt)
        })
    }
}
