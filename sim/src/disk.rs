//! The disk itself.

use crate::crash::{CrashPlan, CrashPolicy, CrashStates, settle};
use crate::fault::{ENOSPC, Fault, Faults, Operation};
use crate::file::SimFile;
use crate::image::{DirId, FileId, Image, Node, components, not_found};
use crate::op::{Apply as _, DataChange, NameChange, Op};
use crate::replay::Replay;
use bytes::Bytes;
use onrush_sys::{DirEntry, Disk, File, OpenMode, Synced};
use parking_lot::{Condvar, Mutex};
use std::collections::HashSet;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What `free_bytes` starts from when no capacity was set.
const PLENTY: u64 = 1 << 40;

/// A disk in memory that records what is done to it. Clones are the same disk.
#[derive(Clone)]
pub struct SimDisk(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) state: Mutex<State>,
    pub(crate) syncs_changed: Condvar,
}

pub(crate) struct State {
    /// What was there, durably, before the first recorded operation.
    base: Image,
    ops: Vec<Op>,
    /// As a running process sees it.
    pub(crate) now: Image,
    next_id: u64,
    /// Where the last crash was looked at: the next one is likely a step further.
    replay: Replay,
    pub(crate) faults: Faults,
    capacity: Option<u64>,
    locks: HashSet<PathBuf>,
    pub(crate) cold: HashSet<FileId>,
    pub(crate) syncs_held: bool,
    pub(crate) syncs_waiting: usize,
    pub(crate) sync_calls: usize,
}

impl State {
    fn new(base: Image, next_id: u64) -> State {
        State {
            replay: Replay::of(&base),
            now: base.clone(),
            base,
            ops: Vec::new(),
            next_id,
            faults: Faults::default(),
            capacity: None,
            locks: HashSet::new(),
            cold: HashSet::new(),
            syncs_held: false,
            syncs_waiting: 0,
            sync_calls: 0,
        }
    }

    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(crate) fn boundary(&self) -> usize {
        self.ops.len()
    }

    pub(crate) fn record(&mut self, op: Op) {
        match &op {
            Op::Data { file, change } | Op::Rot { file, change } => {
                self.now.files.entry(*file).or_default().apply(change);
            }
            Op::Names { changes } => {
                for (dir, change) in changes {
                    self.now.dirs.entry(*dir).or_default().apply(change);
                }
            }
            Op::SyncData { .. } | Op::SyncDir { .. } | Op::DropCaches => {}
        }
        self.ops.push(op);
    }

    pub(crate) fn change_data(&mut self, file: FileId, change: DataChange) {
        self.record(Op::Data { file, change });
    }

    fn change_names(&mut self, changes: Vec<(DirId, NameChange)>) {
        self.record(Op::Names { changes });
    }

    pub(crate) fn len(&self, file: FileId) -> u64 {
        self.now.files.get(&file).map_or(0, |content| content.len())
    }

    /// How much of a growth to `end` there is room for: the end that can be had.
    pub(crate) fn room_for(&self, file: FileId, end: u64) -> u64 {
        let len = self.len(file);
        match self.capacity {
            Some(capacity) if end > len => {
                end.min(len + capacity.saturating_sub(self.now.used_bytes()))
            }
            _ => end,
        }
    }

    fn replay_to(&mut self, at: usize) -> &Replay {
        assert!(at <= self.ops.len(), "boundary {at} of {}", self.ops.len());
        if self.replay.at > at {
            self.replay = Replay::of(&self.base);
        }
        for op in &self.ops[self.replay.at..at] {
            self.replay.step(op);
        }
        &self.replay
    }

    fn remove_tree(&mut self, dir: DirId, path: &str) -> io::Result<()> {
        let names = Arc::clone(self.now.names(dir)?);
        for (name, node) in names.iter() {
            let path = format!("{path}/{name}");
            if let Node::Dir(child) = node {
                self.remove_tree(*child, &path)?;
            }
            self.faults.check(Operation::Remove, &path)?;
            self.change_names(vec![(dir, NameChange::Clear { name: Arc::clone(name) })]);
        }
        Ok(())
    }
}

