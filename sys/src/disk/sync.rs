//! How many files are made durable at once.

use super::File;
use std::io;
use std::sync::Arc;

/// Chooses the cheapest way to sync some number of files of one file system.
#[derive(Debug)]
pub(super) struct Syncer {
    #[expect(dead_code, reason = "for syncfs")]
    root: std::fs::File,
}

impl Syncer {
    /// `root` is a handle on any directory of the file system; it is kept, since errors are
    /// reported against it.
    pub(super) fn new(root: std::fs::File) -> Syncer {
        Syncer { root }
    }

    /// One answer per file.
    pub(super) fn sync(&self, files: &[Arc<dyn File>]) -> Vec<io::Result<()>> {
        files.iter().map(|file| file.sync_data()).collect()
    }
}
