//! Keeping aside what is cut off a log.

use std::io::IoSlice;
use std::path::Path;
use std::sync::Arc;

use onrush_sys::{Disk, File, OpenMode};

use crate::error::{IoContext, Result};
use crate::names::SegmentSeq;

const CHUNK: u64 = 1 << 20;

/// Copies bytes `from..to` of a segment into a quarantine file. Gives the file's name, and the file;
/// syncing that and its directory is the caller's. Doing it again after a crash gives the same file.
pub(crate) fn keep_aside(
    disk: &dyn Disk,
    dir: &Path,
    seq: SegmentSeq,
    file: &dyn File,
    from: u64,
    to: u64,
) -> Result<(String, Arc<dyn File>)> {
    let name = seq.torn_name(from);
    let path = dir.join(&name);
    let kept = disk.open(&path, OpenMode::Create).at("create", &path)?;
    let mut buffer = Vec::new();
    let mut at = from;
    while at < to {
        let want = usize::try_from((to - at).min(CHUNK)).unwrap_or(0);
        buffer.resize(want, 0);
        let got = file.read_at(&mut buffer, at).at("read", &seq.log_path(dir))?;
        if got == 0 {
            break;
        }
        kept.write_all_at(&mut [IoSlice::new(&buffer[..got])], at - from).at("write", &path)?;
        at += got as u64;
    }
    kept.truncate(at - from).at("truncate", &path)?;
    Ok((name, kept))
}
