//! What files hold.

use std::fs::{self, File};
use std::path::Path;

use rustix::fs::{SeekFrom, seek};

/// Bytes that were written to the files below a folder: what they reserve and what they skip is left
/// out. A file that goes meanwhile has none.
pub(crate) fn written_bytes(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let of_entry = |entry: fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => written_bytes(&entry.path()),
        Ok(kind) if kind.is_file() => File::open(entry.path()).map_or(0, |file| in_file(&file)),
        _ => 0,
    };
    entries.flatten().map(of_entry).sum()
}

fn in_file(file: &File) -> u64 {
    let (mut bytes, mut at) = (0, 0);
    // Both seeks fail behind the last byte that was written.
    while let Ok(begin) = seek(file, SeekFrom::Data(at)) {
        let Ok(end) = seek(file, SeekFrom::Hole(begin)) else { break };
        bytes += end - begin;
        at = end;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use onrush_bench::machine::Scratch;
    use std::io::Write as _;

    #[test]
    fn reserved_room_does_not_count() {
        let scratch = Scratch::new(&std::env::temp_dir()).unwrap();
        let mut file = scratch.file("log", 1 << 20).unwrap();
        assert_eq!(written_bytes(scratch.path()), 0);
        file.write_all(&[1; 10_000]).unwrap();
        let bytes = written_bytes(scratch.path());
        // Files are written by blocks.
        assert!((10_000..100_000).contains(&bytes), "{bytes}");
    }
}
