//! The broker's core by itself: what a gateway calls to append, down to the file.

use anyhow::{Result, ensure};

use super::{RECORDS, broker, codec};

pub(super) fn batches(rounds: u32) -> Result<u64> {
    append(RECORDS, rounds)
}

pub(super) fn single(rounds: u32) -> Result<u64> {
    append(1, rounds)
}

fn append(records: u32, rounds: u32) -> Result<u64> {
    let mut batch = codec::batch(records)?;
    broker::with(async |guarded| {
        guarded.append(&mut batch, rounds).await?;
        let messages = guarded.end().get();
        ensure!(messages == u64::from(rounds * records), "only {messages} were appended");
        Ok(messages)
    })
}
