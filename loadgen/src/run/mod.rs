//! `run`: produce and consume under load, and measure.
//!
//! One thread watches (this module): it makes the topic, starts the workers, opens and closes the
//! window that is measured, reads the meters at its ends, and shows progress. Each worker thread
//! has its own runtime and its share of producers and consumers; nothing is shared per message.

mod consume;
mod drain;
#[cfg(feature = "kafka")]
mod kafka;
mod outcome;
mod pending;
mod produce;
mod recorder;
mod schedule;
mod shared;
mod source;
pub(crate) mod topic;
mod watch;
mod worker;

pub use outcome::{Curves, Latency, Outcome, Second, grouped};

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use self::recorder::{Recorder, Window};
pub(crate) use self::schedule::Schedule;
use self::shared::Shared;
use self::topic::RunTopic;
use self::watch::Watch;
use self::worker::{Plan, Report};
use crate::args::{From, Pacing, RunArgs};
use crate::target::Target;
use crate::time::Timeline;

/// Runs the load and measures it.
pub fn run(args: &RunArgs) -> Result<Outcome> {
    if args.producers + args.consumers == 0 {
        bail!("nothing to do: give at least one of --producers and --consumers");
    }
    if args.producers == 0 && args.topic.is_none() {
        bail!("nothing to consume: without producers, name a topic that exists with --topic");
    }
    let target = Target::of(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a tokio runtime")?;
    let topic = runtime.block_on(RunTopic::prepare(&target, args))?;
    let outcome = load(args, &target, &topic);
    let removed = runtime.block_on(topic.remove(&target));
    let outcome = outcome?;
    removed?;
    Ok(outcome)
}

fn load(args: &RunArgs, target: &Target, topic: &RunTopic) -> Result<Outcome> {
    let shared = Arc::new(Shared::default());
    let timeline = Timeline::new();
    let (begin, begun) = tokio::sync::watch::channel(None);
    let plan = Plan {
        args: Arc::new(args.clone()),
        target: target.clone(),
        topic: topic.name.as_str().into(),
        partitions: topic.partitions,
        timeline,
        shared: Arc::clone(&shared),
        pacing: args.pacing.unwrap_or_else(|| default_pacing(args)),
        begin: begun,
    };
    let threads = usize::from(args.threads);
    let (reports, inbox) = sync_channel(2 * threads);
    let mut workers = Vec::with_capacity(threads);
    for index in 0..threads {
        let (plan, reports) = (plan.clone(), reports.clone());
        let body = move || plan.work(index, &reports);
        workers.push(onrush_sys::thread::spawn(&format!("loadgen-{index}"), body)?);
    }
    drop((plan, reports));
    for _ in 0..threads {
        match inbox.recv().context("a thread of the load generator ended early")? {
            Report::Ready => {}
            Report::Done(outcome) => {
                (*outcome)?;
                bail!("a thread of the load generator ended before the run began");
            }
        }
    }
    let window = window(args, timeline.now_ns());
    let watch = Watch::new(args, window, timeline, shared, target.meter(args.pid), topic.holds);
    begin.send(Some(window)).context("no thread of the load generator is left")?;
    let measured = watch.until_done(&inbox, threads)?;
    for worker in workers {
        let _ = worker.join();
    }
    Ok(Outcome::new(args, target, topic, measured))
}

/// The warm-up, then the duration; all of it for a counted run.
fn window(args: &RunArgs, now_ns: u64) -> Window {
    let nanos = |duration: Duration| u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX / 4);
    // A moment for every thread to wake up, so that none begins with a backlog.
    let start_ns = now_ns + 1_000_000;
    let counted = args.message_count.is_some() || is_drain(args);
    let from_ns = start_ns + if counted { 0 } else { nanos(args.warmup) };
    let duration = if args.message_count.is_some() { u64::MAX / 4 } else { nanos(args.duration) };
    Window { start_ns, from_ns, until_ns: from_ns + duration }
}

/// Whether this run only reads what is there already, and ends once it has.
fn is_drain(args: &RunArgs) -> bool {
    args.producers == 0 && args.from == From::Start
}

/// Spinning takes a core away: from nobody if the load generator was given one of its own.
fn default_pacing(args: &RunArgs) -> Pacing {
    let own_core = args.pin.is_some() || onrush_sys::thread::cores() >= 2;
    if own_core { Pacing::Spin } else { Pacing::Timer }
}

/// What the threads saw, and what it cost.
#[derive(Debug)]
struct Measured {
    recorder: Recorder,
    broker: Option<Cost>,
    client: Option<Cost>,
    /// Messages between the two readings of the meters: what CPU is divided by.
    messages: u64,
    /// From the window's begin to the last thing that happened in it.
    seconds: f64,
    totals: shared::Totals,
}

/// What a process spent over the window.
#[derive(Copy, Clone, Debug)]
struct Cost {
    cpu: Duration,
    rss_peak_bytes: Option<u64>,
}

type Inbox = Receiver<Report>;
