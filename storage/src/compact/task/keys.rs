//! The second phase: the newest offset of each key of the dirty part.

use onrush_record::Offset;
use onrush_record::batch::{BatchHeader, BatchRef};

use super::{Cleaning, Phase};
use crate::compact::hash::hash;
use crate::compact::judge::Judge;
use crate::compact::plan::end_of;
use crate::compact::source::Source;
use crate::error::Result;

impl Cleaning {
    pub(super) fn fill_map(&mut self, upto: u64) -> Result<()> {
        let Phase::Map { index, source } = &mut self.phase else { return Ok(()) };
        let (from, limit) = (self.plan.dirty_from, self.plan.limit);
        let segment = self.plan.segments.get(*index).filter(|segment| segment.base < limit);
        let Some(segment) = segment else {
            self.end_map(limit);
            return Ok(());
        };
        let source = match source {
            Some(source) => source,
            None => source.insert(Source::open(
                &self.claim.shared,
                segment,
                &self.plan.epochs,
                segment.base_point(),
                end_of(segment),
            )?),
        };
        let mut plain = Vec::new();
        while self.stats.bytes_read + self.stats.bytes_written < upto {
            let Some((header, bytes)) = source.next_batch()? else {
                self.phase = Phase::Map { index: *index + 1, source: None };
                return Ok(());
            };
            self.stats.bytes_read += u64::from(header.total_len);
            if header.base_offset >= limit {
                self.end_map(limit);
                return Ok(());
            }
            if header.next_offset() > from
                && let Some(full) =
                    take_keys(&mut self.judge, &header, bytes, from, limit, &mut plain)
            {
                self.stats.is_partial = true;
                self.end_map(full);
                return Ok(());
            }
        }
        Ok(())
    }

    fn end_map(&mut self, clean_to: Offset) {
        self.judge.rules.clean_to = clean_to;
        self.stats.clean_to = clean_to;
        let some = clean_to > self.plan.dirty_from;
        self.phase = if some { Phase::Group { first: 0 } } else { Phase::Done };
    }
}

/// Takes in a batch's keys; gives the offset of the first record that the map has no room for.
fn take_keys(
    judge: &mut Judge,
    header: &BatchHeader,
    bytes: &[u8],
    from: Offset,
    limit: Offset,
    plain: &mut Vec<u8>,
) -> Option<Offset> {
    if header.attributes.is_control() || judge.survey.is_aborted(header) {
        return None;
    }
    let batch = BatchRef::parse(bytes).ok()?;
    // What cannot be read stays as it is, and replaces nothing.
    let records = batch.records_with(plain, judge.rules.batch_bytes).ok()?;
    if records.clone().any(|record| record.is_err()) {
        return None;
    }
    for record in records.flatten() {
        if record.offset < from || record.offset >= limit {
            continue;
        }
        let Some(key) = record.key else { continue };
        if judge.map.put(hash(judge.rules.hash_key, key), record.offset).is_err() {
            return Some(record.offset);
        }
    }
    None
}
