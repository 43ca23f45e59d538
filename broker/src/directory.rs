//! The data directory: whose it is, of which format, how the last stop was, and the leader epoch.
//!
//! | name | what |
//! |---|---|
//! | `lock` | held by the process that uses the directory |
//! | `format` | the format's version; written once, when the directory is set up |
//! | `epoch` | the leader epoch; raised, durably, by every start after an unclean stop |
//! | `clean` | there only between a clean stop and the next start |
//! | `reserve` | space to give up when the disk is full |
//! | `topics/` | a directory a topic, named by its id |

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use onrush_record::LeaderEpoch;
use onrush_sys::{Disk, File, OpenMode};

use crate::codec::{Decoder, Encoder};
use crate::topic::topics_directory;
use crate::{Error, Result};

const FORMAT: u32 = 1;
const FORMAT_MAGIC: &[u8; 8] = b"onrushDD";
const EPOCH_MAGIC: &[u8; 8] = b"onrushEP";

/// Says, while it is there, that all logs were closed in order.
const CLEAN: &str = "clean";

/// The data directory in use by this broker.
pub(crate) struct DataDirectory {
    disk: Arc<dyn Disk>,
    _lock: Box<dyn Send + Sync>,
}

/// Reads the format and the epoch without taking the directory over.
///
/// # Errors
/// [`Error::NewerFormat`], or [`Error::Damaged`] naming the file.
pub(crate) fn check_files(disk: &Arc<dyn Disk>) -> Result<()> {
    if let Some(bytes) = read(&**disk, "format")? {
        check_format(&bytes)?;
    }
    epoch(&**disk).map(drop)
}

/// Whether the last broker that used the directory stopped in order.
pub(crate) fn is_marked_clean(disk: &dyn Disk) -> Result<bool> {
    disk.exists(Path::new(CLEAN)).map_err(|error| explain("look for", CLEAN, &error))
}

/// How the data directory was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// It was set up just now.
    pub(crate) fresh: bool,
    /// The last stop was clean.
    pub(crate) clean: bool,
    /// The epoch to work in.
    pub(crate) epoch: LeaderEpoch,
}

impl DataDirectory {
    /// Takes the directory that is the disk's root, sets it up if it is empty, and leaves it such
    /// that a crash from here on is recognised as one.
    pub(crate) fn open(disk: Arc<dyn Disk>, shown: &Path) -> Result<(DataDirectory, Found)> {
        let lock = disk.lock(Path::new("lock")).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => Error::DataDirLocked { path: shown.display().to_string() },
            _ => explain("lock the data directory", &shown.display().to_string(), &error),
        })?;
        let directory = DataDirectory { disk, _lock: lock };
        let found = match read(&*directory.disk, "format")? {
            None => directory.set_up()?,
            Some(bytes) => {
                check_format(&bytes)?;
                directory.take_over()?
            }
        };
        Ok((directory, found))
    }

    fn set_up(&self) -> Result<Found> {
        // Something else's directory is not taken over.
        let listed = self.disk.list(Path::new(""));
        let listed = listed.map_err(|error| explain("list", "the data directory", &error))?;
        let ours = ["lock", "epoch", "format.new", "epoch.new", "topics", "reserve", "lost+found"];
        if let Some(other) = listed.iter().find(|entry| !ours.contains(&entry.name.as_str())) {
            return Err(Error::InvalidRequest {
                reason: format!(
                    "the data directory holds {:?} but no file named format: it is not onrush's; \
                     use an empty directory",
                    other.name
                ),
            });
        }
        let topics = topics_directory();
        let made = self.disk.create_dir_all(&topics);
        made.map_err(|error| explain("create", "topics", &error))?;
        let epoch = LeaderEpoch::new(0);
        let epoch_file = self.write("epoch.new", &encode_epoch(epoch))?;
        let mut format = Encoder::default();
        format.bytes(FORMAT_MAGIC).u32(FORMAT);
        let format_file = self.write("format.new", &format.finish())?;
        self.sync_all(&[epoch_file, format_file])?;
        self.rename("epoch.new", "epoch")?;
        // The format comes last: without it the directory counts as not set up.
        self.sync_root()?;
        self.rename("format.new", "format")?;
        self.sync_root()?;
        Ok(Found { fresh: true, clean: true, epoch })
    }

    fn take_over(&self) -> Result<Found> {
        let epoch = epoch(&*self.disk)?;
        let clean = is_marked_clean(&*self.disk)?;
        if clean {
            self.remove(CLEAN)?;
            self.sync_root()?;
            return Ok(Found { fresh: false, clean, epoch });
        }
        let epoch = LeaderEpoch::new(epoch.get() + 1);
        let file = self.write("epoch.new", &encode_epoch(epoch))?;
        self.sync_all(&[file])?;
        self.rename("epoch.new", "epoch")?;
        self.sync_root()?;
        Ok(Found { fresh: false, clean, epoch })
    }

    /// Says, durably, that all logs were closed in order.
    pub(crate) fn mark_clean(&self) -> Result<()> {
        let file = self.write(CLEAN, b"clean")?;
        self.sync_all(&[file])?;
        self.sync_root()
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<Arc<dyn File>> {
        let write = || {
            let file = self.disk.open(Path::new(name), OpenMode::Create)?;
            file.truncate(0)?;
            file.write_all_at(&mut [IoSlice::new(bytes)], 0)?;
            Ok(file)
        };
        write().map_err(|error| explain("write", name, &error))
    }

    fn sync_all(&self, files: &[Arc<dyn File>]) -> Result<()> {
        let synced: io::Result<Vec<()>> = self.disk.sync_files(files).into_iter().collect();
        synced.map(drop).map_err(|error| explain("sync files in", "the data directory", &error))
    }

    fn sync_root(&self) -> Result<()> {
        let synced = self.disk.sync_dir(Path::new(""));
        synced.map_err(|error| explain("sync", "the data directory", &error))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let renamed = self.disk.rename(Path::new(from), Path::new(to));
        renamed.map_err(|error| explain("rename", from, &error))
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.disk.remove_file(Path::new(name)).map_err(|error| explain("remove", name, &error))
    }
}

