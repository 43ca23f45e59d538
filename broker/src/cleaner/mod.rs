//! Compaction in the background: which log is cleaned next, and how fast.
//!
//! One log is cleaned at a time, by the I/O loop, in small steps between its other work; the steps'
//! pace holds reading and writing below a rate. The broker's own journals are not cleaned: they have
//! snapshots.

mod reopened;
mod run;
mod settings;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use onrush_record::Offset;
use onrush_storage::{CleanLimits, Dirt, StorageError};
use onrush_sys::Random;
use parking_lot::Mutex;

use crate::Broker;
use crate::broker::Inner;
use crate::services::Services;
use crate::shared_log::SharedLog;

pub(crate) use reopened::forget_cleaned;
use run::Run;
pub use settings::CleanerSettings;

/// How often [`Broker::clean`] tries again where something is due and cannot be cleaned yet.
const TRIES: usize = 1000;
/// Longer than between a reader's read and its question which transactions in it were aborted.
const IN_FLIGHT: Duration = Duration::from_secs(10);
/// A log whose cleaning failed is left alone for so many times the interval.
const FAILED_INTERVALS: u32 = 20;

/// The cleaning under way, if there is one, and when to look for the next.
#[derive(Debug)]
pub(crate) struct Cleaner {
    state: Mutex<State>,
    /// Drawn at each start, so that nobody can foresee which keys share an entry of the map.
    hash_key: [u64; 2],
}

#[derive(Debug, Default)]
struct State {
    run: Option<Run>,
    /// By the monotonic clock: when to look for a log to clean, and when the next step may come.
    look_at: Duration,
    step_at: Duration,
    /// Aborted transactions of which nothing is left, and when to forget them: readers that were
    /// given originals a moment ago still have to be told of them.
    over: VecDeque<(Duration, Arc<SharedLog>, Vec<Offset>)>,
    /// Logs that could not be cleaned, and until when they are left alone.
    failed: HashMap<(onrush_record::TopicId, u32), Duration>,
}

/// A log that is to be cleaned.
struct Candidate {
    id: (onrush_record::TopicId, u32),
    log: Arc<SharedLog>,
    config: crate::TopicConfig,
    dirt: Dirt,
}

impl Cleaner {
    pub(crate) fn new(random: &dyn Random) -> Cleaner {
        let hash_key = [random.next_u64(), random.next_u64()];
        Cleaner { state: Mutex::default(), hash_key }
    }

    fn limits(&self, settings: &CleanerSettings) -> CleanLimits {
        CleanLimits {
            map_bytes: settings.map_bytes,
            batch_bytes: settings.batch_bytes_max,
            hash_key: self.hash_key,
        }
    }
}

impl Broker {
    /// Cleans every compacted partition that is due, to the end and at full speed; tells how many
    /// there were.
    ///
    /// The broker's I/O loop does it in time and at its pace. A test that moves the clock calls this
    /// to know that all that became due has happened.
    pub fn clean(&self) -> usize {
        self.inner.clean_all()
    }
}

impl Inner {
    /// A step of cleaning, if one is due; tells when the next is.
    pub(crate) fn clean_step(&self) -> Option<Duration> {
        let services = &self.services;
        let settings = &services.config.cleaner;
        if !settings.enabled {
            return None;
        }
        let mut state = self.cleaner.state.lock();
        let now = services.clock.monotonic();
        if services.is_stopping() {
            state.give_up();
            return None;
        }
        state.forget_over(&self.services, now);
        if state.run.is_none() {
            if now < state.look_at {
                return Some(state.look_at - now);
            }
            state.look_at = now.saturating_add(settings.interval);
            let (run, compacted) = self.next_run(&mut state, now);
            state.run = run;
            if state.run.is_none() {
                // Without compacted topics no timer is set: a topic that becomes one, or is written
                // to, makes the loop look again.
                return compacted.then_some(settings.interval);
            }
        }
        if now < state.step_at {
            return Some(state.step_at - now);
        }
        let moved = self.step_run(&mut state, now);
        let pause = settings.pause_after(moved);
        state.step_at = now.saturating_add(pause);
        Some(pause)
    }

    /// The log that is due and dirtiest, and whether there are compacted ones at all.
    fn next_run(&self, state: &mut State, now: Duration) -> (Option<Run>, bool) {
        let (mut candidates, compacted) = self.candidates(state, now);
        while let Some(best) = take_dirtiest(&mut candidates) {
            let limits = self.cleaner.limits(&self.services.config.cleaner);
            match Run::begin(&best.log, best.id, &best.config, &limits, &self.services) {
                Ok(Some(run)) => return (Some(run), true),
                Ok(None) => {}
                Err(error) => failed(&self.services, state, now, &best.log, best.id, &error),
            }
        }
        (None, compacted)
    }

