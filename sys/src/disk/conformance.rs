//! What every [`Disk`] must do, as a suite that each implementation's tests run.
//!
//! It covers what a running process sees. What a power cut leaves is up to the medium, and only a
//! simulation can show it.

use super::{Disk, File, OpenMode};
use crate::random::{Random, SeededRandom};
use std::io::{self, ErrorKind, IoSlice};
use std::path::Path;
use std::sync::Arc;

/// One check; fails by panic, or by an error that nobody expected.
pub type Check = fn(&dyn Disk) -> io::Result<()>;

/// Every check, by name. Each must be given an empty disk.
pub const CHECKS: &[(&str, Check)] = &[
    ("names", names),
    ("names that are refused", refused_names),
    ("removed and renamed while open", removed_and_renamed_while_open),
    ("open modes", open_modes),
    ("writes and reads", writes_and_reads),
    ("vectored writes", vectored_writes),
    ("lengths", lengths),
    ("handles share one file", handles_share_one_file),
    ("mappings", mappings),
    ("mappings outlive their file", mappings_outlive_their_file),
    ("syncs", syncs),
    ("the lock", the_lock),
    ("the cache", the_cache),
    ("threads", threads),
    ("a random history", a_random_history),
];

/// Runs every check, each on a disk that `make` gives. What it gives beside is kept until the
/// check is over.
pub fn run_all<K>(mut make: impl FnMut() -> io::Result<(Arc<dyn Disk>, K)>) -> io::Result<()> {
    for (name, check) in CHECKS {
        let (disk, _keep) = make()?;
        check(&*disk).map_err(|e| io::Error::new(e.kind(), format!("{name}: {e}")))?;
        assert!(!disk.backend().is_empty());
        assert!(disk.free_bytes()? > 0, "{name}");
    }
    Ok(())
}

fn p(path: &str) -> &Path {
    Path::new(path)
}

fn put(file: &dyn File, bytes: &[u8], position: u64) -> io::Result<()> {
    file.write_all_at(&mut [IoSlice::new(bytes)], position)
}

