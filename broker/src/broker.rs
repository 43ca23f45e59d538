//! The broker as a whole: opening it, stopping it, and what its parts share.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use onrush_record::{LeaderEpoch, ProducerEpoch, ProducerId, TopicId};
use onrush_storage::{OpenFiles, Slice};
use onrush_sys::{Clock, Disk, Random};
use parking_lot::Mutex;

use crate::background::Background;
use crate::budget::Budget;
use crate::catalog::{Catalog, Change, Opened};
use crate::cleaner::Cleaner;
use crate::coordinator::Coordinator;
use crate::directory::DataDirectory;
use crate::flush::Flusher;
use crate::io_queue::Warming;
use crate::metrics::Metrics;
use crate::producer_ids::ProducerIds;
use crate::services::Services;
use crate::shared_log::SharedLog;
use crate::sharing::Sharing;
use crate::transaction::TransactionCoordinator;
use crate::{BrokerConfig, Error, Partition, Result, Signal, Topic};

/// What a broker is given to work with.
#[derive(Clone)]
pub struct Env {
    /// Its data directory is the root.
    pub disk: Arc<dyn Disk>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where ids come from.
    pub random: Arc<dyn Random>,
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").field("disk", &self.disk).finish_non_exhaustive()
    }
}

/// What opening a broker found and how long it took.
#[derive(Clone, Debug)]
pub struct OpenReport {
    /// The data directory was set up just now.
    pub fresh: bool,
    /// The last stop was clean.
    pub clean: bool,
    /// The epoch that new records carry.
    pub epoch: LeaderEpoch,
    /// How many topics there are.
    pub topics: usize,
    /// How many partitions there are.
    pub partitions: usize,
    /// Bytes of data that recovery had to read.
    pub bytes_scanned: u64,
    /// What an operator should know, in words: damage, cut tails, partitions that do not open.
    pub findings: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

/// The identity of a cluster, by which clients tell it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClusterId([u8; 16]);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        TopicId::new(self.0).fmt(f)
    }
}

/// What the broker's handle and its loops share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) services: Arc<Services>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) coordinator: Arc<Coordinator>,
    pub(crate) sharing: Arc<Sharing>,
    pub(crate) flusher: Flusher,
    pub(crate) cleaner: Cleaner,
    /// Held by whatever works through logs: checkpoints, retention, stopping.
    pub(crate) maintenance: Mutex<()>,
    /// When the next log is due for retention or a roll, as far as is known.
    pub(crate) logs_due_ms: AtomicI64,
    pub(crate) transactions: Arc<TransactionCoordinator>,
    producer_ids: Arc<ProducerIds>,
    pub(crate) directory: DataDirectory,
}

impl Inner {
    /// Syncs what was written, and brings about what became durable by it.
    pub(crate) fn flush(&self) -> bool {
        let did = self.flusher.flush(&self.services);
        if did {
            self.settle();
        }
        did
    }

    pub(crate) fn settle(&self) {
        self.catalog.settle(&mut |change: &Change| {
            self.coordinator.topic_changed(change);
            self.sharing.topic_changed(change);
        });
        self.transactions.go_on();
    }

    /// Writes snapshots of the journals that have grown enough.
    pub(crate) fn snapshot_journals(&self) {
        if self.catalog.journal.wants_snapshot() {
            let (offset, records) = self.catalog.snapshot();
            self.flush();
            self.write_snapshot(&self.catalog.journal, offset, &records);
        }
        if let Some(journal) = self.coordinator.journal()
            && journal.wants_snapshot()
        {
            let (offset, records) = self.coordinator.snapshot(&journal);
            self.flush();
            self.write_snapshot(&journal, offset, &records);
        }
        if let Some(journal) = self.transactions.journal()
            && journal.wants_snapshot()
        {
            let (offset, records) = self.transactions.snapshot(&journal);
            self.flush();
            self.write_snapshot(&journal, offset, &records);
        }
        if let Some(journal) = self.sharing.journal()
            && journal.wants_snapshot()
        {
            let (offset, records) = self.sharing.snapshot(&journal);
            self.flush();
            self.write_snapshot(&journal, offset, &records);
        }
    }

