//! What becomes of the files: originals that a copy stands in for, and copies that are given up.

use std::io;

use super::Cleaning;
use crate::compact::CleanClaim;
use crate::error::{IoContext, Result, StorageError};
use crate::names::SegmentSeq;

impl Cleaning {
    /// Deletes the originals; best effort, since what stays goes when the log is opened next. The one
    /// whose number the copy has goes first: while it is there it could be taken for the one that
    /// counts, should the copy's index be damaged.
    pub(super) fn delete(&self, first: usize, next: usize) {
        let CleanClaim { shared, .. } = &self.claim;
        let old = &self.plan.segments[first..next];
        for segment in old {
            segment.close();
        }
        let Some((last, others)) = old.split_last() else { return };
        let outcome = remove(&self.claim, last.seq)
            .and_then(|()| shared.env.disk.sync_dir(&shared.dir).at("sync", &shared.dir))
            .and_then(|()| others.iter().try_for_each(|old| remove(&self.claim, old.seq)))
            .and_then(|()| shared.env.disk.sync_dir(&shared.dir).at("sync", &shared.dir));
        if let Err(error) = outcome {
            tracing::warn!(log = %shared.dir.display(), %error, "segments that were cleaned stay for now");
        }
    }
}

fn remove(claim: &CleanClaim, seq: SegmentSeq) -> Result<()> {
    let CleanClaim { shared, .. } = claim;
    for path in [seq.idx_path(&shared.dir), seq.log_path(&shared.dir)] {
        match shared.env.disk.remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StorageError::io("delete", &path, error));
            }
            _ => {}
        }
    }
    Ok(())
}

pub(super) fn try_discard(claim: &CleanClaim, seq: SegmentSeq) -> Result<()> {
    remove(claim, seq)?;
    let shared = &claim.shared;
    shared.env.disk.sync_dir(&shared.dir).at("sync", &shared.dir)
}

/// Best effort: a copy that does not count is deleted when the log is opened next, or written over.
pub(super) fn discard(claim: &CleanClaim, seq: SegmentSeq) {
    if let Err(error) = try_discard(claim, seq) {
        tracing::warn!(log = %claim.shared.dir.display(), %error, "an unfinished copy stays for now");
    }
}
