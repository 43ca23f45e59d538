//! A data directory looked at, and repaired, while no broker uses it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use onrush_storage::{CheckReport, RepairMode, RepairReport};
use onrush_sys::Disk;

use crate::directory;
use crate::journal;
use crate::topic::topics_directory;
use crate::{Error, Result};

/// A data directory that no broker uses as long as this lives.
pub struct Offline {
    disk: Arc<dyn Disk>,
    _lock: Box<dyn Send + Sync>,
    logs: Vec<PathBuf>,
    /// The last stop was clean.
    clean: bool,
}

/// What was found in one log, or why it could not be looked at.
#[derive(Debug)]
pub struct Inspected<T> {
    /// The log's directory within the data directory: `topics/ID/PARTITION`.
    pub log: PathBuf,
    /// What it holds: a partition's records, or one of the broker's own journals.
    pub holds: &'static str,
    /// What was found.
    pub outcome: Result<T, String>,
}

impl Offline {
    /// Takes the directory that is the disk's root.
    ///
    /// # Errors
    /// [`Error::DataDirLocked`] while a broker uses it; when it is not onrush's, of a newer format,
    /// or cannot be read.
    pub fn open(disk: Arc<dyn Disk>, shown: &Path) -> Result<Offline> {
        let path = || shown.display().to_string();
        let exists = disk.exists(Path::new("format"));
        if !exists.map_err(|error| Error::io("look into", path(), &error))? {
            let reason = format!("{} has no file named format: it is not onrush's", path());
            return Err(Error::InvalidRequest { reason });
        }
        let lock = disk.lock(Path::new("lock")).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => Error::DataDirLocked { path: path() },
            _ => Error::io("lock", path(), &error),
        })?;
        let logs = logs(&*disk)?;
        let clean = directory::is_marked_clean(&*disk)?;
        Ok(Offline { disk, _lock: lock, logs, clean })
    }

    /// How many logs there are.
    pub fn logs(&self) -> usize {
        self.logs.len()
    }

    /// What is wrong with the directory's own files, beside its logs.
    ///
    /// # Errors
    /// [`Error::NewerFormat`]; when they cannot be read.
    pub fn check_directory(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for result in [
            directory::check_files(&self.disk),
            journal::check_snapshot(&*self.disk, journal::Name::Metadata),
            journal::check_snapshot(&*self.disk, journal::Name::Groups),
            journal::check_snapshot(&*self.disk, journal::Name::Transactions),
            journal::check_snapshot(&*self.disk, journal::Name::Shares),
        ] {
            match result {
                Ok(()) => {}
                Err(error @ Error::Damaged { .. }) => found.push(error.to_string()),
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    /// Reads every byte of every log, one log at a step.
    pub fn check(&self) -> impl Iterator<Item = Inspected<CheckReport>> {
        self.each(|disk, log| onrush_storage::check(disk, log, self.clean))
    }

    /// Gives up what cannot be read, one log at a step; with [`RepairMode::DryRun`] only says what.
    pub fn repair(&self, mode: RepairMode) -> impl Iterator<Item = Inspected<RepairReport>> {
        self.each(move |disk, log| onrush_storage::repair(disk, log, self.clean, mode))
    }

    fn each<T>(
        &self,
        look: impl Fn(&dyn Disk, &Path) -> Result<T, onrush_storage::StorageError>,
    ) -> impl Iterator<Item = Inspected<T>> {
        self.logs.iter().map(move |log| Inspected {
            log: log.clone(),
            holds: journal::Name::of_directory(log).map_or("a partition", journal::Name::shown),
            outcome: look(&*self.disk, log).map_err(|error| error.to_string()),
        })
    }
}

impl std::fmt::Debug for Offline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offline").field("logs", &self.logs.len()).finish_non_exhaustive()
    }
}

/// Every `topics/ID/PARTITION`, in order.
fn logs(disk: &dyn Disk) -> Result<Vec<PathBuf>> {
    let list = |path: &Path| {
        let listed = disk.list(path);
        listed.map_err(|error| Error::io("list", path.display().to_string(), &error))
    };
    let mut logs = Vec::new();
    for topic in list(&topics_directory())?.into_iter().filter(|entry| entry.is_dir) {
        let topic = topics_directory().join(&topic.name);
        let partitions = list(&topic)?.into_iter().filter(|entry| entry.is_dir);
        let mut numbers: Vec<u32> =
            partitions.filter_map(|entry| entry.name.parse().ok()).collect();
        numbers.sort_unstable();
        logs.extend(numbers.into_iter().map(|number| topic.join(number.to_string())));
    }
    logs.sort_by(|a, b| a.parent().cmp(&b.parent()));
    Ok(logs)
}
