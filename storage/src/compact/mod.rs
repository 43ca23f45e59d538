//! Compaction: of each key the newest record stays.
//!
//! A cleaning makes copies of the log's rolled segments that leave out the records whose key has a
//! newer one, and puts each copy in the place of its originals. It goes through
//!
//! 1. the **survey** ([`survey`]): which transactions of the dirty part were aborted;
//! 2. the **map** ([`map`]): for each key of the dirty part the offset of its newest record, as far
//!    as the memory goes that it may take; the rest is for the next cleaning;
//! 3. the **copies** ([`output`]), group by group from the oldest segment on, by what [`judge`] says
//!    of each batch; each group is made durable, then swapped in ([`swap`]), then its originals go.
//!
//! No batch moves: what vanishes is stood in for by batches without records, so that offsets go on
//! without a gap and every rule about that holds for a cleaned log, too.
//!
//! [`Cleaning`] does all that in steps of bounded length, for a thread that has other work as well.
//! Nothing of it holds the writer's lock but the swap, which waits for nothing.

mod dirt;
mod hash;
mod judge;
mod map;
mod output;
mod plan;
mod source;
mod survey;
mod swap;
mod task;

use std::collections::HashSet;

use onrush_record::{Offset, TimestampMs};

pub use dirt::Dirt;
pub use swap::CleanClaim;
pub(crate) use swap::Floor;
pub use task::{CleanStep, Cleaning};

/// When a log is to be cleaned, and how soon what goes may go: a topic's settings.
#[derive(Clone, Debug, PartialEq)]
pub struct CleanPolicy {
    /// The part of the log that must be dirty before it is cleaned.
    pub min_dirty_ratio: f64,
    /// Records younger than this stay.
    pub min_lag_ms: u64,
    /// Records older than this are cleaned, however little is dirty.
    pub max_lag_ms: Option<u64>,
    /// How long tombstones, and the marks of transactions' ends, stay once all they are about is gone.
    pub delete_retention_ms: u64,
}

/// What one cleaning may use.
#[derive(Clone, Debug)]
pub struct CleanLimits {
    /// Memory for the map of keys.
    pub map_bytes: usize,
    /// Most that the records of one batch may decompress to; a batch of more stays as it is.
    pub batch_bytes: usize,
    /// Makes the keys' hashes unforeseeable.
    pub hash_key: [u64; 2],
}

/// What a cleaning has to respect besides its policy.
#[derive(Clone, Debug)]
pub struct CleanBounds {
    /// Nothing at or above this is cleaned: the last stable offset.
    pub stable: Offset,
    /// The last offsets of batches that stay, without their records if need be: each producer's last.
    pub last_batches: HashSet<Offset>,
    /// What time it is.
    pub now_ms: TimestampMs,
}

/// What a swap did.
#[derive(Clone, Debug, Default)]
pub struct Swapped {
    /// Where marks of aborted transactions stand of which nothing else is left, in order. Once nobody
    /// reads the originals any more, readers need not be told of these transactions.
    pub aborts_over: Vec<Offset>,
    /// Where such marks stood that are gone, too, in order: each was among `aborts_over` at least a
    /// minute before. Readers must not be told of these transactions, since nothing would tell them
    /// of their end.
    pub aborts_gone: Vec<Offset>,
    /// Bytes of the segments that went.
    pub bytes_before: u64,
    /// Bytes of the copy.
    pub bytes_after: u64,
}

/// What a cleaning did, all in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanStats {
    /// Bytes read from the log.
    pub bytes_read: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Bytes of the segments that were replaced.
    pub bytes_before: u64,
    /// Bytes of what replaced them.
    pub bytes_after: u64,
    /// Records that went.
    pub records_gone: u64,
    /// Batches left as they are because their records cannot be read.
    pub batches_unread: u64,
    /// No key below this has a newer record below it.
    pub clean_to: Offset,
    /// There was more than the map holds: another cleaning goes on at `clean_to`.
    pub is_partial: bool,
}
