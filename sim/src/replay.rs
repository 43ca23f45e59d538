//! Follows the record and knows, at each boundary, what is on the medium for certain and what may
//! be.

use crate::content::Content;
use crate::image::{DirId, FileId, Image, Names};
use crate::op::{Apply, DataChange, NameChange, Op};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is known of a change.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Not synced yet.
    Pending,
    /// A sync of it failed: it may be there or not, and no later sync will tell.
    Stuck,
    /// On the medium.
    Durable,
}

#[derive(Clone, Debug)]
pub(crate) struct Entry<C> {
    /// The number of the operation that made the change.
    pub(crate) op: usize,
    pub(crate) change: C,
    pub(crate) fate: Fate,
}

/// One file, or one directory: what is durable, and the changes since, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct Timeline<S, C> {
    pub(crate) durable: S,
    pub(crate) tail: Vec<Entry<C>>,
}

impl<S: Apply<C>, C> Timeline<S, C> {
    fn new(durable: S) -> Timeline<S, C> {
        Timeline { durable, tail: Vec::new() }
    }

    fn push(&mut self, op: usize, change: C, fate: Fate) {
        self.tail.push(Entry { op, change, fate });
        self.fold();
    }

    fn sync(&mut self, upto: usize, ok: bool) {
        let fate = if ok { Fate::Durable } else { Fate::Stuck };
        for entry in &mut self.tail {
            if entry.fate == Fate::Pending && entry.op < upto {
                entry.fate = fate;
            }
        }
        self.fold();
    }

    fn forget_stuck(&mut self) {
        self.tail.retain(|entry| entry.fate != Fate::Stuck);
        self.fold();
    }

    /// Takes what is durable, and behind nothing that is not, into the durable state. (A durable
    /// change after one in doubt must stay above it.)
    fn fold(&mut self) {
        let known = self.tail.iter().take_while(|entry| entry.fate == Fate::Durable).count();
        for entry in self.tail.drain(..known) {
            self.durable.apply(&entry.change);
        }
    }

    fn in_doubt(&self) -> impl Iterator<Item = usize> + '_ {
        self.tail.iter().filter(|entry| entry.fate != Fate::Durable).map(|entry| entry.op)
    }
}

/// The state at one boundary.
#[derive(Clone, Debug)]
pub(crate) struct Replay {
    /// How many operations are behind it.
    pub(crate) at: usize,
    pub(crate) files: BTreeMap<FileId, Timeline<Arc<Content>, DataChange>>,
    pub(crate) dirs: BTreeMap<DirId, Timeline<Arc<Names>, NameChange>>,
}

impl Replay {
    /// At the start of a record, when all that is there is durable.
    pub(crate) fn of(base: &Image) -> Replay {
        let files = base.files.iter().map(|(id, state)| (*id, Timeline::new(Arc::clone(state))));
        let dirs = base.dirs.iter().map(|(id, state)| (*id, Timeline::new(Arc::clone(state))));
        Replay { at: 0, files: files.collect(), dirs: dirs.collect() }
    }

    /// Goes past one more operation.
    pub(crate) fn step(&mut self, op: &Op) {
        let number = self.at;
        self.at += 1;
        match op {
            Op::Data { file, change } => {
                self.file(*file).push(number, change.clone(), Fate::Pending)
            }
            Op::Rot { file, change } => {
                self.file(*file).push(number, change.clone(), Fate::Durable)
            }
            Op::Names { changes } => {
                for (dir, change) in changes {
                    self.dir(*dir).push(number, change.clone(), Fate::Pending);
                }
            }
            Op::SyncData { file, upto, ok } => self.file(*file).sync(*upto, *ok),
            Op::SyncDir { dir, upto, ok } => self.dir(*dir).sync(*upto, *ok),
            Op::DropCaches => {
                self.files.values_mut().for_each(Timeline::forget_stuck);
                self.dirs.values_mut().for_each(Timeline::forget_stuck);
            }
        }
    }

    fn file(&mut self, id: FileId) -> &mut Timeline<Arc<Content>, DataChange> {
        self.files.entry(id).or_insert_with(|| Timeline::new(Arc::default()))
    }

    fn dir(&mut self, id: DirId) -> &mut Timeline<Arc<Names>, NameChange> {
        self.dirs.entry(id).or_insert_with(|| Timeline::new(Arc::default()))
    }

    /// The numbers of the operations that a crash may undo, in order.
    pub(crate) fn in_doubt(&self) -> Vec<usize> {
        let files = self.files.values().flat_map(Timeline::in_doubt);
        let dirs = self.dirs.values().flat_map(Timeline::in_doubt);
        let mut ops: Vec<_> = files.chain(dirs).collect();
        ops.sort_unstable();
        ops.dedup();
        ops
    }

    /// What a running process sees.
    pub(crate) fn page_cache(&self) -> Image {
        fn latest<S: Apply<C> + Clone, C>(timeline: &Timeline<S, C>) -> S {
            let mut state = timeline.durable.clone();
            timeline.tail.iter().for_each(|entry| state.apply(&entry.change));
            state
        }
        Image {
            files: self.files.iter().map(|(id, timeline)| (*id, latest(timeline))).collect(),
            dirs: self.dirs.iter().map(|(id, timeline)| (*id, latest(timeline))).collect(),
        }
    }
}
