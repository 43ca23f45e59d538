//! The disk by plain system calls.

use super::{DirEntry, Disk, File, OpenMode, Synced, cached, sync, sync_each};
use crate::mapping::Mapping;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// What one `pwritev` takes at most, everywhere.
const IOV_MAX: usize = 1024;

/// Read at once while warming a range.
const WARM_STEP: usize = 128 * 1024;

/// Written at once when a file is lengthened by zeros.
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

/// A directory tree of the operating system.
#[derive(Debug)]
pub(super) struct PlainDisk {
    root: PathBuf,
    syncer: sync::Syncer,
}

impl PlainDisk {
    pub(super) fn open(root: &Path) -> io::Result<PlainDisk> {
        let root = std::path::absolute(root)?;
        let handle = std::fs::File::open(&root)?;
        if !handle.metadata()?.is_dir() {
            return Err(io::Error::new(
                io::ErrorKind::NotADirectory,
                format!("{} is not a directory", root.display()),
            ));
        }
        Ok(PlainDisk { root, syncer: sync::Syncer::new(handle) })
    }

    fn at(&self, path: &Path) -> io::Result<PathBuf> {
        let inside =
            path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
        if inside {
            return Ok(self.root.join(path));
        }
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{} is not a path below the disk's root", path.display()),
        ))
    }

    /// See [`sync::Syncer::sync_whole`].
    #[cfg(target_os = "linux")]
    pub(super) fn sync_whole(&self, files: &[Arc<dyn File>]) -> Option<Vec<io::Result<()>>> {
        self.syncer.sync_whole(files)
    }

    /// See [`sync::Syncer::sync_whole_with`].
    pub(super) fn sync_whole_with(
        &self,
        files: &[Arc<dyn File>],
        dirs: &[&Path],
    ) -> Option<Synced> {
        let inside = dirs.iter().all(|dir| self.at(dir).is_ok_and(|dir| dir.is_dir()));
        inside.then(|| self.syncer.sync_whole_with(files, dirs.len())).flatten()
    }

    pub(super) fn open_plain(&self, path: &Path, mode: OpenMode) -> io::Result<PlainFile> {
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(mode != OpenMode::Read);
        match mode {
            OpenMode::Read | OpenMode::ReadWrite => {}
            OpenMode::Create => {
                options.create(true).truncate(false);
            }
            OpenMode::CreateNew => {
                options.create_new(true);
            }
        }
        Ok(PlainFile { file: options.open(self.at(path)?)? })
    }
}

impl Disk for PlainDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(self.at(path)?)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir_all(self.at(path)?)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(self.at(path)?)? {
            let entry = entry?;
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // Removed since the directory was read: as if it had been before.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            let is_dir = metadata.is_dir();
            entries.push(DirEntry {
                name: entry.file_name().to_string_lossy().into_owned(),
                is_dir,
                len: if is_dir { 0 } else { metadata.len() },
            });
        }
        entries.sort();
        Ok(entries)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(self.open_plain(path, mode)?))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(self.at(from)?, self.at(to)?)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(self.at(path)?)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.at(path)?.try_exists()
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::File::open(self.at(path)?)?.sync_all()
    }

    fn sync_files(&self, files: &[Arc<dyn File>]) -> Vec<io::Result<()>> {
        self.syncer.sync(files)
    }

    fn sync_all(&self, files: &[Arc<dyn File>], dirs: &[&Path]) -> Synced {
        self.sync_whole_with(files, dirs).unwrap_or_else(|| sync_each(self, files, dirs))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let file = self.open_plain(path, OpenMode::Create)?.file;
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(held_by_another(file, path)),
            Err(errno) => return Err(errno.into()),
        }
        // For whoever finds it locked. The lock is the kernel's; these bytes are only a hint.
        file.set_len(0)?;
        (&file).write_all(std::process::id().to_string().as_bytes())?;
        Ok(Box::new(file))
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.root)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn backend(&self) -> &'static str {
        "plain"
    }
}