    fn candidates(&self, state: &mut State, now: Duration) -> (Vec<Candidate>, bool) {
        state.failed.retain(|_, until| *until > now);
        let now_ms = self.services.clock.now_ms();
        let mut found = Vec::new();
        let mut dirtiest: f64 = 0.0;
        let mut compacted = false;
        for topic in self.catalog.topics() {
            let config = topic.config();
            if !config.cleanup.compacts {
                continue;
            }
            compacted = true;
            for partition in topic.partitions() {
                let (id, log) = ((topic.id(), partition.index()), partition.log());
                if state.failed.contains_key(&id) || log.is_deleted() || log.is_failed() {
                    continue;
                }
                match log.reader.dirt(&config.clean_policy(), run::stable(log), now_ms) {
                    Ok(dirt) => {
                        dirtiest = dirtiest.max(dirt.ratio());
                        if dirt.is_due {
                            let (log, config) = (Arc::clone(log), config.clone());
                            found.push(Candidate { id, log, config, dirt });
                        }
                    }
                    Err(error) => failed(&self.services, state, now, log, id, &error),
                }
            }
        }
        self.services.metrics.cleaner_dirty_ratio.set(dirtiest);
        (found, compacted)
    }

    /// Does a step of the run, which ends it or not; tells how many bytes that moved.
    fn step_run(&self, state: &mut State, now: Duration) -> u64 {
        let services = &self.services;
        let Some(run) = &mut state.run else { return 0 };
        match run.step(services.config.cleaner.step_bytes, services) {
            Ok((moved, false)) => moved,
            Ok((moved, true)) => {
                let stats = run.end(services);
                let over = run.take_over();
                if !over.is_empty() {
                    let at = now.saturating_add(IN_FLIGHT);
                    state.over.push_back((at, Arc::clone(run.log()), over));
                }
                // What the map could not hold is next; it may be another log's turn, though.
                if stats.is_partial {
                    state.look_at = now;
                }
                state.run = None;
                moved
            }
            Err(error) => {
                let (log, id) = (Arc::clone(run.log()), run.id());
                run.give_up();
                state.run = None;
                failed(services, state, now, &log, id, &error);
                0
            }
        }
    }

    fn clean_all(&self) -> usize {
        let mut count = 0;
        for _ in 0..TRIES {
            // What is rolled may be cleaned once its index is written, which a round of syncing under
            // way may hold up.
            self.checkpoint(usize::MAX);
            loop {
                match self.clean_one() {
                    None => return count,
                    Some(true) => count += 1,
                    Some(false) => break,
                }
            }
        }
        count
    }

    /// Cleans the log that is due and dirtiest, or what is under way, to the end; tells whether that
    /// came to anything. None if nothing is due.
    fn clean_one(&self) -> Option<bool> {
        let mut state = self.cleaner.state.lock();
        let now = self.services.clock.monotonic();
        let before = self.services.metrics.cleaner_runs.get();
        if state.run.is_none() {
            (state.run, _) = self.next_run(&mut state, now);
        }
        state.run.as_ref()?;
        while state.run.is_some() {
            if self.services.is_stopping() {
                state.give_up();
                return None;
            }
            self.step_run(&mut state, now);
        }
        Some(self.services.metrics.cleaner_runs.get() > before)
    }

    /// No cleaning is under way any more, nor begun from here on: the broker is stopping.
    pub(crate) fn stop_cleaning(&self) {
        self.cleaner.state.lock().give_up();
    }
}

impl State {
    fn forget_over(&mut self, services: &Services, now: Duration) {
        while self.over.front().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, log, markers)) = self.over.pop_front() else { return };
            log.lock().producers.forget_aborted(&markers);
            services.io.note_changed(&log);
        }
    }

    fn give_up(&mut self) {
        if let Some(mut run) = self.run.take() {
            run.give_up();
        }
    }
}

fn take_dirtiest(candidates: &mut Vec<Candidate>) -> Option<Candidate> {
    let ratios = candidates.iter().map(|candidate| candidate.dirt.ratio());
    let best = ratios.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b))?.0;
    Some(candidates.swap_remove(best))
}

fn failed(
    services: &Services,
    state: &mut State,
    now: Duration,
    log: &SharedLog,
    id: (onrush_record::TopicId, u32),
    error: &StorageError,
) {
    // What was deleted meanwhile has no files any more.
    if log.is_deleted() {
        return;
    }
    services.metrics.cleaner_failures.inc();
    tracing::error!(log = %log.name, %error, "cannot clean it; it is left alone for some time");
    let wait = services.config.cleaner.interval.saturating_mul(FAILED_INTERVALS);
    state.failed.insert(id, now.saturating_add(wait));
}
