//! After a crash: the checkpoint's table of producers may be older than the last cleaning.

use onrush_record::Offset;
use onrush_record::batch::{BatchHeader, HEADER_LEN};
use onrush_storage::{Cursor, LogReader};

use crate::producer::ProducerTable;

/// Forgets aborted transactions whose markers have been cleaned away: a reader that was told of one
/// would wait for its end, and skip what the same producer committed since.
pub(crate) fn forget_cleaned(producers: &mut ProducerTable, reader: &LogReader) {
    let mut gone = producers.aborted_markers();
    gone.sort_unstable();
    gone.retain(|marker| !is_there(reader, *marker));
    producers.forget_aborted(&gone);
}

/// Whether a marker is where it was. One that cannot be read counts as there: readers meet the damage
/// before they miss it.
fn is_there(reader: &LogReader, marker: Offset) -> bool {
    if marker < reader.ends().start {
        return true;
    }
    let Ok(Some(read)) = reader.read(marker, 1, &mut Cursor::default()) else { return true };
    let mut head = [0; HEADER_LEN];
    if read.slice.read_into(0, &mut head).is_err() {
        return true;
    }
    BatchHeader::parse(&head)
        .map_or(true, |header| header.base_offset == marker && header.attributes.is_control())
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use onrush_record::batch::{BatchBuilder, Codec, Marker, filler};
    use onrush_record::{LeaderEpoch, ProducerEpoch, ProducerId, Sequence};
    use onrush_storage::{LogConfig, OpenFiles};
    use onrush_sys::{DiskBackend, ManualClock, TempDir, open_disk};

    use super::*;

    #[test]
    fn a_marker_that_is_gone_ends_the_talk_of_its_transaction() {
        let directory = TempDir::new("onrush-cleaner").expect("a directory");
        let disk = open_disk(directory.path(), DiskBackend::Plain).expect("a disk");
        let clock = Arc::new(ManualClock::new(0));
        let env = onrush_storage::Env { disk, clock, files: OpenFiles::new(8) };
        let epoch = LeaderEpoch::new(1);
        let made = onrush_storage::create(&env, Path::new("log"), LogConfig::default(), epoch);
        let (mut writer, reader) = made.expect("a log");
        let (producer, producer_epoch) = (ProducerId::new(5), ProducerEpoch::new(0));
        let mut table = ProducerTable::default();
        let marker = Marker { commits: false, coordinator_epoch: 1 };
        let mut append = |bytes: &mut Vec<u8>| {
            let header = BatchHeader::parse(bytes).expect("a header");
            let appended = writer.append(&mut [bytes.as_mut_slice()], &[header], 0);
            appended.expect("it is appended").first
        };
        for sequence in 0..2 {
            let mut builder = BatchBuilder::new(Codec::None);
            builder.push(0, Some(b"key"), None, &[]);
            builder.set_producer(producer, producer_epoch, Sequence::new(sequence));
            builder.set_transactional(true);
            let mut bytes = builder.finish().expect("a batch");
            let header = BatchHeader::parse(&bytes).expect("a header");
            table.replay(&BatchHeader { base_offset: append(&mut bytes), ..header }, None);
            let mut bytes = marker.batch(producer, producer_epoch, 0);
            let header = BatchHeader::parse(&bytes).expect("a header");
            if sequence == 1 {
                // That marker has been cleaned away since.
                bytes = filler(Offset::ZERO, 1, epoch).to_vec();
            }
            table.replay(&BatchHeader { base_offset: append(&mut bytes), ..header }, Some(marker));
        }
        let durable = writer.flush_now().expect("flushed");
        table.settle(durable);
        let before = table.aborted_markers();
        forget_cleaned(&mut table, &reader);
        assert_eq!((before.len(), table.aborted_markers()), (2, vec![Offset::new(1)]));
    }
}
