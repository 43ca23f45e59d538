//! Reads every partition from its first record to the end it has now.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use onrush_client::{Client, Consumer, Start};
use onrush_record::Offset;

use super::{Patience, Verify};
use crate::run::topic;

/// Where each partition that is not read to its end yet has come to, and its end.
type Left = BTreeMap<u32, (u64, u64)>;

/// Reads all back into the ledger. A broker that goes away meanwhile is waited for.
pub(super) async fn read_back(verify: &Verify) -> Result<()> {
    let mut patience = Patience::new(verify);
    let mut left = loop {
        let client = verify.connect().await?;
        match ends(verify, &client).await {
            Ok(left) => break left,
            Err(error) => patience.pause(error).await?,
        }
    };
    patience.renew();
    while !left.is_empty() {
        match read(verify, &mut left, &mut patience).await {
            Ok(()) => {}
            Err(error) => patience.pause(error).await?,
        }
    }
    Ok(())
}

async fn ends(verify: &Verify, client: &Client) -> Result<Left> {
    let ends = topic::ends(&client.admin(), &verify.topic).await?;
    let unread = ends.into_iter().filter(|(_, first, end)| first < end);
    Ok(unread.map(|(partition, first, end)| (partition, (first.get(), end.get()))).collect())
}

/// Reads on with one consumer, until all is read or it fails.
async fn read(verify: &Verify, left: &mut Left, patience: &mut Patience) -> Result<()> {
    let client = verify.connect().await?;
    let assigned: Vec<(&str, u32, Start)> = left
        .iter()
        .map(|(partition, (next, _))| {
            (&*verify.topic, *partition, Start::Offset(Offset::new(*next)))
        })
        .collect();
    let mut consumer = client.consumer().assign(&assigned).await.context("cannot consume")?;
    while !left.is_empty() {
        match tokio::time::timeout(Duration::from_secs(1), poll(verify, &mut consumer, left)).await
        {
            Ok(polled) => {
                polled?;
                patience.renew();
            }
            Err(_) if patience.is_over() => {
                let (partition, (next, end)) = left.iter().next().context("nothing is left")?;
                return Err(anyhow!(
                    "partition {partition} gave nothing from offset {next} on, though it ends at {end}"
                ));
            }
            Err(_) => {}
        }
    }
    Ok(())
}

async fn poll(verify: &Verify, consumer: &mut Consumer, left: &mut Left) -> Result<()> {
    let polled = consumer.poll().await?;
    let partition = polled.partition();
    let Some((next, end)) = left.get_mut(&partition) else { return Ok(()) };
    let mut ledger = verify.ledger.borrow_mut();
    for record in polled.records()? {
        let offset = record.offset.get();
        if offset < *next || offset >= *end {
            continue;
        }
        *next = offset + 1;
        match verify.which(record.value.unwrap_or_default(), partition) {
            Some(which) => ledger.read(which, offset),
            None => ledger.foreign(partition, offset),
        }
    }
    if next >= end {
        left.remove(&partition);
    }
    Ok(())
}
