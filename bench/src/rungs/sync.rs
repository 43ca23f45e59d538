//! Bare fdatasync after an append into a preallocated file.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Figures;
use super::round_trip::nanos;
use crate::machine::{SERVER_CORE, Scratch, pin, thread_cpu};
use crate::stats::{Percentiles, nanos_histogram};

/// Appends `len` bytes and syncs, again and again for `duration`. Latency is the sync's alone.
///
/// Whether the disk honours the flush cannot be seen from here, least of all on a virtual one.
pub fn run(dir: &Path, len: usize, duration: Duration) -> io::Result<Figures> {
    const FILE_LEN: u64 = 1 << 30;
    let scratch = Scratch::new(dir)?;
    let file = scratch.file("log", FILE_LEN)?;
    file.sync_all()?;
    let measured = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            pin(SERVER_CORE)?;
            let bytes = vec![0x5a; len];
            let mut histogram = nanos_histogram();
            let (before, started) = (thread_cpu(), Instant::now());
            let mut position = 0;
            while started.elapsed() < duration && position + len as u64 <= FILE_LEN {
                file.write_all_at(&bytes, position)?;
                position += len as u64;
                let synced = Instant::now();
                file.sync_data()?;
                histogram.saturating_record(nanos(synced.elapsed()));
            }
            let seconds = started.elapsed().as_secs_f64();
            Ok::<_, io::Error>((histogram, seconds, thread_cpu() - before, position))
        });
        thread.join().map_err(|_| io::Error::other("the thread panicked"))?
    });
    let (histogram, seconds, cpu, bytes) = measured?;
    let name = format!("fdatasync after {} KiB", len / 1024);
    let mut figures = Figures::new(name, histogram.len(), seconds).with_server_cpu(cpu);
    figures.latency_us = Some(Percentiles::of(&histogram));
    Ok(figures.with_bytes(bytes, None))
}
