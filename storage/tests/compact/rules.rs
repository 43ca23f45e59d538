//! Single rules, one test each.

use onrush_record::batch::{Batches, Codec};
use onrush_sim::SimDisk;
use onrush_storage::{
    CleanBounds, CleanLimits, CleanPolicy, CleanStep, Cleaning, Cursor, LogConfig, ReadMode,
};

use crate::common::{env_on, off, work};
use crate::life::{Life, RETENTION_MS, cfg, limits, policy, read_all};

fn life() -> Life {
    Life::new(env_on(SimDisk::new().as_disk()), cfg(), 1)
}

fn value(text: &str) -> Option<Vec<u8>> {
    Some(text.as_bytes().to_vec())
}

/// Fills whole segments, so that what came before them is rolled, durable and may be cleaned.
fn roll(life: &mut Life) {
    life.writer.roll().unwrap();
    life.settle();
}

fn offsets(life: &Life) -> Vec<u64> {
    let seen = read_all(&life.reader, 1 << 20);
    seen.iter().flat_map(|batch| batch.records.iter().map(|record| record.0)).collect()
}

#[test]
fn the_newest_record_stays_in_its_place_and_its_batch() {
    let mut life = life();
    life.send(0, &[(1, value("a")), (2, value("b")), (1, value("c"))], Codec::Lz4);
    life.send(0, &[(3, value("d"))], Codec::None);
    life.send(0, &[(3, value("e")), (2, value("f"))], Codec::Zstd);
    roll(&mut life);
    life.send(0, &[(9, value("active"))], Codec::None);
    life.writer.flush_now().unwrap();
    let stats = life.clean();
    assert_eq!((stats.records_gone, stats.clean_to), (3, off(6)));
    assert_eq!(offsets(&life), [2, 4, 5, 6]);
    life.check();
    let seen = read_all(&life.reader, 1 << 20);
    let places: Vec<_> = seen.iter().map(|batch| (batch.base, batch.next)).collect();
    assert_eq!(places, [(0, 3), (3, 4), (4, 6), (6, 7)]);
}

#[test]
fn the_active_segment_and_what_is_not_stable_stay() {
    let mut life = life();
    life.send(0, &[(1, value("a"))], Codec::None);
    life.send(0, &[(1, value("b"))], Codec::None);
    life.settle();
    assert_eq!(life.clean().records_gone, 0);
    life.send(10, &[(1, value("open"))], Codec::None);
    life.send(0, &[(1, value("after")), (1, value("that"))], Codec::None);
    roll(&mut life);
    let stats = life.clean();
    assert_eq!((stats.records_gone, stats.clean_to), (1, off(2)), "up to the open transaction");
    life.check();
    life.end_transaction(10, false);
    roll(&mut life);
    let stats = life.clean();
    assert_eq!(stats.records_gone, 3, "b by what came after, the aborted one, and one more");
    assert_eq!(offsets(&life), [4, 5], "with the mark");
    life.check();
}

#[test]
fn an_aborted_record_does_not_replace_what_counts() {
    let mut life = life();
    life.send(0, &[(1, value("counts"))], Codec::None);
    life.send(10, &[(1, value("does not")), (1, None)], Codec::Gzip);
    life.end_transaction(10, false);
    roll(&mut life);
    life.clean();
    assert_eq!(offsets(&life)[0], 0);
    assert!(!offsets(&life).contains(&1) && !offsets(&life).contains(&2));
    life.check();
}

#[test]
fn a_tombstone_goes_once_its_time_has_passed_since_it_was_cleaned() {
    let mut life = life();
    life.send(0, &[(1, value("a")), (2, value("b"))], Codec::None);
    life.send(0, &[(1, None)], Codec::Snappy);
    roll(&mut life);
    life.now_ms += 10 * RETENTION_MS;
    assert_eq!(life.clean().records_gone, 1);
    assert_eq!(offsets(&life), [1, 2], "its time begins with the first cleaning");
    let seen = |life: &Life| {
        let read = life.reader.read(off(2), 1, &mut Cursor::default()).unwrap().unwrap();
        let bytes = read.slice.to_bytes(ReadMode::Copied).unwrap();
        *Batches::new(&bytes).next_batch().unwrap().unwrap().header()
    };
    assert!(seen(&life).attributes.has_delete_horizon());
    assert_eq!(seen(&life).base_timestamp, life.now_ms + RETENTION_MS);
    life.now_ms += RETENTION_MS - 1;
    life.send(0, &[(7, value("x"))], Codec::None);
    roll(&mut life);
    life.clean();
    assert_eq!(offsets(&life), [1, 2, 3]);
    life.now_ms += 1;
    life.send(0, &[(7, value("y"))], Codec::None);
    roll(&mut life);
    life.clean();
    assert_eq!(offsets(&life), [1, 4]);
    life.check();
}

