//! The broker's own logs: what was decided, replayed at start, with snapshots that bound the replay.
//!
//! A journal is a log like any partition's, in a directory with a fixed id, exempt from retention.
//! A snapshot says which of its records it stands for; those go once it is durable.

mod lazy;
mod replay;
mod snapshot;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use onrush_record::batch::{BatchBuilder, BatchHeader, Codec};
use onrush_record::{Offset, TopicId};
use onrush_storage::{LogConfig, OpenOptions, StorageError, Visibility};
use onrush_sys::Disk;
use parking_lot::RwLock;

use crate::partition::wait_durable;
use crate::producer::ProducerTable;
use crate::services::Services;
use crate::shared_log::{LogName, SharedLog};
use crate::topic::{partition_directory, topic_directory};
use crate::{DurableMark, Error, Result};

pub(crate) use lazy::LazyJournal;

/// Which journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// Topics, their settings, and what producer ids were given out. It bootstraps the rest.
    Metadata,
    /// Consumer groups and their offsets.
    Groups,
    /// Transactional ids and what was decided of their transactions.
    Transactions,
    /// Share groups and what they have done of records.
    Shares,
}

impl Name {
    /// All of them.
    pub(crate) const ALL: [Name; 4] =
        [Name::Metadata, Name::Groups, Name::Transactions, Name::Shares];

    /// The fixed id its directory is named by.
    pub(crate) fn id(self) -> TopicId {
        let mut id = [0; 16];
        id[15] = match self {
            Name::Metadata => 1,
            Name::Groups => 2,
            Name::Transactions => 3,
            Name::Shares => 4,
        };
        TopicId::new(id)
    }

    /// The journal whose log is in this directory.
    pub(crate) fn of_directory(log: &Path) -> Option<Name> {
        Name::ALL.into_iter().find(|name| partition_directory(name.id(), 0) == log)
    }

    pub(crate) fn shown(self) -> &'static str {
        match self {
            Name::Metadata => "journal of topics",
            Name::Groups => "journal of consumer groups",
            Name::Transactions => "journal of transactions",
            Name::Shares => "journal of share groups",
        }
    }
}

/// One of the broker's own logs.
#[derive(Debug)]
pub(crate) struct Journal {
    name: Name,
    services: Arc<Services>,
    log: Arc<SharedLog>,
    /// Bytes appended since the last snapshot.
    grown: AtomicU64,
    /// Why what it coordinates is disabled, if it is.
    disabled: RwLock<Option<Error>>,
}

/// Reads a journal's snapshot, if it has one.
///
/// # Errors
/// [`Error::Damaged`] if it is not what was written.
pub(crate) fn check_snapshot(disk: &dyn Disk, name: Name) -> Result<()> {
    snapshot::read(disk, &topic_directory(name.id())).map(drop)
}

impl Journal {
    /// Is there such a journal?
    pub(crate) fn exists(services: &Services, name: Name) -> Result<bool> {
        let directory = partition_directory(name.id(), 0);
        let exists = services.storage.disk.exists(&directory);
        exists.map_err(|error| Error::io("look for", directory.display().to_string(), &error))
    }

