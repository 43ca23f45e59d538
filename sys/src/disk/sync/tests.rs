use super::*;
use crate::disk::plain::PlainDisk;
use crate::disk::uring::UringDisk;
use crate::{Disk, DiskBackend, OpenMode, TempDir, open_disk};
use std::hint::black_box;
use std::io::IoSlice;
use std::path::Path;
use std::time::{Duration, Instant};

fn uring(root: &Path) -> UringDisk {
    UringDisk::over(PlainDisk::open(root).unwrap()).map_err(|(_, error)| error).unwrap()
}

fn dirty_files(disk: &dyn Disk, count: usize) -> Vec<Arc<dyn File>> {
    let files = (0..count).map(|n| {
        let file = disk.open(Path::new(&format!("f{n}")), OpenMode::Create).unwrap();
        file.preallocate(0, 1 << 20).unwrap();
        file.sync_data().unwrap();
        file
    });
    files.collect()
}

#[test]
fn every_way_answers_for_every_file() {
    let dir = TempDir::new("onrush-sync").unwrap();
    let disk = open_disk(dir.path(), DiskBackend::Plain).unwrap();
    let syncer = Syncer::new(std::fs::File::open(dir.path()).unwrap());
    for count in [0, 1, 3, 9] {
        let files = dirty_files(&*disk, count);
        for way in [one_by_one, write_back_first] {
            let answers = way(&files);
            assert_eq!(answers.len(), count);
            assert!(answers.iter().all(Result::is_ok));
        }
        assert_eq!(syncer.sync(&files).len(), count);
    }
}

#[test]
fn after_a_failed_syncfs_every_file_answers_for_itself() {
    let dir = TempDir::new("onrush-sync").unwrap();
    let disk = open_disk(dir.path(), DiskBackend::Plain).unwrap();
    let syncer = Syncer { file_system: Some(linux::FileSystem::failed()) };
    let mut files = dirty_files(&*disk, MANY);
    // No device of this kind can be synced.
    std::os::unix::fs::symlink("/dev/null", dir.path().join("null")).unwrap();
    files.push(disk.open(Path::new("null"), OpenMode::ReadWrite).unwrap());
    assert!(syncer.sync_whole_with(&files, 1).is_none(), "each is to be asked");
    let answers = syncer.sync(&files);
    assert!(answers[..MANY].iter().all(Result::is_ok), "{answers:?}");
    assert!(answers[MANY].is_err());
}

fn median_ms(took: &mut [Duration]) -> f64 {
    took.sort();
    took[took.len() / 2].as_secs_f64() * 1e3
}

#[test]
#[ignore = "measures; prints the table above"]
fn measure() {
    let dir = TempDir::new_in(&std::env::current_dir().unwrap(), "onrush-sync").unwrap();
    let disk = uring(dir.path());
    let syncer = Syncer::new(std::fs::File::open(dir.path()).unwrap());
    let file_system = syncer.file_system.as_ref().expect("ext4 or XFS");
    let bytes = vec![7; 64 << 10];
    for (count, size) in [1, 2, 4, 8, 32, 100, 1000].map(|n| [(n, 4 << 10), (n, 64 << 10)]).concat()
    {
        let files = dirty_files(&disk, count);
        let plain = open_disk(dir.path(), DiskBackend::Plain).unwrap();
        let plainly = dirty_files(&*plain, count);
        let mut took = [const { Vec::new() }; 4];
        for round in 0..if count > 100 { 7 } else { 15 } {
            for (way, took) in took.iter_mut().enumerate() {
                let position = (round * 4 + way as u64) * size as u64 % (1 << 20);
                for file in &plainly {
                    file.write_all_at(&mut [IoSlice::new(&bytes[..size])], position).unwrap();
                }
                let start = Instant::now();
                let answers = match way {
                    0 => one_by_one(&plainly),
                    1 => write_back_first(&plainly),
                    2 => {
                        assert!(file_system.sync());
                        all_well(count)
                    }
                    _ => disk.sync_at_once(&files),
                };
                took.push(start.elapsed());
                assert!(answers.iter().all(Result::is_ok));
            }
        }
        let [one, first, whole, ring] = took.each_mut().map(|took| median_ms(took));
        println!("{count:5} x {size:6}: {one:8.2} {first:8.2} {whole:8.2} {ring:8.2} ms");
    }
}

#[test]
#[ignore = "measures; plain calls against io_uring"]
fn measure_backends() {
    let dir = TempDir::new_in(&std::env::current_dir().unwrap(), "onrush-sync").unwrap();
    let disks: [Arc<dyn Disk>; 2] =
        [open_disk(dir.path(), DiskBackend::Plain).unwrap(), Arc::new(uring(dir.path()))];
    let probed = dirty_files(&*disks[0], 1).remove(0);
    for (what, ask) in [
        ("little_is_dirty", (&|| linux::little_is_dirty(4)) as &dyn Fn() -> bool),
        ("is_cached of 256 KiB", &|| probed.is_cached(0, 256 << 10)),
    ] {
        let start = Instant::now();
        for _ in 0..1_000 {
            black_box(ask());
        }
        println!("{what}: {:.1} µs", start.elapsed().as_secs_f64() * 1e3);
    }
    for size in [4 << 10, 64 << 10, 1 << 20] {
        let bytes = vec![7; size];
        let files = disks.each_ref().map(|disk| dirty_files(&**disk, 1).remove(0));
        let mut took = [const { [const { Vec::new() }; 3] }; 2];
        let mut cpu = [[Duration::ZERO; 3]; 2];
        for round in 0..60 {
            for (which, file) in files.iter().enumerate() {
                for operation in 0..3 {
                    let mut scratch = vec![0; size];
                    let cpu_before = crate::process::cpu_time(None).unwrap();
                    let start = Instant::now();
                    match operation {
                        0 => file.write_all_at(&mut [IoSlice::new(&bytes)], 0).unwrap(),
                        1 => file.sync_data().unwrap(),
                        _ => file.read_exact_at(&mut scratch, 0).unwrap(),
                    }
                    took[which][operation].push(start.elapsed());
                    cpu[which][operation] += crate::process::cpu_time(None).unwrap() - cpu_before;
                    black_box((&scratch, round));
                }
            }
        }
        for (which, disk) in disks.iter().enumerate() {
            print!("{size:8} {:9}", disk.backend());
            for (operation, name) in ["write", "sync", "read"].iter().enumerate() {
                let ms = median_ms(&mut took[which][operation]);
                let cpu = cpu[which][operation].as_secs_f64() * 1e6 / 60.0;
                print!("  {name} {:9.1} µs ({cpu:7.1} µs CPU)", ms * 1e3);
            }
            println!();
        }
    }
}