#[test]
fn a_mark_goes_after_all_of_its_transaction_and_its_time() {
    let mut life = life();
    life.send(10, &[(1, value("a"))], Codec::None);
    life.end_transaction(10, false);
    life.send(10, &[(1, value("b"))], Codec::None);
    life.end_transaction(10, true);
    let marks = |life: &Life| {
        let seen = read_all(&life.reader, 1 << 20);
        seen.iter().filter(|batch| batch.control).map(|batch| batch.base).collect::<Vec<_>>()
    };
    let (mut over, mut gone) = (Vec::new(), Vec::new());
    for round in 0..4 {
        roll(&mut life);
        life.send(0, &[(if round == 1 { 1 } else { 5 }, value("newer"))], Codec::None);
        roll(&mut life);
        life.now_ms += 60_000;
        let claim = life.writer.begin_cleaning().unwrap();
        let bounds = CleanBounds { last_batches: Default::default(), ..life.bounds() };
        let mut cleaning = Cleaning::plan(claim, &policy(), &limits(), bounds).unwrap();
        loop {
            match cleaning.step(1).unwrap() {
                CleanStep::More => {}
                CleanStep::Swap => {
                    let swapped = life.writer.swap_cleaned(&mut cleaning).unwrap();
                    over.extend(swapped.aborts_over);
                    gone.extend(swapped.aborts_gone);
                }
                CleanStep::Done => break,
            }
        }
        life.writer.end_cleaning(&cleaning);
        let left = [&[1, 3][..], &[3], &[], &[]][round];
        assert_eq!(marks(&life), left, "round {round}");
    }
    assert_eq!((over, gone), (vec![off(1)], vec![off(1)]));
}

#[test]
fn a_producers_last_batch_stays_without_its_records() {
    let mut life = life();
    life.send(1, &[(1, value("a")), (2, value("a"))], Codec::None);
    life.send(1, &[(1, value("b")), (2, value("b"))], Codec::Gzip);
    life.send(2, &[(1, value("c")), (2, value("c"))], Codec::None);
    life.send(0, &[(1, value("d")), (2, value("d"))], Codec::None);
    roll(&mut life);
    life.clean();
    let seen = read_all(&life.reader, 1 << 20);
    let left: Vec<_> = seen.iter().map(|b| (b.base, b.producer, b.records.len())).collect();
    assert_eq!(left, [(0, None, 0), (2, Some((1, 3)), 0), (4, Some((2, 1)), 0), (6, None, 2)]);
    life.check();
    life.check_lookups();
}

#[test]
fn a_log_is_due_by_its_ratio_or_its_age() {
    let mut life = life();
    let dirt = |life: &Life, policy: &CleanPolicy| {
        life.reader.dirt(policy, off(life.stable()), life.now_ms).unwrap()
    };
    let half = CleanPolicy { min_dirty_ratio: 0.5, ..policy() };
    assert!(!dirt(&life, &half).is_due);
    for n in 0..20 {
        life.send(0, &[(n % 3, Some(vec![1; 100]))], Codec::None);
    }
    roll(&mut life);
    assert!(dirt(&life, &half).is_due, "all of it is dirty");
    life.clean();
    let after = dirt(&life, &half);
    assert!((after.dirty_bytes, after.is_due) == (0, false) && after.clean_bytes > 0, "{after:?}");
    life.send(0, &[(1, value("a"))], Codec::None);
    roll(&mut life);
    assert!(!dirt(&life, &half).is_due, "too little");
    let aged = CleanPolicy { max_lag_ms: Some(1000), ..half.clone() };
    assert_eq!(dirt(&life, &aged).due_ms, Some(life.now_ms + 1000));
    assert!(!dirt(&life, &aged).is_due);
    life.now_ms += 1000;
    assert!(dirt(&life, &aged).is_due);
    let young = CleanPolicy { min_lag_ms: 5000, ..aged };
    assert!(!dirt(&life, &young).is_due, "younger than the least lag");
}

