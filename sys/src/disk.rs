//! The seam between the log and the medium: [`Disk`] is a directory tree, [`File`] one open file.
//!
//! # What an implementation promises
//! - A write is visible to every later read, through whatever handle, at once (the page cache).
//! - It survives the death of the process at once, a power cut only after [`File::sync_data`] on
//!   that file returned `Ok`.
//! - A created, renamed or removed name survives a power cut only after [`Disk::sync_dir`] on its
//!   directory returned `Ok`.
//! - An error of a sync is reported **once**, to the handles that were open when the write-back
//!   failed. Afterwards the kernel considers the pages clean, whether or not they reached the
//!   medium. So a failed sync must never be repeated in the hope of a better answer; and whoever
//!   writes to a file must keep that handle until it is synced, because a handle opened later may
//!   not be told.

mod cached;
#[cfg(any(test, feature = "conformance"))]
pub mod conformance;
mod plain;
mod sync;
#[cfg(target_os = "linux")]
mod uring;

use crate::mapping::Mapping;
use std::fmt::Debug;
use std::io;
use std::io::IoSlice;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirEntry {
    /// The last component of its path.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// Length in bytes; 0 for a directory.
    pub len: u64,
}

/// How to open a file.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file, for reading.
    Read,
    /// An existing file, for reading and writing.
    ReadWrite,
    /// For reading and writing; made empty if it does not exist.
    Create,
    /// For reading and writing; an error if it exists.
    CreateNew,
}

/// What became of syncing many files and directories.
#[derive(Debug)]
pub struct Synced {
    /// An answer per file, in their order.
    pub files: Vec<io::Result<()>>,
    /// An answer per directory, in theirs.
    pub dirs: Vec<io::Result<()>>,
}

/// A directory tree. Paths are relative to its root; absolute ones and `..` are refused.
pub trait Disk: Send + Sync + Debug {
    /// Makes a directory and those above it; no error if it exists. Durable once each directory
    /// that gained a name was synced.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory with all in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// What a directory holds, sorted by name.
    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>>;
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>>;
    /// Gives a file a new name, replacing whatever had it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file's name; open handles and mappings stay good.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Whether a file or directory of that name exists.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Makes the names in this directory durable. The root is the empty path.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes the data of all these files durable, in whatever way is cheapest for that many. One
    /// answer per file, in order; an error is attributed to the file that suffered it, and where
    /// that cannot be known, to all of them.
    fn sync_files(&self, files: &[Arc<dyn File>]) -> Vec<io::Result<()>>;
    /// Does both at once: makes the data of all these files and the names in all these directories
    /// durable, in whatever way is cheapest for that many, in no particular order. One answer per
    /// file, and one per directory.
    fn sync_all(&self, files: &[Arc<dyn File>], dirs: &[&Path]) -> Synced {
        sync_each(self, files, dirs)
    }
    /// Takes the exclusive advisory lock that is this file, until the guard is dropped or the
    /// process dies. [`io::ErrorKind::WouldBlock`] while somebody else (in this process or
    /// another) holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>>;
    /// Bytes that may still be written here.
    fn free_bytes(&self) -> io::Result<u64>;
    /// The backend's name, for logs.
    fn backend(&self) -> &'static str;
}

/// [`Disk::sync_all`] where nothing is cheaper than asking.
fn sync_each<D: Disk + ?Sized>(disk: &D, files: &[Arc<dyn File>], dirs: &[&Path]) -> Synced {
    let files = disk.sync_files(files);
    Synced { files, dirs: dirs.iter().map(|dir| disk.sync_dir(dir)).collect() }
}

