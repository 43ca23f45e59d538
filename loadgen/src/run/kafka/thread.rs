//! One thread: its producers and consumers, and what it does in turn.

use std::sync::mpsc::SyncSender;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::executor::block_on;

use super::super::recorder::Recorder;
use super::super::schedule::Schedule;
use super::super::source::Source;
use super::super::worker::{Plan, Report};
use super::consumer::{Consuming, Purpose};
use super::producer::{Deliveries, Producing, connect};
use super::topic;
use crate::args::{From, Pacing, Rate};

/// What a thread without anything to do rests. All its clients wait meanwhile, and what is measured
/// comes out later by as much: so it is far below what is worth measuring here.
const REST: Duration = Duration::from_micros(50);
/// What a member of a group waits for partitions before the others have their turn.
const JOIN_PATIENCE: Duration = Duration::from_millis(10);
/// Rounds in which members of a group wait for partitions; there may be more members than those.
const JOIN_ROUNDS: u32 = 500;

/// Runs thread `index` to its end.
pub(in super::super) fn work(
    mut plan: Plan,
    address: &str,
    index: usize,
    reports: &SyncSender<Report>,
) -> Result<Recorder> {
    let threads = usize::from(plan.args.threads);
    let mut clients = Vec::new();
    for number in (index..plan.args.producers).step_by(threads) {
        let deliveries = Deliveries::new(plan.timeline, &plan.shared);
        clients.push((number, connect(address, &plan.args, deliveries)?));
    }
    let consumers = consumers(&plan, address, index)?;
    let _ = reports.send(Report::Ready);
    let begun = block_on(plan.begin.wait_for(Option::is_some)).context("the run was given up")?;
    let window = (*begun).context("the run has no begin")?;
    drop(begun);

    let all = plan.args.producers;
    let mut producers = Vec::new();
    for (number, client) in clients {
        let id = u16::try_from(number % (1 << 16)).unwrap_or(0);
        let source = Source::new(&plan.topic, plan.args.keys, plan.args.size, id);
        let schedule = match plan.args.rate {
            Rate::Max => None,
            Rate::PerSecond(rate) => Some(Schedule::new(window.start_ns, rate, number, all)),
        };
        let in_flight = (plan.args.in_flight > 0).then_some(plan.args.in_flight as u64);
        let limit = plan.limit(number);
        producers.push(Producing::new(client, source, window, schedule, limit, in_flight));
    }
    let limit = plan.drain_limit(window);
    let limited = |one: Consuming| if one.is_of_the_backlog() { one.limited(limit) } else { one };
    let mut consumers: Vec<Consuming> = consumers.into_iter().map(limited).collect();
    for consumer in &mut consumers {
        consumer.begin(window, &plan.shared);
    }
    go_round(&plan, &mut producers, &mut consumers);

    let mut recorder = Recorder::new(window);
    for producer in producers {
        if let Some(own) = producer.into_recorder() {
            recorder.merge(&own);
        }
    }
    for consumer in consumers {
        recorder.merge(&consumer.into_recorder());
    }
    Ok(recorder)
}

/// Gives each its turn until producers are done and, if there are consumers, the run is over.
fn go_round(plan: &Plan, producers: &mut [Producing], consumers: &mut [Consuming]) {
    loop {
        let mut busy = false;
        for producer in &mut *producers {
            busy |= producer.turn(plan.timeline.now_ns());
        }
        for consumer in &mut *consumers {
            busy |= consumer.turn(plan.timeline, &plan.shared);
        }
        let sent = producers.iter().all(Producing::is_done);
        if sent && (consumers.is_empty() || plan.shared.is_stopped()) {
            return;
        }
        if busy {
            continue;
        }
        // The client's own threads may have to share a core with this one. To wait for what comes
        // to one client would keep the others waiting for up to a millisecond, which is the least
        // that librdkafka waits.
        match plan.pacing {
            Pacing::Spin if !producers.is_empty() => std::thread::yield_now(),
            Pacing::Spin | Pacing::Timer => std::thread::park_timeout(REST),
        }
    }
}

/// The thread's consumers; the first thread has that of the backlog.
fn consumers(plan: &Plan, address: &str, index: usize) -> Result<Vec<Consuming>> {
    let args = &plan.args;
    let purpose = if args.producers > 0 { Purpose::Stamped } else { Purpose::Unstamped };
    let mut consumers = Vec::new();
    for number in (index..args.consumers).step_by(usize::from(args.threads)) {
        consumers.push(match &args.group {
            Some(group) => Consuming::of_group(address, &plan.topic, group, args, purpose)?,
            None => {
                let own = (0..plan.partitions)
                    .filter(|partition| *partition as usize % args.consumers == number);
                Consuming::of_partitions(address, &plan.topic, own, args.from, purpose)?
            }
        });
    }
    if args.group.is_some() {
        for _ in 0..JOIN_ROUNDS {
            let ready = consumers.iter_mut().map(|one| one.is_ready(JOIN_PATIENCE));
            if ready.filter(|ready| !ready).count() == 0 {
                break;
            }
        }
    }
    if let Some(name) = args.drain.as_deref().filter(|_| index == 0) {
        let partitions = 0..topic::count(address, name)?;
        let start = From::Start;
        let drain = Consuming::of_partitions(address, name, partitions, start, Purpose::Backlog);
        consumers.push(drain.with_context(|| format!("cannot drain the topic {name}"))?);
    }
    Ok(consumers)
}
