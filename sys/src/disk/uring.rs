//! The disk by io_uring.
//!
//! A ring is a pair of queues shared with the kernel. Here each is used by one caller at a time,
//! who fills it, waits until everything it asked for is done, and gives it back to the disk's pool:
//! so a ring needs no lock of its own, no thread stands between a caller and the kernel, and
//! several threads do not wait for one another. There are never more rings than threads that were
//! within the disk at once.
//!
//! Reading, writing and syncing go through a ring; what is rare (opening, preallocation, names)
//! does not.

use super::plain::{PlainDisk, PlainFile};
use super::{DirEntry, Disk, File, OpenMode, Synced, sync_each};
use crate::mapping::Mapping;
use io_uring::{IoUring, opcode, squeue, types};
use parking_lot::Mutex;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd};
use std::path::Path;
use std::sync::Arc;

/// Operations in one ring at once. The kernel runs no more syncs than that, nor more than four a
/// core, in parallel.
const ENTRIES: u32 = 64;

/// What one `writev` takes at most.
const IOV_MAX: usize = 1024;

/// What one read is asked for at most; the kernel itself stops a little below 2 GiB.
const READ_MAX: usize = 1 << 30;

/// A directory tree of the operating system, reached through rings.
#[derive(Debug)]
pub(super) struct UringDisk {
    plain: PlainDisk,
    rings: Arc<Rings>,
}

impl UringDisk {
    /// Gives the plain disk back where the kernel has no io_uring, forbids it to us, or has one too
    /// old.
    pub(super) fn over(plain: PlainDisk) -> Result<UringDisk, (PlainDisk, io::Error)> {
        match Rings::new() {
            Ok(rings) => Ok(UringDisk { plain, rings: Arc::new(rings) }),
            Err(error) => Err((plain, error)),
        }
    }

    /// One sync per file, all running at once.
    pub(super) fn sync_at_once(&self, files: &[Arc<dyn File>]) -> Vec<io::Result<()>> {
        let mut results = Vec::with_capacity(files.len());
        let mut entries = Vec::with_capacity(files.len());
        for file in files {
            match file.descriptor() {
                Some(descriptor) => {
                    entries.push(sync_entry(descriptor));
                    results.push(Ok(()));
                }
                // Not one of ours: it knows itself.
                None => results.push(file.sync_data()),
            }
        }
        // SAFETY: a sync refers to no memory, only to descriptors, which `files` keeps open.
        let outcome = unsafe { self.rings.run(&entries) };
        let mut synced = outcome.into_iter();
        for (result, file) in results.iter_mut().zip(files) {
            if file.descriptor().is_some() {
                let answer = synced.next().unwrap_or_else(|| Err(lost_answer()));
                *result = answer.map(|_| ());
            }
        }
        results
    }
}

