//! One thread of the load generator: its connections, its tasks, its runtime.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use anyhow::{Context, Result};
use onrush_client::{Client, Consumer, Producer, Start};
use tokio::sync::watch;
use tokio::task::LocalSet;

use super::consume::Consuming;
use super::drain::Draining;
use super::pending::Pending;
use super::produce::Producing;
use super::recorder::{Recorder, Window};
use super::schedule::Schedule;
use super::shared::Shared;
use super::source::Source;
use crate::args::{From, Pacing, Rate, RunArgs};
use crate::target::Target;
use crate::time::Timeline;

/// What all threads of a run have in common.
#[derive(Clone)]
pub(super) struct Plan {
    pub(super) args: Arc<RunArgs>,
    pub(super) target: Target,
    pub(super) topic: Arc<str>,
    pub(super) partitions: u32,
    pub(super) timeline: Timeline,
    pub(super) shared: Arc<Shared>,
    pub(super) pacing: Pacing,
    /// When the run is to begin; unset until every thread is ready.
    pub(super) begin: watch::Receiver<Option<Window>>,
}

/// What a thread reports to the one that watches over the run.
pub(super) enum Report {
    /// Connected, subscribed, waiting for the start.
    Ready,
    /// Its producers and consumers have ended.
    Done(Box<Result<Recorder>>),
}

impl Plan {
    /// Runs thread `index` to its end.
    pub(super) fn work(self, index: usize, reports: &SyncSender<Report>) {
        let outcome = self.run(index, reports);
        // Nobody listens any more only if the run was given up.
        let _ = reports.send(Report::Done(Box::new(outcome)));
    }

    fn run(self, index: usize, reports: &SyncSender<Report>) -> Result<Recorder> {
        if let Some(core) = self.args.pin {
            onrush_sys::thread::pin_to_core(core + index)
                .with_context(|| format!("cannot pin a thread to core {}", core + index))?;
        }
        #[cfg(feature = "kafka")]
        if let Target::Kafka(address) = self.target.clone() {
            return super::kafka::work(self, &address, index, reports);
        }
        // Tasks that spin come round often: look at the sockets each time.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .event_interval(8)
            .build()
            .context("cannot start a tokio runtime")?;
        LocalSet::new().block_on(&runtime, self.run_tasks(index, reports))
    }

    async fn run_tasks(mut self, index: usize, reports: &SyncSender<Report>) -> Result<Recorder> {
        let threads = usize::from(self.args.threads);
        let client = self.target.connect().await?;
        let mut producers = Vec::new();
        for number in (index..self.args.producers).step_by(threads) {
            producers.push((number, self.producer(&client).await?));
        }
        let mut consumers = Vec::new();
        for number in (index..self.args.consumers).step_by(threads) {
            consumers.push(self.consumer(&client, number).await?);
        }
        let drain = self.drain(&client, index).await?;
        let _ = reports.send(Report::Ready);
        let begun = self.begin.wait_for(Option::is_some).await.context("the run was given up")?;
        let window = (*begun).context("the run has no begin")?;
        drop(begun);
        let recorder = Rc::new(RefCell::new(Recorder::new(window)));
        let mut tasks = tokio::task::JoinSet::new();
        for consumer in consumers {
            let consuming = Consuming {
                consumer,
                recorder: Rc::clone(&recorder),
                shared: Arc::clone(&self.shared),
                timeline: self.timeline,
                stamped: self.args.producers > 0,
            };
            tasks.spawn_local(consuming.run());
        }
        if let Some(consumer) = drain {
            let recorder = Rc::clone(&recorder);
            let (shared, timeline) = (Arc::clone(&self.shared), self.timeline);
            let limit = self.drain_limit(window);
            tasks.spawn_local(Draining { consumer, recorder, shared, timeline, limit }.run());
        }
        for (number, producer) in producers {
            let producing = self.producing(number, producer, &recorder);
            match self.args.rate {
                Rate::Max => tasks.spawn_local(producing.closed_loop()),
                Rate::PerSecond(rate) => {
                    let all = self.args.producers;
                    let schedule = Schedule::new(window.start_ns, rate, number, all);
                    tasks.spawn_local(producing.open_loop(schedule, self.pacing))
                }
            };
        }
        while let Some(ended) = tasks.join_next().await {
            ended.context("a task of the load generator failed")?;
        }
        Ok(Rc::unwrap_or_clone(recorder).into_inner())
    }

    fn producing(
        &self,
        number: usize,
        producer: Producer,
        recorder: &Rc<RefCell<Recorder>>,
    ) -> Producing {
        let args = &self.args;
        let id = u16::try_from(number % (1 << 16)).unwrap_or(0);
        Producing {
            producer,
            source: Source::new(&self.topic, args.keys, args.size, id),
            pending: Pending::default(),
            recorder: Rc::clone(recorder),
            shared: Arc::clone(&self.shared),
            timeline: self.timeline,
            limit: self.limit(number),
            in_flight: (args.in_flight > 0).then_some(args.in_flight),
        }
    }

    /// How many messages producer `number` sends at most.
    pub(super) fn limit(&self, number: usize) -> u64 {
        self.args.message_count.map_or(u64::MAX, |all| {
            let producers = self.args.producers as u64;
            all / producers + u64::from((number as u64) < all % producers)
        })
    }

    /// What bounds the consumer of the backlog.
    pub(super) fn drain_limit(&self, window: Window) -> Option<Schedule> {
        let rate = f64::from(self.args.drain_rate?);
        Some(Schedule::new(window.start_ns, rate, 0, 1))
    }

    async fn producer(&self, client: &Client) -> Result<Producer> {
        let mut builder = client.producer().acks(self.args.acks).linger(self.args.linger);
        builder = builder.compression(self.args.compression);
        if let Some(bytes) = self.args.batch {
            builder = builder.batch_bytes(bytes);
        }
        let producer = builder.build().await.context("cannot make a producer")?;
        producer.prepare(&self.topic).await.context("cannot produce to the topic")?;
        Ok(producer)
    }

    /// The consumer of the backlog, which the first thread has.
    async fn drain(&self, client: &Client, index: usize) -> Result<Option<Consumer>> {
        let Some(topic) = self.args.drain.as_deref().filter(|_| index == 0) else {
            return Ok(None);
        };
        let partitions = client.admin().describe_topic(topic).await?.partitions;
        let all: Vec<_> =
            (0..partitions).map(|partition| (topic, partition, Start::Earliest)).collect();
        let consumer = client.consumer().assign(&all).await;
        Ok(Some(consumer.with_context(|| format!("cannot drain the topic {topic}"))?))
    }

    async fn consumer(&self, client: &Client, number: usize) -> Result<Consumer> {
        let start = match self.args.from {
            From::Start => Start::Earliest,
            From::End => Start::Latest,
        };
        let builder = client.consumer().start(start);
        if let Some(group) = &self.args.group {
            let builder = builder.group(group);
            return builder.subscribe(&[&self.topic]).await.context("cannot join the group");
        }
        let own: Vec<(&str, u32, Start)> = (0..self.partitions)
            .filter(|partition| *partition as usize % self.args.consumers == number)
            .map(|partition| (&*self.topic, partition, start))
            .collect();
        builder.assign(&own).await.context("cannot consume")
    }
}
