//! The table by itself.

use onrush_record::LeaderEpoch;
use onrush_record::batch::Attributes;

use super::*;

fn batch(producer: i64, epoch: i16, sequence: i32, count: u32) -> BatchHeader {
    BatchHeader {
        base_offset: Offset::ZERO,
        total_len: 100,
        leader_epoch: LeaderEpoch::new(0),
        crc: 0,
        attributes: Attributes::default(),
        last_offset_delta: count - 1,
        base_timestamp: 0,
        max_timestamp: 0,
        producer_id: ProducerId::new(producer),
        producer_epoch: ProducerEpoch::new(epoch),
        base_sequence: Sequence::new(sequence),
        record_count: count,
    }
}

fn append(table: &mut ProducerTable, header: &BatchHeader, at: u64) {
    assert_eq!(table.judge(header), Verdict::Append);
    table.note(header, Offset::new(at), -1, 1_000);
}

#[test]
fn the_last_five_batches_are_recognised_and_no_older_one() {
    let mut table = ProducerTable::default();
    for number in 0..6 {
        append(&mut table, &batch(7, 0, number * 10, 10), u64::from(number.unsigned_abs()) * 10);
    }
    for number in 1..6u32 {
        let sent_again = batch(7, 0, i32::try_from(number * 10).unwrap(), 10);
        let base_offset = Offset::new(u64::from(number) * 10);
        assert_eq!(
            table.judge(&sent_again),
            Verdict::Duplicate { base_offset, next_offset: base_offset.plus(10), timestamp: -1 }
        );
    }
    let expected = Sequence::new(60);
    assert_eq!(table.judge(&batch(7, 0, 0, 10)), Verdict::OutOfOrder { expected });
    assert_eq!(table.judge(&batch(7, 0, 50, 5)), Verdict::OutOfOrder { expected });
    assert_eq!(table.judge(&batch(7, 0, 61, 1)), Verdict::OutOfOrder { expected });
}

#[test]
fn sequences_wrap() {
    let mut table = ProducerTable::default();
    append(&mut table, &batch(7, 0, i32::MAX - 1, 2), 0);
    append(&mut table, &batch(7, 0, 0, 3), 2);
    let mut table = ProducerTable::default();
    append(&mut table, &batch(7, 0, i32::MAX, 2), 0);
    append(&mut table, &batch(7, 0, 1, 1), 2);
}

#[test]
fn a_newer_epoch_begins_at_zero_and_fences_the_older() {
    let mut table = ProducerTable::default();
    append(&mut table, &batch(7, 0, 0, 1), 0);
    assert_eq!(table.judge(&batch(7, 1, 1, 1)), Verdict::OutOfOrder { expected: Sequence::ZERO });
    append(&mut table, &batch(7, 1, 0, 1), 1);
    let current = ProducerEpoch::new(1);
    assert_eq!(table.judge(&batch(7, 0, 0, 1)), Verdict::Fenced { current });
}

#[test]
fn an_unknown_producer_begins_anywhere() {
    let mut table = ProducerTable::default();
    append(&mut table, &batch(9, 3, 41, 1), 0);
}

#[test]
fn a_note_can_be_taken_back() {
    let mut table = ProducerTable::default();
    let first = batch(7, 0, 0, 1);
    let before = table.note(&first, Offset::ZERO, -1, 5);
    table.restore(first.producer_id, before);
    assert!(!table.knows(first.producer_id));
}

#[test]
fn what_is_written_is_read() {
    let mut table = ProducerTable::default();
    for producer in 0..20 {
        for number in 0..producer {
            let header = batch(producer, 2, i32::try_from(number).unwrap() * 2, 2);
            table.note(&header, Offset::new(number.unsigned_abs() * 2), 17, number);
        }
    }
    let bytes = table.encode();
    assert_eq!(ProducerTable::decode(&bytes).unwrap().known, table.known);
    for cut in 1..bytes.len() {
        assert!(ProducerTable::decode(&bytes[..cut]).is_none(), "cut at {cut}");
    }
    assert!(ProducerTable::default().encode().is_empty());
}

