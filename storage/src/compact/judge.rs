//! What is to become of a batch.

use std::collections::HashSet;

use onrush_record::batch::{BatchHeader, BatchRef, Codec, emptied, rewrite};
use onrush_record::{Offset, ProducerId, TimestampMs};

use super::hash::hash;
use super::map::OffsetMap;
use super::survey::{End, Survey, end_of};

/// Marks of aborted transactions that are over in one group, at most; more are with the next cleaning.
const ABORTS_MAX: usize = 1 << 16;

/// What becomes of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It stays as it is.
    Keep,
    /// Nothing is left of it but its offsets.
    Hole,
    /// What is in the judge's `made` takes its place.
    Made,
}

/// Judges batches in the order of the log, from its beginning.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) map: OffsetMap,
    pub(super) survey: Survey,
    pub(super) rules: Rules,
    pub(super) tally: Tally,
    /// What takes the place of the batch judged last.
    pub(super) made: Vec<u8>,
    plain: Vec<u8>,
    keep: Vec<bool>,
}

/// What it judges by.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) hash_key: [u64; 2],
    pub(super) batch_bytes: usize,
    /// Records from here on stay.
    pub(super) clean_to: Offset,
    pub(super) last_batches: HashSet<Offset>,
    pub(super) now_ms: TimestampMs,
    /// The horizon of the tombstones that are found now for the first time, and that of marks.
    pub(super) horizon: TimestampMs,
    pub(super) mark_horizon: TimestampMs,
}

/// What it has come to so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Producers with a batch left since their last mark of an end.
    unended: HashSet<ProducerId>,
    pub(super) aborts_over: Vec<Offset>,
    pub(super) aborts_gone: Vec<Offset>,
    pub(super) records_gone: u64,
    pub(super) batches_unread: u64,
}

impl Judge {
    pub(super) fn new(map: OffsetMap, survey: Survey, rules: Rules) -> Judge {
        let (made, plain, keep) = (Vec::new(), Vec::new(), Vec::new());
        Judge { map, survey, rules, tally: Tally::default(), made, plain, keep }
    }

    /// Judges the next batch.
    pub(super) fn judge(&mut self, batch: &BatchRef<'_>) -> Verdict {
        let header = batch.header();
        if header.attributes.is_control() {
            return self.judge_mark(batch);
        }
        let verdict = self.judge_records(batch);
        if verdict != Verdict::Hole && header.attributes.is_transactional() {
            self.tally.unended.insert(header.producer_id);
        }
        verdict
    }

    /// Whether the whole batch lies in the part that is cleaned.
    fn is_below(&self, header: &BatchHeader) -> bool {
        header.next_offset() <= self.rules.clean_to
    }

    /// Whether the batch stays whatever becomes of its records.
    fn stays(&self, header: &BatchHeader) -> bool {
        header.producer_id.is_some() && self.rules.last_batches.contains(&header.last_offset())
    }

    /// A mark of a transaction's end goes some time after the transaction's last batch.
    fn judge_mark(&mut self, batch: &BatchRef<'_>) -> Verdict {
        let header = batch.header();
        let Some(end) = end_of(batch) else { return Verdict::Keep };
        if self.tally.unended.remove(&header.producer_id) || !self.is_below(header) {
            return Verdict::Keep;
        }
        if end == End::Abort {
            if self.tally.aborts_over.len() + self.tally.aborts_gone.len() >= ABORTS_MAX {
                return Verdict::Keep;
            }
            self.tally.aborts_over.push(header.base_offset);
        }
        if !header.attributes.has_delete_horizon() {
            let (plain, horizon) = (batch.payload(), Some(self.rules.mark_horizon));
            self.made.clear();
            let made = rewrite(batch, plain, |_| true, horizon, &mut self.made);
            return if made.is_ok() { Verdict::Made } else { Verdict::Keep };
        }
        if self.rules.now_ms < header.base_timestamp || self.stays(header) {
            return Verdict::Keep;
        }
        if end == End::Abort {
            self.tally.aborts_gone.extend(self.tally.aborts_over.pop());
        }
        Verdict::Hole
    }

    fn judge_records(&mut self, batch: &BatchRef<'_>) -> Verdict {
        let header = batch.header();
        if header.base_offset >= self.rules.clean_to {
            return Verdict::Keep;
        }
        if header.record_count == 0 {
            return if self.stays(header) { Verdict::Keep } else { Verdict::Hole };
        }
        let Some(kept) = self.choose(batch) else {
            self.tally.batches_unread += 1;
            return Verdict::Keep;
        };
        let gone = header.record_count - kept.records;
        if kept.records == 0 {
            self.tally.records_gone += u64::from(gone);
            if !self.stays(header) {
                return Verdict::Hole;
            }
            self.made.clear();
            self.made.extend_from_slice(&emptied(batch));
            return Verdict::Made;
        }
        let first_seen = kept.tombstones && !header.attributes.has_delete_horizon();
        let horizon = (first_seen && self.is_below(header)).then_some(self.rules.horizon);
        if gone == 0 && horizon.is_none() {
            return Verdict::Keep;
        }
        self.made.clear();
        let plain = if is_plain(header) { batch.payload() } else { &self.plain };
        let keep = &self.keep;
        let made = rewrite(batch, plain, |i| keep[i as usize], horizon, &mut self.made);
        match made {
            Ok(_) => {
                self.tally.records_gone += u64::from(gone);
                Verdict::Made
            }
            // Whatever cannot be written anew stays.
            Err(_) => {
                self.tally.batches_unread += 1;
                Verdict::Keep
            }
        }
    }

    /// Notes for each record in `self.keep` whether it stays; none if they cannot be read.
    fn choose(&mut self, batch: &BatchRef<'_>) -> Option<Kept> {
        let header = batch.header();
        let aborted = self.survey.is_aborted(header);
        let expired =
            header.attributes.has_delete_horizon() && self.rules.now_ms >= header.base_timestamp;
        self.keep.clear();
        let mut kept = Kept { records: 0, tombstones: false };
        for record in batch.records_with(&mut self.plain, self.rules.batch_bytes).ok()? {
            let record = record.ok()?;
            let stays = record.offset >= self.rules.clean_to
                || (!aborted
                    && record.key.is_some_and(|key| {
                        let newest = self.map.get(hash(self.rules.hash_key, key));
                        newest.is_none_or(|newest| record.offset >= newest)
                            && (record.value.is_some() || !expired)
                    }));
            kept.records += u32::from(stays);
            kept.tombstones |= stays && record.value.is_none();
            self.keep.push(stays);
        }
        Some(kept)
    }
}

struct Kept {
    records: u32,
    tombstones: bool,
}

fn is_plain(header: &BatchHeader) -> bool {
    matches!(header.attributes.codec(), Ok(Codec::None))
}
