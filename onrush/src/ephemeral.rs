//! The disk of an ephemeral broker: a temporary directory that is never synced, and gone at once.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

use onrush_sys::{DirEntry, Disk, File, Mapping, OpenMode, TempDir};
use parking_lot::RwLock;

/// A temporary directory that can be taken away while it is in use.
#[derive(Debug)]
pub(crate) struct Ephemeral {
    /// None once it is gone. Whoever makes a name holds this for reading meanwhile, so that
    /// nothing is made behind the back of the removal.
    dir: RwLock<Option<TempDir>>,
    inner: Arc<dyn Disk>,
}

impl Ephemeral {
    pub(crate) fn new(dir: TempDir, inner: Arc<dyn Disk>) -> Self {
        Self { dir: RwLock::new(Some(dir)), inner }
    }

    /// Removes the directory with all in it. What is open stays readable until it is closed;
    /// nothing new can be made. Does not wait for the disk.
    pub(crate) fn remove(&self) {
        let dir = self.dir.write().take();
        drop(dir);
    }

    fn there<T>(&self, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let dir = self.dir.read();
        if dir.is_none() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the broker has been dropped"));
        }
        act()
    }
}

impl Disk for Ephemeral {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.there(|| self.inner.create_dir_all(path))
    }
    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.there(|| self.inner.remove_dir_all(path))
    }
    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.there(|| self.inner.list(path))
    }
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        self.there(|| Ok(Arc::new(Unsynced(self.inner.open(path, mode)?)) as Arc<dyn File>))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.there(|| self.inner.rename(from, to))
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.there(|| self.inner.remove_file(path))
    }
    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.there(|| self.inner.exists(path))
    }
    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }
    fn sync_files(&self, files: &[Arc<dyn File>]) -> Vec<io::Result<()>> {
        files.iter().map(|_| Ok(())).collect()
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        self.there(|| self.inner.lock(path))
    }
    fn free_bytes(&self) -> io::Result<u64> {
        self.inner.free_bytes()
    }
    fn backend(&self) -> &'static str {
        "ephemeral"
    }
}

/// A file whose syncs do nothing.
#[derive(Debug)]
struct Unsynced(Arc<dyn File>);

impl File for Unsynced {
    fn write_all_at(&self, bufs: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        self.0.write_all_at(bufs, position)
    }
    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        self.0.read_at(buf, position)
    }
    fn read_exact_at(&self, buf: &mut [u8], position: u64) -> io::Result<()> {
        self.0.read_exact_at(buf, position)
    }
    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
    fn preallocate(&self, position: u64, len: u64) -> io::Result<()> {
        self.0.preallocate(position, len)
    }
    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.truncate(len)
    }
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
    fn map(&self, len: u64) -> io::Result<Mapping> {
        self.0.map(len)
    }
    fn is_cached(&self, position: u64, len: u64) -> bool {
        self.0.is_cached(position, len)
    }
    fn warm(&self, position: u64, len: u64) -> io::Result<()> {
        self.0.warm(position, len)
    }
    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.0.descriptor()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use onrush_sys::{DiskBackend, open_disk};

    #[test]
    fn what_is_gone_takes_no_new_names_but_leaves_open_files_readable() {
        let dir = TempDir::new("onrush-test").unwrap();
        let path = dir.path().to_owned();
        let disk = Ephemeral::new(dir, open_disk(&path, DiskBackend::Plain).unwrap());
        let file = disk.open(Path::new("one"), OpenMode::Create).unwrap();
        file.write_all_at(&mut [IoSlice::new(b"abc")], 0).unwrap();
        disk.remove();
        assert!(!path.exists());
        assert!(disk.open(Path::new("two"), OpenMode::Create).is_err());
        let mut read = [0; 3];
        file.read_exact_at(&mut read, 0).unwrap();
        assert_eq!(&read, b"abc");
    }
}
