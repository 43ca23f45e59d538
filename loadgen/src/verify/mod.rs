//! `verify`: writes numbered records, reads all back, and holds the one against the other.
//!
//! Every producer writes to every partition and numbers its records for each apart. The broker may
//! be killed and restarted meanwhile, as often as one likes: what was acknowledged must be there
//! once and in order, what was refused must not be there, and what is unknown may be, once.

mod ledger;
mod outcome;
mod read_back;
mod write;

pub use ledger::{Findings, Ledger, Which};
pub use outcome::Outcome;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use onrush_client::Client;
use tokio::task::LocalSet;

use crate::args::VerifyArgs;
use crate::payload::Stamp;
use crate::run::topic;
use crate::target::Target;
use crate::time::Timeline;

/// Writes, reads back, and sums up.
pub fn verify(args: &VerifyArgs) -> Result<Outcome> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a tokio runtime")?;
    LocalSet::new().block_on(&runtime, Verify::new(args).run())
}

/// What the parts of a verification share.
#[derive(Clone, Debug)]
struct Verify {
    args: VerifyArgs,
    target: Target,
    topic: String,
    /// Tells this run's records from others'.
    run: u32,
    timeline: Timeline,
    ledger: Rc<RefCell<Ledger>>,
    written: Rc<RefCell<write::Written>>,
}

impl Verify {
    fn new(args: &VerifyArgs) -> Verify {
        let timeline = Timeline::new();
        Verify {
            args: args.clone(),
            target: Target::at(&args.target),
            topic: args.topic.clone().unwrap_or_else(|| topic::passing_name("loadgen-verify")),
            run: u32::try_from(timeline.now_ns() / 1_000 % (1 << 32)).unwrap_or(0),
            timeline,
            ledger: Rc::new(RefCell::new(Ledger::new(args.producers, args.partitions))),
            written: Rc::default(),
        }
    }

    async fn run(self) -> Result<Outcome> {
        self.prepare().await?;
        let started_ns = self.timeline.now_ns();
        let mut tasks = tokio::task::JoinSet::new();
        for producer in 0..self.args.producers {
            tasks.spawn_local(write::write(self.clone(), producer));
        }
        while let Some(ended) = tasks.join_next().await {
            ended.context("a writing task failed")??;
        }
        let seconds = self.timeline.now_ns().saturating_sub(started_ns) as f64 / 1e9;
        read_back::read_back(&self).await?;
        if self.args.topic.is_none() && !self.args.keep {
            self.remove().await?;
        }
        let findings = self.ledger.replace(Ledger::new(0, 0)).findings();
        Ok(Outcome::new(findings, &self.written.borrow(), seconds))
    }

    async fn prepare(&self) -> Result<()> {
        let mut last_try = Patience::new(self);
        loop {
            match self.try_prepare().await {
                Ok(()) => return Ok(()),
                Err(error) => last_try.pause(error).await?,
            }
        }
    }

    async fn try_prepare(&self) -> Result<()> {
        let admin = self.target.connect().await?.admin();
        if admin.topics(false).await?.iter().any(|topic| topic.name == self.topic) {
            return Ok(());
        }
        topic::create(&admin, &self.topic, self.args.partitions, &self.args.configs).await
    }

    async fn remove(&self) -> Result<()> {
        let mut last_try = Patience::new(self);
        loop {
            let removed = async {
                let admin = self.target.connect().await?.admin();
                admin.delete_topic(&self.topic).await?;
                anyhow::Ok(())
            };
            match removed.await {
                Ok(()) => return Ok(()),
                Err(error) => last_try.pause(error).await?,
            }
        }
    }

    async fn connect(&self) -> Result<Client> {
        let mut last_try = Patience::new(self);
        loop {
            match self.target.connect().await {
                Ok(client) => return Ok(client),
                Err(error) => last_try.pause(error).await?,
            }
        }
    }

    /// The stamp of a record: the place of the send time tells run and partition.
    fn stamp(&self, which: Which) -> Stamp {
        let due_ns = u64::from(self.run) << 32 | u64::from(which.partition);
        Stamp { due_ns, producer: which.producer, sequence: which.number }
    }

    /// Which record a value is, if it is one of this run in that partition.
    fn which(&self, value: &[u8], partition: u32) -> Option<Which> {
        let stamp = Stamp::read(value)?;
        let which = Which { producer: stamp.producer, partition, number: stamp.sequence };
        (value.len() == self.args.size && self.stamp(which) == stamp).then_some(which)
    }
}

/// How long to go on trying while the broker is away.
#[derive(Debug)]
struct Patience {
    timeline: Timeline,
    until_ns: u64,
    patience: Duration,
}

impl Patience {
    fn new(verify: &Verify) -> Patience {
        let mut patience =
            Patience { timeline: verify.timeline, until_ns: 0, patience: verify.args.patience };
        patience.renew();
        patience
    }

    /// Something went well: begin anew.
    fn renew(&mut self) {
        let patience = u64::try_from(self.patience.as_nanos()).unwrap_or(u64::MAX / 2);
        self.until_ns = self.timeline.now_ns().saturating_add(patience);
    }

    fn is_over(&self) -> bool {
        self.timeline.now_ns() >= self.until_ns
    }

    /// Waits a little before the next try, or gives up with that error. A broker that is away tells
    /// nobody when it is back: one can only ask again.
    async fn pause(&mut self, error: anyhow::Error) -> Result<()> {
        if self.is_over() {
            return Err(error.context(format!("gave up after {:?}", self.patience)));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(())
    }
}
