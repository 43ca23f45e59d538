//! One consumer, or the one that catches up with a backlog beside the load.

use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};

use super::super::recorder::{Recorder, Window};
use super::super::schedule::Schedule;
use super::super::shared::Shared;
use super::{settings, topic};
use crate::args::{From, RunArgs};
use crate::payload::Stamp;
use crate::time::Timeline;

/// Messages taken before others have their turn.
const TURN: u64 = 512;

/// What a consumer's messages count as.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// The load, whose stamps tell when messages were due.
    Stamped,
    /// What was there already.
    Unstamped,
    /// A backlog beside the load.
    Backlog,
}

/// A consumer that has its partitions.
pub(super) struct Consuming {
    consumer: BaseConsumer,
    purpose: Purpose,
    recorder: Recorder,
    /// Messages that came before the run began.
    early: u64,
    /// When each of its messages may be taken; none: at once.
    limit: Option<Schedule>,
    taken: u64,
}

/// By itself librdkafka asks for nothing for a second once it has queued as much as it likes to, which is
/// then all that a measurement of its rate shows.
fn unpaused(settings: &mut ClientConfig) {
    settings.set("fetch.queue.backoff.ms", "10");
}

impl Consuming {
    /// One that reads those partitions of a topic.
    pub(super) fn of_partitions(
        address: &str,
        name: &str,
        partitions: impl Iterator<Item = u32>,
        from: From,
        purpose: Purpose,
    ) -> Result<Consuming> {
        let mut settings = settings(address);
        // librdkafka assigns nothing without a group's name; that group is never joined.
        settings.set("group.id", "onrush-loadgen").set("enable.auto.commit", "false");
        unpaused(&mut settings);
        let consumer: BaseConsumer = settings.create().context("cannot make a consumer")?;
        let mut assignment = TopicPartitionList::new();
        for partition in partitions {
            // Settled now, so that nothing produced later is missed.
            let (first, end) = topic::ends(&consumer, name, partition)?;
            let offset = if from == From::Start { first } else { end };
            let number = i32::try_from(partition).context("so many partitions")?;
            let added = assignment.add_partition_offset(name, number, Offset::Offset(offset));
            added.context("cannot assign a partition")?;
        }
        consumer.assign(&assignment).context("cannot assign partitions")?;
        Ok(Consuming::new(consumer, purpose))
    }

    /// A member of a group.
    pub(super) fn of_group(
        address: &str,
        name: &str,
        group: &str,
        args: &RunArgs,
        purpose: Purpose,
    ) -> Result<Consuming> {
        let reset = match args.from {
            From::Start => "earliest",
            From::End => "latest",
        };
        let mut settings = settings(address);
        settings.set("group.id", group).set("auto.offset.reset", reset);
        unpaused(&mut settings);
        let consumer: BaseConsumer = settings.create().context("cannot make a consumer")?;
        consumer.subscribe(&[name]).context("cannot join the group")?;
        Ok(Consuming::new(consumer, purpose))
    }

    fn new(consumer: BaseConsumer, purpose: Purpose) -> Consuming {
        // Until the run begins nothing counts.
        let never = Window { start_ns: 0, from_ns: u64::MAX, until_ns: u64::MAX };
        let recorder = Recorder::new(never);
        Consuming { consumer, purpose, recorder, early: 0, limit: None, taken: 0 }
    }

    /// One that takes no message before it may.
    pub(super) fn limited(self, limit: Option<Schedule>) -> Consuming {
        Consuming { limit, ..self }
    }

    pub(super) fn is_of_the_backlog(&self) -> bool {
        self.purpose == Purpose::Backlog
    }

    /// Waits a moment for the group to give it partitions; whether it has some.
    pub(super) fn is_ready(&mut self, moment: Duration) -> bool {
        let has_some = self.consumer.assignment().is_ok_and(|own| own.count() > 0);
        if !has_some && let Some(Ok(_)) = self.consumer.poll(moment) {
            self.early += 1;
        }
        has_some
    }

    /// The run begins.
    pub(super) fn begin(&mut self, window: Window, shared: &Shared) {
        self.recorder = Recorder::new(window);
        self.recorder.arrived(window.start_ns, self.early);
        shared.add_consumed(self.early);
    }

    /// Takes what has come; whether there was any.
    pub(super) fn turn(&mut self, timeline: Timeline, shared: &Shared) -> bool {
        let (mut count, mut bytes, mut now_ns) = (0, 0, timeline.now_ns());
        let may = self
            .limit
            .map_or(TURN, |limit| limit.due_by(now_ns).saturating_sub(self.taken).min(TURN));
        while count < may {
            let Some(polled) = self.consumer.poll(Duration::ZERO) else { break };
            now_ns = timeline.now_ns();
            let message = match polled {
                Ok(message) => message,
                Err(error) => {
                    self.recorder.failed(error, 1);
                    break;
                }
            };
            let value = message.payload().unwrap_or_default();
            count += 1;
            bytes += value.len() as u64;
            match self.purpose {
                Purpose::Stamped => {
                    if let Some(stamp) = Stamp::read(value) {
                        self.recorder.received(stamp.due_ns, now_ns);
                    }
                }
                // Something of each value is looked at, as any consumer would.
                Purpose::Unstamped | Purpose::Backlog => {
                    std::hint::black_box(value.first());
                }
            }
        }
        self.taken += count;
        if self.purpose == Purpose::Backlog {
            self.recorder.drained(now_ns, count, bytes);
        } else if count > 0 {
            self.recorder.arrived(now_ns, count);
            shared.add_consumed(count);
        }
        count > 0
    }

    /// What it saw.
    pub(super) fn into_recorder(self) -> Recorder {
        self.recorder
    }
}
