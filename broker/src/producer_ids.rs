//! Giving out producer ids: from blocks that are durable before their first id leaves.

use std::sync::Arc;

use onrush_record::{ProducerEpoch, ProducerId};
use parking_lot::Mutex;

use crate::catalog::{Catalog, Change};
use crate::metadata::Record;
use crate::{DurableMark, Result};

/// How many ids a block has: a restart skips what is left of one.
const BLOCK: i64 = 1000;

/// Where the next producer id comes from.
#[derive(Debug, Default)]
pub(crate) struct ProducerIds {
    blocks: Mutex<Blocks>,
}

#[derive(Debug, Default)]
struct Blocks {
    next: i64,
    /// The end of the block that ids are given from; it is durable.
    end: i64,
    /// The block that is being made durable.
    coming: Option<(i64, DurableMark)>,
}

impl ProducerIds {
    pub(crate) async fn take(&self, catalog: &Arc<Catalog>) -> Result<(ProducerId, ProducerEpoch)> {
        loop {
            let (first, mark) = {
                let mut blocks = self.blocks.lock();
                if blocks.next < blocks.end {
                    let id = ProducerId::new(blocks.next);
                    blocks.next += 1;
                    return Ok((id, ProducerEpoch::new(0)));
                }
                match blocks.coming {
                    Some(coming) => coming,
                    None => *blocks.coming.insert(reserve(catalog)?),
                }
            };
            let durable = catalog.journal.wait(mark).await;
            let mut blocks = self.blocks.lock();
            if blocks.coming.is_some_and(|(_, coming)| coming == mark) {
                blocks.coming = None;
                // One that failed is not used: the next is beyond it.
                if durable.is_ok() {
                    blocks.next = first;
                    blocks.end = first + BLOCK;
                }
            }
            drop(blocks);
            durable?;
        }
    }
}

fn reserve(catalog: &Catalog) -> Result<(i64, DurableMark)> {
    let mut first = 0;
    let mark = catalog.decide(|metadata| {
        first = metadata.next_producer_id;
        Ok((Record::ProducerIdsTaken { below: first + BLOCK }, Change::Nothing))
    })?;
    Ok((first, mark))
}