    fn write_snapshot(
        &self,
        journal: &crate::journal::Journal,
        offset: onrush_record::Offset,
        records: &[Vec<u8>],
    ) {
        // It must not stand for what a crash may take back.
        if journal.durable_end() < offset {
            return;
        }
        if let Err(error) = journal.write_snapshot(offset, records) {
            tracing::error!(%error, "cannot write a snapshot; the journal goes on growing");
        }
    }

    /// A sync of `log` outside a round has failed.
    pub(crate) fn sync_failed(&self, log: &Arc<SharedLog>) {
        crate::flush::poisoned(&self.services, log);
    }

    /// A log was opened anew, and has lost records that were written but never durable.
    pub(crate) fn lost(&self, log: &Arc<SharedLog>) {
        self.sharing.lost(log);
        let shares = self.sharing.journal();
        let (groups, transactions) = (self.coordinator.journal(), self.transactions.journal());
        let journals = [
            Some(&self.catalog.journal),
            groups.as_deref(),
            transactions.as_deref(),
            shares.as_deref(),
        ];
        for journal in journals.into_iter().flatten() {
            if Arc::ptr_eq(journal.log(), log) {
                journal.disable("a failed sync lost some of it; restart the broker");
            }
        }
    }

    /// Every log there is, but for the journals.
    pub(crate) fn logs(&self) -> Vec<Arc<SharedLog>> {
        let topics = self.catalog.topics();
        let partitions = topics.iter().flat_map(|topic| topic.partitions());
        partitions.map(|partition| Arc::clone(partition.log())).collect()
    }
}

/// A broker. Clones are handles of the same one; when the last is dropped, its loops end, as if it
/// had been killed: [`Broker::stop`] is how to end it in order.
#[derive(Clone, Debug)]
pub struct Broker {
    pub(crate) inner: Arc<Inner>,
    _alive: Arc<Alive>,
}

