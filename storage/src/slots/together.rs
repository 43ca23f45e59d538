//! The same change to the states of many logs, for a few syncs in all.
//!
//! Written one after the other, each log waits for three syncs of its own; together all wait for the
//! same three, which [`onrush_sys::Disk::sync_files`] does at once where it can.

use std::sync::Arc;

use onrush_sys::{Disk, File};
use parking_lot::MutexGuard;

use super::{Inner, Slots, Unsynced};
use crate::again::rewritten;
use crate::error::{IoContext, Result, StorageError};
use crate::names::state_path;
use crate::state::State;

/// A log whose state is to be changed, and how that went so far.
struct Change<'a> {
    slots: &'a Slots,
    inner: MutexGuard<'a, Inner>,
    outcome: Result<()>,
}

/// Does what [`Slots::write_both`] does to each, with an answer for each in their order. None may be
/// there twice.
pub(crate) fn write_both_of_all<C: Fn(&mut State)>(
    disk: &dyn Disk,
    all: &[(&Slots, C)],
) -> Vec<Result<()>> {
    let mut changes: Vec<Change<'_>> = all
        .iter()
        .map(|(slots, _)| Change { slots, inner: slots.inner.lock(), outcome: Ok(()) })
        .collect();
    settle(disk, &mut changes);
    for (change, (_, how)) in changes.iter_mut().zip(all) {
        change.write(how);
    }
    settle(disk, &mut changes);
    for change in &mut changes {
        change.write(|_| {});
    }
    settle(disk, &mut changes);
    changes.into_iter().map(|change| change.outcome).collect()
}

impl Change<'_> {
    fn write(&mut self, how: impl FnOnce(&mut State)) {
        if self.outcome.is_ok() {
            self.outcome = self.slots.write_settled(&mut self.inner, how).map(drop);
        }
    }

    /// The file to sync before this log's state may be written again, if there is one.
    fn pending(&mut self) -> Option<Arc<dyn File>> {
        if self.outcome.is_err() || self.inner.doubtful {
            return None;
        }
        let Unsynced { slot, file } = self.inner.unsynced.as_ref()?;
        if let Some(file) = file {
            return Some(file.clone());
        }
        let written = rewritten(&*self.slots.disk, &state_path(&self.slots.dir, *slot));
        written.map_err(|error| self.outcome = Err(error)).ok()
    }

    fn is_synced(&mut self, disk: &dyn Disk, synced: std::io::Result<()>) -> Result<()> {
        let Some(Unsynced { slot, file }) = &self.inner.unsynced else { return Ok(()) };
        let slot = *slot;
        if let Err(error) = synced {
            // What another process left may have been acted upon: it is kept as it is.
            self.inner.doubtful = file.is_some();
            return Err(StorageError::io("sync", &state_path(&self.slots.dir, slot), error));
        }
        if !self.inner.named[slot] {
            disk.sync_dir(&self.slots.dir).at("sync", &self.slots.dir)?;
            self.inner.named[slot] = true;
        }
        self.inner.unsynced = None;
        Ok(())
    }
}

/// Brings to the disk what was written last of each.
fn settle(disk: &dyn Disk, changes: &mut [Change<'_>]) {
    let (mut waiting, mut files) = (Vec::new(), Vec::new());
    for change in changes {
        if let Some(file) = change.pending() {
            waiting.push(change);
            files.push(file);
        }
    }
    if files.is_empty() {
        return;
    }
    for (change, synced) in waiting.into_iter().zip(disk.sync_files(&files)) {
        change.outcome = change.is_synced(disk, synced);
    }
}