impl Disk for UringDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.plain.create_dir_all(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.plain.remove_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.plain.list(path)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let plain = self.plain.open_plain(path, mode)?;
        Ok(Arc::new(UringFile { plain, rings: Arc::clone(&self.rings) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.plain.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.plain.remove_file(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.plain.exists(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.plain.sync_dir(path)
    }

    fn sync_files(&self, files: &[Arc<dyn File>]) -> Vec<io::Result<()>> {
        self.plain.sync_whole(files).unwrap_or_else(|| self.sync_at_once(files))
    }

    fn sync_all(&self, files: &[Arc<dyn File>], dirs: &[&Path]) -> Synced {
        self.plain.sync_whole_with(files, dirs).unwrap_or_else(|| sync_each(self, files, dirs))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        self.plain.lock(path)
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.plain.free_bytes()
    }

    fn backend(&self) -> &'static str {
        "io_uring"
    }
}

fn sync_entry(file: BorrowedFd<'_>) -> squeue::Entry {
    opcode::Fsync::new(types::Fd(file.as_raw_fd())).flags(types::FsyncFlags::DATASYNC).build()
}

fn lost_answer() -> io::Error {
    io::Error::other("io_uring gave no answer")
}

/// A file of the operating system, reached through rings.
#[derive(Debug)]
struct UringFile {
    plain: PlainFile,
    rings: Arc<Rings>,
}

impl UringFile {
    fn fd(&self) -> types::Fd {
        types::Fd(self.plain.as_fd().as_raw_fd())
    }
}

impl File for UringFile {
    fn write_all_at(&self, mut bufs: &mut [IoSlice<'_>], mut position: u64) -> io::Result<()> {
        // Drops leading empty slices, so that a write of nothing is not taken for a full disk.
        IoSlice::advance_slices(&mut bufs, 0);
        while !bufs.is_empty() {
            let now = &bufs[..bufs.len().min(IOV_MAX)];
            // An IoSlice is an iovec by its own promise; at most 1024 of them.
            let count = u32::try_from(now.len()).unwrap_or(1);
            let entry =
                opcode::Writev::new(self.fd(), now.as_ptr().cast(), count).offset(position).build();
            // SAFETY: the slices, and the bytes that they borrow, outlive the call, and `self`
            // keeps the descriptor open.
            match unsafe { self.rings.run_one(entry) } {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    position += u64::from(written);
                    IoSlice::advance_slices(&mut bufs, written as usize);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buf.len() {
            let left = &mut buf[filled..];
            let len = u32::try_from(left.len().min(READ_MAX)).unwrap_or(u32::MAX);
            let entry = opcode::Read::new(self.fd(), left.as_mut_ptr(), len)
                .offset(position + filled as u64)
                .build();
            // SAFETY: `left` has at least `len` bytes, is borrowed mutably until after the call,
            // and `self` keeps the descriptor open.
            match unsafe { self.rings.run_one(entry) } {
                Ok(0) => break,
                Ok(count) => filled += count as usize,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn sync_data(&self) -> io::Result<()> {
        // SAFETY: a sync refers to no memory, and `self` keeps the descriptor open.
        unsafe { self.rings.run_one(sync_entry(self.plain.as_fd())) }.map(|_| ())
    }

    fn preallocate(&self, position: u64, len: u64) -> io::Result<()> {
        self.plain.preallocate(position, len)
    }

    fn append_zeros(&self, len: u64) -> io::Result<u64> {
        self.plain.append_zeros(len)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.plain.truncate(len)
    }

    fn len(&self) -> io::Result<u64> {
        self.plain.len()
    }

    fn map(&self, len: u64) -> io::Result<Mapping> {
        self.plain.map(len)
    }

    fn is_cached(&self, position: u64, len: u64) -> bool {
        self.plain.is_cached(position, len)
    }

    fn warm(&self, position: u64, len: u64) -> io::Result<()> {
        self.plain.warm(position, len)
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.plain.descriptor()
    }
}

/// The rings that nobody uses just now.
#[derive(Debug)]
struct Rings(Mutex<Vec<Ring>>);

impl Rings {
    fn new() -> io::Result<Rings> {
        let ring = Ring::new()?;
        ring.has_what_we_need()?;
        Ok(Rings(Mutex::new(vec![ring])))
    }

    /// As [`Rings::run`], for one operation.
    ///
    /// # Safety
    /// As there.
    unsafe fn run_one(&self, entry: squeue::Entry) -> io::Result<u32> {
        // SAFETY: passed on to the caller.
        let mut answers = unsafe { self.run(std::slice::from_ref(&entry)) };
        answers.pop().unwrap_or_else(|| Err(lost_answer()))
    }

    /// Runs all the operations, as many at once as a ring holds, and returns their answers in
    /// order. None is left running when it returns.
    ///
    /// # Safety
    /// Every descriptor and all memory that the operations refer to must stay valid, and must not
    /// be used against what the operation does with it, until this returns.
    unsafe fn run(&self, entries: &[squeue::Entry]) -> Vec<io::Result<u32>> {
        let idle = self.0.lock().pop();
        let outcome = idle.map_or_else(Ring::new, Ok).and_then(|mut ring| {
            // SAFETY: passed on to the caller.
            let answers = unsafe { ring.run(entries) }?;
            // One that failed is not given back, but closed with what it still queues.
            self.0.lock().push(ring);
            Ok(answers)
        });
        outcome.unwrap_or_else(|error| {
            let again = || io::Error::new(error.kind(), format!("io_uring: {error}"));
            entries.iter().map(|_| Err(again())).collect()
        })
    }
}

/// One ring. Between calls it is empty: nothing queued, nothing running.
struct Ring(IoUring);

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ring")
    }
}

impl Ring {
    fn new() -> io::Result<Ring> {
        Ok(Ring(IoUring::new(ENTRIES)?))
    }

    fn has_what_we_need(&self) -> io::Result<()> {
        let mut probe = io_uring::Probe::new();
        self.0.submitter().register_probe(&mut probe)?;
        let needed = [opcode::Writev::CODE, opcode::Read::CODE, opcode::Fsync::CODE];
        if needed.iter().all(|code| probe.is_supported(*code)) {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::Unsupported, "the kernel's io_uring is too old"))
    }

    /// See [`Rings::run`]. An error is the ring's own: the kernel took none of the operations, and
    /// the ring is of no more use.
    ///
    /// # Safety
    /// As there.
    unsafe fn run(&mut self, entries: &[squeue::Entry]) -> io::Result<Vec<io::Result<u32>>> {
        let mut answers: Vec<_> = entries.iter().map(|_| Err(lost_answer())).collect();
        let mut waiting = entries.iter().zip(0u64..).peekable();
        let mut running = 0usize;
        // Leaves only once all that was queued is answered: until then the kernel may use the
        // caller's memory.
        while running > 0 || waiting.peek().is_some() {
            while running < ENTRIES as usize {
                let Some((entry, index)) = waiting.next() else { break };
                let entry = entry.clone().user_data(index);
                // SAFETY: what the entry refers to stays valid until this function returns, by its
                // own contract, and it does not return before the entry is answered.
                let pushed = unsafe { self.0.submission().push(&entry) };
                // There is room: the queue holds as many as may run at once.
                debug_assert!(pushed.is_ok(), "the submission queue has room");
                running += usize::from(pushed.is_ok());
            }
            if let Err(error) = self.0.submit_and_wait(1) {
                // Of what the kernel has taken, none may be left running: it uses the caller's
                // memory. So this gives up only while it has taken nothing.
                if self.0.submission().len() == running && !passes(&error) {
                    return Err(error);
                }
                std::thread::yield_now();
            }
            for done in self.0.completion() {
                running -= 1;
                let answer = usize::try_from(done.user_data()).ok();
                if let Some(slot) = answer.and_then(|index| answers.get_mut(index)) {
                    *slot = u32::try_from(done.result())
                        .map_err(|_| io::Error::from_raw_os_error(-done.result()));
                }
            }
        }
        Ok(answers)
    }
}

/// Whether an error of the ring itself goes away by waiting: interrupted, short of memory for the
/// moment, or with answers to be taken first.
fn passes(error: &io::Error) -> bool {
    let transient = [libc::EINTR, libc::EAGAIN, libc::EBUSY, libc::ENOMEM];
    error.raw_os_error().is_some_and(|number| transient.contains(&number))
}

#[cfg(test)]
#[cfg(not(miri))]
mod tests;
