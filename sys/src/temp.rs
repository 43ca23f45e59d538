//! A directory for the time of a test or of an embedded broker.

use crate::random::{Random as _, SystemRandom};
use std::io;
use std::path::{Path, PathBuf};

/// A new directory that is removed, with all in it, on drop (as well as can be done: what cannot
/// be removed stays).
#[derive(Debug)]
pub struct TempDir {
    path: PathBuf,
}

impl TempDir {
    /// In the system's place for such, named `prefix` and something random.
    pub fn new(prefix: &str) -> io::Result<TempDir> {
        TempDir::new_in(&std::env::temp_dir(), prefix)
    }

    /// In a place of the caller's choosing.
    pub fn new_in(parent: &Path, prefix: &str) -> io::Result<TempDir> {
        loop {
            let path = parent.join(format!("{prefix}-{:016x}", SystemRandom.next_u64()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(TempDir { path: std::path::absolute(path)? }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_gone_with_all_in_it_afterwards() {
        let dir = TempDir::new("onrush-temp").unwrap();
        let path = dir.path().to_owned();
        std::fs::create_dir(path.join("below")).unwrap();
        std::fs::write(path.join("below/file"), b"x").unwrap();
        drop(dir);
        assert!(!path.exists());
    }
}
