//! Persisting how far the log is known to be durable: index entries, and now and then the state.

use std::io::IoSlice;
use std::path::PathBuf;
use std::sync::Arc;

use onrush_record::Offset;
use onrush_sys::{File, OpenMode};

use crate::config::Env;
use crate::error::{IoContext, Result, StorageError};
use crate::index::Index;
use crate::layout::{ENTRY_LEN, Entry, IdxHeader, entry_position};
use crate::names::SegmentSeq;
use crate::segment::{NO_TIMESTAMP, Segment};
use crate::slots::Slots;
use crate::view::Shared;
use crate::writer::LogWriter;

/// Stored intervals of the active segment that stay in memory.
const KEEP_STORED: u64 = 256;

/// A checkpoint to be written off the lock: first let a flush that began after this ticket
/// complete, then [`CheckpointTicket::write`], sync [`CheckpointTicket::files`], and
/// [`LogWriter::complete_checkpoint`].
#[derive(Debug)]
#[must_use = "a checkpoint that is never completed stops all later ones"]
pub struct CheckpointTicket {
    pub(crate) shared: Arc<Shared>,
    pub(crate) slots: Arc<Slots>,
    covers: Offset,
    parts: Vec<Part>,
    pub(crate) attachment: Option<Vec<u8>>,
    pub(crate) files: Vec<Arc<dyn File>>,
    pub(crate) wrote_state: bool,
    era: u32,
}

#[derive(Debug)]
struct Part {
    segment: Arc<Segment>,
    first_slot: u64,
    entries: Vec<Entry>,
    rolled: bool,
}

impl CheckpointTicket {
    /// The end of what it covers: to be durable before it is written.
    pub fn covers(&self) -> Offset {
        self.covers
    }

    /// Whether it may be written.
    pub fn is_durable(&self) -> bool {
        self.shared.ends().durable >= self.covers
    }

    /// Writes it. The files are to be synced afterwards.
    ///
    /// # Errors
    /// `NotDurable` if what it covers is not durable yet; `Full` or an I/O error otherwise, in
    /// which case a later checkpoint does it again.
    pub fn write(&mut self) -> Result<()> {
        let durable = self.shared.ends().durable;
        if durable < self.covers {
            return Err(StorageError::NotDurable { covers: self.covers, durable });
        }
        let mut created = false;
        for part in &self.parts {
            let (file, new) = write_part(&self.shared.env, part, None)?;
            created |= new;
            self.files.push(file);
        }
        if created {
            let dir = &*self.shared.dir;
            self.shared.env.disk.sync_dir(dir).at("sync", dir)?;
        }
        if let Some(bytes) = self.attachment.take() {
            let covers = self.covers;
            self.files.push(self.slots.write(|state| {
                state.attachment = Some((covers, bytes));
                state.durable_end = state.durable_end.max(covers);
                state.segments = None;
            })?);
            self.wrote_state = true;
        }
        Ok(())
    }

    /// The files to sync once it is written.
    pub fn files(&self) -> &[Arc<dyn File>] {
        &self.files
    }
}

/// Appends index entries to a segment's index file; makes the file if need be, and says so.
fn write_part(
    env: &Env,
    part: &Part,
    replaces: Option<SegmentSeq>,
) -> Result<(Arc<dyn File>, bool)> {
    let path: PathBuf = part.segment.idx_path();
    let file = env.disk.open(&path, OpenMode::Create).at("open", &path)?;
    let fresh = part.first_slot == 0;
    let seq = part.segment.seq;
    let mut bytes = Vec::with_capacity((part.entries.len() + 2) * ENTRY_LEN);
    let position = if fresh {
        let header = IdxHeader {
            seq,
            base: part.segment.base,
            first_append_ms: part.segment.first_append_ms().unwrap_or(NO_TIMESTAMP),
            replaces,
            clean_to: None,
        };
        bytes.extend_from_slice(&header.encode());
        0
    } else {
        entry_position(part.first_slot)
    };
    for (slot, entry) in (part.first_slot..).zip(&part.entries) {
        bytes.extend_from_slice(&entry.encode(seq, slot));
    }
    file.write_all_at(&mut [IoSlice::new(&bytes)], position).at("write", &path)?;
    Ok((file, fresh))
}

/// Writes a segment's whole index file anew. For recovery, when nobody else uses it. Syncing the file
/// and its directory is the caller's, and saying then to the index what it holds.
pub(crate) fn write_index(
    env: &Env,
    segment: &Arc<Segment>,
) -> Result<(Arc<dyn File>, Vec<Entry>)> {
    write_whole(env, segment, all_entries(env, segment)?, None)
}

fn all_entries(env: &Env, segment: &Arc<Segment>) -> Result<Vec<Entry>> {
    let index = segment.index_with(env, Index::must_load)?;
    Ok(index.entries().copied().collect())
}

fn write_whole(
    env: &Env,
    segment: &Arc<Segment>,
    entries: Vec<Entry>,
    replaces: Option<SegmentSeq>,
) -> Result<(Arc<dyn File>, Vec<Entry>)> {
    let part = Part { segment: segment.clone(), first_slot: 0, entries, rolled: true };
    let (file, _) = write_part(env, &part, replaces)?;
    let end = entry_position(part.entries.len() as u64);
    file.truncate(end).at("truncate", &segment.idx_path())?;
    Ok((file, part.entries))
}

