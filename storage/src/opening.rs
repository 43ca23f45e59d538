//! Opening many logs: each finds by itself what it holds, all of that is made durable together, and
//! then each is there to be used.
//!
//! After a kill most logs of a broker have something to be made durable. One after the other, each
//! waits for syncs of its own; together they wait for two, of which the second is rare.

use std::io;
use std::path::Path;
use std::sync::Arc;

use onrush_record::batch::BatchHeader;
use onrush_record::{LeaderEpoch, Offset};
use onrush_sys::{Disk, File};

use crate::config::{Env, LogConfig, OpenOptions};
use crate::error::{IoContext, Result, StorageError};
use crate::layout::FORMAT_VERSION;
use crate::listing::Listing;
use crate::names::state_path;
use crate::open::{Found, Recovered, assemble, closed};
use crate::recovery::{Recovery, Rewritten, Steps, Unsettled};
use crate::replay::replay;
use crate::report::RecoveryReport;
use crate::slots::{Slots, write_both_of_all};
use crate::state::State;

/// A log that is being opened: it is known what it holds, but that may be in the page cache only.
#[derive(Debug)]
#[must_use = "it is open once it is finished"]
pub struct Opening {
    env: Env,
    dir: Arc<Path>,
    cfg: LogConfig,
    epoch: LeaderEpoch,
    found: Found,
    slots: Slots,
    attachment: Option<(Offset, Vec<u8>)>,
    report: RecoveryReport,
    steps: Steps,
    /// Both slots are to be written.
    store_state: bool,
    settled: Option<Result<()>>,
}

impl Opening {
    /// Finds out what the log in `dir` holds. What it changes in its files is not synced, and nobody
    /// is to rely on it before [`Opening::finish`].
    ///
    /// # Errors
    /// `Missing` if there is no log, `NewerFormat`, `Corrupt` if both state slots are unreadable, or
    /// an I/O error. Damaged data is no error here but stands in the report.
    pub fn begin(env: &Env, dir: &Path, cfg: LogConfig, options: OpenOptions) -> Result<Opening> {
        let disk = &*env.disk;
        let listing = Listing::of(disk, dir)?;
        let slots = Slots::load(disk, dir, listing.states)?;
        let Some((generation, state)) = slots.valid.first().cloned() else {
            if listing.is_blank() {
                return Err(StorageError::Missing { path: dir.display().to_string() });
            }
            let path = slots.unreadable.into_iter().next().unwrap_or_else(|| state_path(dir, 0));
            return Err(StorageError::corrupt(
                &path,
                format!(
                    "neither state slot holds a valid state of format {FORMAT_VERSION} or older"
                ),
            ));
        };
        let older = slots.valid.into_iter().nth(1).and_then(|(_, state)| state.attachment);
        let dir: Arc<Path> = dir.into();
        let mut report = RecoveryReport::default();
        let unreadable = slots.unreadable.iter().map(|path| path.display().to_string());
        report.files_unreadable.extend(unreadable);
        for (slot, len) in listing.states.iter().enumerate() {
            if len.is_none() {
                report.files_unreadable.push(state_path(&dir, slot).display().to_string());
            }
        }
        let clean = options.clean.then(|| closed(&dir, &state, &listing)).flatten();
        report.clean = clean.is_some();
        let present = listing.states.map(|len| len.is_some());
        let Unsettled { found, state, changed, steps } = match clean {
            Some(found) => Unsettled { found, state, changed: false, steps: Steps::default() },
            None => {
                let newest = (generation, state);
                Recovery::new(env, &dir, &cfg, newest, listing, &mut report).run()?
            }
        };
        report.damage.clone_from(&state.damage);
        let attachment = [state.attachment.clone(), older]
            .into_iter()
            .flatten()
            .find(|(offset, _)| *offset <= found.end.offset);
        let store_state = changed || !report.files_unreadable.is_empty();
        let disk = env.disk.clone();
        let slots = Slots::new(disk, dir.clone(), state, generation, present, report.clean);
        let settled = (report.clean && !store_state).then_some(Ok(()));
        let (env, epoch) = (env.clone(), options.leader_epoch);
        Ok(Opening {
            env,
            dir,
            cfg,
            epoch,
            found,
            slots,
            attachment,
            report,
            steps,
            store_state,
            settled,
        })
    }

    /// How many files it keeps open until it is settled.
    pub fn files(&self) -> usize {
        // And the state's.
        if self.settled.is_some() { 0 } else { self.steps.files() + 1 }
    }