#[test]
fn silent_producers_are_forgotten() {
    let mut table = ProducerTable::default();
    table.note(&batch(1, 0, 0, 1), Offset::ZERO, -1, 10);
    table.note(&batch(2, 0, 0, 1), Offset::ZERO, -1, 20);
    table.expire(15, Offset::ZERO);
    assert!(!table.knows(ProducerId::new(1)));
    assert!(table.knows(ProducerId::new(2)));
    table.expire(30, Offset::ZERO);
    assert!(table.known.is_none());
}

fn sent(producer: i64, epoch: i16, sequence: i32) -> BatchHeader {
    let attributes = Attributes::default().transactional(true);
    BatchHeader { attributes, ..batch(producer, epoch, sequence, 1) }
}

fn end(table: &mut ProducerTable, producer: i64, epoch: i16, at: u64, commits: bool) {
    let marker = Marker { commits, coordinator_epoch: 1 };
    table.note_marker(&sent(producer, epoch, -1), marker, Offset::new(at), 1_000);
}

fn first_offsets(table: &ProducerTable, from: u64, to: u64) -> Vec<u64> {
    let aborted = table.aborted(Offset::new(from), Offset::new(to));
    aborted.into_iter().map(|aborted| aborted.first_offset.get()).collect()
}

#[test]
fn the_first_unstable_offset_is_that_of_the_earliest_open_transaction() {
    let mut table = ProducerTable::default();
    assert_eq!(table.first_unstable(), None);
    append(&mut table, &sent(1, 0, 0), 0);
    append(&mut table, &sent(2, 0, 0), 1);
    append(&mut table, &sent(1, 0, 1), 2);
    assert_eq!(table.first_unstable(), Some(Offset::ZERO));
    end(&mut table, 1, 0, 3, true);
    assert_eq!(table.first_unstable(), Some(Offset::ZERO), "its marker is not durable yet");
    assert!(!table.settle(Offset::new(3)));
    assert!(table.settle(Offset::new(4)));
    assert_eq!(table.first_unstable(), Some(Offset::new(1)));
    end(&mut table, 2, 0, 4, false);
    table.settle(Offset::new(5));
    assert_eq!(table.first_unstable(), None);
    assert_eq!(first_offsets(&table, 0, 5), [1]);
}

#[test]
fn a_marker_that_ends_nothing_changes_nothing_but_the_epoch() {
    let mut table = ProducerTable::default();
    append(&mut table, &sent(1, 0, 0), 0);
    end(&mut table, 1, 0, 1, false);
    end(&mut table, 1, 1, 2, true);
    table.settle(Offset::new(3));
    assert_eq!(first_offsets(&table, 0, 9), [0]);
    assert_eq!(table.judge(&sent(1, 0, 1)), Verdict::Fenced { current: ProducerEpoch::new(1) });
    let expected = Sequence::ZERO;
    assert_eq!(table.judge(&sent(1, 1, 1)), Verdict::OutOfOrder { expected });
    append(&mut table, &sent(1, 1, 0), 3);
}

#[test]
fn what_is_no_part_of_the_open_transaction_is_refused() {
    let mut table = ProducerTable::default();
    append(&mut table, &sent(1, 0, 0), 0);
    assert_eq!(table.judge(&batch(1, 0, 1, 1)), Verdict::OutsideTransaction);
    end(&mut table, 1, 0, 1, true);
    append(&mut table, &batch(1, 0, 1, 1), 2);
}

#[test]
fn a_note_that_opened_a_transaction_can_be_taken_back() {
    let mut table = ProducerTable::default();
    append(&mut table, &sent(1, 0, 0), 0);
    let second = sent(2, 0, 0);
    let before = table.note(&second, Offset::new(1), -1, 5);
    let again = table.note(&sent(1, 0, 1), Offset::new(2), -1, 5);
    table.restore(ProducerId::new(1), again);
    table.restore(second.producer_id, before);
    assert_eq!(table.open(ProducerId::new(2)), None);
    assert_eq!(table.first_unstable(), Some(Offset::ZERO));
    end(&mut table, 1, 0, 1, true);
    table.settle(Offset::new(2));
    assert_eq!(table.first_unstable(), None);
}

