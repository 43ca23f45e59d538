//! Control batches: how a log says that a transaction has ended.

use super::{BatchBuilder, BatchRef, Codec};
use crate::{ProducerEpoch, ProducerId, Sequence, TimestampMs};

/// The version of a control record's key and value.
const VERSION: i16 = 0;
const ABORT: i16 = 0;
const COMMIT: i16 = 1;

/// The end of a producer's transaction in one partition, as its control record says it.
#[derive(Copy, Clone, Eq, PartialEq, Hash, Debug)]
pub struct Marker {
    /// Its records count; otherwise none of them does.
    pub commits: bool,
    /// Which reign of the coordinator decided so.
    pub coordinator_epoch: i32,
}

impl Marker {
    /// A control batch that says so of this producer's transaction. It takes up one offset.
    pub fn batch(
        self,
        producer: ProducerId,
        epoch: ProducerEpoch,
        timestamp: TimestampMs,
    ) -> Vec<u8> {
        let kind = if self.commits { COMMIT } else { ABORT };
        let mut key = [0; 4];
        key[..2].copy_from_slice(&VERSION.to_be_bytes());
        key[2..].copy_from_slice(&kind.to_be_bytes());
        let mut value = [0; 6];
        value[..2].copy_from_slice(&VERSION.to_be_bytes());
        value[2..].copy_from_slice(&self.coordinator_epoch.to_be_bytes());
        let mut builder = BatchBuilder::new(Codec::None);
        builder.push(timestamp, Some(&key), Some(&value), &[]);
        builder.set_producer(producer, epoch, Sequence::NONE);
        builder.set_transactional(true);
        builder.set_control(true);
        builder.finish().expect("one short record makes a batch")
    }

    /// What a control batch says; `None` if it is no end of a transaction.
    pub fn parse(batch: &[u8]) -> Option<Self> {
        let batch = BatchRef::parse(batch).ok()?;
        if !batch.header().attributes.is_control() {
            return None;
        }
        let record = batch.records().ok()?.next()?.ok()?;
        // Newer versions only add to what is there.
        let commits = match i16::from_be_bytes(*record.key?.get(2..)?.first_chunk()?) {
            ABORT => false,
            COMMIT => true,
            _ => return None,
        };
        let coordinator_epoch = i32::from_be_bytes(*record.value?.get(2..)?.first_chunk()?);
        Some(Self { commits, coordinator_epoch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchHeader, validate};

    #[test]
    fn what_is_said_is_understood() {
        for marker in [
            Marker { commits: true, coordinator_epoch: 0 },
            Marker { commits: false, coordinator_epoch: i32::MAX },
        ] {
            let bytes = marker.batch(ProducerId::new(77), ProducerEpoch::new(5), 1234);
            assert_eq!(Marker::parse(&bytes), Some(marker));
            let header = validate(&bytes, 1000).unwrap();
            assert!(header.attributes.is_control() && header.attributes.is_transactional());
            assert_eq!(header.producer_id, ProducerId::new(77));
            assert_eq!(header.producer_epoch, ProducerEpoch::new(5));
            assert_eq!(header.base_sequence, Sequence::NONE);
            assert_eq!((header.record_count, header.max_timestamp), (1, 1234));
        }
    }

    #[test]
    fn the_bytes_are_those_of_kafka() {
        let marker = Marker { commits: true, coordinator_epoch: 9 };
        let bytes = marker.batch(ProducerId::new(1), ProducerEpoch::new(0), 0);
        assert_eq!(bytes.len(), 78, "as long as Kafka's");
        let record = [32, 0, 0, 0, 8, 0, 0, 0, 1, 12, 0, 0, 0, 0, 0, 9, 0];
        assert_eq!(bytes[crate::batch::HEADER_LEN..], record);
        assert!(BatchHeader::parse(&bytes).unwrap().check_from_client().is_err());
    }

    #[test]
    fn other_batches_say_nothing() {
        let mut builder = BatchBuilder::new(Codec::None);
        builder.push(0, Some(&[0, 0, 0, 1]), Some(&[0; 6]), &[]);
        assert_eq!(Marker::parse(&builder.finish().unwrap()), None);
        assert_eq!(Marker::parse(&[]), None);
        builder.push(0, Some(&[0, 0, 0, 2]), Some(&[0; 6]), &[]);
        builder.set_control(true);
        assert_eq!(Marker::parse(&builder.finish().unwrap()), None);
    }
}
