//! A tree of names and the files behind them, at one moment.

use crate::content::Content;
use std::collections::BTreeMap;
use std::io;
use std::path::{Component, Path};
use std::sync::Arc;

/// A file, whatever its name.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileId(pub(crate) u64);

/// A directory, whatever its name.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct DirId(pub(crate) u64);

/// The directory that has no name.
pub(crate) const ROOT: DirId = DirId(0);

/// What a name stands for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    File(FileId),
    Dir(DirId),
}

/// The names in a directory.
pub(crate) type Names = BTreeMap<Arc<str>, Node>;

/// All files and directories, named or not. A clone shares what is in them.
#[derive(Clone, Debug)]
pub(crate) struct Image {
    pub(crate) files: BTreeMap<FileId, Arc<Content>>,
    pub(crate) dirs: BTreeMap<DirId, Arc<Names>>,
}

impl Image {
    pub(crate) fn empty() -> Image {
        Image { files: BTreeMap::new(), dirs: BTreeMap::from([(ROOT, Arc::default())]) }
    }

    pub(crate) fn names(&self, dir: DirId) -> io::Result<&Arc<Names>> {
        self.dirs.get(&dir).ok_or_else(not_found)
    }

    pub(crate) fn look_up(&self, path: &Path) -> io::Result<Node> {
        let mut node = Node::Dir(ROOT);
        for name in components(path)? {
            let Node::Dir(dir) = node else { return Err(not_a_directory(path)) };
            node = *self.names(dir)?.get(name).ok_or_else(not_found)?;
        }
        Ok(node)
    }

    pub(crate) fn look_up_dir(&self, path: &Path) -> io::Result<DirId> {
        match self.look_up(path)? {
            Node::Dir(dir) => Ok(dir),
            Node::File(_) => Err(not_a_directory(path)),
        }
    }

    /// The directory that has, or would have, the path's last name; and that name.
    pub(crate) fn look_up_parent<'p>(&self, path: &'p Path) -> io::Result<(DirId, &'p str)> {
        let name = *components(path)?.last().ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "the root is no name in a directory")
        })?;
        let parent = path.parent().unwrap_or(Path::new(""));
        Ok((self.look_up_dir(parent)?, name))
    }

    /// Forgets what no name leads to.
    pub(crate) fn keep_reachable(&mut self) {
        let mut kept = Image { files: BTreeMap::new(), dirs: BTreeMap::new() };
        let mut to_visit = vec![ROOT];
        while let Some(dir) = to_visit.pop() {
            let names = self.dirs.remove(&dir).unwrap_or_default();
            for node in names.values() {
                match node {
                    Node::Dir(child) => to_visit.push(*child),
                    Node::File(file) => {
                        // A file that moved may have two names; then it was taken already.
                        if let Some(content) = self.files.remove(file) {
                            kept.files.insert(*file, content);
                        }
                    }
                }
            }
            kept.dirs.entry(dir).or_insert(names);
        }
        *self = kept;
    }

    /// The lengths of all files that have a name, together.
    pub(crate) fn used_bytes(&self) -> u64 {
        let mut reachable = self.clone();
        reachable.keep_reachable();
        reachable.files.values().map(|content| content.len()).sum()
    }
}

/// The names along a path; refuses what leads out of the disk.
pub(crate) fn components(path: &Path) -> io::Result<Vec<&str>> {
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::Normal(name) => names.push(name.to_str().ok_or_else(|| outside(path))?),
            _ => return Err(outside(path)),
        }
    }
    Ok(names)
}

fn outside(path: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("{} is not a path below the disk's root", path.display()),
    )
}

pub(crate) fn not_found() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "no such file or directory on the simulated disk")
}

fn not_a_directory(path: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::NotADirectory,
        format!("{} is, or leads through, a file", path.display()),
    )
}