impl std::fmt::Debug for DataDirectory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DataDirectory").field("disk", &self.disk).finish_non_exhaustive()
    }
}

fn read(disk: &dyn Disk, name: &str) -> Result<Option<Vec<u8>>> {
    let file = match disk.open(Path::new(name), OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(explain("open", name, &error)),
    };
    let read = || {
        let len = usize::try_from(file.len()?.min(4096)).unwrap_or(4096);
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, 0)?;
        Ok(bytes)
    };
    read().map(Some).map_err(|error| explain("read", name, &error))
}

fn epoch(disk: &dyn Disk) -> Result<LeaderEpoch> {
    let damaged = |reason: &str| Error::Damaged {
        what: "the leader epoch".to_owned(),
        reason: format!("file epoch {reason}"),
        resume_at: None,
    };
    let bytes = read(disk, "epoch")?.ok_or_else(|| damaged("is missing"))?;
    decode_epoch(&bytes).ok_or_else(|| damaged("is not what was written"))
}

fn check_format(bytes: &[u8]) -> Result<()> {
    let mut from = Decoder::new(bytes);
    let version = (from.array() == Some(*FORMAT_MAGIC)).then(|| from.u32()).flatten();
    match version {
        Some(FORMAT) => Ok(()),
        Some(found) if found > FORMAT => {
            Err(Error::NewerFormat { path: "the data directory".to_owned(), found, known: FORMAT })
        }
        _ => Err(Error::Damaged {
            what: "the data directory's format file".to_owned(),
            reason: "it is not what onrush writes".to_owned(),
            resume_at: None,
        }),
    }
}

fn encode_epoch(epoch: LeaderEpoch) -> Vec<u8> {
    let mut out = Encoder::default();
    out.bytes(EPOCH_MAGIC).u32(epoch.get());
    let mut bytes = out.finish();
    let crc = onrush_record::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

fn decode_epoch(bytes: &[u8]) -> Option<LeaderEpoch> {
    let mut from = Decoder::new(bytes);
    if from.array() != Some(*EPOCH_MAGIC) {
        return None;
    }
    let epoch = from.u32()?;
    let crc = onrush_record::crc32c(bytes.get(..12)?);
    (from.u32()? == crc && from.is_empty()).then_some(LeaderEpoch::new(epoch))
}

/// Adds what to do to what the system said.
fn explain(op: &str, path: &str, error: &io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => "give this user the right to write there",
        io::ErrorKind::ReadOnlyFilesystem => "mount it for writing, or choose another directory",
        io::ErrorKind::StorageFull => "free some space, or choose another directory",
        io::ErrorKind::NotFound => "create the data directory, or check its path",
        _ => "check the disk and the directory's permissions",
    };
    Error::Io { op: op.to_owned(), path: path.to_owned(), reason: format!("{error}; {advice}") }
}
