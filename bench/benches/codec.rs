//! Record batches and their checksums: what each message costs wherever it is touched.
#![allow(missing_docs, reason = "criterion's macro makes an undocumented function")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use onrush_record::batch::{self, BatchBuilder, BatchHeader, BatchRef, Codec};
use onrush_record::{LeaderEpoch, Offset, crc32c, murmur2};

/// Records in a batch of about 16 KiB.
const RECORDS: u64 = 149;
const VALUE: [u8; 100] = [0x61; 100];

fn fill(builder: &mut BatchBuilder) {
    for index in 0..RECORDS {
        let timestamp = 1_700_000_000_000 + i64::try_from(index).unwrap_or(0);
        builder.push(black_box(timestamp), None, Some(black_box(&VALUE)), &[]);
    }
}

fn batch_of(codec: Codec) -> Vec<u8> {
    let mut builder = BatchBuilder::with_capacity(codec, 32 * 1024);
    fill(&mut builder);
    builder.finish().expect("a batch of 149 small records can be made")
}

/// Client side: per record of 100 B.
fn records(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function("encode 100 B", |bencher| {
        let mut buffer = Vec::with_capacity(32 * 1024);
        bencher.iter(|| {
            let mut builder = BatchBuilder::with_buffer(Codec::None, std::mem::take(&mut buffer));
            fill(&mut builder);
            buffer = builder.finish().expect("a batch of 149 small records can be made");
        });
    });
    let bytes = batch_of(Codec::None);
    group.bench_function("decode 100 B", |bencher| {
        bencher.iter(|| {
            let batch = BatchRef::parse(black_box(&bytes)).expect("just built");
            let records = batch.records().expect("not compressed");
            records
                .map(|record| record.map_or(0, |record| record.value.map_or(0, <[u8]>::len)))
                .sum::<usize>()
        });
    });
    group.finish();
}

/// Broker side: per batch of 16 KiB.
fn batches(criterion: &mut Criterion) {
    let bytes = batch_of(Codec::None);
    let mut group = criterion.benchmark_group("batch");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("parse header", |bencher| {
        bencher.iter(|| BatchHeader::parse(black_box(&bytes)));
    });
    group.bench_function("validate 16 KiB", |bencher| {
        bencher.iter(|| batch::validate(black_box(&bytes), 1 << 20));
    });
    group.bench_function("stamp", |bencher| {
        let mut bytes = bytes.clone();
        bencher.iter(|| batch::stamp(black_box(&mut bytes), Offset::new(7), LeaderEpoch::new(1)));
    });
    for codec in [Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd] {
        group.bench_function(format!("compress {codec:?}"), |bencher| {
            let full = || {
                let mut builder = BatchBuilder::with_capacity(codec, 32 * 1024);
                fill(&mut builder);
                builder
            };
            bencher.iter_batched(full, |mut builder| builder.finish(), BatchSize::SmallInput);
        });
        let compressed = batch_of(codec);
        group.bench_function(format!("decompress {codec:?}"), |bencher| {
            let mut plain = Vec::new();
            bencher.iter(|| {
                let batch = BatchRef::parse(black_box(&compressed)).expect("just built");
                batch.decompress_into(&mut plain, 1 << 20)
            });
        });
    }
    group.finish();
}

fn checksums(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("checksum");
    for len in [64, 1024, 16 * 1024] {
        let bytes = vec![0x5a; len];
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(format!("crc32c {len} B"), |bencher| {
            bencher.iter(|| crc32c(black_box(&bytes)));
        });
    }
    group.throughput(Throughput::Elements(1));
    group.bench_function("murmur2 of a 10 B key", |bencher| {
        bencher.iter(|| murmur2(black_box(b"k000000042")));
    });
    group.finish();
}

criterion_group!(benches, records, batches, checksums);
criterion_main!(benches);
