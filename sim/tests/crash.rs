//! What a crash may take, and what it may not.

use onrush_sim::{CrashPlan, CrashPolicy, SimDisk};
use onrush_sys::{Disk, File, OpenMode, Random as _, SeededRandom};
use std::collections::HashSet;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

fn p(path: &str) -> &Path {
    Path::new(path)
}

fn create(disk: &SimDisk, path: &str) -> io::Result<Arc<dyn File>> {
    disk.open(p(path), OpenMode::CreateNew)
}

fn put(file: &dyn File, bytes: &[u8], position: u64) -> io::Result<()> {
    file.write_all_at(&mut [IoSlice::new(bytes)], position)
}

fn contents(disk: &SimDisk, path: &str) -> io::Result<Vec<u8>> {
    let file = disk.open(p(path), OpenMode::Read)?;
    let mut bytes = vec![0; usize::try_from(file.len()?).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

fn now(disk: &SimDisk) -> usize {
    disk.boundaries()
}

#[test]
fn what_was_not_synced_is_lost_and_what_was_is_kept() {
    let disk = SimDisk::new();
    let file = create(&disk, "f").unwrap();
    disk.sync_dir(p("")).unwrap();
    put(&*file, b"synced", 0).unwrap();
    file.sync_data().unwrap();
    put(&*file, b"SYN and more", 0).unwrap();

    let dropped = disk.crash(now(&disk), CrashPolicy::DropUnsynced);
    assert_eq!(contents(&dropped, "f").unwrap(), b"synced");
    let kept = disk.crash(now(&disk), CrashPolicy::KeepAll);
    assert_eq!(contents(&kept, "f").unwrap(), b"SYN and more");
    // What was found after a crash is durable, and the crashed disk goes on as it was.
    let again = kept.crash(now(&kept), CrashPolicy::DropUnsynced);
    assert_eq!(contents(&again, "f").unwrap(), b"SYN and more");
    put(&*file, b"!", 0).unwrap();
    assert_eq!(contents(&disk, "f").unwrap(), b"!YN and more");
    // Earlier boundaries can be asked after later ones.
    assert_eq!(contents(&disk.crash(3, CrashPolicy::DropUnsynced), "f").unwrap(), b"");
}

#[test]
fn a_name_needs_its_directory_synced() {
    let disk = SimDisk::new();
    disk.create_dir_all(p("d")).unwrap();
    let file = create(&disk, "d/f").unwrap();
    put(&*file, b"x", 0).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(p("d")).unwrap();
    // The directory itself has no durable name yet.
    assert!(!disk.crash(now(&disk), CrashPolicy::DropUnsynced).exists(p("d")).unwrap());
    disk.sync_dir(p("")).unwrap();
    assert_eq!(contents(&disk.crash(now(&disk), CrashPolicy::DropUnsynced), "d/f").unwrap(), b"x");

    disk.rename(p("d/f"), p("d/g")).unwrap();
    disk.remove_file(p("d/g")).unwrap();
    // Both are undone; or either of them.
    assert!(disk.crash(now(&disk), CrashPolicy::DropUnsynced).exists(p("d/f")).unwrap());
    let mut seen = HashSet::new();
    for seed in 0..50 {
        let crashed = disk.crash(now(&disk), CrashPolicy::Reordered(seed));
        let (f, g) = (crashed.exists(p("d/f")).unwrap(), crashed.exists(p("d/g")).unwrap());
        assert!(!(f && g), "a rename is whole");
        seen.insert((f, g));
    }
    assert_eq!(seen.len(), 3);
    disk.sync_dir(p("d")).unwrap();
    let crashed = disk.crash(now(&disk), CrashPolicy::DropUnsynced);
    assert!(crashed.list(p("d")).unwrap().is_empty());
}

#[test]
fn a_move_between_directories_is_two_changes() {
    let disk = SimDisk::new();
    disk.create_dir_all(p("a")).unwrap();
    disk.create_dir_all(p("b")).unwrap();
    put(&*create(&disk, "a/f").unwrap(), b"x", 0).unwrap();
    disk.sync_dir(p("")).unwrap();
    disk.sync_dir(p("a")).unwrap();
    disk.rename(p("a/f"), p("b/f")).unwrap();
    disk.sync_dir(p("b")).unwrap();
    let crashed = disk.crash(now(&disk), CrashPolicy::DropUnsynced);
    assert!(crashed.exists(p("a/f")).unwrap() && crashed.exists(p("b/f")).unwrap());
    disk.sync_dir(p("a")).unwrap();
    let crashed = disk.crash(now(&disk), CrashPolicy::DropUnsynced);
    assert!(!crashed.exists(p("a/f")).unwrap() && crashed.exists(p("b/f")).unwrap());
}

#[test]
fn an_unsynced_write_is_torn_at_sectors_and_at_bytes() {
    let disk = SimDisk::new();
    let file = create(&disk, "f").unwrap();
    file.preallocate(0, 4096).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(p("")).unwrap();
    put(&*file, &[1; 2000], 100).unwrap();
    let (mut at_sector, mut within, mut holes) = (0, 0, 0);
    for seed in 0..200 {
        let bytes = contents(&disk.crash(now(&disk), CrashPolicy::Torn(seed)), "f").unwrap();
        assert!(bytes[..100].iter().chain(&bytes[2100..]).all(|b| *b == 0));
        let edges: Vec<_> = (101..2100).filter(|n| bytes[n - 1] != bytes[*n]).collect();
        holes += usize::from(edges.len() > 1);
        if let [edge] = edges[..] {
            at_sector += usize::from(edge % 512 == 0);
            within += usize::from(edge % 512 != 0);
        }
    }
    assert!(at_sector > 10 && within > 10 && holes > 10, "{at_sector} {within} {holes}");
}

#[test]
fn torn_keeps_the_order_and_reordered_does_not() {
    let disk = SimDisk::new();
    let file = create(&disk, "f").unwrap();
    file.preallocate(0, 8 * 512).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(p("")).unwrap();
    for n in 0..8 {
        put(&*file, &[1; 512], n * 512).unwrap();
    }
    let mut out_of_order = 0;
    for seed in 0..100 {
        let sectors = |policy| -> Vec<bool> {
            let bytes = contents(&disk.crash(now(&disk), policy), "f").unwrap();
            bytes.chunks(512).map(|sector| sector.iter().all(|b| *b == 1)).collect()
        };
        assert!(sectors(CrashPolicy::Torn(seed)).is_sorted_by(|a, b| a >= b));
        out_of_order +=
            usize::from(!sectors(CrashPolicy::Reordered(seed)).is_sorted_by(|a, b| a >= b));
    }
    assert!(out_of_order > 50, "{out_of_order}");
}

#[test]
fn a_killed_process_leaves_all_it_wrote_and_nothing_more_durable() {
    let disk = SimDisk::new();
    let _lock = disk.lock(p("lock")).unwrap();
    let file = create(&disk, "f").unwrap();
    put(&*file, b"written", 0).unwrap();
    let after_write = now(&disk);
    put(&*file, b"later", 100).unwrap();

    let killed = disk.killed(after_write);
    killed.lock(p("lock")).unwrap();
    assert_eq!(contents(&killed, "f").unwrap(), b"written");
    assert!(!killed.crash(now(&killed), CrashPolicy::DropUnsynced).exists(p("f")).unwrap());
    // The next process syncs what the last one wrote.
    killed.open(p("f"), OpenMode::ReadWrite).unwrap().sync_data().unwrap();
    killed.sync_dir(p("")).unwrap();
    let crashed = killed.crash(now(&killed), CrashPolicy::DropUnsynced);
    assert_eq!(contents(&crashed, "f").unwrap(), b"written");
}

#[test]
fn states_are_many_and_each_can_be_had_again() {
    let disk = SimDisk::new();
    let file = create(&disk, "f").unwrap();
    put(&*file, b"abc", 0).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(p("")).unwrap();
    let plan = CrashPlan { torn: 3, reordered: 4, seed: 9 };
    let states: Vec<_> = disk.crash_states(plan).collect();
    // Nothing is in doubt before everything and after the last sync.
    assert_eq!(states.len(), 1 + 3 * (2 + 3 + 4) + 1);
    for (point, state) in states {
        let again = disk.crash(point.boundary, point.policy);
        assert_eq!(state.list(p("")).unwrap(), again.list(p("")).unwrap(), "{point}");
        if state.exists(p("f")).unwrap() {
            assert_eq!(contents(&state, "f").unwrap(), contents(&again, "f").unwrap(), "{point}");
        }
    }
    assert!(disk.describe(2).contains("write of 3 bytes at 0"), "{}", disk.describe(2));
}

/// What one byte may be after a crash.
struct Possible {
    durable: u8,
    pending: Vec<u8>,
}

/// A random history of one file, and at each of its boundaries every byte of many crash states
/// judged: it is the one last synced, or one written since, or a zero that was never written.
#[test]
fn no_crash_invents_or_loses_a_byte() {
    const LEN: usize = 3000;
    let mut states = 0;
    for seed in 0..12 {
        let random = SeededRandom::new(seed);
        let disk = SimDisk::new();
        let file = create(&disk, "f").unwrap();
        file.preallocate(0, LEN as u64).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(p("")).unwrap();
        let mut model: Vec<_> =
            (0..LEN).map(|_| Possible { durable: 0, pending: Vec::new() }).collect();
        for step in 0..40u8 {
            if random.below(4) == 0 {
                file.sync_data().unwrap();
                for byte in &mut model {
                    byte.durable = byte.pending.last().copied().unwrap_or(byte.durable);
                    byte.pending.clear();
                }
            } else {
                let start = random.below(LEN as u64);
                let len = random.below(LEN as u64 - start) + 1;
                let bytes = vec![step + 1; usize::try_from(len).unwrap()];
                put(&*file, &bytes, start).unwrap();
                let start = usize::try_from(start).unwrap();
                model[start..start + bytes.len()].iter_mut().for_each(|b| b.pending.push(step + 1));
            }
            let latest: Vec<_> =
                model.iter().map(|b| b.pending.last().copied().unwrap_or(b.durable)).collect();
            assert_eq!(contents(&disk, "f").unwrap(), latest);
            for (point, crashed) in disk.crash_states_from(now(&disk), CrashPlan::default()) {
                states += 1;
                let found = contents(&crashed, "f").unwrap();
                assert_eq!(found.len(), LEN);
                for (at, (byte, may)) in found.iter().zip(&model).enumerate() {
                    let known = *byte == may.durable || may.pending.contains(byte);
                    assert!(known, "seed {seed}, {point}: byte {at} is {byte}");
                }
            }
        }
    }
    assert!(states > 4_000, "{states}");
}

/// The size of run that the log's own crash test needs, on a log of that shape.
#[test]
fn a_hundred_thousand_states_are_made_in_little_time() {
    let disk = SimDisk::new();
    disk.create_dir_all(p("log")).unwrap();
    let files: Vec<_> = (0..6).map(|n| create(&disk, &format!("log/{n}")).unwrap()).collect();
    for file in &files {
        file.preallocate(0, 1 << 20).unwrap();
    }
    disk.sync_dir(p("log")).unwrap();
    disk.sync_dir(p("")).unwrap();
    for round in 0..1_800u64 {
        let file = &files[usize::try_from(round % 6).unwrap()];
        put(&**file, &[7; 300], round * 300).unwrap();
        if round % 3 == 2 {
            files.iter().for_each(|file| file.sync_data().unwrap());
        }
    }
    let plan = CrashPlan { torn: 25, reordered: 40, seed: 1 };
    let mut count = 0;
    for (_, crashed) in disk.crash_states(plan) {
        count += 1;
        if count % 1_000 == 0 {
            assert!(crashed.used_bytes() <= 6 << 20);
        }
    }
    assert!(count >= 100_000, "{count}");
    println!("{count} crash states");
}
