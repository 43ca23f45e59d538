//! At a fixed rate, each message when it is due.

use std::time::Duration;

use anyhow::Result;

use super::Parts;
use super::bulk::quiet_memory;
use crate::client::{Beside, Client, Run, Shape};
use crate::setup::Extent;

/// Messages a second where latency is measured.
const PACE: u64 = 50_000;
/// How long.
const TIME: Duration = Duration::from_secs(6);
/// About half of what Kafka takes from its own client.
const HALF_SPEED: u64 = 400_000;
/// How long brokers are loaded so.
const HALF_SPEED_TIME: Duration = Duration::from_secs(6);
/// Bytes of a backlog's values, and how many of them there are: 10 GiB where all is run.
const BACKLOG_VALUE_BYTES: usize = 1024;
const BACKLOG_MESSAGES: u64 = 2_000_000;
const BACKLOG_MESSAGES_FULL: u64 = 10_000_000;
/// What a slow consumer takes a second.
const SLOWLY: u64 = 5_000;

const PART: &str = "produce and consume";

pub(super) fn latency(client: Client, run: &Run<'_>) -> Result<Parts> {
    let time = run.setup.time(TIME);
    let _memory = quiet_memory(run, PACE * time.as_secs())?;
    Ok(vec![(PART, run.watched(|| client.paced(run, PACE, time, None))?)])
}

/// Fills another topic first, which is drained from its start while the load lasts.
pub(super) fn backlog(client: Client, run: &Run<'_>) -> Result<Parts> {
    let held = format!("{}-held", run.topic);
    let shape = Shape { value_bytes: BACKLOG_VALUE_BYTES, ..run.shape };
    let held = Run { topic: &held, shape, ..*run };
    let messages = match run.setup.extent() {
        Extent::Full => BACKLOG_MESSAGES_FULL,
        _ => run.setup.amount(BACKLOG_MESSAGES),
    };
    held.on_a_topic(&[], || {
        let memory = quiet_memory(&held, messages)?;
        client.produce(&held, messages)?;
        drop(memory);
        // Its writing is not part of what follows.
        rustix::fs::sync();
        half_speed(client, run, Some(Beside { topic: held.topic, per_second: None }))
    })
}

pub(super) fn retention(client: Client, run: &Run<'_>) -> Result<Parts> {
    half_speed(client, run, None)
}

fn half_speed(client: Client, run: &Run<'_>, beside: Option<Beside<'_>>) -> Result<Parts> {
    let time = run.setup.time(HALF_SPEED_TIME);
    let _memory = quiet_memory(run, HALF_SPEED * time.as_secs())?;
    Ok(vec![(PART, run.watched(|| client.paced(run, HALF_SPEED, time, beside))?)])
}

/// One more consumer of the same topic takes a tenth of what comes.
pub(super) fn slow(client: Client, run: &Run<'_>) -> Result<Parts> {
    let time = run.setup.time(HALF_SPEED_TIME);
    let _memory = quiet_memory(run, PACE * time.as_secs())?;
    let beside = Some(Beside { topic: run.topic, per_second: Some(SLOWLY) });
    Ok(vec![(PART, run.watched(|| client.paced(run, PACE, time, beside))?)])
}