/// Ends the loops when the last handle goes. They themselves hold none.
#[derive(Debug)]
struct Alive(Arc<Services>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Broker {
    /// Opens the broker on a data directory, which it sets up if it is empty. Its [`Background`]
    /// has to run for anything to become durable.
    ///
    /// # Errors
    /// The directory is in use, of a newer format, not writable, or damaged such that nothing can
    /// be served. A damaged partition is no error here but stands in the report.
    pub fn open(config: BrokerConfig, env: Env) -> Result<(Broker, Background, OpenReport)> {
        let began = env.clock.monotonic();
        let (directory, found) = DataDirectory::open(Arc::clone(&env.disk), &config.data_dir)?;
        let files = match config.open_files_max {
            Some(max) => OpenFiles::new(max),
            None => OpenFiles::from_limits(),
        };
        let storage = onrush_storage::Env { disk: env.disk, clock: env.clock, files };
        let services = Arc::new(Services::new(config, storage, env.random, found.epoch));
        let (catalog, opened) = Catalog::open(&services, found.fresh, found.clean)?;
        let coordinator = Coordinator::open(&services, &catalog, found.clean)?;
        let sharing = Sharing::open(&services, &catalog, found.clean)?;
        let producer_ids = Arc::new(ProducerIds::default());
        let transactions = TransactionCoordinator::open(
            &services,
            &catalog,
            &coordinator,
            &producer_ids,
            found.clean,
        )?;
        let _first = services.transactions.set(Arc::downgrade(&transactions));
        let inner = Arc::new(Inner {
            services: Arc::clone(&services),
            catalog,
            coordinator,
            sharing,
            flusher: Flusher::default(),
            cleaner: Cleaner::new(&*services.random),
            maintenance: Mutex::new(()),
            logs_due_ms: AtomicI64::new(0),
            transactions,
            producer_ids,
            directory,
        });
        let report = OpenReport {
            fresh: found.fresh,
            clean: found.clean,
            epoch: found.epoch,
            topics: inner.catalog.topics().len(),
            partitions: opened.len(),
            bytes_scanned: opened.iter().map(scanned).sum(),
            findings: inner.findings(&opened),
            took: services.clock.monotonic().saturating_sub(began),
        };
        tracing::info!(
            clean = report.clean, epoch = %report.epoch, topics = report.topics,
            partitions = report.partitions, took = ?report.took, "broker opened"
        );
        let background = Background::new(Arc::clone(&inner));
        Ok((Broker { inner, _alive: Arc::new(Alive(services)) }, background, report))
    }

    /// Stops in order: refuses producers, makes all durable, closes the logs such that the next
    /// start reads no data. Waits for the disk.
    ///
    /// # Errors
    /// When a log could not be closed in order: the next start recovers it as after a crash.
    pub async fn stop(&self) -> Result<()> {
        self.inner.stop()
    }

    /// Does it take work? Not once it is stopping.
    pub fn ready(&self) -> bool {
        !self.inner.services.is_stopping()
    }

    /// This broker's number.
    pub fn node_id(&self) -> i32 {
        self.inner.services.config.node_id
    }

    /// The identity of the cluster.
    pub fn cluster_id(&self) -> ClusterId {
        ClusterId(self.inner.catalog.cluster_id())
    }

    /// The clock it goes by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.services.clock
    }

    /// The byte budget.
    pub fn budget(&self) -> &Arc<Budget> {
        &self.inner.services.budget
    }

    /// What it counts.
    pub fn metrics(&self) -> &Metrics {
        &self.inner.services.metrics
    }

    /// Its configuration.
    pub fn config(&self) -> &BrokerConfig {
        &self.inner.services.config
    }

    /// A topic.
    pub fn topic(&self, id: TopicId) -> Option<Arc<Topic>> {
        self.inner.catalog.get(id)
    }

    /// A topic by its name.
    pub fn topic_by_name(&self, name: &str) -> Option<Arc<Topic>> {
        self.inner.catalog.by_name(name)
    }

    /// All topics, in order of name.
    pub fn topics(&self) -> Vec<Arc<Topic>> {
        self.inner.catalog.topics()
    }

    /// A partition.
    ///
    /// # Errors
    /// No such topic or partition, or why its log could not be opened.
    pub fn partition(&self, topic: TopicId, index: u32) -> Result<Arc<Partition>> {
        match self.inner.catalog.get(topic) {
            Some(topic) => topic.partition(index),
            None => Err(Error::UnknownTopic { topic: topic.to_string() }),
        }
    }

    /// A fresh identity for an idempotent producer.
    ///
    /// # Errors
    /// When the metadata journal is disabled, or cannot be made durable.
    pub async fn init_producer(&self) -> Result<(ProducerId, ProducerEpoch)> {
        self.inner.producer_ids.take(&self.inner.catalog).await
    }

    /// Brings a cold range into the page cache on the I/O loop and fires `done` then; None when too
    /// many wait already: try again later.
    pub fn warm(&self, slice: Slice, done: &Arc<Signal>) -> Option<Warming> {
        self.inner.services.io.warm(slice, done)
    }
}

impl Inner {
    fn findings(&self, opened: &[Opened]) -> Vec<String> {
        let mut findings = Vec::new();
        let (groups, transactions) = (self.coordinator.journal(), self.transactions.journal());
        let shares = self.sharing.journal();
        let journals = [Some(&self.catalog.journal), groups.as_deref(), transactions.as_deref()];
        let journals = journals.into_iter().chain([shares.as_deref()]);
        for journal in journals.flatten() {
            if let Err(error) = journal.check() {
                findings.push(error.to_string());
            }
        }
        for Opened { name, result } in opened {
            match result {
                Err(error) => findings.push(format!("partition {name} does not open: {error}")),
                Ok(report) if report.is_sound() => {}
                Ok(report) => {
                    if let Some(torn) = &report.torn {
                        findings.push(format!(
                            "partition {name}: cut {} bytes at offset {} ({})",
                            torn.bytes, torn.offset, torn.reason
                        ));
                    }
                    for damage in &report.damage {
                        findings.push(format!(
                            "partition {name}: offsets {} up to {} are damaged ({})",
                            damage.from, damage.to, damage.reason
                        ));
                    }
                }
            }
        }
        findings
    }
}

fn scanned(opened: &Opened) -> u64 {
    opened.result.as_ref().map_or(0, |report| report.bytes_scanned)
}