fn held_by_another(mut file: std::fs::File, path: &Path) -> io::Error {
    let mut holder = String::new();
    // The holder may be just writing it; without it the message is only less helpful.
    let _ = (&mut file).take(20).read_to_string(&mut holder);
    let holder = match holder.trim().parse::<u32>() {
        Ok(pid) => format!("process {pid}"),
        Err(_) => "another process".to_owned(),
    };
    io::Error::new(io::ErrorKind::WouldBlock, format!("{} is locked by {holder}", path.display()))
}

/// A file of the operating system.
#[derive(Debug)]
pub(super) struct PlainFile {
    file: std::fs::File,
}

impl AsFd for PlainFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl File for PlainFile {
    fn write_all_at(&self, mut bufs: &mut [IoSlice<'_>], mut position: u64) -> io::Result<()> {
        // Drops leading empty slices, so that a write of nothing is not taken for a full disk.
        IoSlice::advance_slices(&mut bufs, 0);
        while !bufs.is_empty() {
            let now = &bufs[..bufs.len().min(IOV_MAX)];
            let written = match now {
                [only] => rustix::io::pwrite(&self.file, only, position),
                several => rustix::io::pwritev(&self.file, several, position),
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    position += count as u64;
                    IoSlice::advance_slices(&mut bufs, count);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            match self.file.read_at(&mut buf[filled..], position + filled as u64) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn preallocate(&self, position: u64, len: u64) -> io::Result<()> {
        if len == 0 {
            return Ok(());
        }
        #[cfg(target_os = "linux")]
        loop {
            let flags = rustix::fs::FallocateFlags::empty();
            match rustix::fs::fallocate(&self.file, flags, position, len) {
                Ok(()) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                // This file system cannot: only the length is ensured.
                Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => break,
                Err(errno) => return Err(errno.into()),
            }
        }
        let end = position + len;
        if self.file.metadata()?.len() < end { self.file.set_len(end) } else { Ok(()) }
    }

    #[cfg(target_os = "linux")]
    fn append_zeros(&self, len: u64) -> io::Result<u64> {
        let mut left = len;
        while left > 0 {
            // A piece at a time: whoever appends meanwhile waits for no more than one.
            let piece = usize::try_from(left).map_or(ZEROS.len(), |left| left.min(ZEROS.len()));
            let slices = [IoSlice::new(&ZEROS[..piece])];
            let flags = rustix::io::ReadWriteFlags::APPEND;
            match rustix::io::pwritev2(&self.file, &slices, 0, flags) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => left -= count as u64,
                Err(rustix::io::Errno::INTR) => {}
                // Not offered here: room is only reserved.
                Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                    self.preallocate(self.len()?, left)?;
                    break;
                }
                Err(errno) => return Err(errno.into()),
            }
        }
        self.len()
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn map(&self, len: u64) -> io::Result<Mapping> {
        Mapping::of_file(self.file.as_fd(), len)
    }

    fn is_cached(&self, position: u64, len: u64) -> bool {
        cached::is_cached(self.file.as_fd(), position, len)
    }

    fn warm(&self, position: u64, len: u64) -> io::Result<()> {
        #[cfg(target_os = "linux")]
        {
            // Starts reading all of it, so that the reads below find most of it there. Only advice.
            let advice = rustix::fs::Advice::WillNeed;
            let _ =
                rustix::fs::fadvise(&self.file, position, std::num::NonZeroU64::new(len), advice);
        }
        let mut scratch = vec![0; WARM_STEP];
        let end = position.saturating_add(len);
        let mut at = position;
        while at < end {
            let step = usize::try_from(end - at).map_or(WARM_STEP, |left| left.min(WARM_STEP));
            let count = self.read_at(&mut scratch[..step], at)?;
            if count < step {
                break;
            }
            at += count as u64;
        }
        Ok(())
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}
