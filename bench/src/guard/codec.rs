//! Record batches by themselves.

use std::hint::black_box;

use anyhow::{Result, ensure};
use onrush_record::batch::{self, BatchBuilder, BatchRef, Codec};

use super::{RECORDS, VALUE};

/// Larger than any batch here.
const BATCH_BYTES_MAX: usize = 32 * 1024;

fn fill(builder: &mut BatchBuilder, records: u32) {
    for index in 0..records {
        let timestamp = 1_700_000_000_000 + i64::from(index);
        builder.push(black_box(timestamp), None, Some(black_box(&VALUE)), &[]);
    }
}

/// A batch of so many records.
pub(super) fn batch(records: u32) -> Result<Vec<u8>> {
    let mut builder = BatchBuilder::with_capacity(Codec::None, BATCH_BYTES_MAX);
    fill(&mut builder, records);
    Ok(builder.finish()?)
}

/// Records in so many batches.
fn messages(rounds: u32) -> u64 {
    u64::from(rounds * RECORDS)
}

pub(super) fn encode(rounds: u32) -> Result<u64> {
    let mut buffer = Vec::with_capacity(BATCH_BYTES_MAX);
    for _ in 0..rounds {
        let mut builder = BatchBuilder::with_buffer(Codec::None, std::mem::take(&mut buffer));
        fill(&mut builder, RECORDS);
        buffer = black_box(builder.finish()?);
    }
    Ok(messages(rounds))
}

pub(super) fn validate(rounds: u32) -> Result<u64> {
    let bytes = batch(RECORDS)?;
    for _ in 0..rounds {
        black_box(batch::validate(black_box(&bytes), 1 << 20)?);
    }
    Ok(messages(rounds))
}

pub(super) fn decode(rounds: u32) -> Result<u64> {
    let bytes = batch(RECORDS)?;
    let mut seen = 0;
    for _ in 0..rounds {
        for record in BatchRef::parse(black_box(&bytes))?.records()? {
            black_box(record?.value);
            seen += 1;
        }
    }
    ensure!(seen == messages(rounds), "{seen} records in {rounds} batches");
    Ok(seen)
}
