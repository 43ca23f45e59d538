//! Random histories.

use onrush_storage::CleanLimits;

use onrush_sim::SimDisk;

use crate::common::{env_on, off, real};
use crate::life::{Life, cfg, limits, read_all};
use crate::{Context, seeds};

fn step(life: &mut Life) {
    match life.draw(40) {
        0..=21 => life.random_batch(),
        22..=25 => {
            let commit = life.draw(3) > 0;
            life.end_transaction(10 + life.draw(3) as i64, commit);
        }
        26..=28 => life.writer.roll().unwrap(),
        29..=31 => life.settle(),
        32..=33 => life.now_ms += life.draw(400) as i64,
        34 => {
            let durable = life.reader.ends().durable;
            let start = life.reader.ends().start;
            let to = start.plus(life.draw(1 + durable.since(start) / 3));
            let mut trim = life.writer.trim_to(to).unwrap();
            trim.persist().unwrap();
            trim.delete_files().unwrap();
        }
        35 => {
            let clean = life.draw(2) == 0;
            life.reopen(clean);
        }
        _ => {
            life.settle();
            clean(life);
            life.check_lookups();
        }
    }
}

/// With little memory and little steps, or much of both; while appends go on.
fn clean(life: &mut Life) {
    let map_bytes = [1 << 16, 24 * 8, 24 * 4, 24 * 2][life.draw(4) as usize];
    let limits = CleanLimits { map_bytes, ..limits() };
    let bytes = [1, 500, 1 << 20][life.draw(3) as usize];
    let busy = life.draw(2) == 0;
    let stats = life.clean_with(&limits, bytes, |life| {
        if busy && life.draw(4) == 0 {
            life.random_batch();
        }
    });
    life.gone += stats.records_gone;
    life.partial += u64::from(stats.is_partial);
    life.writer.flush_now().unwrap();
    life.check();
}

#[test]
fn the_newest_record_of_each_key_stays_and_older_ones_go() {
    let (mut records, mut gone, mut partial) = (0, 0, 0);
    for seed in seeds(40) {
        let _context = Context(format!("ONRUSH_SEED={seed}"));
        // Now and then on a real disk, whose syncs take their time.
        let real = seed.is_multiple_of(16).then(real);
        let simulated = SimDisk::new();
        let env = match &real {
            Some((_, env)) => env.clone(),
            None => env_on(simulated.as_disk()),
        };
        let mut life = Life::new(env, cfg(), seed);
        for _ in 0..250 {
            step(&mut life);
        }
        life.writer.flush_now().unwrap();
        life.check();
        for producer in 10..13 {
            life.end_transaction(producer, true);
        }
        life.writer.roll().unwrap();
        life.settle();
        let before = life.reader.ends();
        life.clean();
        life.check();
        for clean in [true, false] {
            life.reopen(clean);
            life.check();
            life.check_lookups();
        }
        assert_eq!(life.reader.ends().written, before.written);
        for (_, last) in life.oracle.last_batches() {
            if off(last) >= before.start {
                let seen = read_all(&life.reader, 1 << 20);
                assert!(
                    seen.iter().any(|batch| batch.next == last + 1 && batch.producer.is_some())
                );
            }
        }
        let report = onrush_storage::check(&*life.env.disk, &crate::common::dir(), false).unwrap();
        assert!(report.is_sound(), "{:?}", report.findings);
        records += life.oracle.records.len();
        gone += life.gone;
        partial += life.partial;
    }
    println!(
        "{records} records, {gone} cleaned away, {partial} times with a map that was too small"
    );
    assert!(gone as usize > records / 4, "{gone} of {records}");
}
