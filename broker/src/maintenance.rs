//! What becomes due as time passes: rolling, retention, looking for space.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use onrush_record::Offset;
use onrush_storage::StorageError;

use crate::Broker;
use crate::broker::Inner;
use crate::shared_log::SharedLog;

/// What is due and cannot be done is tried again after this.
const RETRY: Duration = Duration::from_secs(1);

impl Broker {
    /// Does everything that is due now, waiting for the disk; tells when something is due next.
    ///
    /// The broker's I/O loop calls it in time. A test that moves the clock calls it to know that all
    /// that became due has happened.
    pub fn tick(&self) -> Option<Duration> {
        self.inner.tick()
    }
}

impl Inner {
    pub(crate) fn tick(&self) -> Option<Duration> {
        let services = &self.services;
        if services.is_stopping() {
            return None;
        }
        let _turn = self.maintenance.lock();
        services.space.check();
        let now_ms = services.clock.now_ms();
        let groups_due_ms = self.coordinator.expire(now_ms).unwrap_or(i64::MAX);
        let transactions_due_ms = self.transactions.expire(now_ms).unwrap_or(i64::MAX);
        let shares_due_ms = self.sharing.expire(now_ms).unwrap_or(i64::MAX);
        let scan = now_ms >= self.logs_due_ms.load(Ordering::SeqCst);
        let mut due_ms = i64::MAX;
        if scan {
            for log in self.logs() {
                due_ms = due_ms.min(self.maintain(&log, now_ms));
            }
            let interval = millis(services.config.maintenance_interval);
            let latest = now_ms.saturating_add(interval);
            let earliest = now_ms.saturating_add(millis(RETRY));
            self.logs_due_ms.store(due_ms.min(latest).max(earliest), Ordering::SeqCst);
        } else {
            // What was written to may have become due without anybody having looked yet.
            let recent = services.sync.peek().into_iter().chain(services.io.peek_changed());
            for log in recent {
                due_ms = due_ms.min(self.maintain(&log, now_ms));
            }
            let earliest = now_ms.saturating_add(millis(RETRY));
            self.logs_due_ms.fetch_min(due_ms.max(earliest), Ordering::SeqCst);
        }
        let next = self.logs_due_ms.load(Ordering::SeqCst);
        let next = next.min(groups_due_ms).min(transactions_due_ms).min(shares_due_ms);
        // What is put off to the end of time never comes: at that time it would be due for ever.
        let wait = (next < i64::MAX)
            .then(|| Duration::from_millis(next.saturating_sub(now_ms).max(0).unsigned_abs()));
        let retry = services.space.is_full().then_some(RETRY);
        wait.into_iter().chain(retry).min()
    }

    /// Rolls and trims one log as it is due; tells when it is due next.
    fn maintain(&self, log: &Arc<SharedLog>, now_ms: i64) -> i64 {
        if log.is_deleted() || log.is_failed() {
            return i64::MAX;
        }
        let mut state = log.lock();
        if state.writer.roll_due(now_ms)
            && let Err(error) = state.writer.roll()
        {
            tracing::warn!(log = %log.name, %error, "cannot begin a new segment");
        }
        let trim = state.writer.retention_due(now_ms);
        drop(state);
        if let Some(before) = trim
            && let Err(error) = self::trim(log, before)
        {
            tracing::warn!(log = %log.name, %error, "cannot let go of old records");
        }
        log.lock().writer.next_due_ms().unwrap_or(i64::MAX)
    }
}

/// Lets go of the records before an offset: durably, then their files. Waits for the disk.
pub(crate) fn trim(log: &SharedLog, before: Offset) -> Result<(), StorageError> {
    let mut ticket = log.lock().writer.trim_to(before)?;
    ticket.persist()?;
    ticket.delete_files()
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