/// Writes a segment's whole index file, durably, and says in it what the segment stands in for.
pub(crate) fn store_copied(
    env: &Env,
    segment: &Arc<Segment>,
    replaces: Option<SegmentSeq>,
) -> Result<()> {
    let entries = all_entries(env, segment)?;
    let path = segment.idx_path();
    if replaces.is_some() {
        // Alone, and first: entries without this word would speak for offsets that the originals
        // hold as well.
        let entries = Vec::new();
        let head = Part { segment: segment.clone(), first_slot: 0, entries, rolled: true };
        let (file, _) = write_part(env, &head, replaces)?;
        file.sync_data().at("sync", &path)?;
        env.disk.sync_dir(&segment.dir).at("sync", &segment.dir)?;
    }
    let (file, entries) = write_whole(env, segment, entries, replaces)?;
    file.sync_data().at("sync", &path)?;
    env.disk.sync_dir(&segment.dir).at("sync", &segment.dir)?;
    segment.index().replace(entries);
    Ok(())
}

impl LogWriter {
    /// Whether a checkpoint would cover more than the last one did.
    pub fn needs_checkpoint(&self) -> bool {
        !self.checkpointing
            && self.check_health().is_ok()
            && (!self.unstored.is_empty() || !self.active.interval.is_empty() || {
                let index = self.active.segment.index();
                index.stored() < index.slots()
            })
    }

    /// Begins a checkpoint of all that is written by now. `attachment` is whatever the caller wants
    /// back when the log is opened: it must account for every record below
    /// [`LogWriter::written_end`]. With `None` the last one stays, and recovery visits every batch
    /// since.
    ///
    /// `None` if there is nothing new to cover, or a checkpoint is under way.
    pub fn begin_checkpoint(&mut self, attachment: Option<Vec<u8>>) -> Option<CheckpointTicket> {
        if self.checkpointing || self.check_health().is_err() {
            return None;
        }
        if attachment.is_none() && !self.needs_checkpoint() {
            return None;
        }
        Some(self.checkpoint_ticket(attachment))
    }

    pub(crate) fn checkpoint_ticket(&mut self, attachment: Option<Vec<u8>>) -> CheckpointTicket {
        self.checkpointing = true;
        self.touched = true;
        if let Some(entry) = self.active.interval.close() {
            self.active.segment.index().push(entry);
        }
        let mut parts: Vec<Part> =
            self.unstored.iter().filter_map(|segment| Part::of(segment, true)).collect();
        parts.extend(Part::of(&self.active.segment, false));
        CheckpointTicket {
            shared: self.shared.clone(),
            slots: self.slots.clone(),
            covers: self.written_end(),
            parts,
            attachment,
            files: Vec::new(),
            wrote_state: false,
            era: self.era,
        }
    }

    /// Ends a checkpoint.
    ///
    /// # Errors
    /// `outcome` given back. If it is that of a failed sync the log is poisoned, as by any other.
    pub fn complete_checkpoint(
        &mut self,
        ticket: CheckpointTicket,
        outcome: Result<()>,
    ) -> Result<()> {
        if ticket.wrote_state && outcome.is_err() {
            self.slots.sync_failed();
        }
        if ticket.era != self.era {
            return outcome;
        }
        self.checkpointing = false;
        if let Err(error) = outcome {
            if matches!(&error, StorageError::Io { op: "sync", .. }) {
                self.poison(error.to_string());
            }
            return Err(error);
        }
        for part in &ticket.parts {
            let stored = part.first_slot + part.entries.len() as u64;
            let keep = if part.rolled { 0 } else { KEEP_STORED };
            part.segment.index().mark_stored(stored, keep);
        }
        self.unstored.retain(|segment| {
            let index = segment.index();
            index.stored() < index.slots()
        });
        if ticket.wrote_state {
            self.slots.synced();
        }
        Ok(())
    }

    /// Flushes and writes a checkpoint here and now, waiting for the disk.
    ///
    /// # Errors
    /// Whatever the flush or the checkpoint meets.
    pub fn checkpoint_now(&mut self, attachment: Option<Vec<u8>>) -> Result<()> {
        let ticket = self.begin_checkpoint(attachment);
        let flushed = self.flush_now();
        let Some(mut ticket) = ticket else { return flushed.map(drop) };
        let disk = self.env().disk.clone();
        let dir = self.shared.dir.clone();
        let outcome = flushed.and_then(|_| ticket.write()).and_then(|()| {
            let synced: std::io::Result<()> = disk.sync_files(ticket.files()).into_iter().collect();
            synced.at("sync", &dir)
        });
        self.complete_checkpoint(ticket, outcome)
    }
}

impl Part {
    fn of(segment: &Arc<Segment>, rolled: bool) -> Option<Part> {
        let index = segment.index();
        let (first_slot, entries) = index.unstored();
        (!entries.is_empty()).then(|| Part {
            segment: segment.clone(),
            first_slot,
            entries: entries.to_vec(),
            rolled,
        })
    }
}