    /// Opens the journal, or creates it if there is none, and hands what it holds to `apply`, which
    /// says what it cannot make sense of.
    ///
    /// Damage does not fail it: what is readable is replayed, and the journal is disabled.
    pub(crate) fn open(
        services: &Arc<Services>,
        name: Name,
        clean: bool,
        apply: &mut dyn FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<Journal> {
        let directory = partition_directory(name.id(), 0);
        let log_name = LogName { topic: Arc::from(name.shown()), partition: 0 };
        if Journal::exists(services, name)? {
            let options = OpenOptions { leader_epoch: services.epoch, clean };
            let mut visit = |_: &BatchHeader, _: &[u8]| {};
            match onrush_storage::open(
                &services.storage,
                &directory,
                log_config(),
                options,
                &mut visit,
            ) {
                Ok(recovered) => {
                    let producers = ProducerTable::default();
                    let log =
                        SharedLog::new(log_name, recovered.writer, recovered.reader, producers);
                    let journal = Journal::new(name, services, log);
                    journal.replay(apply)?;
                    return Ok(journal);
                }
                // Its creation never finished, so nothing can have been in it.
                Err(StorageError::Missing { .. }) => {}
                Err(error) => return Err(Error::storage(&log_name, error)),
            }
        }
        Journal::create(services, name, log_name)
    }

    fn create(services: &Arc<Services>, name: Name, log_name: LogName) -> Result<Journal> {
        let (disk, directory) = (&services.storage.disk, partition_directory(name.id(), 0));
        let made = disk.create_dir_all(&directory);
        made.map_err(|e| Error::io("create", directory.display().to_string(), &e))?;
        let created =
            onrush_storage::create(&services.storage, &directory, log_config(), services.epoch);
        let (writer, reader) = created.map_err(|e| Error::storage(&log_name, e))?;
        let topics = crate::topic::topics_directory();
        let synced = disk.sync_dir(&topics);
        synced.map_err(|e| Error::io("sync", topics.display().to_string(), &e))?;
        let log = SharedLog::new(log_name, writer, reader, ProducerTable::default());
        Ok(Journal::new(name, services, log))
    }

    fn new(name: Name, services: &Arc<Services>, log: Arc<SharedLog>) -> Journal {
        Journal {
            name,
            services: Arc::clone(services),
            log,
            grown: AtomicU64::new(0),
            disabled: RwLock::new(None),
        }
    }

    pub(crate) fn log(&self) -> &Arc<SharedLog> {
        &self.log
    }

    fn directory(&self) -> PathBuf {
        topic_directory(self.name.id())
    }

    /// Refuses while what it coordinates is disabled.
    pub(crate) fn check(&self) -> Result<()> {
        if self.services.is_stopping() {
            return Err(Error::ShuttingDown);
        }
        match &*self.disabled.read() {
            Some(error) => Err(error.clone()),
            None => Ok(()),
        }
    }

    /// Damage ends what this journal coordinates, and nothing else.
    pub(crate) fn disable(&self, reason: &str) {
        let error = Error::Damaged {
            what: format!("the broker's {}", self.name.shown()),
            reason: reason.to_owned(),
            resume_at: None,
        };
        tracing::error!(%error, "what this journal coordinates is disabled, the rest goes on");
        self.disabled.write().get_or_insert(error);
    }

    /// Appends records, all or none. They have happened once the mark is durable.
    pub(crate) fn append(&self, records: &[Vec<u8>]) -> Result<DurableMark> {
        self.check()?;
        let now_ms = self.services.clock.now_ms();
        let mut builder = BatchBuilder::new(Codec::None);
        for record in records {
            builder.push(now_ms, None, Some(record), &[]);
        }
        let mut batch = builder.finish().map_err(Error::BatchInvalid)?;
        let header = BatchHeader::parse(&batch).map_err(Error::BatchInvalid)?;
        let mut state = self.log.lock();
        let mut appended = state.writer.append(&mut [&mut batch], &[header], now_ms);
        if let Err(StorageError::Full { .. }) = appended
            && self.services.space.release()
        {
            appended = state.writer.append(&mut [&mut batch], &[header], now_ms);
        }
        let appended = appended.map_err(|error| Error::storage(&self.log.name, error))?;
        let bytes = u64::from(header.total_len);
        state.unsynced += bytes;
        self.services.budget.wrote(bytes);
        let mark = self.log.mark(appended.end);
        drop(state);
        self.grown.fetch_add(bytes, Ordering::Relaxed);
        self.services.sync.wrote(&self.log, bytes, true);
        Ok(mark)
    }

    /// Waits until what was appended is durable.
    pub(crate) async fn wait(&self, mark: DurableMark) -> Result<()> {
        wait_durable(&self.log, &self.services, mark).await
    }

    /// A mark for all that was appended so far.
    pub(crate) fn mark(&self) -> DurableMark {
        self.log.mark(self.log.ends().written)
    }

    /// A mark for what was appended up to there.
    pub(crate) fn mark_at(&self, end: Offset) -> DurableMark {
        self.log.mark(end)
    }

    pub(crate) fn durable_end(&self) -> Offset {
        self.log.ends().durable
    }

    /// Has it grown enough for a snapshot?
    pub(crate) fn wants_snapshot(&self) -> bool {
        self.grown.load(Ordering::Relaxed) >= self.services.config.journal_snapshot_bytes
            && self.check().is_ok()
            && !self.log.is_failed()
    }
}

/// Small segments, so that a snapshot lets go of what it stands for.
fn log_config() -> LogConfig {
    LogConfig {
        segment_bytes: 4 << 20,
        segment_ms: None,
        retention_ms: None,
        retention_bytes: None,
        preallocate_max_bytes: 1 << 20,
        max_batch_bytes: 64 << 20,
        visibility: Visibility::Durable,
        ..LogConfig::default()
    }
}
