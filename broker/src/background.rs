//! The broker's own work that waits for the disk: what logs prepare ahead, cold reads, creating and
//! deleting, checkpoints, retention, compaction.

use std::sync::Arc;
use std::time::Duration;

use onrush_storage::BackgroundJob;

use crate::broker::Inner;
use crate::flush::SyncLoop;
use crate::io_queue::Job;
use crate::looping::{self, Next};
use crate::shared_log::SharedLog;
use crate::{Error, checkpoint};

/// So many logs, at most, are checkpointed together when an interval is over.
const CHECKPOINTS_AT_ONCE: usize = 32;
/// Where more have changed, they are spread over the parts of an interval: all at once they would
/// hold up a round of syncing producers' writes. The first part passes before any is written.
const PARTS: u32 = 8;
const PARTS_WRITTEN: usize = PARTS as usize - 1;

/// The broker's own work, to be run beside it: by two threads in a server, or by the one thread of
/// an embedded broker. Without it nothing becomes durable.
#[derive(Debug)]
pub struct Background {
    shared: Arc<Inner>,
}

impl Background {
    pub(crate) fn new(shared: Arc<Inner>) -> Background {
        Background { shared }
    }

    /// The two loops.
    pub fn split(self) -> (SyncLoop, IoLoop) {
        let io = IoLoop {
            shared: Arc::clone(&self.shared),
            checkpoint_due: None,
            checkpoint_share: 0,
            changed_since: None,
            tick_due: None,
        };
        (SyncLoop::new(self.shared), io)
    }
}

/// The loop for all that waits for the disk, but for syncing producers' writes.
#[derive(Debug)]
pub struct IoLoop {
    shared: Arc<Inner>,
    /// When to look at the logs that have changed, by the monotonic clock.
    checkpoint_due: Option<Duration>,
    /// How many of them in each of the parts of an interval, once they are being spread.
    checkpoint_share: usize,
    /// Since when some wait, while they are few.
    changed_since: Option<Duration>,
    tick_due: Option<Duration>,
}

impl IoLoop {
    /// A part of a checkpoint interval is over, and so many logs have changed. Each is written
    /// within about an interval of its change.
    fn checkpoint_part(&mut self, changed: usize, now: Duration) {
        let interval = self.shared.services.config.checkpoint_interval;
        let young = self.changed_since.is_some_and(|since| now < since.saturating_add(interval));
        if young && changed <= CHECKPOINTS_AT_ONCE && self.checkpoint_share == 0 {
            return;
        }
        let share = changed.div_ceil(PARTS_WRITTEN).max(CHECKPOINTS_AT_ONCE);
        self.checkpoint_share = self.checkpoint_share.max(share);
        self.shared.checkpoint(self.checkpoint_share);
        if changed <= self.checkpoint_share {
            self.checkpoints_done();
        }
    }

    fn checkpoints_done(&mut self) {
        (self.checkpoint_due, self.checkpoint_share, self.changed_since) = (None, 0, None);
    }

    /// Runs on this thread until the broker has stopped.
    pub fn run_blocking(mut self) {
        let signal = Arc::clone(&self.shared.services.io.signal);
        looping::run_blocking(&signal, || self.turn());
        self.shared.services.io.clear();
    }

    /// Runs as a task until the broker has stopped. Its turns wait for the disk.
    pub async fn run_local(mut self) {
        let signal = Arc::clone(&self.shared.services.io.signal);
        let clock = Arc::clone(&self.shared.services.clock);
        looping::run_local(&signal, &*clock, || self.turn()).await;
        self.shared.services.io.clear();
    }

