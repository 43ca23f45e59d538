//! What is recorded.

use crate::content::Content;
use crate::image::{DirId, FileId, Names, Node};
use bytes::Bytes;
use std::fmt;
use std::sync::Arc;

/// One recorded operation.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A file's bytes or length changed.
    Data { file: FileId, change: DataChange },
    /// Names changed: in one directory, or in two when something moved between them.
    Names { changes: Vec<(DirId, NameChange)> },
    /// A file was synced; this covers operations numbered below `upto`.
    SyncData { file: FileId, upto: usize, ok: bool },
    /// A directory was synced.
    SyncDir { dir: DirId, upto: usize, ok: bool },
    /// A bit flipped on the medium itself.
    Rot { file: FileId, change: DataChange },
    /// The page cache was emptied: what failed to reach the medium is gone from it too.
    DropCaches,
}

/// How a file changed.
#[derive(Clone)]
pub(crate) enum DataChange {
    Write { position: u64, bytes: Bytes },
    SetLen(u64),
    Extend(u64),
}

impl fmt::Debug for DataChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataChange::Write { position, bytes } => {
                write!(f, "write of {} bytes at {position}", bytes.len())
            }
            DataChange::SetLen(len) => write!(f, "truncate to {len}"),
            DataChange::Extend(end) => write!(f, "preallocate to {end}"),
        }
    }
}

/// How the names in a directory changed.
#[derive(Clone, Debug)]
pub(crate) enum NameChange {
    Set { name: Arc<str>, node: Node },
    Clear { name: Arc<str> },
    Rename { from: Arc<str>, to: Arc<str>, node: Node },
}

/// What changes one at a time.
pub(crate) trait Apply<C> {
    fn apply(&mut self, change: &C);
}

impl Apply<DataChange> for Arc<Content> {
    fn apply(&mut self, change: &DataChange) {
        let content = Arc::make_mut(self);
        match change {
            DataChange::Write { position, bytes } => content.write(bytes, *position),
            DataChange::SetLen(len) => content.set_len(*len),
            DataChange::Extend(end) => content.extend(*end),
        }
    }
}

impl Apply<NameChange> for Arc<Names> {
    fn apply(&mut self, change: &NameChange) {
        let names = Arc::make_mut(self);
        match change {
            NameChange::Set { name, node } => {
                names.insert(Arc::clone(name), *node);
            }
            NameChange::Clear { name } => {
                names.remove(name);
            }
            NameChange::Rename { from, to, node } => {
                names.remove(from);
                names.insert(Arc::clone(to), *node);
            }
        }
    }
}
