//! How many files are made durable at once.
//!
//! Each of `n` files had one write of that size; then all were synced. Milliseconds, median of 15
//! (of 7 for 1,000), interleaved, on 2 virtual cores, Linux 6.18, ext4 on a virtual disk, by
//! `cargo test -p onrush-sys --lib sync::tests::measure -- --ignored --nocapture`:
//!
//! | n | size | one by one | write-back first | syncfs | all at once by io_uring |
//! |---|---|---|---|---|---|
//! | 1 | 4 KiB | 0.12 | 0.12 | 0.14 | 0.13 |
//! | 2 | 4 KiB | 0.23 | 0.18 | 0.16 | 0.19 |
//! | 4 | 4 KiB | 0.55 | 0.37 | 0.28 | 0.45 |
//! | 8 | 4 KiB | 0.94 | 0.51 | 0.30 | 0.59 |
//! | 8 | 64 KiB | 1.0 | 0.69 | 0.46 | 0.63 |
//! | 32 | 4 KiB | 4.2 | 1.9 | 0.68 | 1.7 |
//! | 100 | 4 KiB | 16 | 6.8 | 1.5 | 5.1 |
//! | 100 | 64 KiB | 15 | 9.0 | 3.2 | 6.3 |
//! | 1,000 | 4 KiB | 162 | 63 | 13 | 55 |
//! | 1,000 | 64 KiB | 146 | 83 | 39 | 82 |
//!
//! So `syncfs` wins from two files on, but it also waits for whatever other programs left dirty in
//! the same file system, which may be gigabytes. Hence it is used from [`MANY`] files on, and only
//! while the machine has little dirty data for that many files.
//!
//! It brings the names in directories to the medium as well, each of which would be a sync of its own.
//!
//! # Whose error it was
//! `fdatasync`, by whichever backend, reports a failed write-back once to each descriptor that was
//! open then, so its error belongs to its file. `syncfs` reports that *something* in the file
//! system failed, once to the descriptor it is called on. When it does, every file is asked by
//! `fdatasync`, now and from then on: the kernel keeps the two reports apart, so a file whose
//! write-back failed still says so, and one that does not is durable. That is no retry: nothing is
//! asked twice of the same descriptor.

use super::{File, Synced};
use std::io;
use std::sync::Arc;

/// From so many files on, `syncfs` is worth its risk, and the question of whether to take it.
const MANY: usize = 8;

/// Chooses the cheapest way to sync some number of files of one file system.
#[derive(Debug)]
pub(super) struct Syncer {
    #[cfg(target_os = "linux")]
    file_system: Option<linux::FileSystem>,
}

impl Syncer {
    /// `root` is any directory of the file system.
    pub(super) fn new(root: std::fs::File) -> Syncer {
        #[cfg(not(target_os = "linux"))]
        drop(root);
        Syncer {
            #[cfg(target_os = "linux")]
            file_system: linux::FileSystem::trusted(root),
        }
    }

    /// One answer per file; by plain system calls.
    pub(super) fn sync(&self, files: &[Arc<dyn File>]) -> Vec<io::Result<()>> {
        self.sync_whole(files).unwrap_or_else(|| match files {
            [] | [_] => one_by_one(files),
            _ => write_back_first(files),
        })
    }

    /// The same by syncing the whole file system; none where that is not the cheapest way, and
    /// nothing was done.
    pub(super) fn sync_whole(&self, files: &[Arc<dyn File>]) -> Option<Vec<io::Result<()>>> {
        let durable = self.try_whole(files, 0)?;
        Some(if durable { all_well(files.len()) } else { one_by_one(files) })
    }

    /// These files and so many directories by syncing the whole file system, if that is the cheapest
    /// way and goes well. If not, each of them is to be asked.
    pub(super) fn sync_whole_with(&self, files: &[Arc<dyn File>], dirs: usize) -> Option<Synced> {
        let durable = self.try_whole(files, dirs)?;
        durable.then(|| Synced { files: all_well(files.len()), dirs: all_well(dirs) })
    }

    /// Whether all is durable; none if nothing was done.
    fn try_whole(&self, files: &[Arc<dyn File>], dirs: usize) -> Option<bool> {
        let many = files.len() + dirs >= MANY;
        if !many || files.iter().any(|file| file.descriptor().is_none()) {
            return None;
        }
        self.try_whole_unasked(files.len() + dirs)
    }

    #[cfg(target_os = "linux")]
    fn try_whole_unasked(&self, count: usize) -> Option<bool> {
        let file_system = self.file_system.as_ref()?;
        linux::little_is_dirty(count).then(|| file_system.sync())
    }

    #[cfg(not(target_os = "linux"))]
    fn try_whole_unasked(&self, _count: usize) -> Option<bool> {
        None
    }
}

fn all_well(count: usize) -> Vec<io::Result<()>> {
    std::iter::repeat_with(|| Ok(())).take(count).collect()
}

fn one_by_one(files: &[Arc<dyn File>]) -> Vec<io::Result<()>> {
    files.iter().map(|file| file.sync_data()).collect()
}

fn write_back_first(files: &[Arc<dyn File>]) -> Vec<io::Result<()>> {
    #[cfg(target_os = "linux")]
    {
        let started: Vec<_> = files.iter().map(|file| linux::start_write_back(&**file)).collect();
        // Both must have gone well; and the sync is asked whatever the start said.
        files.iter().zip(started).map(|(file, start)| file.sync_data().and(start)).collect()
    }
    #[cfg(not(target_os = "linux"))]
    one_by_one(files)
}

#[cfg(target_os = "linux")]
mod linux;

#[cfg(test)]
#[cfg(all(target_os = "linux", not(miri)))]
mod tests;