    fn turn(&mut self) -> Next {
        let shared = Arc::clone(&self.shared);
        let services = &shared.services;
        if services.is_closed() {
            return Next::End;
        }
        if let Some(job) = services.io.pop() {
            self.shared.run(job);
            return Next::Again;
        }
        let now = services.clock.monotonic();
        let changed = services.io.count_changed();
        if changed > 0 {
            let part = services.config.checkpoint_interval / PARTS;
            self.changed_since.get_or_insert(now);
            let due = *self.checkpoint_due.get_or_insert(now.saturating_add(part));
            if now >= due {
                self.checkpoint_due = Some(now.saturating_add(part));
                self.checkpoint_part(changed, now);
            }
        } else {
            // Those that waited may have been deleted meanwhile.
            self.checkpoints_done();
        }
        if self.tick_due.is_none_or(|due| now >= due) || services.take_tick_wanted() {
            let wait = self.shared.tick();
            self.tick_due = wait.map(|wait| now.saturating_add(wait));
        }
        // Last, since nobody waits for it.
        let clean_due = shared.clean_step().map(|wait| now.saturating_add(wait));
        let due = [self.checkpoint_due, self.tick_due, clean_due].into_iter().flatten().min();
        Next::Wait(due.map(|due| due.saturating_sub(now)))
    }
}

impl Inner {
    /// Runs one job.
    pub(crate) fn run(&self, job: Job) {
        match job {
            Job::Background(log, job) => {
                let _preparing = self.services.io.preparing();
                let next = self.run_background(&log, job);
                if let Some(next) = next {
                    self.services.io.push(Job::Background(log, next));
                }
            }
            Job::Reopen(log) => self.reopen(&log),
            Job::Warm { slice, warming, signal } => {
                if let Err(error) = slice.warm() {
                    tracing::warn!(%error, "cannot read a cold range ahead");
                }
                warming.finish(&signal);
            }
            Job::Call(work) => work(),
        }
    }

    /// Runs what a log prepares ahead; gives what else there is.
    fn run_background(&self, log: &SharedLog, job: BackgroundJob) -> Option<BackgroundJob> {
        if log.is_deleted() {
            return None;
        }
        let done = job.run();
        let mut state = log.lock();
        if let Err(error) = state.writer.complete_background(done) {
            // An append that needs what failed here meets the same, and answers for it.
            tracing::warn!(log = %log.name, %error, "cannot prepare ahead");
        }
        state.writer.background()
    }

    /// Runs what logs have begun to prepare ahead, so that nothing goes on in their files.
    pub(crate) fn finish_background(&self) {
        for (log, job) in self.services.io.take_background() {
            let mut job = Some(job);
            while let Some(now) = job {
                job = self.run_background(&log, now);
            }
        }
    }

    /// Opens a log anew after a failed sync: what is sound goes on in a fresh segment.
    fn reopen(&self, log: &Arc<SharedLog>) {
        if log.is_deleted() {
            return;
        }
        // No round of syncing may be under way on it.
        let _quiet = self.flusher.pause();
        let mut state = log.lock();
        let before = state.writer.written_end();
        match state.writer.reopen_after_failure() {
            Ok(_) if state.writer.written_end() == before => {
                log.revive();
                drop(state);
                tracing::warn!(log = %log.name, "opened anew after a failed sync; nothing was lost");
                log.wake_all();
            }
            Ok(_) => {
                let end = state.writer.written_end();
                // What was known of producers counts on records that are gone.
                state.producers.forget_from(end);
                log.tell_unstable(&state.producers);
                log.revive();
                drop(state);
                tracing::error!(
                    log = %log.name, from = %end, to = %before,
                    "opened anew after a failed sync; records that nobody has seen were lost"
                );
                log.wake_all();
                self.lost(log);
            }
            Err(error) => {
                drop(state);
                let error = Error::storage(&log.name, error);
                tracing::error!(log = %log.name, %error, "offline after a failed sync");
                log.fail();
            }
        }
    }

    /// Writes checkpoints for logs that have changed, those first that wait longest.
    pub(crate) fn checkpoint(&self, max: usize) {
        let _turn = self.maintenance.lock();
        let changed = self.services.io.take_changed(max);
        checkpoint::run(self, &changed);
        self.snapshot_journals();
    }
}