impl SimDisk {
    /// An empty disk.
    #[expect(clippy::new_without_default, reason = "an empty disk is made, not defaulted to")]
    pub fn new() -> SimDisk {
        SimDisk::over(State::new(Image::empty(), 0))
    }

    fn over(state: State) -> SimDisk {
        let (state, syncs_changed) = (Mutex::new(state), Condvar::new());
        SimDisk(Arc::new(Shared { state, syncs_changed }))
    }

    /// The same disk, as the product takes it.
    pub fn as_disk(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    /// How many operations are recorded; also the number of the boundary after the last one.
    pub fn boundaries(&self) -> usize {
        self.0.state.lock().boundary()
    }

    /// How many operations a power cut at this boundary may undo.
    pub fn in_doubt(&self, boundary: usize) -> usize {
        self.0.state.lock().replay_to(boundary).in_doubt().len()
    }

    /// The disk after a power cut at a boundary, as another one: whatever is on it then is durable,
    /// and its own record is empty. This one is not touched. Cheapest when asked for rising
    /// boundaries.
    ///
    /// # Panics
    /// When there is no such boundary.
    pub fn crash(&self, boundary: usize, policy: CrashPolicy) -> SimDisk {
        let mut state = self.0.state.lock();
        let image = settle(state.replay_to(boundary), policy);
        let mut after = State::new(image, state.next_id);
        after.capacity = state.capacity;
        SimDisk::over(after)
    }

    /// Every crash of a plan, at every boundary there is by now and will be while this runs.
    pub fn crash_states(&self, plan: CrashPlan) -> CrashStates {
        self.crash_states_from(0, plan)
    }

    /// The same from some boundary on.
    pub fn crash_states_from(&self, boundary: usize, plan: CrashPlan) -> CrashStates {
        CrashStates::new(self.clone(), plan, boundary)
    }

    /// The disk after the process was killed at a boundary (and the machine went on), as another
    /// one: all that was written is seen, what was not synced still may be lost, and the record
    /// goes on from that boundary. Locks and handles are gone.
    ///
    /// # Panics
    /// When there is no such boundary.
    pub fn killed(&self, boundary: usize) -> SimDisk {
        let mut state = self.0.state.lock();
        let mut now = state.replay_to(boundary).page_cache();
        // What was made but not yet written to or listed.
        for id in state.now.files.keys() {
            now.files.entry(*id).or_default();
        }
        for id in state.now.dirs.keys() {
            now.dirs.entry(*id).or_default();
        }
        let mut after = State::new(state.base.clone(), state.next_id);
        after.now = now;
        after.ops = state.ops[..boundary].to_vec();
        after.capacity = state.capacity;
        SimDisk::over(after)
    }

    /// How often it was asked to make something durable since it came to be: once for however many
    /// files and directories at a time.
    pub fn sync_calls(&self) -> usize {
        self.0.state.lock().sync_calls
    }

    /// Counts what happens meanwhile as one call.
    fn as_one_call<T>(&self, sync: impl FnOnce() -> T) -> T {
        let before = self.sync_calls();
        let answer = sync();
        self.0.state.lock().sync_calls = before + 1;
        answer
    }

    /// What the operation before this boundary was, for messages.
    pub fn describe(&self, boundary: usize) -> String {
        let state = self.0.state.lock();
        match boundary.checked_sub(1).and_then(|last| state.ops.get(last)) {
            Some(op) => format!("after {op:?}"),
            None => "before everything".to_owned(),
        }
    }

    /// Makes an operation fail.
    pub fn fail(&self, fault: Fault) {
        self.0.state.lock().faults.add(fault);
    }

    /// Takes back every fault that is to come, and the limit of space.
    pub fn heal(&self) {
        let mut state = self.0.state.lock();
        state.faults.clear();
        state.capacity = None;
    }

    /// Limits what the files may hold together. A write beyond it is done as far as there is room.
    pub fn set_capacity(&self, bytes: u64) {
        self.0.state.lock().capacity = Some(bytes);
    }

    /// Bytes that the files hold together, as far as they have names.
    pub fn used_bytes(&self) -> u64 {
        self.0.state.lock().now.used_bytes()
    }

    /// Flips a bit on the medium and in the cache; `bit` counts from the file's start, the lowest
    /// of each byte first.
    pub fn flip_bit(&self, path: &Path, bit: u64) -> io::Result<()> {
        let mut state = self.0.state.lock();
        let Node::File(file) = state.now.look_up(path)? else { return Err(not_found()) };
        let position = bit / 8;
        let mut byte = [0];
        if state.now.files.get(&file).is_none_or(|c| c.read(&mut byte, position) == 0) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let bytes = Bytes::from(vec![byte[0] ^ (1 << (bit % 8))]);
        state.record(Op::Rot { file, change: DataChange::Write { position, bytes } });
        Ok(())
    }

    /// Empties the page cache: everything is cold, and what a failed sync did not bring to the
    /// medium reads as it was before.
    pub fn drop_caches(&self) {
        let mut state = self.0.state.lock();
        state.record(Op::DropCaches);
        let boundary = state.boundary();
        let on_medium = state.replay_to(boundary).page_cache();
        state.now.files.extend(on_medium.files);
        state.now.dirs.extend(on_medium.dirs);
        state.cold = state.now.files.keys().copied().collect();
    }

    /// Lets every sync of a file wait from now on, until [`SimDisk::release_syncs`].
    pub fn hold_syncs(&self) {
        self.0.state.lock().syncs_held = true;
    }

    /// Waits until so many syncs wait.
    pub fn wait_for_held_syncs(&self, count: usize) {
        let mut state = self.0.state.lock();
        while state.syncs_waiting < count {
            self.0.syncs_changed.wait(&mut state);
        }
    }

    /// Lets them go on.
    pub fn release_syncs(&self) {
        self.0.state.lock().syncs_held = false;
        self.0.syncs_changed.notify_all();
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SimDisk({} operations)", self.boundaries())
    }
}

pub(crate) fn full() -> io::Error {
    io::Error::from_raw_os_error(ENOSPC)
}

/// As faults name it.
fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

impl Disk for SimDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.state.lock();
        let mut dir = crate::image::ROOT;
        for name in components(path)? {
            dir = match state.now.names(dir)?.get(name) {
                Some(Node::Dir(child)) => *child,
                Some(Node::File(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
                None => {
                    state.faults.check(Operation::Create, &text(path))?;
                    let child = DirId(state.new_id());
                    state.now.dirs.insert(child, Arc::default());
                    let change = NameChange::Set { name: name.into(), node: Node::Dir(child) };
                    state.change_names(vec![(dir, change)]);
                    child
                }
            };
        }
        Ok(())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.state.lock();
        let (parent, name) = state.now.look_up_parent(path)?;
        let dir = state.now.look_up_dir(path)?;
        state.remove_tree(dir, &text(path))?;
        state.faults.check(Operation::Remove, &text(path))?;
        state.change_names(vec![(parent, NameChange::Clear { name: name.into() })]);
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let state = self.0.state.lock();
        let names = state.now.names(state.now.look_up_dir(path)?)?;
        let entries = names.iter().map(|(name, node)| {
            let (is_dir, len) = match node {
                Node::Dir(_) => (true, 0),
                Node::File(file) => (false, state.len(*file)),
            };
            DirEntry { name: name.to_string(), is_dir, len }
        });
        Ok(entries.collect())
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut state = self.0.state.lock();
        let (dir, name) = state.now.look_up_parent(path)?;
        let found = state.now.names(dir)?.get(name).copied();
        let file = match (found, mode) {
            (Some(_), OpenMode::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(Node::Dir(_)), _) => return Err(io::ErrorKind::IsADirectory.into()),
            (Some(Node::File(file)), _) => {
                state.faults.check(Operation::Open, &text(path))?;
                file
            }
            (None, OpenMode::Read | OpenMode::ReadWrite) => return Err(not_found()),
            (None, OpenMode::Create | OpenMode::CreateNew) => {
                state.faults.check(Operation::Create, &text(path))?;
                let file = FileId(state.new_id());
                state.now.files.insert(file, Arc::default());
                let change = NameChange::Set { name: name.into(), node: Node::File(file) };
                state.change_names(vec![(dir, change)]);
                file
            }
        };
        let writable = mode != OpenMode::Read;
        Ok(Arc::new(SimFile::new(Arc::clone(&self.0), file, text(path), writable)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.state.lock();
        let (from_dir, from_name) = state.now.look_up_parent(from)?;
        let (to_dir, to_name) = state.now.look_up_parent(to)?;
        let node = *state.now.names(from_dir)?.get(from_name).ok_or_else(not_found)?;
        let replaced = state.now.names(to_dir)?.get(to_name).copied();
        if replaced == Some(node) {
            return Ok(());
        }
        if let Some(Node::Dir(_)) = replaced {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        state.faults.check(Operation::Rename, &text(from))?;
        let (from, to): (Arc<str>, Arc<str>) = (from_name.into(), to_name.into());
        state.change_names(if from_dir == to_dir {
            vec![(from_dir, NameChange::Rename { from, to, node })]
        } else {
            let set = NameChange::Set { name: to, node };
            vec![(to_dir, set), (from_dir, NameChange::Clear { name: from })]
        });
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.state.lock();
        let (dir, name) = state.now.look_up_parent(path)?;
        match state.now.names(dir)?.get(name) {
            None => return Err(not_found()),
            Some(Node::Dir(_)) => return Err(io::ErrorKind::IsADirectory.into()),
            Some(Node::File(_)) => {}
        }
        state.faults.check(Operation::Remove, &text(path))?;
        state.change_names(vec![(dir, NameChange::Clear { name: name.into() })]);
        Ok(())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        match self.0.state.lock().now.look_up(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.state.lock();
        let dir = state.now.look_up_dir(path)?;
        state.sync_calls += 1;
        let outcome = state.faults.check(Operation::SyncDir, &text(path));
        let upto = state.boundary();
        state.record(Op::SyncDir { dir, upto, ok: outcome.is_ok() });
        outcome
    }

    fn sync_files(&self, files: &[Arc<dyn File>]) -> Vec<io::Result<()>> {
        self.as_one_call(|| files.iter().map(|file| file.sync_data()).collect())
    }

    fn sync_all(&self, files: &[Arc<dyn File>], dirs: &[&Path]) -> Synced {
        self.as_one_call(|| Synced {
            files: self.sync_files(files),
            dirs: dirs.iter().map(|dir| self.sync_dir(dir)).collect(),
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        self.open(path, OpenMode::Create)?;
        if !self.0.state.lock().locks.insert(path.to_owned()) {
            let message = format!("{} is locked by another process", path.display());
            return Err(io::Error::new(io::ErrorKind::WouldBlock, message));
        }
        Ok(Box::new(Guard { shared: Arc::clone(&self.0), path: path.to_owned() }))
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let state = self.0.state.lock();
        Ok(state.capacity.unwrap_or(PLENTY).saturating_sub(state.now.used_bytes()))
    }

    fn backend(&self) -> &'static str {
        "simulated"
    }
}

/// Holds a lock until it is dropped.
struct Guard {
    shared: Arc<Shared>,
    path: PathBuf,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.shared.state.lock().locks.remove(&self.path);
    }
}