#[test]
fn small_segments_become_one() {
    let mut life = life();
    for n in 0..30 {
        life.send(0, &[(n % 2, value("a"))], Codec::None);
        roll(&mut life);
    }
    life.clean();
    life.check();
    life.reopen(true);
    let logs = || {
        let entries = life.env.disk.list(&crate::common::dir()).unwrap();
        entries.into_iter().filter(|entry| entry.name.ends_with(".log")).collect::<Vec<_>>()
    };
    assert!(logs().len() < 6, "{:?}", logs());
    life.check();
}

#[test]
fn retention_lets_cleaned_segments_go() {
    let mut life = life();
    life.cfg = LogConfig { retention_ms: Some(1000), ..cfg() };
    life.writer.set_config(life.cfg.clone());
    for n in 0..40 {
        life.send(1, &[(n % 2, Some(vec![0; 200]))], Codec::None);
    }
    roll(&mut life);
    life.clean();
    life.send(0, &[(1, value("young"))], Codec::None);
    roll(&mut life);
    life.now_ms += 1_100;
    life.send(0, &[(1, value("younger"))], Codec::None);
    roll(&mut life);
    let due = life.writer.retention_due(life.now_ms).unwrap();
    assert_eq!(due, off(41));
    let mut trim = life.writer.trim_to(due).unwrap();
    trim.persist().unwrap();
    trim.delete_files().unwrap();
    life.check();
    for clean in [false, true] {
        life.reopen(clean);
        assert_eq!(life.reader.ends().start, off(41));
        life.check();
    }
    life.clean();
    life.check();
}

#[test]
fn a_trim_during_a_cleaning_leaves_the_files_that_are_copied() {
    let mut life = life();
    for n in 0..60 {
        life.send(0, &[(n % 7, Some(vec![0; 150]))], Codec::None);
        work(&mut life.writer);
    }
    roll(&mut life);
    let mut trimmed = 0;
    life.clean_with(&limits(), 1, |life| {
        if life.draw(30) == 0 {
            trimmed = (trimmed + 2).min(50);
            let mut trim = life.writer.trim_to(off(trimmed)).unwrap();
            trim.persist().unwrap();
            trim.delete_files().unwrap();
        }
        life.check_start();
    });
    assert!(trimmed > 10, "{trimmed}");
    for clean in [true, false] {
        life.reopen(clean);
        assert_eq!(life.reader.ends().start, off(trimmed));
        life.check();
    }
}

#[test]
fn a_cleaning_given_up_leaves_the_log_as_it_was() {
    let mut life = life();
    for n in 0..40 {
        life.send(0, &[(n % 3, Some(vec![0; 150]))], Codec::None);
    }
    roll(&mut life);
    for steps in (0..400).step_by(7) {
        let claim = life.writer.begin_cleaning().unwrap();
        assert!(life.writer.begin_cleaning().is_none(), "one at a time");
        let mut cleaning = Cleaning::plan(claim, &policy(), &limits(), life.bounds()).unwrap();
        for _ in 0..steps {
            if cleaning.step(200).unwrap() == CleanStep::Swap {
                break;
            }
        }
        if cleaning.step(1).unwrap() == CleanStep::Swap {
            life.writer.swap_cleaned(&mut cleaning).unwrap();
            life.writer.end_cleaning(&cleaning);
            break;
        }
        cleaning.abandon();
        life.writer.end_cleaning(&cleaning);
        assert_eq!(offsets(&life).len(), 40);
    }
    life.reopen(false);
    roll(&mut life);
    life.clean();
    life.check();
    assert_eq!(offsets(&life), [37, 38, 39]);
}

