//! Making durable what another process wrote.
//!
//! If a sync failed in that process, the kernel has since taken the pages for clean: they read as
//! written, and a sync of them succeeds without bringing them to the medium. So what is not known to
//! be durable is written once more, over itself, before it is synced. A crash in between leaves of
//! each byte what was there before.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use onrush_sys::{Disk, File, OpenMode};

use crate::error::{IoContext, Result};

const CHUNK: u64 = 1 << 20;

/// Writes `from..to` of a file over itself. The sync is the caller's.
pub(crate) fn write_again(file: &dyn File, from: u64, to: u64) -> io::Result<()> {
    let mut buffer = Vec::new();
    let mut at = from;
    while at < to {
        let want = usize::try_from((to - at).min(CHUNK)).unwrap_or(0);
        buffer.resize(want, 0);
        file.read_exact_at(&mut buffer, at)?;
        file.write_all_at(&mut [IoSlice::new(&buffer)], at)?;
        at += want as u64;
    }
    Ok(())
}

/// Makes a whole small file durable, whatever became of earlier syncs.
pub(crate) fn make_durable(disk: &dyn Disk, path: &Path) -> Result<()> {
    rewritten(disk, path)?.sync_data().at("sync", path)
}

/// Writes a whole small file over itself. The sync is the caller's, by the handle given.
pub(crate) fn rewritten(disk: &dyn Disk, path: &Path) -> Result<Arc<dyn File>> {
    let file = disk.open(path, OpenMode::ReadWrite).at("open", path)?;
    let len = file.len().at("read", path)?;
    write_again(&*file, 0, len).at("write", path)?;
    Ok(file)
}
