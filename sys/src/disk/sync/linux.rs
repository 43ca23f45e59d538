//! `syncfs`, `sync_file_range`, and whether the first may be relied upon.

use super::File;
use parking_lot::Mutex;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;

/// Dirty bytes on the whole machine, beyond which `syncfs` would wait for others for longer than it
/// saves: so many, and so many more for each file.
const DIRTY_BASE_BYTES: u64 = 2 << 20;
const DIRTY_PER_FILE_BYTES: u64 = 128 << 10;

/// A file system whose `syncfs` gives every guarantee of `fdatasync`.
#[derive(Debug)]
pub(super) struct FileSystem {
    /// A directory in it, kept open: errors are reported against it, once. Gone after the first
    /// one, see [`FileSystem::sync`].
    root: Mutex<Option<std::fs::File>>,
    /// Its `syncfs` says nothing of having given up: the directory is asked as well.
    asks_root: bool,
}

impl FileSystem {
    /// None unless it is ext4 or XFS, which both flush the device's cache in `syncfs`, on a kernel
    /// that passes their errors on: 5.8 began to report failed write-backs, 5.17 what the file
    /// system itself says. Others (overlay, FUSE, network) promise less.
    pub(super) fn trusted(root: std::fs::File) -> Option<FileSystem> {
        let device = root.metadata().ok()?.dev();
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
        let kind = file_system_kind(&mounts, device)?;
        let release = rustix::system::uname();
        let asks_root = asks_root(kind, release.release().to_str().ok()?)?;
        Some(FileSystem { root: Mutex::new(Some(root)), asks_root })
    }

    /// One that has had its error.
    #[cfg(test)]
    pub(super) fn failed() -> FileSystem {
        FileSystem { root: Mutex::new(None), asks_root: false }
    }

    /// Whether all that was written before is durable now. If not, each file must be asked.
    ///
    /// The first error is the last call: it may have been about a file that is not asked now but
    /// later, and `syncfs` would not say it a second time, while that file will. For the same
    /// reason the lock is held meanwhile: of two callers only one is told.
    pub(super) fn sync(&self) -> bool {
        let mut root = self.root.lock();
        let sync = |root: &std::fs::File| {
            rustix::fs::syncfs(root)?;
            if self.asks_root { root.sync_all() } else { Ok(()) }
        };
        match root.as_ref().map(sync) {
            Some(Ok(())) => true,
            Some(Err(error)) => {
                tracing::warn!(%error, "syncfs failed; from now on each file is synced by itself");
                *root = None;
                false
            }
            None => false,
        }
    }
}

/// Whether its `syncfs` can be trusted only together with the `fsync` of a directory; none if not at all.
///
/// An ext4 that has given up (an aborted journal, `errors=remount-ro`) answered `syncfs` as if all were
/// well: by being read-only before Linux 6.12, as one that is shut down before 6.13. `fsync` of anything
/// in it says so.
fn asks_root(kind: &str, release: &str) -> Option<bool> {
    let trusted = matches!(kind, "ext4" | "xfs") && kernel_at_least(release, (5, 17));
    trusted.then(|| kind == "ext4" && !kernel_at_least(release, (6, 13)))
}

/// The type of the file system on a device, out of `/proc/self/mountinfo`.
fn file_system_kind(mounts: &str, device: u64) -> Option<&str> {
    let number = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    mounts.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        (before.split(' ').nth(2)? == number).then(|| after.split(' ').next())?
    })
}

fn kernel_at_least(release: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= wanted,
        _ => false,
    }
}

/// Whether `syncfs` for so many files would hardly wait for what others wrote. (Asking takes 30 to
/// 60 µs.)
pub(super) fn little_is_dirty(files: usize) -> bool {
    let allowed = DIRTY_BASE_BYTES + DIRTY_PER_FILE_BYTES * files as u64;
    dirty_bytes().is_some_and(|dirty| dirty <= allowed)
}

/// What the whole machine has written and not yet brought to any disk.
fn dirty_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    Some(meminfo_kib(&text, "Dirty:")?.saturating_add(meminfo_kib(&text, "Writeback:")?) * 1024)
}

fn meminfo_kib(text: &str, name: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.trim().strip_suffix("kB")?.trim().parse().ok())
}

/// Tells the kernel to start writing a file's dirty pages, without waiting for them.
pub(super) fn start_write_back(file: &dyn File) -> io::Result<()> {
    let Some(descriptor) = file.descriptor() else { return Ok(()) };
    // SAFETY: no memory is passed, and the descriptor is open for as long as `file` is borrowed.
    let status =
        unsafe { libc::sync_file_range(descriptor.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
    if status == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // Not offered here; the sync itself will do all of it.
        Some(libc::ENOSYS | libc::EINVAL | libc::ESPIPE | libc::EPERM | libc::EOPNOTSUPP) => Ok(()),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
23 22 0:5 / /dev rw - devtmpfs devtmpfs rw\n\
24 22 0:61 / /merged rw,relatime - overlay overlay rw\n";

    #[test]
    fn the_file_system_is_found_by_its_device() {
        let device = rustix::fs::makedev(254, 0);
        assert_eq!(file_system_kind(MOUNTS, device), Some("ext4"));
        assert_eq!(file_system_kind(MOUNTS, rustix::fs::makedev(0, 61)), Some("overlay"));
        assert_eq!(file_system_kind(MOUNTS, rustix::fs::makedev(9, 9)), None);
    }

    #[test]
    fn kernels_are_compared_by_number() {
        assert!(kernel_at_least("6.18.44-fc", (5, 17)));
        assert!(kernel_at_least("5.17", (5, 17)));
        assert!(!kernel_at_least("5.9.1", (5, 17)));
        assert!(!kernel_at_least("strange", (5, 17)));
    }

    #[test]
    fn an_older_ext4_is_not_believed_alone() {
        assert_eq!(asks_root("ext4", "6.18.44-fc"), Some(false));
        assert_eq!(asks_root("ext4", "6.12.9"), Some(true));
        assert_eq!(asks_root("xfs", "6.1.0"), Some(false));
        assert_eq!(asks_root("xfs", "5.10.0"), None);
        assert_eq!(asks_root("overlay", "6.18.44-fc"), None);
    }

    #[test]
    #[cfg(not(miri))]
    fn dirty_memory_is_read() {
        assert!(dirty_bytes().is_some());
        assert_eq!(meminfo_kib("Dirty:      12 kB\nWriteback: 3 kB\n", "Writeback:"), Some(3));
    }
}
