//! Making what was written durable: one loop a broker, whose rounds take whatever has come since
//! the last one began.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use onrush_storage::FlushTicket;
use onrush_sys::File;
use parking_lot::{Mutex, MutexGuard};

use crate::io_queue::Job;
use crate::looping::{self, Next};
use crate::services::Services;
use crate::shared_log::SharedLog;

/// What a round works with; one round at a time.
#[derive(Debug, Default)]
pub(crate) struct Flusher {
    round: Mutex<Round>,
}

/// Kept between rounds so that a round in the steady state allocates nothing.
#[derive(Debug, Default)]
struct Round {
    dirty: Vec<Arc<SharedLog>>,
    files: Vec<Arc<dyn File>>,
    syncing: Vec<Syncing>,
}

struct Pause<'a>(MutexGuard<'a, Round>);

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        // What is kept between rounds is none of this one's.
        debug_assert!(self.0.syncing.is_empty());
    }
}

#[derive(Debug)]
struct Syncing {
    log: Arc<SharedLog>,
    ticket: FlushTicket,
    bytes: u64,
    files: usize,
}

impl Flusher {
    /// No round takes place while the returned guard lives.
    pub(crate) fn pause(&self) -> impl Drop + use<'_> {
        Pause(self.round.lock())
    }

    /// Syncs every log that was written to. True when there was something to do.
    pub(crate) fn flush(&self, services: &Services) -> bool {
        let mut round = self.round.lock();
        let round = &mut *round;
        services.sync.take(&mut round.dirty);
        for log in round.dirty.drain(..) {
            // Cleared before the flush begins: what is written from here on queues it again.
            log.dirty.store(false, Ordering::SeqCst);
            begin(services, log, &mut round.files, &mut round.syncing);
        }
        if round.syncing.is_empty() {
            return false;
        }
        let began = services.clock.monotonic();
        let mut results = services.storage.disk.sync_files(&round.files).into_iter();
        round.files.clear();
        let took = services.clock.monotonic().saturating_sub(began);
        services.metrics.sync_seconds.observe(took.as_secs_f64());
        for syncing in round.syncing.drain(..) {
            // A log is durable when all of its files are; its first error speaks for it.
            let results: Vec<_> = results.by_ref().take(syncing.files).collect();
            let result = results.into_iter().collect::<Result<Vec<()>, _>>().map(|_| ());
            complete(services, syncing, result);
        }
        true
    }
}

fn begin(
    services: &Services,
    log: Arc<SharedLog>,
    files: &mut Vec<Arc<dyn File>>,
    syncing: &mut Vec<Syncing>,
) {
    let mut state = log.lock();
    let bytes = std::mem::take(&mut state.unsynced);
    match state.writer.begin_flush() {
        Some(ticket) => {
            drop(state);
            files.extend(ticket.files.iter().cloned());
            let files = ticket.files.len();
            syncing.push(Syncing { log, ticket, bytes, files });
        }
        None => {
            drop(state);
            services.budget.synced(bytes);
        }
    }
}

fn complete(services: &Services, syncing: Syncing, result: std::io::Result<()>) {
    let Syncing { log, ticket, bytes, .. } = syncing;
    let mut state = log.lock();
    let outcome = state.writer.complete_flush(ticket, result);
    if let Ok(durable) = outcome
        && state.producers.settle(durable)
    {
        log.tell_unstable(&state.producers);
    }
    // Here rather than on the way of an append: a job to prepare comes up now and then only.
    let job = if outcome.is_ok() { state.writer.background() } else { None };
    drop(state);
    services.budget.synced(bytes);
    match outcome {
        Ok(_) => {
            log.fire();
            services.io.note_changed(&log);
        }
        Err(error) => {
            tracing::error!(log = %log.name, %error, "a sync failed: the log is poisoned");
            poisoned(services, &log);
        }
    }
    if let Some(job) = job {
        services.io.push(Job::Background(log, job));
    }
}

/// A sync of `log` has failed: who waits learns that the outcome is unknown, and the log is opened
/// anew.
pub(crate) fn poisoned(services: &Services, log: &Arc<SharedLog>) {
    if !log.is_failed() {
        services.metrics.sync_failures.inc();
        log.fail();
        services.io.push(Job::Reopen(Arc::clone(log)));
    }
}

/// The broker's sync loop.
///
/// While somebody waits for durability it syncs without a pause, and what is written during one
/// round goes together in the next. While nobody does it lets bytes or time add up first, so that
/// it costs next to nothing.
#[derive(Debug)]
pub struct SyncLoop {
    shared: Arc<crate::broker::Inner>,
    /// When the first of what waits was seen, by the monotonic clock.
    since: Option<Duration>,
}

impl SyncLoop {
    pub(crate) fn new(shared: Arc<crate::broker::Inner>) -> SyncLoop {
        SyncLoop { shared, since: None }
    }

    /// Runs on this thread until the broker has stopped.
    pub fn run_blocking(mut self) {
        let signal = Arc::clone(&self.shared.services.sync.signal);
        looping::run_blocking(&signal, || self.turn());
    }

    /// Runs as a task, for an embedded broker with one thread for everything, until the broker has
    /// stopped. Its rounds wait for the disk.
    pub async fn run_local(mut self) {
        let signal = Arc::clone(&self.shared.services.sync.signal);
        let clock = Arc::clone(&self.shared.services.clock);
        looping::run_local(&signal, &*clock, || self.turn()).await;
    }

    /// One round now, whether it is due or not; true when there was something to do.
    pub fn flush_once(&self) -> bool {
        self.shared.flush()
    }

    fn turn(&mut self) -> Next {
        let services = &self.shared.services;
        if services.is_closed() {
            return Next::End;
        }
        // Taken before looking: who says so has queued its log first.
        let urgent = services.sync.take_urgent();
        if services.sync.is_empty() {
            self.since = None;
            return Next::Wait(None);
        }
        if !urgent {
            let now = services.clock.monotonic();
            let since = *self.since.get_or_insert(now);
            let due = since.saturating_add(services.config.sync_interval);
            if now < due {
                return Next::Wait(Some(due - now));
            }
        }
        self.since = None;
        self.shared.flush();
        Next::Again
    }
}
