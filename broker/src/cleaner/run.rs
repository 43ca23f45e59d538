//! The cleaning of one log.

use std::sync::Arc;

use onrush_record::{Offset, TopicId};
use onrush_storage::{CleanBounds, CleanLimits, CleanStats, CleanStep, Cleaning, StorageError};

use crate::TopicConfig;
use crate::services::Services;
use crate::shared_log::SharedLog;

/// What lies below may be cleaned.
pub(super) fn stable(log: &SharedLog) -> Offset {
    log.last_stable()
}

/// One log being cleaned.
#[derive(Debug)]
pub(super) struct Run {
    log: Arc<SharedLog>,
    id: (TopicId, u32),
    cleaning: Cleaning,
    /// The markers of aborted transactions of which nothing is left.
    over: Vec<Offset>,
}

impl Run {
    /// Begins, unless the log takes no cleaning now.
    pub(super) fn begin(
        log: &Arc<SharedLog>,
        id: (TopicId, u32),
        config: &TopicConfig,
        limits: &CleanLimits,
        services: &Services,
    ) -> Result<Option<Run>, StorageError> {
        let mut state = log.lock();
        let Some(claim) = state.writer.begin_cleaning() else { return Ok(None) };
        let last_batches = state.producers.last_batches().collect();
        drop(state);
        let now_ms = services.clock.now_ms();
        let bounds = CleanBounds { stable: stable(log), last_batches, now_ms };
        let cleaning = Cleaning::plan(claim, &config.clean_policy(), limits, bounds)
            .inspect_err(|_| log.lock().writer.cancel_cleaning())?;
        tracing::debug!(log = %log.name, "cleaning begins");
        Ok(Some(Run { log: Arc::clone(log), id, cleaning, over: Vec::new() }))
    }

    pub(super) fn log(&self) -> &Arc<SharedLog> {
        &self.log
    }

    pub(super) fn id(&self) -> (TopicId, u32) {
        self.id
    }

    /// Goes on for about so many bytes; tells how many it was, and whether it is done.
    pub(super) fn step(
        &mut self,
        bytes: u64,
        services: &Services,
    ) -> Result<(u64, bool), StorageError> {
        if self.log.is_deleted() {
            return Err(StorageError::Misuse("its topic was deleted"));
        }
        let before = self.cleaning.bytes_moved();
        let step = self.cleaning.step(bytes)?;
        if step == CleanStep::Swap {
            let mut state = self.log.lock();
            let swapped = state.writer.swap_cleaned(&mut self.cleaning)?;
            state.producers.forget_aborted(&swapped.aborts_gone);
            drop(state);
            self.over.extend(swapped.aborts_over);
            // The table that its next checkpoint writes down says so, too.
            services.io.note_changed(&self.log);
        }
        Ok((self.cleaning.bytes_moved() - before, step == CleanStep::Done))
    }

    /// The markers of aborted transactions of which nothing was left, since it was asked last.
    pub(super) fn take_over(&mut self) -> Vec<Offset> {
        let mut over = std::mem::take(&mut self.over);
        over.sort_unstable();
        over
    }

    /// It is done.
    pub(super) fn end(&mut self, services: &Services) -> CleanStats {
        self.log.lock().writer.end_cleaning(&self.cleaning);
        let stats = self.cleaning.stats().clone();
        if stats.bytes_read == 0 {
            // Nothing was ready: an index was still being written.
            return stats;
        }
        let metrics = &services.metrics;
        metrics.cleaner_runs.inc();
        metrics.cleaner_bytes_read.inc_by(stats.bytes_read);
        metrics.cleaner_bytes_written.inc_by(stats.bytes_written);
        metrics.cleaner_bytes_freed.inc_by(stats.bytes_before.saturating_sub(stats.bytes_after));
        metrics.cleaner_records_removed.inc_by(stats.records_gone);
        tracing::info!(
            log = %self.log.name, before = stats.bytes_before, after = stats.bytes_after,
            records = stats.records_gone, clean_to = %stats.clean_to, "cleaned"
        );
        if stats.batches_unread > 0 {
            tracing::warn!(
                log = %self.log.name, batches = stats.batches_unread,
                "batches whose records cannot be read were left as they are"
            );
        }
        stats
    }

    /// Leaves the log as it is.
    pub(super) fn give_up(&mut self) {
        self.cleaning.abandon();
        self.log.lock().writer.end_cleaning(&self.cleaning);
    }
}
