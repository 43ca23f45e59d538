//! One partition's log: append, read on, look up.
#![allow(missing_docs, reason = "criterion's macro makes an undocumented function")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use onrush_record::batch::{BatchBuilder, BatchHeader, Codec};
use onrush_record::{LeaderEpoch, Offset};
use onrush_storage::{
    Cursor, Env, LogConfig, LogReader, LogWriter, OpenFiles, ReadMode, Visibility, create,
};
use onrush_sys::{Clock, DiskBackend, SystemClock, TempDir, open_disk};

/// A log that has grown to this is replaced by an empty one, so that a long run leaves the disk
/// alone.
const BYTES_MAX: u64 = 1 << 30;

/// A log that goes when it is dropped.
struct Bench {
    writer: LogWriter,
    reader: LogReader,
    _dir: TempDir,
}

impl Bench {
    fn new() -> Bench {
        let dir = TempDir::new("onrush-bench-log").expect("a temporary directory can be made");
        let disk = open_disk(dir.path(), DiskBackend::Plain).expect("the disk can be opened");
        let env = Env { disk, clock: Arc::new(SystemClock), files: OpenFiles::from_limits() };
        // Written, so that reads see it all.
        let config = LogConfig {
            visibility: Visibility::Written,
            segment_bytes: 256 << 20,
            ..LogConfig::default()
        };
        let (writer, reader) = create(&env, Path::new("log"), config, LeaderEpoch::new(0))
            .expect("an empty log can be created");
        Bench { writer, reader, _dir: dir }
    }

    /// Appends copies of one batch by one write, and does what the broker's loops would.
    fn append(&mut self, copies: &mut [Vec<u8>], headers: &[BatchHeader]) -> Offset {
        let mut slices: Vec<&mut [u8]> = copies.iter_mut().map(Vec::as_mut_slice).collect();
        let now_ms = SystemClock.now_ms();
        self.writer.append(&mut slices, headers, now_ms).expect("there is room").end
    }

    fn housekeeping(&mut self) {
        while let Some(job) = self.writer.background() {
            self.writer.complete_background(job.run()).expect("segments can be prepared");
        }
    }
}

fn batch(records: usize) -> (Vec<u8>, BatchHeader) {
    let mut builder = BatchBuilder::new(Codec::None);
    for index in 0..records {
        let timestamp = 1_700_000_000_000 + i64::try_from(index).unwrap_or(0);
        builder.push(timestamp, None, Some(&[0x61; 100]), &[]);
    }
    let bytes = builder.finish().expect("a small batch can be made");
    let header = BatchHeader::parse(&bytes).expect("just built");
    (bytes, header)
}

/// What a write costs, and how it spreads over what waits.
fn appends(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("append");
    group.sample_size(20);
    for (name, records, batches) in [
        ("1 message", 1, 1),
        ("64 batches of 1 message", 1, 64),
        ("16 KiB batch", 149, 1),
        ("16 batches of 16 KiB", 149, 16),
    ] {
        let mut bench = Bench::new();
        let (bytes, header) = batch(records);
        let mut copies = vec![bytes; batches];
        let headers = vec![header; batches];
        group.throughput(Throughput::Elements((records * batches) as u64));
        group.bench_function(name, |bencher| {
            let mut turns = 0_u32;
            bencher.iter(|| {
                turns += 1;
                if turns.is_multiple_of(256) {
                    bench.housekeeping();
                }
                if bench.writer.unsynced_bytes() > BYTES_MAX {
                    bench = Bench::new();
                }
                bench.append(&mut copies, &headers)
            });
        });
    }
    group.finish();
}

/// Finding what to send: the next run of batches, or any.
fn reads(criterion: &mut Criterion) {
    let mut bench = Bench::new();
    let (bytes, header) = batch(149);
    let (mut copies, headers) = (vec![bytes; 16], vec![header; 16]);
    let mut end = Offset::ZERO;
    for _ in 0..512 {
        end = bench.append(&mut copies, &headers);
        bench.housekeeping();
    }
    let reader = &bench.reader;
    let mut group = criterion.benchmark_group("read");
    group.bench_function("on from the last, 1 MiB slice", |bencher| {
        let (mut from, mut cursor) = (Offset::ZERO, Cursor::default());
        bencher.iter(|| match reader.read(from, 1 << 20, &mut cursor) {
            Ok(Some(read)) => from = black_box(read).next,
            _ => from = Offset::ZERO,
        });
    });
    group.bench_function("anywhere, 64 KiB slice", |bencher| {
        let mut state = 1_u64;
        bencher.iter(|| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let from = Offset::new((state >> 33) % end.get());
            black_box(reader.read(from, 64 << 10, &mut Cursor::default()))
        });
    });
    group.bench_function("by time", |bencher| {
        bencher.iter(|| black_box(reader.offset_for_timestamp(black_box(1_700_000_000_100))));
    });
    group.throughput(Throughput::Bytes(1 << 20));
    for mode in [ReadMode::Mapped, ReadMode::Copied] {
        let read = reader.read(Offset::ZERO, 1 << 20, &mut Cursor::default());
        let slice = read.expect("the log can be read").expect("it has records").slice;
        group.bench_function(format!("1 MiB slice as bytes, {mode:?}"), |bencher| {
            bencher.iter(|| black_box(slice.to_bytes(mode)));
        });
    }
    group.finish();
}

criterion_group!(benches, appends, reads);
criterion_main!(benches);
