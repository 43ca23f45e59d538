//! The third phase: copying group by group, and making each copy count.

use onrush_record::batch::{BatchHeader, BatchRef};

use super::files::{discard, try_discard};
use super::{Cleaning, Phase};
use crate::compact::CleanClaim;
use crate::compact::judge::{Tally, Verdict};
use crate::compact::output::{Finished, Output, Place};
use crate::compact::plan::end_of;
use crate::compact::source::Source;
use crate::error::{Result, StorageError};
use crate::names::SegmentSeq;
use crate::segment::{NO_TIMESTAMP, damaged};

/// One group being copied.
#[derive(Debug)]
pub(super) struct Copying {
    pub(super) first: usize,
    pub(super) next: usize,
    pub(super) index: usize,
    pub(super) source: Option<Source>,
    pub(super) place: Place,
    /// None while it is not known whether anything changes.
    pub(super) output: Option<Output>,
    /// The judge's tally at the beginning.
    pub(super) before: Tally,
}

impl Cleaning {
    /// As many segments as fit one, from `first` on.
    pub(super) fn begin_group(&mut self, first: usize) -> Result<()> {
        let clean_to = self.judge.rules.clean_to;
        let segments = &self.plan.segments;
        let Some(head) = segments.get(first).filter(|segment| segment.base < clean_to) else {
            self.phase = Phase::Done;
            return Ok(());
        };
        let mut next = first;
        let mut bytes = 0;
        while let Some(segment) = segments.get(next).filter(|segment| segment.base < clean_to) {
            bytes += end_of(segment).position;
            if next > first && bytes > self.claim.segment_bytes {
                break;
            }
            next += 1;
        }
        let last = &segments[next - 1];
        let end = end_of(last).offset;
        self.claim.floor.raise(head.seq);
        let Some(seq) = last.seq.cleaned() else {
            return Err(StorageError::Misuse(
                "a segment was cleaned more often than can be counted",
            ));
        };
        // All numbers behind the segment before, not only those of the group: where an original of an
        // earlier copy could not be deleted, nothing would stand in for it once that copy is gone.
        let before = first.checked_sub(1).and_then(|before| segments.get(before));
        let replaces = before.map_or(SegmentSeq::default(), |before| before.seq.next());
        let place = Place {
            seq,
            base: head.base,
            first_append_ms: head.first_append_ms().unwrap_or(NO_TIMESTAMP),
            replaces,
            clean_to: clean_to.min(end),
            interval_bytes: self.claim.interval_bytes,
        };
        // One that is clean already is copied only if something more is to go.
        let is_clean = head.clean_to(&self.claim.shared.env)? >= place.clean_to;
        let output = if next - first == 1 && is_clean {
            None
        } else {
            Some(Output::begin(&self.claim.shared, place.clone())?)
        };
        let before = self.judge.tally.clone();
        let copying = Copying { first, next, index: first, source: None, place, output, before };
        self.phase = Phase::Copy(Box::new(copying));
        Ok(())
    }

    pub(super) fn copy(&mut self, upto: u64) -> Result<()> {
        let Phase::Copy(copying) = &mut self.phase else { return Ok(()) };
        let shared = &self.claim.shared;
        if copying.index == copying.next {
            return self.end_copy();
        }
        let segment = &self.plan.segments[copying.index];
        let source = match &mut copying.source {
            Some(source) => source,
            none => none.insert(Source::open(
                shared,
                segment,
                &self.plan.epochs,
                segment.base_point(),
                end_of(segment),
            )?),
        };
        while self.stats.bytes_read + self.stats.bytes_written < upto {
            let Some((header, bytes)) = source.next_batch()? else {
                copying.index += 1;
                copying.source = None;
                return Ok(());
            };
            self.stats.bytes_read += u64::from(header.total_len);
            let batch = BatchRef::parse(bytes).map_err(|error| {
                damaged(segment, header.base_offset, header.next_offset(), error.to_string())
            })?;
            let verdict = self.judge.judge(&batch);
            let Some(output) = &mut copying.output else {
                let same = match verdict {
                    Verdict::Keep => true,
                    Verdict::Hole => header.is_filler(),
                    Verdict::Made => false,
                };
                if same {
                    continue;
                }
                // Something changes after all: from the beginning, this time writing.
                self.judge.tally = copying.before.clone();
                copying.output = Some(Output::begin(shared, copying.place.clone())?);
                copying.source = None;
                return Ok(());
            };
            let before = output.bytes_written();
            match verdict {
                Verdict::Keep => output.push(shared, &header, bytes)?,
                Verdict::Hole => output.push_hole(&header),
                Verdict::Made => {
                    let made = &self.judge.made;
                    let header = BatchHeader::parse(made).map_err(|error| {
                        damaged(
                            segment,
                            header.base_offset,
                            header.next_offset(),
                            error.to_string(),
                        )
                    })?;
                    output.push(shared, &header, made)?;
                }
            }
            self.stats.bytes_written += output.bytes_written() - before;
        }
        Ok(())
    }

    fn end_copy(&mut self) -> Result<()> {
        let Phase::Copy(copying) = &mut self.phase else { return Ok(()) };
        let (first, next) = (copying.first, copying.next);
        let Some(output) = copying.output.take() else {
            self.phase = Phase::Group { first: next };
            return Ok(());
        };
        let shared = &self.claim.shared;
        let place = copying.place.clone();
        let before = output.bytes_written();
        let finished = output.finish(shared).inspect_err(|_| discard(&self.claim, place.seq))?;
        let fresh = finished.segment(shared);
        self.stats.bytes_written += end_of(&fresh).position.saturating_sub(before);
        self.commit(&finished, place.seq)?;
        self.phase = Phase::Swap { fresh, first, next };
        Ok(())
    }

    fn commit(&mut self, finished: &Finished, seq: SegmentSeq) -> Result<()> {
        let CleanClaim { shared, slots, .. } = &self.claim;
        if !slots.look(|state| state.is_cleaned) {
            // An older version, which does not know the names of copies, must not open this log.
            slots.write_both(|state| state.is_cleaned = true)?;
        }
        self.doubtful = true;
        let committed = finished.commit(shared);
        if committed.is_err() && try_discard(&self.claim, seq).is_ok() {
            self.doubtful = false;
        }
        committed?;
        Ok(())
    }
}
