//! What recovery found, and what is left to do until that is durable.
//!
//! Nothing here syncs: [`crate::opening`] does, for many logs at once. The order within one log is that
//! of the steps: what is read again after another crash is durable before anything that is cut off
//! goes, and before an index speaks for it.

use std::sync::Arc;

use onrush_sys::File;

use crate::checkpoint::write_index;
use crate::config::Env;
use crate::error::{IoContext, Result};
use crate::layout::Entry;
use crate::open::Found;
use crate::segment::Segment;
use crate::state::State;

/// The end of a recovery that is not durable yet.
#[derive(Debug)]
pub(crate) struct Unsettled {
    pub(crate) found: Found,
    pub(crate) state: State,
    /// Damage was found that the state on disk does not tell of.
    pub(crate) changed: bool,
    pub(crate) steps: Steps,
}

/// What is to be made durable, and what is to be done once it is.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    /// Files with bytes that may be in the page cache only.
    pub(crate) unsynced: Vec<Arc<dyn File>>,
    /// Names were made or removed.
    pub(crate) dir_changed: bool,
    /// Files to be cut, once a copy of what goes is durable.
    pub(crate) cuts: Vec<Cut>,
    /// Segments whose index file is to be written anew, once what it speaks for is durable.
    pub(crate) rewrite: Vec<Arc<Segment>>,
}

/// A data file, and where it is to end.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) segment: Arc<Segment>,
    pub(crate) file: Arc<dyn File>,
    pub(crate) length: u64,
}

/// What the second step wrote.
#[derive(Debug)]
pub(crate) struct Rewritten {
    /// To be synced, the directory too.
    pub(crate) files: Vec<Arc<dyn File>>,
    /// What each index is to be told that its file holds, once it does.
    pub(crate) indexes: Vec<(Arc<Segment>, Vec<Entry>)>,
}

impl Steps {
    /// Files that stay open until it is settled, or will be opened for that.
    pub(crate) fn files(&self) -> usize {
        self.unsynced.len() + self.cuts.len() + self.rewrite.len()
    }

    /// Whether the log is not to be relied upon before its directory is synced.
    pub(crate) fn needs_dir(&self) -> bool {
        self.dir_changed || !self.unsynced.is_empty()
    }

    /// The second step: cuts off what was kept aside, and writes indexes anew. None if there is
    /// nothing of that to do.
    pub(crate) fn rewrite(&mut self, env: &Env) -> Result<Option<Rewritten>> {
        if self.cuts.is_empty() && self.rewrite.is_empty() {
            return Ok(None);
        }
        let mut rewritten = Rewritten { files: Vec::new(), indexes: Vec::new() };
        for Cut { segment, file, length } in self.cuts.drain(..) {
            file.truncate(length).at("truncate", &segment.log_path())?;
            rewritten.files.push(file);
        }
        for segment in self.rewrite.drain(..) {
            let (file, entries) = write_index(env, &segment)?;
            rewritten.files.push(file);
            rewritten.indexes.push((segment, entries));
        }
        Ok(Some(rewritten))
    }
}
