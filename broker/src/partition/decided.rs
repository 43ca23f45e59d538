//! What was fetched, without what does not count: for readers that know nothing of transactions.

use onrush_record::batch::{BatchError, Batches, filler};
use onrush_record::{LeaderEpoch, Offset, ProducerId};
use onrush_storage::{ReadMode, Slice, SliceRead};

use super::Partition;
use crate::producer::AbortedTransaction;
use crate::{Error, Result};

impl Partition {
    /// What [`Partition::fetch_committed`] gave, without the records of aborted transactions: batches
    /// without records are in the place of those, so that offsets go on without a gap. Where nothing
    /// was aborted it is what it was; else it is copied, which waits for the disk if it is cold.
    ///
    /// Markers of committed transactions may still be in it: a reader skips control batches.
    ///
    /// # Errors
    /// When the range cannot be read, or is damaged.
    pub fn decided(&self, read: SliceRead) -> Result<SliceRead> {
        if !self.log.may_hold_aborted(read.first) {
            return Ok(read);
        }
        let aborted = self.aborted(read.first, read.next);
        if aborted.is_empty() {
            return Ok(read);
        }
        let bytes = read.slice.to_bytes(ReadMode::Copied);
        let bytes = bytes.map_err(|error| Error::storage(&self.log.name, error))?;
        let kept = without(&bytes, aborted).map_err(Error::BatchInvalid)?;
        Ok(SliceRead { slice: Slice::Bytes(kept.into()), ..read })
    }
}

/// Whole batches without those of aborted transactions, and without markers.
fn without(bytes: &[u8], mut aborted: Vec<AbortedTransaction>) -> Result<Vec<u8>, BatchError> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut skipped: Vec<ProducerId> = Vec::new();
    let mut gap = Gap::default();
    for batch in Batches::new(bytes) {
        let batch = batch?;
        let header = batch.header();
        aborted.retain(|aborted| {
            let begins = aborted.first_offset <= header.last_offset();
            if begins {
                skipped.push(aborted.producer);
            }
            !begins
        });
        let control = header.attributes.is_control();
        if control {
            skipped.retain(|producer| *producer != header.producer_id);
        }
        let transactional = header.attributes.is_transactional();
        if control || (transactional && skipped.contains(&header.producer_id)) {
            gap.grow(header.base_offset, header.next_offset(), header.leader_epoch);
        } else {
            gap.fill(&mut kept);
            kept.extend_from_slice(batch.bytes());
        }
    }
    gap.fill(&mut kept);
    Ok(kept)
}

/// Offsets that were left out.
#[derive(Default)]
struct Gap(Option<(Offset, Offset, LeaderEpoch)>);

impl Gap {
    fn grow(&mut self, from: Offset, to: Offset, epoch: LeaderEpoch) {
        let (from, epoch) = self.0.map_or((from, epoch), |(from, _, epoch)| (from, epoch));
        self.0 = Some((from, to, epoch));
    }

    fn fill(&mut self, into: &mut Vec<u8>) {
        if let Some((from, to, epoch)) = self.0.take() {
            into.extend_from_slice(&filler(from, to.since(from), epoch));
        }
    }
}

#[cfg(test)]
mod tests {
    use onrush_record::batch::{BatchBuilder, Codec, Marker, stamp};
    use onrush_record::{ProducerEpoch, Sequence};

    use super::*;

    fn log(parts: &[(i64, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (at, (producer, what)) in parts.iter().enumerate() {
            let (id, epoch) = (ProducerId::new(*producer), ProducerEpoch::new(0));
            let marker = |commits| Marker { commits, coordinator_epoch: 0 }.batch(id, epoch, 1);
            let mut batch = match *what {
                "commit" => marker(true),
                "abort" => marker(false),
                value => {
                    let mut builder = BatchBuilder::new(Codec::None);
                    builder.push(1, None, Some(value.as_bytes()), &[]);
                    builder.set_producer(id, epoch, Sequence::ZERO);
                    builder.set_transactional(*producer > 0);
                    builder.finish().unwrap()
                }
            };
            stamp(&mut batch, Offset::new(at as u64), LeaderEpoch::new(4));
            bytes.extend(batch);
        }
        bytes
    }

    fn read(bytes: &[u8]) -> (Vec<String>, u64) {
        let (mut values, mut next) = (Vec::new(), 0);
        for batch in Batches::new(bytes) {
            let batch = batch.unwrap();
            batch.verify().unwrap();
            assert_eq!(batch.header().base_offset.get(), next, "offsets go on without a gap");
            next = batch.header().next_offset().get();
            for record in batch.records().unwrap() {
                let value = record.unwrap().value.unwrap();
                values.push(String::from_utf8(value.to_vec()).unwrap());
            }
        }
        (values, next)
    }

    fn aborted(all: &[(i64, u64)]) -> Vec<AbortedTransaction> {
        let one = |(producer, first): &(i64, u64)| AbortedTransaction {
            producer: ProducerId::new(*producer),
            first_offset: Offset::new(*first),
        };
        all.iter().map(one).collect()
    }

    #[test]
    fn aborted_records_leave_their_offsets_behind() {
        let bytes = log(&[
            (1, "a"),
            (2, "x"),
            (0, "plain"),
            (1, "commit"),
            (2, "y"),
            (2, "abort"),
            (1, "b"),
            (2, "c"),
            (1, "abort"),
            (2, "commit"),
        ]);
        let kept = without(&bytes, aborted(&[(2, 1), (1, 6)])).unwrap();
        assert_eq!(read(&kept), (vec!["a".into(), "plain".into(), "c".into()], 10));
    }

    #[test]
    fn nothing_may_be_left() {
        let bytes = log(&[(1, "a"), (1, "b"), (1, "abort")]);
        let kept = without(&bytes, aborted(&[(1, 0)])).unwrap();
        assert_eq!(read(&kept), (vec![], 3));
        assert_eq!(kept.len(), onrush_record::batch::HEADER_LEN);
    }
}
