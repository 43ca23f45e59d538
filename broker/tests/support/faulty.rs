//! A disk that fails when told to.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use onrush_sys::{DirEntry, Disk, File, Mapping, OpenMode};

/// What fails now.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Syncing data files.
    pub(crate) sync: AtomicBool,
    /// Anything that needs room, but for what removing the reserve file gives back.
    pub(crate) full: AtomicBool,
}

impl Faults {
    fn check_room(&self) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(())
    }
}

/// Passes everything on, but for the faults.
#[derive(Debug)]
pub(crate) struct FaultyDisk {
    pub(crate) below: Arc<dyn Disk>,
    pub(crate) faults: Arc<Faults>,
}

#[derive(Debug)]
struct FaultyFile {
    below: Arc<dyn File>,
    faults: Arc<Faults>,
    log: bool,
}

impl Disk for FaultyDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.faults.check_room()?;
        self.below.create_dir_all(path)
    }
    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.below.remove_dir_all(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.below.list(path)
    }
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let below = self.below.open(path, mode)?;
        let log = path.extension().is_some_and(|extension| extension == "log");
        Ok(Arc::new(FaultyFile { below, faults: Arc::clone(&self.faults), log }))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.below.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        if path == Path::new("reserve") {
            self.faults.full.store(false, Ordering::SeqCst);
        }
        self.below.remove_file(path)
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.below.exists(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.below.sync_dir(path)
    }
    fn sync_files(&self, files: &[Arc<dyn File>]) -> Vec<io::Result<()>> {
        files.iter().map(|file| file.sync_data()).collect()
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        self.below.lock(path)
    }
    fn free_bytes(&self) -> io::Result<u64> {
        if self.faults.full.load(Ordering::SeqCst) { Ok(0) } else { self.below.free_bytes() }
    }
    fn backend(&self) -> &'static str {
        "faulty"
    }
}

impl File for FaultyFile {
    fn write_all_at(&self, bufs: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        self.faults.check_room()?;
        self.below.write_all_at(bufs, position)
    }
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.below.read_at(buf, position)
    }
    fn sync_data(&self) -> io::Result<()> {
        if self.log && self.faults.sync.swap(false, Ordering::SeqCst) {
            return Err(io::Error::other("injected"));
        }
        self.below.sync_data()
    }
    fn preallocate(&self, position: u64, len: u64) -> io::Result<()> {
        self.faults.check_room()?;
        self.below.preallocate(position, len)
    }
    fn truncate(&self, len: u64) -> io::Result<()> {
        self.below.truncate(len)
    }
    fn len(&self) -> io::Result<u64> {
        self.below.len()
    }
    fn map(&self, len: u64) -> io::Result<Mapping> {
        self.below.map(len)
    }
    fn is_cached(&self, position: u64, len: u64) -> bool {
        self.below.is_cached(position, len)
    }
    fn warm(&self, position: u64, len: u64) -> io::Result<()> {
        self.below.warm(position, len)
    }
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.below.descriptor()
    }
}