#[test]
fn the_index_of_aborted_transactions_gives_those_that_overlap() {
    let mut table = ProducerTable::default();
    append(&mut table, &sent(1, 0, 0), 0);
    append(&mut table, &sent(2, 0, 0), 1);
    end(&mut table, 2, 0, 2, false);
    append(&mut table, &sent(3, 0, 0), 3);
    end(&mut table, 3, 0, 4, false);
    end(&mut table, 1, 0, 5, false);
    append(&mut table, &sent(3, 0, 1), 6);
    end(&mut table, 3, 0, 7, false);
    assert_eq!(first_offsets(&table, 0, 8), [1, 3, 0, 6]);
    assert_eq!(first_offsets(&table, 0, 1), [0]);
    assert_eq!(first_offsets(&table, 3, 6), [3, 0]);
    assert_eq!(first_offsets(&table, 5, 6), [0]);
    assert_eq!(first_offsets(&table, 6, 9), [6]);
    assert!(first_offsets(&table, 8, 9).is_empty());
    table.expire(0, Offset::new(5));
    assert_eq!(first_offsets(&table, 0, 8), [0, 6]);
}

#[test]
fn aborted_transactions_of_which_nothing_is_left_are_forgotten() {
    let mut table = ProducerTable::default();
    for round in 0..4 {
        append(&mut table, &sent(1, 0, round), u64::from(round.unsigned_abs()) * 2);
        end(&mut table, 1, 0, u64::from(round.unsigned_abs()) * 2 + 1, false);
    }
    table.settle(Offset::new(8));
    assert_eq!(table.last_batches().collect::<Vec<_>>(), [Offset::new(6)]);
    table.forget_aborted(&[Offset::new(1), Offset::new(5)]);
    assert_eq!(first_offsets(&table, 0, 8), [2, 6]);
}

#[test]
fn a_lost_marker_opens_its_transaction_again() {
    let mut table = ProducerTable::default();
    append(&mut table, &sent(1, 0, 0), 0);
    append(&mut table, &sent(2, 0, 0), 1);
    append(&mut table, &sent(2, 0, 1), 2);
    end(&mut table, 1, 0, 3, false);
    append(&mut table, &sent(1, 0, 1), 4);
    table.forget_from(Offset::new(2));
    assert_eq!(table.open(ProducerId::new(1)).unwrap().1, Offset::ZERO);
    assert_eq!(table.open(ProducerId::new(2)).unwrap().1, Offset::new(1));
    assert!(table.has_lost(ProducerId::new(2)), "a record of it is gone");
    assert!(first_offsets(&table, 0, 9).is_empty());
    end(&mut table, 1, 0, 2, true);
    end(&mut table, 2, 0, 3, false);
    table.settle(Offset::new(4));
    assert_eq!(table.first_unstable(), None);
    assert!(!table.has_lost(ProducerId::new(2)));
}

#[test]
fn transactions_are_read_as_they_were_written() {
    let mut table = ProducerTable::default();
    append(&mut table, &batch(9, 0, 0, 1), 0);
    assert_eq!(table.encode()[0], 1, "an older version can read it");
    append(&mut table, &sent(1, 0, 0), 1);
    append(&mut table, &sent(2, 0, 0), 2);
    end(&mut table, 2, 3, 3, false);
    table.settle(Offset::new(4));
    let bytes = table.encode();
    let read = ProducerTable::decode(&bytes).unwrap();
    assert_eq!(read.known, table.known);
    assert_eq!(read.first_unstable(), Some(Offset::new(1)));
    assert_eq!(first_offsets(&read, 0, 9), [2]);
    for cut in 1..bytes.len() {
        assert!(ProducerTable::decode(&bytes[..cut]).is_none(), "cut at {cut}");
    }
    let mut kept = read;
    kept.expire(i64::MAX, Offset::ZERO);
    assert!(kept.knows(ProducerId::new(1)), "its transaction is open");
    assert!(!kept.knows(ProducerId::new(9)));
}