#[test]
fn damage_is_never_copied() {
    let disk = SimDisk::new();
    let mut life = Life::new(env_on(disk.as_disk()), cfg(), 1);
    for n in 0..6 {
        life.send(0, &[(n % 3, Some(vec![0; 50]))], Codec::None);
    }
    roll(&mut life);
    disk.flip_bit(&crate::common::dir().join("0000000000.log"), 61 * 8 + 20).unwrap();
    let claim = life.writer.begin_cleaning().unwrap();
    let mut cleaning = Cleaning::plan(claim, &policy(), &limits(), life.bounds()).unwrap();
    let error = loop {
        if let Err(error) = cleaning.step(1 << 20) {
            break error.to_string();
        }
    };
    assert!(error.contains("damaged") && error.contains("0000000000.log"), "{error}");
    cleaning.abandon();
    life.writer.end_cleaning(&cleaning);
}

#[test]
fn what_decompresses_to_too_much_stays() {
    let mut life = life();
    life.send(0, &[(1, Some(vec![0; 5000]))], Codec::Zstd);
    life.send(0, &[(1, value("newer"))], Codec::None);
    roll(&mut life);
    let tight = CleanLimits { batch_bytes: 4000, ..limits() };
    let claim = life.writer.begin_cleaning().unwrap();
    let mut cleaning = Cleaning::plan(claim, &policy(), &tight, life.bounds()).unwrap();
    loop {
        match cleaning.step(1 << 20).unwrap() {
            CleanStep::More => {}
            CleanStep::Swap => drop(life.writer.swap_cleaned(&mut cleaning)),
            CleanStep::Done => break,
        }
    }
    assert_eq!(cleaning.stats().batches_unread, 1);
    life.writer.end_cleaning(&cleaning);
    assert_eq!(offsets(&life), [0, 1]);
}

#[test]
fn originals_that_could_not_be_deleted_do_not_come_back() {
    for name in ["0000000000.", "0000000001.", "0000000002.", ".log", ".idx"] {
        let disk = SimDisk::new();
        let mut life = Life::new(env_on(disk.as_disk()), cfg(), 1);
        let _context = crate::Context(format!("kept from being deleted: {name}"));
        for n in 0..30 {
            life.send(0, &[(n % 3, Some(vec![0; 150]))], Codec::None);
            work(&mut life.writer);
        }
        roll(&mut life);
        disk.fail(onrush_sim::Fault::next(onrush_sim::Operation::Remove).on(name).forever());
        life.clean();
        disk.heal();
        for n in 0..10 {
            life.send(0, &[(n % 3, Some(vec![1; 50]))], Codec::None);
        }
        roll(&mut life);
        // The copy that stands in for them is copied itself, and goes.
        life.clean();
        life.check();
        life.reopen(false);
        life.check();
        life.reopen(true);
        life.check();
    }
}

#[test]
fn a_copy_is_not_swapped_in_while_the_log_is_being_closed() {
    let mut life = life();
    for n in 0..30 {
        life.send(0, &[(n % 3, Some(vec![0; 150]))], Codec::None);
    }
    roll(&mut life);
    let claim = life.writer.begin_cleaning().unwrap();
    let mut cleaning = Cleaning::plan(claim, &policy(), &limits(), life.bounds()).unwrap();
    while cleaning.step(1 << 20).unwrap() != CleanStep::Swap {}
    let mut ticket = life.writer.begin_close(None).unwrap();
    assert!(life.writer.swap_cleaned(&mut cleaning).is_err());
    ticket.write().unwrap();
    assert!(life.env.disk.sync_files(ticket.files()).iter().all(Result::is_ok));
    life.writer.complete_close(ticket, Ok(())).unwrap();
    life.writer.swap_cleaned(&mut cleaning).unwrap();
    loop {
        match cleaning.step(1 << 20).unwrap() {
            CleanStep::More => {}
            CleanStep::Swap => drop(life.writer.swap_cleaned(&mut cleaning).unwrap()),
            CleanStep::Done => break,
        }
    }
    life.writer.end_cleaning(&cleaning);
    assert!(life.writer.needs_close(), "the closing record is not that of the log any more");
    life.reopen(true);
    assert_eq!(offsets(&life), [27, 28, 29]);
}
