//! Operations that fail, a disk that is full, and syncs that are made to wait.

use onrush_sim::{CrashPolicy, Fault, Operation, SimDisk};
use onrush_sys::{Disk, File, OpenMode, thread};
use std::io::{self, ErrorKind, IoSlice};
use std::path::Path;
use std::sync::Arc;

const EIO: Option<i32> = Some(5);

fn p(path: &str) -> &Path {
    Path::new(path)
}

fn put(file: &dyn File, bytes: &[u8], position: u64) -> io::Result<()> {
    file.write_all_at(&mut [IoSlice::new(bytes)], position)
}

/// A disk with one file `f` of one synced byte `-`.
fn with_file() -> io::Result<(SimDisk, Arc<dyn File>)> {
    let disk = SimDisk::new();
    let file = disk.open(p("f"), OpenMode::CreateNew)?;
    put(&*file, b"-", 0)?;
    file.sync_data()?;
    disk.sync_dir(p(""))?;
    Ok((disk, file))
}

fn first_byte(disk: &SimDisk) -> io::Result<u8> {
    let mut byte = [0];
    disk.open(p("f"), OpenMode::Read)?.read_exact_at(&mut byte, 0)?;
    Ok(byte[0])
}

#[test]
fn a_fault_strikes_where_it_was_aimed() {
    let (disk, file) = with_file().unwrap();
    let other = disk.open(p("other"), OpenMode::Create).unwrap();
    disk.fail(Fault::next(Operation::Sync).after(1).times(2).on("f"));
    other.sync_data().unwrap();
    file.sync_data().unwrap();
    let answers = disk.sync_files(&[other, Arc::clone(&file), Arc::clone(&file)]);
    let errors: Vec<_> =
        answers.iter().map(|a| a.as_ref().err().and_then(|e| e.raw_os_error())).collect();
    assert_eq!(errors, [None, EIO, EIO]);
    file.sync_data().unwrap();

    disk.fail(Fault::next(Operation::Create).no_space().forever());
    for name in ["a", "b"] {
        let error = disk.open(p(name), OpenMode::Create).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert!(!disk.exists(p(name)).unwrap());
    }
    disk.heal();
    disk.open(p("a"), OpenMode::Create).unwrap();
}

#[test]
fn a_failed_write_is_there_by_half() {
    let (disk, file) = with_file().unwrap();
    disk.fail(Fault::next(Operation::Write));
    assert_eq!(put(&*file, b"abcd", 0).unwrap_err().raw_os_error(), EIO);
    assert_eq!(file.len().unwrap(), 2);
    put(&*file, b"abcd", 0).unwrap();
}

#[test]
fn after_a_failed_sync_the_bytes_are_in_doubt_for_good() {
    let (disk, file) = with_file().unwrap();
    put(&*file, b"A", 0).unwrap();
    disk.fail(Fault::next(Operation::Sync));
    assert!(file.sync_data().is_err());
    put(&*file, b"synced later", 100).unwrap();
    file.sync_data().unwrap();
    // This sync went well, and still:
    assert_eq!(first_byte(&disk).unwrap(), b'A');
    let crashed = disk.crash(disk.boundaries(), CrashPolicy::DropUnsynced);
    assert_eq!(first_byte(&crashed).unwrap(), b'-');
    let mut later = [0; 12];
    crashed.open(p("f"), OpenMode::Read).unwrap().read_exact_at(&mut later, 100).unwrap();
    assert_eq!(&later, b"synced later");
    let lucky = disk.crash(disk.boundaries(), CrashPolicy::KeepAll);
    assert_eq!(first_byte(&lucky).unwrap(), b'A');
    // Nor does the cache keep them forever.
    disk.drop_caches();
    assert_eq!(first_byte(&disk).unwrap(), b'-');
    assert!(!file.is_cached(0, 1));
    file.warm(0, 1).unwrap();
    assert!(file.is_cached(0, 1));
}

#[test]
fn what_was_synced_after_a_failure_is_above_it() {
    let (disk, file) = with_file().unwrap();
    put(&*file, b"A", 0).unwrap();
    disk.fail(Fault::next(Operation::Sync));
    assert!(file.sync_data().is_err());
    put(&*file, b"B", 0).unwrap();
    file.sync_data().unwrap();
    for policy in [CrashPolicy::DropUnsynced, CrashPolicy::KeepAll, CrashPolicy::Reordered(3)] {
        assert_eq!(first_byte(&disk.crash(disk.boundaries(), policy)).unwrap(), b'B');
    }
}

#[test]
fn a_full_disk_takes_what_fits_and_has_room_again_after_a_removal() {
    let (disk, file) = with_file().unwrap();
    disk.set_capacity(100);
    assert_eq!(disk.free_bytes().unwrap(), 99);
    let error = put(&*file, &[1; 150], 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    assert_eq!((file.len().unwrap(), disk.free_bytes().unwrap()), (100, 0));
    // What exists can be written over.
    put(&*file, &[2; 100], 0).unwrap();
    let other = disk.open(p("g"), OpenMode::Create).unwrap();
    assert_eq!(other.preallocate(0, 1).unwrap_err().kind(), ErrorKind::StorageFull);
    disk.remove_file(p("f")).unwrap();
    other.preallocate(0, 100).unwrap();
    assert_eq!(disk.used_bytes(), 100);
}

#[test]
fn a_flipped_bit_is_on_the_medium() {
    let (disk, _file) = with_file().unwrap();
    disk.flip_bit(p("f"), 1).unwrap();
    assert_eq!(first_byte(&disk).unwrap(), b'-' ^ 2);
    let crashed = disk.crash(disk.boundaries(), CrashPolicy::DropUnsynced);
    assert_eq!(first_byte(&crashed).unwrap(), b'-' ^ 2);
    assert!(disk.flip_bit(p("f"), 8).is_err());
}

#[test]
fn a_held_sync_covers_only_what_was_written_before_it() {
    let (disk, file) = with_file().unwrap();
    put(&*file, b"A", 0).unwrap();
    disk.hold_syncs();
    let syncing = Arc::clone(&file);
    let sync = thread::spawn("sync", move || syncing.sync_data()).unwrap();
    disk.wait_for_held_syncs(1);
    put(&*file, b"B", 0).unwrap();
    disk.release_syncs();
    sync.join().unwrap().unwrap();
    let crashed = disk.crash(disk.boundaries(), CrashPolicy::DropUnsynced);
    assert_eq!(first_byte(&crashed).unwrap(), b'A');
}
