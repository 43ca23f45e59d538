//! The two state slots of a log, written in turn.
//!
//! One rule keeps a valid slot on the medium whatever happens: a slot is overwritten only while the
//! other one is known to be durable.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use std::io::IoSlice;

use onrush_sys::{Disk, File, OpenMode};
use parking_lot::Mutex;

use crate::again::{make_durable, rewritten};
use crate::error::{IoContext, Result, StorageError};
use crate::layout::{FORMAT_VERSION, HeaderFault};
use crate::names::state_path;
use crate::state::State;

mod together;

pub(crate) use together::write_both_of_all;

/// The state of one log and the slots that keep it.
#[derive(Debug)]
pub(crate) struct Slots {
    disk: Arc<dyn Disk>,
    dir: Arc<Path>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    state: State,
    generation: u64,
    /// The slot that was written last and is not known to be durable.
    unsynced: Option<Unsynced>,
    /// A sync of that slot failed: it is written anew before anything else, never synced again as
    /// it is.
    doubtful: bool,
    /// Which slots were there when the log was opened or created.
    present: [bool; 2],
    /// Which slots are known to have a durable name.
    named: [bool; 2],
}

#[derive(Debug)]
struct Unsynced {
    slot: usize,
    /// The handle it was written through, which alone is sure to be told of an error; none if
    /// another process wrote it.
    file: Option<Arc<dyn File>>,
}

/// What the slots of a directory hold.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Newest first.
    pub valid: Vec<(u64, State)>,
    /// Slots that exist and cannot be read.
    pub unreadable: Vec<PathBuf>,
}

impl Slots {
    /// The slots as `found` left them, those that are `present`. `synced` says that the newest one is
    /// known to be durable, and the names.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        dir: Arc<Path>,
        state: State,
        generation: u64,
        present: [bool; 2],
        synced: bool,
    ) -> Slots {
        let unsynced = (!synced).then(|| Unsynced { slot: slot_of(generation), file: None });
        Slots {
            disk,
            dir,
            inner: Mutex::new(Inner {
                state,
                generation,
                unsynced,
                doubtful: false,
                present,
                named: present.map(|present| present && synced),
            }),
        }
    }

    /// Reads both slots; `lens` are their lengths by the directory listing, if they exist.
    pub(crate) fn load(disk: &dyn Disk, dir: &Path, lens: [Option<u64>; 2]) -> Result<Found> {
        let mut found = Found::default();
        for (slot, len) in lens.into_iter().enumerate() {
            let Some(len) = len else { continue };
            let path = state_path(dir, slot);
            let file = disk.open(&path, OpenMode::Read).at("open", &path)?;
            let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
            let have = file.read_at(&mut bytes, 0).at("read", &path)?;
            match State::decode(&bytes[..have]) {
                Ok((generation, state)) if slot_of(generation) == slot => {
                    found.valid.push((generation, state));
                }
                Err(HeaderFault::Newer(version)) => {
                    return Err(StorageError::NewerFormat {
                        file: path.display().to_string(),
                        found: version,
                        supported: FORMAT_VERSION,
                    });
                }
                _ => found.unreadable.push(path),
            }
        }
        found.valid.sort_by_key(|(generation, _)| std::cmp::Reverse(*generation));
        Ok(found)
    }

    /// The newest slot, if another process wrote it: written over itself, to be synced through this
    /// handle.
    pub(crate) fn pending(&self) -> Result<Option<Arc<dyn File>>> {
        let inner = self.inner.lock();
        match &inner.unsynced {
            Some(Unsynced { slot, file: None }) if !inner.doubtful => {
                rewritten(&*self.disk, &state_path(&self.dir, *slot)).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The file that [`Slots::pending`] gave is durable, and so are the names in the directory.
    pub(crate) fn found_is_durable(&self) {
        let mut inner = self.inner.lock();
        inner.unsynced = None;
        inner.named = inner.present;
    }

    /// Looks at the state as it was last changed.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&State) -> T) -> T {
        at(&self.inner.lock().state)
    }

    /// Changes the state and writes it to the next slot. The caller syncs the file and then says
    /// [`Slots::synced`]; until then a further write syncs it first.
    pub(crate) fn write(&self, change: impl FnOnce(&mut State)) -> Result<Arc<dyn File>> {
        let mut inner = self.inner.lock();
        self.write_locked(&mut inner, change)
    }

    /// Changes the state and makes it durable in both slots, so that damage to one loses nothing.
    pub(crate) fn write_both(&self, change: impl FnOnce(&mut State)) -> Result<()> {
        let mut inner = self.inner.lock();
        self.write_locked(&mut inner, change)?;
        self.write_locked(&mut inner, |_| {})?;
        self.settle(&mut inner)
    }

    /// The file that [`Slots::write`] gave is durable.
    pub(crate) fn synced(&self) {
        let mut inner = self.inner.lock();
        if inner.unsynced.as_ref().is_some_and(|unsynced| inner.named[unsynced.slot]) {
            inner.unsynced = None;
        }
    }

    /// Syncing the file that [`Slots::write`] gave failed.
    pub(crate) fn sync_failed(&self) {
        self.inner.lock().doubtful = true;
    }

    fn write_locked(
        &self,
        inner: &mut Inner,
        change: impl FnOnce(&mut State),
    ) -> Result<Arc<dyn File>> {
        if !inner.doubtful {
            self.settle(inner)?;
        }
        self.write_settled(inner, change)
    }

    /// Writes the next slot, once the one that was written last is durable or in doubt.
    fn write_settled(
        &self,
        inner: &mut Inner,
        change: impl FnOnce(&mut State),
    ) -> Result<Arc<dyn File>> {
        // What a failed sync left in doubt is written over; the other slot stays what it is.
        let step = if inner.doubtful { 2 } else { 1 };
        change(&mut inner.state);
        let generation = inner.generation + step;
        let bytes = inner.state.encode(generation);
        let slot = slot_of(generation);
        let path = state_path(&self.dir, slot);
        let file = self.disk.open(&path, OpenMode::Create).at("open", &path)?;
        file.write_all_at(&mut [IoSlice::new(&bytes)], 0).at("write", &path)?;
        inner.generation = generation;
        inner.unsynced = Some(Unsynced { slot, file: Some(file.clone()) });
        inner.doubtful = false;
        Ok(file)
    }

    fn settle(&self, inner: &mut Inner) -> Result<()> {
        let Some(Unsynced { slot, file }) = &inner.unsynced else { return Ok(()) };
        let slot = *slot;
        let path = state_path(&self.dir, slot);
        match file {
            Some(file) => {
                if let Err(error) = file.sync_data() {
                    inner.doubtful = true;
                    return Err(StorageError::io("sync", &path, error));
                }
            }
            None => make_durable(&*self.disk, &path)?,
        }
        if !inner.named[slot] {
            // Without its name it is not there, and the other one is the next to be written over.
            self.disk.sync_dir(&self.dir).at("sync", &self.dir)?;
            inner.named[slot] = true;
        }
        inner.unsynced = None;
        Ok(())
    }
}

/// The slot that a generation is written to.
pub(crate) fn slot_of(generation: u64) -> usize {
    usize::from(generation % 2 == 1)
}