fn contents(file: &dyn File) -> io::Result<Vec<u8>> {
    let len = usize::try_from(file.len()?).map_err(io::Error::other)?;
    let mut bytes = vec![0xee; len];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

fn kind<T>(result: io::Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

fn names(disk: &dyn Disk) -> io::Result<()> {
    assert!(disk.list(p(""))?.is_empty());
    disk.create_dir_all(p("a/b"))?;
    disk.create_dir_all(p("a/b"))?;
    put(&*disk.open(p("a/z"), OpenMode::CreateNew)?, b"four", 0)?;
    disk.open(p("a/c"), OpenMode::Create)?;
    let listed = disk.list(p("a"))?;
    let seen: Vec<_> = listed.iter().map(|e| (e.name.as_str(), e.is_dir, e.len)).collect();
    assert_eq!(seen, [("b", true, 0), ("c", false, 0), ("z", false, 4)]);
    assert!(disk.exists(p("a/z"))? && disk.exists(p("a/b"))? && !disk.exists(p("a/y"))?);

    // A rename replaces.
    disk.rename(p("a/z"), p("a/c"))?;
    assert!(!disk.exists(p("a/z"))?);
    assert_eq!(contents(&*disk.open(p("a/c"), OpenMode::Read)?)?, b"four");
    disk.rename(p("a/c"), p("a/b/c"))?;
    assert_eq!(disk.list(p("a/b"))?.len(), 1);

    disk.remove_file(p("a/b/c"))?;
    assert!(!disk.exists(p("a/b/c"))?);
    disk.open(p("a/b/d"), OpenMode::Create)?;
    disk.remove_dir_all(p("a"))?;
    assert!(disk.list(p(""))?.is_empty());
    Ok(())
}

fn refused_names(disk: &dyn Disk) -> io::Result<()> {
    disk.open(p("file"), OpenMode::CreateNew)?;
    assert_eq!(kind(disk.open(p("none"), OpenMode::Read)), Some(ErrorKind::NotFound));
    assert_eq!(kind(disk.open(p("none"), OpenMode::ReadWrite)), Some(ErrorKind::NotFound));
    assert_eq!(kind(disk.open(p("none/f"), OpenMode::Create)), Some(ErrorKind::NotFound));
    assert_eq!(kind(disk.open(p("file"), OpenMode::CreateNew)), Some(ErrorKind::AlreadyExists));
    assert_eq!(kind(disk.list(p("none"))), Some(ErrorKind::NotFound));
    assert_eq!(kind(disk.remove_file(p("none"))), Some(ErrorKind::NotFound));
    assert_eq!(kind(disk.remove_dir_all(p("none"))), Some(ErrorKind::NotFound));
    assert_eq!(kind(disk.rename(p("none"), p("other"))), Some(ErrorKind::NotFound));
    assert_eq!(kind(disk.rename(p("file"), p("none/f"))), Some(ErrorKind::NotFound));
    assert_eq!(kind(disk.sync_dir(p("none"))), Some(ErrorKind::NotFound));
    for outside in ["../out", "/etc/passwd", "a/../../out"] {
        let refused = Some(ErrorKind::InvalidInput);
        assert_eq!(kind(disk.open(p(outside), OpenMode::Create)), refused, "{outside}");
        assert_eq!(kind(disk.create_dir_all(p(outside))), refused, "{outside}");
        assert_eq!(kind(disk.remove_dir_all(p(outside))), refused, "{outside}");
        assert_eq!(kind(disk.rename(p("file"), p(outside))), refused, "{outside}");
    }
    assert!(disk.exists(p("file"))?);
    Ok(())
}

fn removed_and_renamed_while_open(disk: &dyn Disk) -> io::Result<()> {
    let file = disk.open(p("f"), OpenMode::CreateNew)?;
    put(&*file, b"abc", 0)?;
    disk.rename(p("f"), p("g"))?;
    put(&*file, b"def", 3)?;
    assert_eq!(contents(&*disk.open(p("g"), OpenMode::Read)?)?, b"abcdef");
    disk.remove_file(p("g"))?;
    put(&*file, b"!", 6)?;
    assert_eq!(contents(&*file)?, b"abcdef!");
    // A new file of the old name is another file.
    let other = disk.open(p("g"), OpenMode::CreateNew)?;
    assert!(other.is_empty()?);
    file.sync_data()
}

fn open_modes(disk: &dyn Disk) -> io::Result<()> {
    put(&*disk.open(p("f"), OpenMode::Create)?, b"kept", 0)?;
    // Opening never empties a file.
    assert_eq!(disk.open(p("f"), OpenMode::Create)?.len()?, 4);
    assert_eq!(disk.open(p("f"), OpenMode::ReadWrite)?.len()?, 4);
    let reader = disk.open(p("f"), OpenMode::Read)?;
    assert!(put(&*reader, b"no", 0).is_err(), "a handle for reading does not write");
    assert!(reader.truncate(0).is_err(), "a handle for reading does not truncate");
    assert_eq!(contents(&*reader)?, b"kept");
    Ok(())
}

fn writes_and_reads(disk: &dyn Disk) -> io::Result<()> {
    let file = disk.open(p("f"), OpenMode::CreateNew)?;
    put(&*file, b"", 7)?;
    assert_eq!(file.len()?, 0, "a write of nothing leaves the length");
    put(&*file, b"later", 10_000)?;
    put(&*file, b"early", 3)?;
    assert_eq!(file.len()?, 10_005);
    let mut bytes = vec![0xee; 20];
    assert_eq!(file.read_at(&mut bytes, 0)?, 20);
    assert_eq!(&bytes[..10], b"\0\0\0early\0\0");
    assert_eq!(file.read_at(&mut bytes, 9_995)?, 10, "fewer only at the end");
    assert_eq!(&bytes[..10], b"\0\0\0\0\0later");
    assert_eq!(file.read_at(&mut bytes, 10_005)?, 0);
    assert_eq!(file.read_at(&mut bytes, 1 << 40)?, 0);
    assert_eq!(file.read_at(&mut [], 0)?, 0);
    assert_eq!(kind(file.read_exact_at(&mut bytes, 9_995)), Some(ErrorKind::UnexpectedEof));
    put(&*file, b"LATE", 10_000)?;
    file.read_exact_at(&mut bytes[..5], 10_000)?;
    assert_eq!(&bytes[..5], b"LATEr");
    Ok(())
}

fn vectored_writes(disk: &dyn Disk) -> io::Result<()> {
    // More slices than one system call takes, empty ones among them, at the front too.
    let file = disk.open(p("f"), OpenMode::CreateNew)?;
    let parts: Vec<Vec<u8>> =
        (0..3_000usize).map(|n| vec![u8::try_from(n % 251).unwrap_or(0); n % 5]).collect();
    let mut slices: Vec<_> = parts.iter().map(|part| IoSlice::new(part)).collect();
    file.write_all_at(&mut slices, 11)?;
    assert_eq!(contents(&*file)?[11..], parts.concat());
    file.write_all_at(&mut [IoSlice::new(b""), IoSlice::new(b"")], 0)?;

    let large: Vec<u8> =
        (0..3_000_017u32).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let (left, right) = large.split_at(1_234_567);
    let file = disk.open(p("g"), OpenMode::CreateNew)?;
    file.write_all_at(&mut [IoSlice::new(left), IoSlice::new(right)], 0)?;
    assert!(contents(&*file)? == large);
    Ok(())
}

fn lengths(disk: &dyn Disk) -> io::Result<()> {
    let file = disk.open(p("f"), OpenMode::CreateNew)?;
    put(&*file, b"data", 0)?;
    file.preallocate(0, 10_000)?;
    assert_eq!(file.len()?, 10_000);
    assert_eq!(contents(&*file)?[..6], *b"data\0\0");
    file.preallocate(5_000, 10)?;
    assert_eq!(file.len()?, 10_000, "preallocation never shortens");
    file.preallocate(20_000, 100)?;
    assert_eq!(file.len()?, 20_100);
    put(&*file, b"end", 20_100)?;
    assert!(file.append_zeros(100_000)? >= 120_103);
    assert_eq!(contents(&*file)?[20_100..20_105], *b"end\0\0", "zeros go behind what is there");
    assert!(file.len()? >= 120_103);
    file.truncate(2)?;
    assert_eq!(contents(&*file)?, b"da");
    file.truncate(6)?;
    assert_eq!(contents(&*file)?, b"da\0\0\0\0", "what was cut off does not come back");
    Ok(())
}

fn handles_share_one_file(disk: &dyn Disk) -> io::Result<()> {
    let one = disk.open(p("f"), OpenMode::CreateNew)?;
    let two = disk.open(p("f"), OpenMode::ReadWrite)?;
    put(&*one, b"one", 0)?;
    put(&*two, b"two", 3)?;
    assert_eq!(contents(&*one)?, b"onetwo");
    one.truncate(1)?;
    assert_eq!(two.len()?, 1);
    Ok(())
}

fn mappings(disk: &dyn Disk) -> io::Result<()> {
    let file = disk.open(p("f"), OpenMode::CreateNew)?;
    put(&*file, b"0123456789", 0)?;
    // Longer than the file is by now.
    let mapping = file.map(1 << 20)?;
    assert_eq!(mapping.len(), 1 << 20);
    let early = mapping.bytes(2..6);
    assert_eq!(&early[..], b"2345");
    assert!(mapping.bytes(4..4).is_empty());
    put(&*file, b"appended", 10)?;
    assert_eq!(&mapping.bytes(8..18)[..], b"89appended");
    put(&*file, b"far", 500_000)?;
    assert_eq!(&mapping.bytes(500_000..500_003)[..], b"far");
    assert_eq!(&early[..], b"2345");
    assert!(file.map(0).is_err());
    Ok(())
}

fn mappings_outlive_their_file(disk: &dyn Disk) -> io::Result<()> {
    let file = disk.open(p("f"), OpenMode::CreateNew)?;
    put(&*file, &[5; 10_000], 0)?;
    let mapping = file.map(10_000)?;
    drop(file);
    disk.remove_file(p("f"))?;
    let bytes = mapping.clone().bytes(4_000..10_000);
    drop(mapping);
    let part = bytes.slice(1_000..2_000);
    drop(bytes);
    assert_eq!(part[..], [5; 1_000]);
    Ok(())
}

fn syncs(disk: &dyn Disk) -> io::Result<()> {
    disk.create_dir_all(p("d"))?;
    assert!(disk.sync_files(&[]).is_empty());
    for count in [1, 2, 5, 150] {
        let mut files = Vec::new();
        for n in 0..count {
            let file = disk.open(p(&format!("d/{n}")), OpenMode::Create)?;
            put(&*file, b"x", n)?;
            files.push(file);
        }
        let answers = disk.sync_files(&files);
        assert_eq!(answers.len(), files.len());
        answers.into_iter().collect::<io::Result<()>>()?;
        files[0].sync_data()?;
    }
    disk.sync_dir(p("d"))?;
    disk.sync_dir(p(""))?;
    for count in [0, 1, 5, 150] {
        let names: Vec<String> = (0..count).map(|n| format!("of{count}-{n}")).collect();
        let mut files = Vec::new();
        for name in &names {
            disk.create_dir_all(p(name))?;
            let file = disk.open(p(&format!("{name}/f")), OpenMode::Create)?;
            put(&*file, b"x", 0)?;
            files.push(file);
        }
        let dirs: Vec<&Path> = names.iter().map(|name| p(name)).collect();
        let synced = disk.sync_all(&files, &dirs);
        assert_eq!((synced.files.len(), synced.dirs.len()), (count, count));
        synced.files.into_iter().chain(synced.dirs).collect::<io::Result<()>>()?;
    }
    // One that is not there is told, whatever way the others take.
    let dirs = [&["d"; 20][..], &["missing"]].concat();
    let answers = disk.sync_all(&[], &dirs.iter().map(|dir| p(dir)).collect::<Vec<_>>()).dirs;
    assert!(answers[..20].iter().all(Result::is_ok) && answers[20].is_err());
    Ok(())
}

fn the_lock(disk: &dyn Disk) -> io::Result<()> {
    let held = disk.lock(p("lock"))?;
    assert_eq!(kind(disk.lock(p("lock"))), Some(ErrorKind::WouldBlock));
    let _other = disk.lock(p("other"))?;
    drop(held);
    let _again = disk.lock(p("lock"))?;
    Ok(())
}

fn the_cache(disk: &dyn Disk) -> io::Result<()> {
    let file = disk.open(p("f"), OpenMode::CreateNew)?;
    put(&*file, &[1; 300_000], 0)?;
    file.warm(0, 300_000)?;
    assert!(file.is_cached(0, 300_000));
    assert!(file.is_cached(123_456, 1) && file.is_cached(0, 0));
    // Also where there is nothing to warm.
    file.warm(299_999, 1_000_000)?;
    file.warm(1 << 40, 1)
}

fn threads(disk: &dyn Disk) -> io::Result<()> {
    let file = disk.open(p("f"), OpenMode::CreateNew)?;
    let worker = |n: u8| -> io::Result<()> {
        let base = u64::from(n) * 100_000;
        for round in 0..50u64 {
            put(&*file, &[n; 1_000], base + round * 1_000)?;
            let mut back = [0; 1_000];
            file.read_exact_at(&mut back, base + round * 1_000)?;
            assert_eq!(back, [n; 1_000]);
            if round % 10 == 0 {
                file.sync_data()?;
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (1..=4).map(|n| scope.spawn(move || worker(n))).collect();
        running.into_iter().try_for_each(|one| {
            one.join().unwrap_or_else(|_| Err(io::Error::other("a thread panicked")))
        })
    })
}

/// Against a vector of bytes.
fn a_random_history(disk: &dyn Disk) -> io::Result<()> {
    const SPACE: u64 = 40_000;
    for seed in 0..20 {
        let random = SeededRandom::new(seed);
        let file = disk.open(p(&format!("f{seed}")), OpenMode::CreateNew)?;
        let mut model: Vec<u8> = Vec::new();
        for step in 0..100 {
            let position = random.below(SPACE);
            let len = random.below(9_000);
            let start = usize::try_from(position).map_err(io::Error::other)?;
            let end = start + usize::try_from(len).map_err(io::Error::other)?;
            match random.below(10) {
                0 => {
                    file.truncate(position)?;
                    model.resize(start, 0);
                }
                1 if len > 0 => {
                    file.preallocate(position, len)?;
                    model.resize(model.len().max(end), 0);
                }
                2 => file.sync_data()?,
                3..=5 => {
                    let mut bytes = vec![0xee; end - start];
                    let count = file.read_at(&mut bytes, position)?;
                    let expected = model.get(start..end.min(model.len())).unwrap_or(&[]);
                    assert!(bytes[..count] == *expected, "seed {seed}, step {step}");
                }
                _ => {
                    let mut bytes = vec![0; end - start];
                    random.fill(&mut bytes);
                    put(&*file, &bytes, position)?;
                    if !bytes.is_empty() {
                        model.resize(model.len().max(end), 0);
                        model[start..end].copy_from_slice(&bytes);
                    }
                }
            }
            assert_eq!(file.len()?, model.len() as u64, "seed {seed}, step {step}");
        }
        assert!(contents(&*file)? == model, "seed {seed}");
    }
    Ok(())
}
