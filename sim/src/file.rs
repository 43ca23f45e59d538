//! A handle on a file of the simulated disk.

use crate::disk::{Shared, full};
use crate::fault::Operation;
use crate::image::FileId;
use crate::op::{DataChange, Op};
use bytes::Bytes;
use onrush_sys::{File, Mapping, MappingSource};
use std::fmt;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

pub(crate) struct SimFile {
    shared: Arc<Shared>,
    id: FileId,
    /// By which it was opened.
    path: String,
    writable: bool,
}

impl SimFile {
    pub(crate) fn new(shared: Arc<Shared>, id: FileId, path: String, writable: bool) -> SimFile {
        SimFile { shared, id, path, writable }
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.writable {
            return Ok(());
        }
        let message = format!("{} was opened for reading", self.path);
        Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
    }
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimFile({})", self.path)
    }
}

impl File for SimFile {
    fn write_all_at(&self, bufs: &mut [IoSlice<'_>], position: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut bytes = bufs.iter().map(|buf| &**buf).collect::<Vec<_>>().concat();
        if bytes.is_empty() {
            return Ok(());
        }
        let mut state = self.shared.state.lock();
        let mut outcome = state.faults.check(Operation::Write, &self.path);
        if outcome.is_err() {
            bytes.truncate(bytes.len() / 2);
        }
        let end = position + bytes.len() as u64;
        let room = state.room_for(self.id, end);
        if room < end {
            bytes.truncate(usize::try_from(room.saturating_sub(position)).unwrap_or(0));
            outcome = outcome.and(Err(full()));
        }
        if !bytes.is_empty() {
            let change = DataChange::Write { position, bytes: Bytes::from(bytes) };
            state.change_data(self.id, change);
        }
        outcome
    }

    fn read_at(&self, buf: &mut [u8], position: u64) -> io::Result<usize> {
        let mut state = self.shared.state.lock();
        state.faults.check(Operation::Read, &self.path)?;
        Ok(state.now.files.get(&self.id).map_or(0, |content| content.read(buf, position)))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.shared.state.lock();
        // It covers what was written by now, and no more, however long it takes.
        let upto = state.boundary();
        if state.syncs_held {
            state.syncs_waiting += 1;
            self.shared.syncs_changed.notify_all();
            while state.syncs_held {
                self.shared.syncs_changed.wait(&mut state);
            }
            state.syncs_waiting -= 1;
        }
        state.sync_calls += 1;
        let outcome = state.faults.check(Operation::Sync, &self.path);
        state.record(Op::SyncData { file: self.id, upto, ok: outcome.is_ok() });
        outcome
    }

    fn preallocate(&self, position: u64, len: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut state = self.shared.state.lock();
        state.faults.check(Operation::Preallocate, &self.path)?;
        let end = position + len;
        if len == 0 || end <= state.len(self.id) {
            return Ok(());
        }
        if state.room_for(self.id, end) < end {
            return Err(full());
        }
        state.change_data(self.id, DataChange::Extend(end));
        Ok(())
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.check_writable()?;
        let mut state = self.shared.state.lock();
        state.faults.check(Operation::Truncate, &self.path)?;
        state.change_data(self.id, DataChange::SetLen(len));
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.shared.state.lock().len(self.id))
    }

    fn map(&self, len: u64) -> io::Result<Mapping> {
        if len == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "cannot map that length"));
        }
        let shared = Arc::clone(&self.shared);
        Ok(Mapping::of_source(Box::new(Mapped { shared, id: self.id, len })))
    }

    fn is_cached(&self, _position: u64, _len: u64) -> bool {
        !self.shared.state.lock().cold.contains(&self.id)
    }

    fn warm(&self, _position: u64, _len: u64) -> io::Result<()> {
        let mut state = self.shared.state.lock();
        state.faults.check(Operation::Read, &self.path)?;
        state.cold.remove(&self.id);
        Ok(())
    }

    fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// What stands in for the kernel's mapping: copies.
struct Mapped {
    shared: Arc<Shared>,
    id: FileId,
    len: u64,
}

impl MappingSource for Mapped {
    fn len(&self) -> u64 {
        self.len
    }

    fn bytes(&self, range: Range<u64>) -> Bytes {
        let state = self.shared.state.lock();
        let len = usize::try_from(range.end - range.start).expect("a mapping fits memory");
        let mut bytes = vec![0; len];
        let count =
            state.now.files.get(&self.id).map_or(0, |file| file.read(&mut bytes, range.start));
        assert_eq!(
            count, len,
            "bytes {range:?} beyond the file's end: a real mapping would SIGBUS"
        );
        Bytes::from(bytes)
    }
}