    /// Makes durable what all of them found, in a number of syncs that hardly grows with them. What
    /// becomes of each, its [`Opening::finish`] tells.
    pub fn settle_all<'a>(disk: &dyn Disk, openings: impl IntoIterator<Item = &'a mut Opening>) {
        let mut due: Vec<&mut Opening> =
            openings.into_iter().filter(|opening| opening.settled.is_none()).collect();
        for opening in &mut due {
            opening.settled = Some(Ok(()));
        }
        sync_found(disk, &mut due);
        rewrite(disk, &mut due);
        due.retain(|opening| opening.store_state && opening.is_sound());
        let changes: Vec<_> = due
            .iter()
            .map(|opening| {
                let attachment = &opening.attachment;
                (&opening.slots, move |state: &mut State| state.attachment.clone_from(attachment))
            })
            .collect();
        let stored = write_both_of_all(disk, &changes);
        for (opening, stored) in due.into_iter().zip(stored) {
            opening.settled = Some(stored);
        }
    }

    /// Opens it, after it was settled; that is done now if need be. `visit` is shown, in order, the
    /// header of every batch that the attachment does not account for; with a control batch, all of
    /// its bytes too.
    ///
    /// # Errors
    /// What kept it from being settled, or an I/O error.
    pub fn finish(mut self, visit: &mut dyn FnMut(&BatchHeader, &[u8])) -> Result<Recovered> {
        let disk = self.env.disk.clone();
        Opening::settle_all(&*disk, [&mut self]);
        self.settled.unwrap_or(Ok(()))?;
        let (mut report, attachment) = (self.report, self.attachment);
        let (mut writer, reader) =
            assemble(&self.env, self.dir, self.cfg, self.slots, self.found, self.epoch);
        // The closing record, if there is one, is not that of this log as it stands.
        writer.touched = !report.clean;
        let from = attachment.as_ref().map_or(Offset::ZERO, |(offset, _)| *offset);
        replay(&reader, from, &mut report, visit)?;
        Ok(Recovered { writer, reader, report, attachment })
    }

    fn is_sound(&self) -> bool {
        matches!(self.settled, Some(Ok(())))
    }
}

/// Makes durable what recovery found, the names of its files, and the newest state.
fn sync_found(disk: &dyn Disk, due: &mut [&mut Opening]) {
    let mut due: Vec<_> = due.iter_mut().filter(|opening| !opening.report.clean).collect();
    let wanted = due.iter_mut().map(|opening| {
        let needs_dir = opening.steps.needs_dir();
        let files = std::mem::take(&mut opening.steps.unsynced);
        // Nothing relies on the state before another is written, and who does that meets the error.
        let state = opening.slots.pending().ok().flatten();
        (Wanted { files, state, dir: Arc::clone(&opening.dir) }, needs_dir)
    });
    let (wanted, needs_dir): (Vec<_>, Vec<_>) = wanted.unzip();
    for ((opening, synced), needs_dir) in due.into_iter().zip(sync(disk, wanted)).zip(needs_dir) {
        let dir = synced.dir.as_ref();
        match synced.state.as_ref().map(|state| state.as_ref().and(dir)) {
            Some(Ok(())) => opening.slots.found_is_durable(),
            Some(Err(error)) => {
                tracing::warn!(log = %opening.dir.display(), %error, "cannot sync the state found yet");
            }
            None => {}
        }
        let dir = if needs_dir { synced.dir } else { Ok(()) };
        opening.settled = Some(synced.files.and(dir).at("sync", &opening.dir));
    }
}

/// Does what had to wait for that, and makes it durable as well.
fn rewrite(disk: &dyn Disk, due: &mut [&mut Opening]) {
    let (mut waiting, mut wanted) = (Vec::new(), Vec::new());
    for opening in due.iter_mut().filter(|opening| opening.is_sound()) {
        match opening.steps.rewrite(&opening.env) {
            Ok(None) => {}
            Ok(Some(Rewritten { files, indexes })) => {
                wanted.push(Wanted { files, state: None, dir: Arc::clone(&opening.dir) });
                waiting.push((opening, indexes));
            }
            Err(error) => opening.settled = Some(Err(error)),
        }
    }
    for ((opening, indexes), synced) in waiting.into_iter().zip(sync(disk, wanted)) {
        opening.settled = Some(synced.files.and(synced.dir).at("sync", &opening.dir));
        for (segment, entries) in indexes.into_iter().filter(|_| opening.is_sound()) {
            segment.index().replace(entries);
        }
    }
}

/// What one log waits for, of what is synced together.
struct Wanted {
    files: Vec<Arc<dyn File>>,
    state: Option<Arc<dyn File>>,
    dir: Arc<Path>,
}

/// What became of it.
struct Answer {
    files: io::Result<()>,
    state: Option<io::Result<()>>,
    dir: io::Result<()>,
}

fn sync(disk: &dyn Disk, wanted: Vec<Wanted>) -> Vec<Answer> {
    if wanted.is_empty() {
        return Vec::new();
    }
    let files = wanted.iter().flat_map(|one| one.files.iter().chain(&one.state)).cloned();
    let dirs: Vec<&Path> = wanted.iter().map(|one| &*one.dir).collect();
    let synced = disk.sync_all(&files.collect::<Vec<_>>(), &dirs);
    let mut files = synced.files.into_iter();
    let answer = |(one, dir): (&Wanted, _)| {
        // Every answer is taken, also those behind the first that is an error.
        let of_files: Vec<_> = files.by_ref().take(one.files.len()).collect();
        let state = one.state.as_ref().and_then(|_| files.next());
        Answer { files: of_files.into_iter().collect(), state, dir }
    };
    wanted.iter().zip(synced.dirs).map(answer).collect()
}
