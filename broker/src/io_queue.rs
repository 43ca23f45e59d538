//! Work that waits for the disk and that nobody may wait for on a shard.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::channel::oneshot;
use onrush_storage::{BackgroundJob, Slice};
use parking_lot::{Condvar, Mutex};

use crate::shared_log::SharedLog;
use crate::{Error, Result, Signal};

/// Calls and cold reads that may wait at once. The broker's own jobs are not counted: there is at
/// most one of each kind for each log and topic.
const WAITING_MAX: usize = 4096;

/// One piece of work for the I/O loop.
pub(crate) enum Job {
    /// What a log prepares ahead, as its next segment.
    Background(Arc<SharedLog>, BackgroundJob),
    /// Opens a log anew whose sync has failed.
    Reopen(Arc<SharedLog>),
    /// Brings a range into the page cache.
    Warm { slice: Slice, warming: Warming, signal: Arc<Signal> },
    /// Anything else.
    Call(Box<dyn FnOnce() + Send>),
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Job::Background(..) => "Background",
            Job::Reopen(_) => "Reopen",
            Job::Warm { .. } => "Warm",
            Job::Call(_) => "Call",
        })
    }
}

/// A cold range on its way into the page cache.
#[derive(Clone, Debug, Default)]
pub struct Warming(Arc<AtomicBool>);

impl Warming {
    /// Is it over? Even when reading failed, which sending it will show.
    pub fn is_done(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn finish(&self, signal: &Signal) {
        self.0.store(true, Ordering::Release);
        signal.notify();
    }
}

/// What a log prepares ahead is being run. It ends with this, also by a panic.
#[derive(Debug)]
pub(crate) struct Preparing<'a>(&'a IoQueue);

impl Drop for Preparing<'_> {
    fn drop(&mut self) {
        self.0.jobs.lock().preparing = false;
        self.0.prepared.notify_all();
    }
}

/// The jobs, and whether what a log prepares ahead is being run by the loop.
#[derive(Debug, Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    preparing: bool,
}

/// What waits for the I/O loop.
#[derive(Debug)]
pub(crate) struct IoQueue {
    jobs: Mutex<Jobs>,
    /// Told when what a log prepares ahead has been run.
    prepared: Condvar,
    /// Logs that have changed since their last checkpoint; each once.
    changed: Mutex<Vec<Arc<SharedLog>>>,
    pub(crate) signal: Arc<Signal>,
}

impl Default for IoQueue {
    fn default() -> IoQueue {
        IoQueue {
            jobs: Mutex::default(),
            prepared: Condvar::new(),
            changed: Mutex::new(Vec::new()),
            signal: Signal::new(),
        }
    }
}

impl IoQueue {
    /// Adds one of the broker's own jobs.
    pub(crate) fn push(&self, job: Job) {
        self.jobs.lock().waiting.push_back(job);
        self.signal.notify();
    }

    /// The next job, for the loop, which runs one of [`Job::Background`] under
    /// [`IoQueue::preparing`].
    pub(crate) fn pop(&self) -> Option<Job> {
        let mut jobs = self.jobs.lock();
        let job = jobs.waiting.pop_front();
        jobs.preparing |= matches!(job, Some(Job::Background(..)));
        job
    }

    /// To be held while a job of [`Job::Background`] that was popped is run.
    pub(crate) fn preparing(&self) -> Preparing<'_> {
        Preparing(self)
    }

    /// Takes what logs are to prepare ahead, after waiting for what the loop is running of it: for a
    /// stop, which closes the files that all this changes.
    pub(crate) fn take_background(&self) -> Vec<(Arc<SharedLog>, BackgroundJob)> {
        let mut jobs = self.jobs.lock();
        while jobs.preparing {
            self.prepared.wait(&mut jobs);
        }
        let mut taken = Vec::new();
        for job in std::mem::take(&mut jobs.waiting) {
            match job {
                Job::Background(log, job) => taken.push((log, job)),
                other => jobs.waiting.push_back(other),
            }
        }
        taken
    }

    /// Adds a job that a caller waits for; gives it back when too many wait already.
    fn offer(&self, job: Job) -> Result<(), Job> {
        let mut jobs = self.jobs.lock();
        if jobs.waiting.len() >= WAITING_MAX {
            return Err(job);
        }
        jobs.waiting.push_back(job);
        drop(jobs);
        self.signal.notify();
        Ok(())
    }

    /// Runs `work` on the I/O loop. It runs to its end even if the caller goes away.
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, receiver) = oneshot::channel();
        let job = Job::Call(Box::new(move || {
            // The caller may have gone: then nobody cares for the result.
            let _ = sender.send(work());
        }));
        if self.offer(job).is_err() {
            return Err(Error::Overloaded { what: "the I/O thread" });
        }
        receiver.await.unwrap_or(Err(Error::ShuttingDown))
    }

    /// Brings a slice into the page cache; None when too many wait already.
    pub(crate) fn warm(&self, slice: Slice, signal: &Arc<Signal>) -> Option<Warming> {
        let warming = Warming::default();
        let job = Job::Warm { slice, warming: warming.clone(), signal: Arc::clone(signal) };
        self.offer(job).is_ok().then_some(warming)
    }

    /// Notes that a log has something to checkpoint.
    pub(crate) fn note_changed(&self, log: &Arc<SharedLog>) {
        if !log.changed.swap(true, Ordering::SeqCst) {
            let mut changed = self.changed.lock();
            changed.push(Arc::clone(log));
            let first = changed.len() == 1;
            drop(changed);
            if first {
                // The loop has to learn of it once, to start its timer.
                self.signal.notify();
            }
        }
    }

    pub(crate) fn count_changed(&self) -> usize {
        self.changed.lock().len()
    }

    /// Takes at most so many, those first that were noted first.
    pub(crate) fn take_changed(&self, max: usize) -> Vec<Arc<SharedLog>> {
        let changed: Vec<_> = {
            let mut all = self.changed.lock();
            let count = all.len().min(max);
            all.drain(..count).collect()
        };
        for log in &changed {
            log.changed.store(false, Ordering::SeqCst);
        }
        changed
    }

    pub(crate) fn peek_changed(&self) -> Vec<Arc<SharedLog>> {
        self.changed.lock().clone()
    }

    /// Drops what waits: those who wait for it learn that the broker is shutting down.
    pub(crate) fn clear(&self) {
        let jobs = std::mem::take(&mut self.jobs.lock().waiting);
        for job in jobs {
            if let Job::Warm { warming, signal, .. } = job {
                warming.finish(&signal);
            }
        }
        self.changed.lock().clear();
    }
}
