//! Writes one producer's records, through whatever happens to the broker.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context, Result};
use onrush_client::{Delivery, Kind, NewRecord, Producer};

use super::ledger::Which;
use super::{Patience, Verify};
use crate::args::Rate;
use crate::payload::template;
use crate::run::Schedule;

/// How it went beside the records themselves.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    /// When the last acknowledgement came.
    last_ack_ns: u64,
    /// The longest time without an acknowledgement.
    pub(super) longest_silence_ns: u64,
    /// Producers that had to be made anew.
    pub(super) producers_renewed: u64,
    /// The last thing that went wrong.
    pub(super) last_error: Option<String>,
}

impl Written {
    fn acknowledged(&mut self, now_ns: u64) {
        if self.last_ack_ns > 0 {
            let silence_ns = now_ns.saturating_sub(self.last_ack_ns);
            self.longest_silence_ns = self.longest_silence_ns.max(silence_ns);
        }
        self.last_ack_ns = now_ns;
    }
}

/// How often it looks what is due and what was acknowledged.
const TURN: Duration = Duration::from_millis(2);
/// Records in one turn at most, as fast as it goes.
const TURN_MAX: u64 = 2_000;

/// Writes until the duration is over and every record is decided.
pub(super) async fn write(verify: Verify, producer: u16) -> Result<()> {
    let start_ns = verify.timeline.now_ns();
    let duration = u64::try_from(verify.args.duration.as_nanos()).unwrap_or(u64::MAX / 2);
    let until_ns = start_ns.saturating_add(duration);
    let schedule = match verify.args.rate {
        Rate::Max => None,
        Rate::PerSecond(rate) => {
            let (index, all) = (usize::from(producer), usize::from(verify.args.producers));
            Some(Schedule::new(start_ns, rate, index, all))
        }
    };
    let value = template(verify.args.size);
    let mut writer = Writer {
        producer: verify.producer().await?,
        id: producer,
        pending: VecDeque::new(),
        value,
        verify,
    };
    let mut sent = 0;
    loop {
        let now_ns = writer.verify.timeline.now_ns();
        if now_ns >= until_ns {
            return writer.finish().await;
        }
        let due = schedule.as_ref().map_or(sent + TURN_MAX, |schedule| schedule.due_by(now_ns));
        while sent < due {
            let partition = sent % u64::from(writer.verify.args.partitions);
            writer.send(u32::try_from(partition).unwrap_or(0), until_ns).await?;
            sent += 1;
        }
        writer.reap();
        tokio::time::sleep(TURN).await;
    }
}

struct Writer {
    verify: Verify,
    producer: Producer,
    id: u16,
    pending: VecDeque<(Which, Delivery)>,
    value: Vec<u8>,
}

impl Writer {
    async fn send(&mut self, partition: u32, until_ns: u64) -> Result<()> {
        let which = self.verify.ledger.borrow_mut().send(self.id, partition);
        self.verify.stamp(which).write(&mut self.value);
        // While the broker is away the buffer fills and sending waits: for as long as one writes.
        let left_ns = until_ns.saturating_sub(self.verify.timeline.now_ns());
        let patience = Duration::from_nanos(left_ns) + self.verify.args.patience;
        let record = NewRecord::to(&self.verify.topic).partition(partition).value(&self.value);
        match tokio::time::timeout(patience, self.producer.send(record)).await {
            Ok(Ok(delivery)) => self.pending.push_back((which, delivery)),
            Ok(Err(error)) => {
                if matches!(error.kind(), Kind::Refused | Kind::Retry) {
                    self.verify.ledger.borrow_mut().refused(which);
                }
                self.verify.written.borrow_mut().last_error = Some(error.to_string());
                self.renew().await?;
            }
            Err(_) => return Ok(()),
        }
        Ok(())
    }

    /// Takes what is decided. Whatever comes after a failure is decided too, in any order.
    fn reap(&mut self) {
        let mut now_ns = None;
        let verify = &self.verify;
        self.pending.retain(|(which, delivery)| {
            let Some(outcome) = delivery.try_outcome() else { return true };
            match outcome {
                Ok(_) => {
                    let now_ns = *now_ns.get_or_insert_with(|| verify.timeline.now_ns());
                    verify.written.borrow_mut().acknowledged(now_ns);
                    verify.ledger.borrow_mut().acknowledged(*which);
                }
                Err(error) => {
                    if matches!(error.kind(), Kind::Refused | Kind::Retry) {
                        verify.ledger.borrow_mut().refused(*which);
                    }
                    verify.written.borrow_mut().last_error = Some(error.to_string());
                }
            }
            false
        });
    }

    /// Goes on with a new producer: the old one can send no more.
    async fn renew(&mut self) -> Result<()> {
        self.reap();
        self.producer = self.verify.producer().await?;
        self.verify.written.borrow_mut().producers_renewed += 1;
        Ok(())
    }

    /// Waits until every record is decided, or patience is over; then the rest is unknown.
    async fn finish(mut self) -> Result<()> {
        let patience = Patience::new(&self.verify);
        self.reap();
        while !self.pending.is_empty() && !patience.is_over() {
            tokio::time::sleep(TURN).await;
            self.reap();
        }
        Ok(())
    }
}

impl Verify {
    async fn producer(&self) -> Result<Producer> {
        let mut patience = Patience::new(self);
        loop {
            let client = self.connect().await?;
            let timeout = self.args.duration + self.args.patience;
            let builder = client.producer().acks(self.args.acks).delivery_timeout(timeout);
            match builder.build().await {
                Ok(producer) => return Ok(producer),
                Err(error) => {
                    patience.pause(error.into()).await.context("cannot make a producer")?;
                }
            }
        }
    }
}
