//! As fast as it goes.

use std::time::Duration;

use anyhow::Result;
use onrush_bench::memory::AtHand;

use super::Parts;
use crate::client::{Client, Run};
use crate::reading::Reading;
use crate::topics;

/// Bytes that a message adds to a log besides its value, at the most.
const AROUND_VALUE: u64 = 20;
/// How long many connections send one message after the other.
const SINGLE_TIME: Duration = Duration::from_secs(4);

/// Produces so many messages, then consumes them.
pub(super) fn bulk(client: Client, run: &Run<'_>, messages: u64) -> Result<Parts> {
    let messages = run.setup.amount(messages);
    let memory = quiet_memory(run, messages)?;
    let produced = run.watched(|| client.produce(run, messages))?;
    drop(memory);
    // Some give up before all is sent.
    let messages = produced.messages.unwrap_or(messages);
    let produced = Reading { least_share: least_share(run)?, ..produced };
    let consumed = run.watched(|| client.consume(run, messages))?;
    // What is written meanwhile is not for these messages.
    let consumed = Reading { disk_bytes_per_message: None, ..consumed };
    Ok(vec![("produce", produced), ("consume", consumed)])
}

/// Produces and consumes at once.
pub(super) fn crowd(client: Client, run: &Run<'_>) -> Result<Parts> {
    let messages = run.setup.amount(client.bulk_messages() / 4);
    let memory = quiet_memory(run, messages)?;
    let reading = run.watched(|| client.crowd(run, messages))?;
    drop(memory);
    let reading = Reading { least_share: least_share(run)?, ..reading };
    Ok(vec![("produce and consume", reading)])
}

/// One message a request.
pub(super) fn single(client: Client, run: &Run<'_>) -> Result<Parts> {
    let time = run.setup.time(SINGLE_TIME);
    Ok(vec![("produce", run.watched(|| client.single(run, time))?)])
}

/// Memory at hand for a log of so many messages.
pub(super) fn quiet_memory(run: &Run<'_>, messages: u64) -> Result<AtHand> {
    Ok(AtHand::take(messages * (run.shape.value_bytes as u64 + AROUND_VALUE))?)
}

/// What the partition with the fewest messages got, as a part of an even share; nothing where there is
/// one partition.
fn least_share(run: &Run<'_>) -> Result<Option<f64>> {
    let partitions = run.shape.partitions;
    if partitions < 2 {
        return Ok(None);
    }
    let ends = topics::ends(run.peer.address, run.topic, partitions)?;
    let (least, all) = (ends.iter().min().copied().unwrap_or(0), ends.iter().sum::<i64>());
    Ok((all > 0).then(|| least as f64 * f64::from(partitions) / all as f64))
}
