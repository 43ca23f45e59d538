//! Reading as a consumer does that wants only what is decided.

use onrush_broker::{Cursor, Partition, ReadMode};
use onrush_record::ProducerId;
use onrush_record::batch::{BatchHeader, Batches};

/// The values of all committed records, from the log's start; judged by the list of aborted
/// transactions and the markers in the log, as Kafka's clients do.
pub(crate) fn read_committed(partition: &Partition) -> Vec<String> {
    let mut values = Vec::new();
    let mut cursor = Cursor::default();
    let mut next = partition.ends().start;
    while let Some(read) = partition.fetch_committed(next, 200, &mut cursor).unwrap() {
        let mut aborted = partition.aborted(next, read.next);
        let bytes = read.slice.to_bytes(ReadMode::Copied).unwrap();
        let mut skipped: Vec<ProducerId> = Vec::new();
        for batch in Batches::new(&bytes) {
            let batch = batch.unwrap();
            batch.verify().unwrap();
            let header: &BatchHeader = batch.header();
            aborted.retain(|aborted| {
                let begins = aborted.first_offset <= header.last_offset();
                if begins {
                    skipped.push(aborted.producer);
                }
                !begins
            });
            if header.attributes.is_control() {
                skipped.retain(|producer| *producer != header.producer_id);
                continue;
            }
            if header.attributes.is_transactional() && skipped.contains(&header.producer_id) {
                continue;
            }
            let mut scratch = Vec::new();
            for record in batch.records_with(&mut scratch, 1 << 20).unwrap() {
                values.push(String::from_utf8(record.unwrap().value.unwrap().to_vec()).unwrap());
            }
        }
        next = read.next;
    }
    values
}
