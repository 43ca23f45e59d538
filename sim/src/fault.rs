//! Operations that are made to fail.

use std::io;

/// What a process asks of a disk.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Making a file or directory.
    Create,
    /// Opening an existing file.
    Open,
    /// A write. When it fails, its first half is there: an error does not mean that nothing is.
    Write,
    /// A read.
    Read,
    /// `sync_data`. When it fails, what it was to cover stays in doubt for good.
    Sync,
    /// `sync_dir`; likewise.
    SyncDir,
    /// Preallocation.
    Preallocate,
    /// Setting a length.
    Truncate,
    /// A rename.
    Rename,
    /// A removal.
    Remove,
}

/// A failure to come: by default of the next such operation, once, with an I/O error.
#[derive(Clone, Debug)]
pub struct Fault {
    operation: Operation,
    name_part: String,
    skip: u64,
    times: u64,
    errno: i32,
}

/// The same number on every system that we run on.
const EIO: i32 = 5;
/// Likewise.
pub(crate) const ENOSPC: i32 = 28;

impl Fault {
    /// The next operation of this kind fails.
    pub fn next(operation: Operation) -> Fault {
        Fault { operation, name_part: String::new(), skip: 0, times: 1, errno: EIO }
    }

    /// Only after so many have gone well.
    #[must_use]
    pub fn after(mut self, skip: u64) -> Fault {
        self.skip = skip;
        self
    }

    /// Only on paths that contain this. (A file's path is that by which it was opened.)
    #[must_use]
    pub fn on(mut self, name_part: &str) -> Fault {
        name_part.clone_into(&mut self.name_part);
        self
    }

    /// So many times.
    #[must_use]
    pub fn times(mut self, times: u64) -> Fault {
        self.times = times;
        self
    }

    /// From then on always, until [`SimDisk::heal`](crate::SimDisk::heal).
    #[must_use]
    pub fn forever(self) -> Fault {
        self.times(u64::MAX)
    }

    /// For want of space.
    #[must_use]
    pub fn no_space(mut self) -> Fault {
        self.errno = ENOSPC;
        self
    }

    /// Counts an operation; the error, if it is this fault's turn.
    fn strike(&mut self, operation: Operation, path: &str) -> Option<io::Error> {
        if operation != self.operation || !path.contains(&self.name_part) || self.times == 0 {
            return None;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return None;
        }
        self.times -= 1;
        Some(io::Error::from_raw_os_error(self.errno))
    }
}

/// The failures to come.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Fault>);

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// To be called once for every operation.
    pub(crate) fn check(&mut self, operation: Operation, path: &str) -> io::Result<()> {
        let mut result = Ok(());
        for fault in &mut self.0 {
            // Every fault counts it, also when another one strikes.
            if let Some(error) = fault.strike(operation, path) {
                result = Err(error);
            }
        }
        self.0.retain(|fault| fault.times > 0);
        result
    }
}
