//! Appends that wait for their sync: which part of which request waits for which durable mark.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use onrush_broker::{DurableMark, Error, Partition, Settled, Signal};
use onrush_record::Offset;

use crate::turn::{PartitionKey, RequestKey};

/// One part of one request, written and waiting for its sync.
#[derive(Debug)]
pub struct Waiting {
    /// The request.
    pub request: RequestKey,
    /// Which part of it.
    pub part: u32,
    /// What has to be durable.
    pub mark: DurableMark,
    /// How long it may take.
    pub deadline: Duration,
}

/// How the waiting ended.
#[derive(Debug)]
pub enum Outcome {
    /// It is durable.
    Durable,
    /// Nobody can tell any more whether it is.
    Failed(Error),
    /// Time was up first.
    Late,
}

/// What waits for one partition, in the order of its offsets.
struct Lane {
    partition: Arc<Partition>,
    waiting: VecDeque<Waiting>,
    /// The offset for which the partition will wake us; asked for once.
    asked: Option<Offset>,
}

/// The appends of one connection that wait for their sync.
#[derive(Default)]
pub struct Lanes {
    lanes: BTreeMap<PartitionKey, Lane>,
    waiting: usize,
}

impl Lanes {
    /// Adds a part.
    pub fn wait(&mut self, waiting: Waiting, partition: &Arc<Partition>) {
        let name = (partition.topic_id(), partition.index());
        let lane = self.lanes.entry(name).or_insert_with(|| Lane {
            partition: Arc::clone(partition),
            waiting: VecDeque::new(),
            asked: None,
        });
        lane.waiting.push_back(waiting);
        self.waiting += 1;
    }

    /// Tells of whatever has become durable, failed, or run out of time; asks to be woken for the
    /// rest.
    pub fn progress(
        &mut self,
        now: impl Fn() -> Duration,
        signal: &Arc<Signal>,
        mut settled: impl FnMut(Waiting, Outcome),
    ) {
        if self.waiting == 0 {
            return;
        }
        let count = &mut self.waiting;
        self.lanes.retain(|_, lane| {
            lane.progress(&now, signal, |waiting, outcome| {
                *count -= 1;
                settled(waiting, outcome);
            });
            !lane.waiting.is_empty()
        });
    }

    /// When the first of them runs out of time.
    pub fn deadline(&self) -> Option<Duration> {
        self.lanes
            .values()
            .filter_map(|lane| lane.waiting.front())
            .map(|first| first.deadline)
            .min()
    }
}

impl Lane {
    fn progress(
        &mut self,
        now: &impl Fn() -> Duration,
        signal: &Arc<Signal>,
        mut settled: impl FnMut(Waiting, Outcome),
    ) {
        loop {
            let Some(first) = self.waiting.front() else { return };
            let outcome = match self.partition.settled(first.mark) {
                Settled::Durable => Outcome::Durable,
                Settled::Failed(error) => Outcome::Failed(error),
                Settled::Pending => {
                    if self.asked != Some(first.mark.upto) {
                        self.asked = Some(first.mark.upto);
                        self.partition.wake_on_durable(first.mark.upto, signal);
                        // It may have become durable before it knew that we ask.
                        continue;
                    }
                    if now() < first.deadline {
                        return;
                    }
                    Outcome::Late
                }
            };
            let Some(first) = self.waiting.pop_front() else { return };
            self.asked = None;
            settled(first, outcome);
        }
    }
}