/// One open file. All positions are absolute: a handle has no cursor, and may be shared.
pub trait File: Send + Sync + Debug {
    /// Writes all the buffers, one after the other, from `position` on. The slices are used up.
    fn write_all_at(&self, bufs: &mut [IoSlice<'_>], position: u64) -> io::Result<()>;
    /// Reads up to `buf.len()` bytes; fewer only at the end of the file.
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize>;
    /// Reads exactly `buf.len()` bytes, or fails with [`io::ErrorKind::UnexpectedEof`].
    fn read_exact_at(&self, buf: &mut [u8], position: u64) -> io::Result<()> {
        if self.read_at(buf, position)? == buf.len() {
            return Ok(());
        }
        Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            format!("the file ends within the {} bytes from {position} on", buf.len()),
        ))
    }
    /// Makes the data, and as much of the metadata as reading it back needs (the length), durable.
    fn sync_data(&self) -> io::Result<()>;
    /// Reserves space for `len` bytes from `position` on, which read as zeros where nothing was
    /// written; the file's length grows to cover them.
    fn preallocate(&self, position: u64, len: u64) -> io::Result<()>;
    /// Lengthens the file by about `len` bytes of zeros that are written, not only reserved, and
    /// tells its new length. Writes of others that come meanwhile are never written over: each
    /// piece goes to wherever the file ends at that moment.
    ///
    /// What is written here later changes no extent, which makes its sync cheaper.
    fn append_zeros(&self, len: u64) -> io::Result<u64> {
        let end = self.len()?.saturating_add(len);
        self.preallocate(end - len, len)?;
        Ok(end)
    }
    /// Sets the file's length; new bytes read as zeros.
    fn truncate(&self, len: u64) -> io::Result<()>;
    /// The file's length.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file has no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Maps the first `len` bytes, which may be more than the file has by now: what is written
    /// later shows through. See [`Mapping`] for what the caller must heed.
    fn map(&self, len: u64) -> io::Result<Mapping>;
    /// Whether reading this range would not wait for the medium, as far as can be told without
    /// waiting; true where it cannot.
    fn is_cached(&self, position: u64, len: u64) -> bool;
    /// Waits until the range is in the page cache.
    fn warm(&self, position: u64, len: u64) -> io::Result<()>;
    /// The descriptor, for `sendfile`; none on a simulated file.
    fn descriptor(&self) -> Option<BorrowedFd<'_>>;
}

/// Which system calls reach the disk.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub enum DiskBackend {
    /// What measured faster: `Plain`.
    ///
    /// On ext4, against plain calls, a 4 KiB write through a ring takes 19 µs instead of 4 (a
    /// buffered write is handed to a kernel thread), a cached 4 KiB read 2.9 instead of 1.3, a sync
    /// 110–140 instead of 90–100; many files at once are cheapest by `syncfs`, which both backends
    /// use. By `cargo test -p onrush-sys --lib measure_backends -- --ignored --nocapture`.
    #[default]
    Auto,
    /// `pwritev`, `pread`, `fdatasync`.
    Plain,
    /// io_uring, where the kernel has it; otherwise as `Plain`, with a warning.
    Uring,
}

/// Opens the disk whose root is an existing directory, and logs which backend it got and why.
pub fn open_disk(root: &Path, backend: DiskBackend) -> io::Result<Arc<dyn Disk>> {
    let plain = plain::PlainDisk::open(root)?;
    let (disk, why): (Arc<dyn Disk>, _) = match backend {
        DiskBackend::Plain => (Arc::new(plain), "as asked"),
        DiskBackend::Auto => (Arc::new(plain), "its writes and syncs measured faster"),
        DiskBackend::Uring => match uring::UringDisk::over(plain) {
            Ok(disk) => (Arc::new(disk), "as asked"),
            Err((plain, error)) => {
                tracing::warn!(%error, "io_uring cannot be had here; using plain system calls");
                (Arc::new(plain), "io_uring cannot be had here")
            }
        },
    };
    tracing::info!(root = %root.display(), backend = disk.backend(), why, "disk opened");
    Ok(disk)
}

/// Where there is no io_uring.
#[cfg(not(target_os = "linux"))]
mod uring {
    use super::plain::PlainDisk;
    use std::io;

    pub(super) struct UringDisk;

    impl UringDisk {
        pub(super) fn over(plain: PlainDisk) -> Result<PlainDisk, (PlainDisk, io::Error)> {
            Err((plain, io::Error::new(io::ErrorKind::Unsupported, "only Linux has it")))
        }
    }
}

/// Makes the directory that is to be a disk's root, durably: those above that gain a name are
/// synced.
pub fn create_root(root: &Path) -> io::Result<()> {
    let root = std::path::absolute(root)?;
    let mut missing = Vec::new();
    let mut at = root.as_path();
    while !at.try_exists()? {
        missing.push(at);
        match at.parent() {
            Some(parent) => at = parent,
            None => break,
        }
    }
    for dir in missing.iter().rev() {
        match std::fs::create_dir(dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        if let Some(parent) = dir.parent() {
            std::fs::File::open(parent)?.sync_all()?;
        }
    }
    if root.is_dir() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::NotADirectory,
        format!("{} is not a directory", root.display()),
    ))
}

#[cfg(test)]
#[cfg(not(miri))]
mod tests;
