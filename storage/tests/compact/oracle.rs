//! Every record that was ever appended, and what of it must be there.

use std::collections::{BTreeMap, HashMap};

/// What became of the transaction that a record is part of.
#[derive(Copy, Clone, Eq, PartialEq, Debug)]
pub enum Fate {
    /// It counts: there was none, or it was committed.
    Counts,
    Aborted,
    Open,
}

#[derive(Clone, Debug)]
pub struct Record {
    pub batch: u64,
    pub key: Vec<u8>,
    pub value: Option<Vec<u8>>,
    pub timestamp: i64,
    pub fate: Fate,
}

#[derive(Clone, Debug)]
pub struct Batch {
    pub next: u64,
    /// Whose, and its last sequence.
    pub producer: Option<(i64, i32)>,
    /// Where the mark of its transaction's end is.
    pub mark: Option<u64>,
    pub transactional: bool,
    /// From when on its tombstones may go.
    pub horizon: Option<i64>,
}

#[derive(Clone, Debug, Default)]
pub struct Oracle {
    pub records: BTreeMap<u64, Record>,
    pub batches: BTreeMap<u64, Batch>,
    /// Marks of transactions' ends, and their timestamps.
    pub marks: BTreeMap<u64, i64>,
    pub clean_to: u64,
    /// When it was cleaned last.
    pub cleaned_ms: i64,
}

/// A record as it was read: offset, key, value, timestamp.
pub type Found = (u64, Vec<u8>, Option<Vec<u8>>, i64);

/// A batch as it was read.
#[derive(Clone, Debug)]
pub struct Seen {
    pub base: u64,
    pub next: u64,
    pub producer: Option<(i64, i32)>,
    pub transactional: bool,
    pub control: bool,
    pub records: Vec<Found>,
}

impl Oracle {
    /// Whether a newer record of the same key lies below `limit`.
    pub fn is_superseded(&self, offset: u64, limit: u64) -> bool {
        let record = &self.records[&offset];
        self.records
            .range(offset + 1..limit.max(offset + 1))
            .any(|(_, newer)| newer.fate == Fate::Counts && newer.key == record.key)
    }

    /// A cleaning came as far as `clean_to`.
    pub fn cleaned(&mut self, clean_to: u64, now_ms: i64, retention_ms: i64) {
        for (base, batch) in &mut self.batches {
            let keeps = |offset: &u64| {
                let record = &self.records[offset];
                let newer = self.records.range(offset + 1..clean_to.max(offset + 1));
                let mut newer = newer.filter(|(_, newer)| newer.fate == Fate::Counts);
                record.value.is_none()
                    && record.fate == Fate::Counts
                    && !newer.any(|(_, newer)| newer.key == record.key)
            };
            let own = self.records.range(*base..batch.next).map(|(offset, _)| offset);
            if batch.next <= clean_to && batch.horizon.is_none() && own.into_iter().any(keeps) {
                batch.horizon = Some(now_ms + retention_ms);
            }
        }
        self.clean_to = clean_to;
        self.cleaned_ms = now_ms;
    }

    /// Holds what was read, from `start` up to `end`, against what must be there.
    pub fn judge(&self, start: u64, end: u64, seen: &[Seen]) {
        let mut found: HashMap<u64, ()> = HashMap::new();
        let mut at = start;
        for batch in seen {
            assert!(batch.base <= at && at < batch.next, "offsets do not continue at {at}");
            at = batch.next;
            if batch.control {
                assert!(self.marks.contains_key(&batch.base), "no mark was at {}", batch.base);
                continue;
            }
            for (offset, key, value, timestamp) in &batch.records {
                let record = &self.records[offset];
                assert_eq!((key, value), (&record.key, &record.value), "offset {offset}");
                assert_eq!(*timestamp, record.timestamp, "offset {offset}");
                found.insert(*offset, ());
            }
            if let Some(producer) = batch.producer {
                let sent = &self.batches[&batch.base];
                assert_eq!((sent.producer, sent.next), (Some(producer), batch.next));
                assert_eq!(sent.transactional, batch.transactional);
                if let Some(mark) = sent.mark.filter(|mark| *mark < end) {
                    let there = seen.iter().any(|seen| seen.control && seen.base == mark);
                    assert!(there, "a batch at {} is left, and its mark at {mark} not", batch.base);
                }
            }
        }
        assert_eq!(at, end, "the log ends elsewhere");
        for (offset, record) in self.records.range(start..end) {
            let there = found.contains_key(offset);
            let is_clean = *offset < self.clean_to;
            let what = || format!("offset {offset}, clean up to {}: {record:?}", self.clean_to);
            if !is_clean {
                assert!(there, "lost: {}", what());
            } else if record.fate == Fate::Aborted || self.is_superseded(*offset, self.clean_to) {
                assert!(!there, "not cleaned: {}", what());
            } else if record.value.is_some() {
                assert!(there, "lost: {}", what());
            } else {
                let horizon = self.batches[&record.batch].horizon;
                let expired = horizon.is_some_and(|horizon| horizon <= self.cleaned_ms);
                assert_eq!(there, !expired, "{horizon:?} at {}: {}", self.cleaned_ms, what());
            }
        }
    }

    /// The last batch of each producer, by its last offset.
    pub fn last_batches(&self) -> HashMap<i64, u64> {
        let all = self.batches.values();
        all.filter_map(|batch| Some((batch.producer?.0, batch.next - 1))).collect()
    }
}
