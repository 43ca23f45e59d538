//! What must hold of every batch, tried on many.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use onrush_record::batch::{
    BatchBuilder, BatchError, BatchRef, Batches, Codec, HEADER_LEN, emptied, filler, rewrite,
    set_producer, stamp, stamp_append_time, validate,
};
use onrush_record::codec::{compress, decompress};
use onrush_record::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

const CAP: usize = 1 << 22;

fn config() -> ProptestConfig {
    // Miri is some thousand times slower, and lets no test write its failures to a file.
    let cases = if cfg!(miri) { 3 } else { 200 };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn codec() -> impl Strategy<Value = Codec> {
    let mut all = vec![Codec::None, Codec::Snappy, Codec::Lz4];
    if !cfg!(miri) {
        // gzip takes Miri minutes; zstd is a C library, which it cannot run.
        all.extend([Codec::Gzip, Codec::Zstd]);
    }
    prop::sample::select(all)
}

type Bytes = Option<Vec<u8>>;

#[derive(Clone, PartialEq, Debug)]
struct Record {
    timestamp: i64,
    key: Bytes,
    value: Bytes,
    headers: Vec<(Vec<u8>, Bytes)>,
}

fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => vec(any::<u8>(), 0..40), 1 => vec(0u8..3, 0..if cfg!(miri) { 100 } else { 9000 })]
}

fn record() -> impl Strategy<Value = Record> {
    let timestamp = prop_oneof![1_700_000_000_000i64..1_700_000_100_000, -1i64..i64::MAX];
    let headers = prop_oneof![
        3 => Just(vec![]),
        1 => vec((some_bytes(), option::of(some_bytes())), 1..4),
    ];
    (timestamp, option::of(some_bytes()), option::of(some_bytes()), headers)
        .prop_map(|(timestamp, key, value, headers)| Record { timestamp, key, value, headers })
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    vec(record(), 1..if cfg!(miri) { 4 } else { 90 })
}

fn build(codec: Codec, records: &[Record]) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec);
    for (index, record) in records.iter().enumerate() {
        let headers: Vec<_> =
            record.headers.iter().map(|(name, value)| (&name[..], value.as_deref())).collect();
        let pushed = builder.push(
            record.timestamp,
            record.key.as_deref(),
            record.value.as_deref(),
            &headers,
        );
        assert_eq!(pushed as usize, index);
    }
    builder.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<Vec<Record>, BatchError> {
    let mut scratch = Vec::new();
    BatchRef::parse(bytes)?
        .records_with(&mut scratch, CAP)?
        .map(|record| {
            record.map(|record| Record {
                timestamp: record.timestamp,
                key: record.key.map(<[u8]>::to_vec),
                value: record.value.map(<[u8]>::to_vec),
                headers: record
                    .headers
                    .map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec)))
                    .collect(),
            })
        })
        .collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_goes_in_comes_out(codec in codec(), records in records()) {
        let bytes = build(codec, &records);
        let header = validate(&bytes, u32::MAX).unwrap();
        header.check_from_client().unwrap();
        prop_assert_eq!(header.record_count as usize, records.len());
        prop_assert_eq!(header.base_timestamp, records[0].timestamp);
        prop_assert_eq!(Some(header.max_timestamp), records.iter().map(|r| r.timestamp).max());
        prop_assert_eq!(read(&bytes).unwrap(), records);
    }

    #[test]
    fn a_rewritten_batch_has_the_records_that_were_kept_where_they_were(
        codec in codec(), records in records(), chosen in vec(any::<bool>(), 90),
        horizon in option::of(0..i64::MAX), offset in 0..i64::MAX / 2,
    ) {
        let mut bytes = build(codec, &records);
        let (id, epoch, first) = (ProducerId::new(7), ProducerEpoch::new(1), Sequence::new(3));
        set_producer(&mut bytes, id, epoch, first);
        stamp(&mut bytes, Offset::new(offset.unsigned_abs()), LeaderEpoch::new(4));
        let batch = BatchRef::parse(&bytes).unwrap();
        let mut plain = Vec::new();
        batch.decompress_into(&mut plain, CAP).unwrap();
        let mut out = Vec::new();
        let count = rewrite(&batch, &plain, |i| chosen[i as usize], horizon, &mut out).unwrap();
        let made = BatchRef::parse(&out).unwrap();
        made.verify().unwrap();
        prop_assert_eq!(made.bytes().len(), out.len());
        let same = |header: &onrush_record::batch::BatchHeader| {
            (header.base_offset, header.next_offset(), header.leader_epoch, header.last_sequence(),
                header.producer_id, header.producer_epoch)
        };
        prop_assert_eq!(same(made.header()), same(batch.header()));
        let kept: Vec<&Record> =
            records.iter().zip(&chosen).filter(|(_, keep)| **keep).map(|(r, _)| r).collect();
        prop_assert_eq!(count as usize, kept.len());
        let mut scratch = Vec::new();
        let places: Vec<u64> = made.records_with(&mut scratch, CAP).unwrap()
            .map(|record| record.unwrap().offset.get() - offset.unsigned_abs()).collect();
        let wanted: Vec<u64> =
            (0..records.len()).filter(|i| chosen[*i]).map(|i| i as u64).collect();
        prop_assert_eq!(places, wanted);
        if !kept.is_empty() {
            prop_assert_eq!(Some(made.header().max_timestamp), kept.iter().map(|r| r.timestamp).max());
            prop_assert_eq!(made.header().attributes.has_delete_horizon(), horizon.is_some());
            prop_assert_eq!(made.header().base_timestamp, horizon.unwrap_or(records[0].timestamp));
            prop_assert_eq!(made.header().attributes.codec().unwrap(), codec);
        }
        prop_assert_eq!(read(&out).unwrap(), kept.into_iter().cloned().collect::<Vec<_>>());
        // Once more, from what was made: the mark stays.
        let mut plain = Vec::new();
        made.decompress_into(&mut plain, CAP).unwrap();
        let mut again = Vec::new();
        rewrite(&made, &plain, |_| true, None, &mut again).unwrap();
        prop_assert_eq!(read(&again).unwrap(), read(&out).unwrap());
        let nothing = emptied(&made);
        let nothing = BatchRef::parse(&nothing).unwrap();
        nothing.verify().unwrap();
        prop_assert_eq!(same(nothing.header()), same(batch.header()));
        prop_assert_eq!(nothing.header().max_timestamp, made.header().max_timestamp);
        prop_assert_eq!(nothing.header().record_count, 0);
        prop_assert!(!nothing.header().is_filler());
    }

    #[test]
    fn a_filler_takes_up_offsets_and_nothing_else(offset in 0..1u64 << 60, count in 1..1u64 << 31) {
        let made = filler(Offset::new(offset), count, LeaderEpoch::new(9));
        let batch = BatchRef::parse(&made).unwrap();
        batch.verify().unwrap();
        prop_assert!(batch.header().is_filler());
        prop_assert_eq!(batch.header().next_offset().get(), offset + count);
        prop_assert_eq!(batch.header().leader_epoch.get(), 9);
        prop_assert_eq!(batch.records().unwrap().count(), 0);
    }

    #[test]
    fn stamps_change_what_they_say_and_nothing_else(
        codec in codec(), records in records(),
        offset in 0..i64::MAX / 2, epoch in 0..i32::MAX, time in 0..i64::MAX,
        id in 0..i64::MAX, producer_epoch in 0..i16::MAX, sequence in 0..i32::MAX,
    ) {
        let plain = build(codec, &records);
        let mut bytes = plain.clone();
        let offset = Offset::new(offset.unsigned_abs());
        stamp(&mut bytes, offset, LeaderEpoch::new(epoch.unsigned_abs()));
        let header = validate(&bytes, u32::MAX).unwrap();
        prop_assert_eq!((header.base_offset, header.leader_epoch.get()), (offset, epoch.unsigned_abs()));
        prop_assert_eq!(header.next_offset().since(offset), records.len() as u64);
        prop_assert_eq!(&bytes[16..], &plain[16..]);

        let (id, producer_epoch, sequence) =
            (ProducerId::new(id), ProducerEpoch::new(producer_epoch), Sequence::new(sequence));
        set_producer(&mut bytes, id, producer_epoch, sequence);
        let header = validate(&bytes, u32::MAX).unwrap();
        header.check_from_client().unwrap();
        prop_assert_eq!(
            (header.producer_id, header.producer_epoch, header.base_sequence),
            (id, producer_epoch, sequence)
        );
        let mut builder = BatchBuilder::new(Codec::None).with_producer(id, producer_epoch, sequence);
        builder.push(0, None, None, &[]);
        prop_assert_eq!(&builder.finish().unwrap()[43..57], &bytes[43..57]);
        prop_assert_eq!(read(&bytes).unwrap(), records.clone());

        stamp_append_time(&mut bytes, time);
        let header = validate(&bytes, u32::MAX).unwrap();
        header.check_from_client().unwrap_err();
        prop_assert_eq!(header.max_timestamp, time);
        let expected: Vec<_> =
            records.into_iter().map(|record| Record { timestamp: time, ..record }).collect();
        prop_assert_eq!(read(&bytes).unwrap(), expected);
    }

    #[test]
    fn a_row_of_batches_cut_anywhere_gives_the_whole_ones(
        lists in vec(records(), 1..5), cut in any::<prop::sample::Index>(),
    ) {
        let batches: Vec<_> = lists.iter().map(|records| build(Codec::None, records)).collect();
        let all = batches.concat();
        let cut = cut.index(all.len() + 1);
        let mut whole = Batches::new(&all[..cut]);
        let mut end = 0;
        for batch in &batches {
            if end + batch.len() > cut {
                break;
            }
            prop_assert_eq!(whole.next_batch().unwrap().unwrap().bytes(), &batch[..]);
            end += batch.len();
        }
        prop_assert!(whole.next_batch().is_none());
        prop_assert_eq!(whole.remaining(), cut - end);
    }

    #[test]
    fn codecs_give_back_what_they_took_and_respect_the_cap(
        codec in codec(),
        bytes in prop_oneof![vec(any::<u8>(), 1..2000), vec(0u8..2, 1..if cfg!(miri) { 2000 } else { 200_000 })],
        below in 0.0..1.0f64,
    ) {
        let mut packed = Vec::new();
        compress(codec, &bytes, &mut packed).unwrap();
        let mut out = vec![7; 10];
        decompress(codec, &packed, bytes.len(), &mut out).unwrap();
        prop_assert_eq!(&out, &bytes);

        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let cap = (bytes.len() as f64 * below) as usize;
        let mut out = Vec::new();
        prop_assert_eq!(
            decompress(codec, &packed, cap, &mut out),
            Err(BatchError::TooLargeDecompressed { cap })
        );
        prop_assert!(out.capacity() <= cap + 64, "{} for a cap of {}", out.capacity(), cap);
    }

    #[test]
    fn arbitrary_bytes_never_panic(codec in codec(), bytes in vec(any::<u8>(), 0..300)) {
        let mut out = Vec::new();
        let _ = decompress(codec, &bytes, 10_000, &mut out);
        prop_assert!(out.capacity() <= 10_064);
        let _ = validate(&bytes, u32::MAX);
        let _ = read(&bytes);
        Batches::new(&bytes).for_each(|batch| drop(batch.map(|batch| read(batch.bytes()))));

        // The same behind a header that is in order, so that the records' parser sees them.
        let mut batch = build(Codec::None, &[Record { timestamp: 5, key: None, value: None, headers: vec![] }]);
        batch.truncate(HEADER_LEN);
        batch[22] = codec.id();
        batch[26] = bytes.first().map_or(0, |b| b % 8);
        batch[60] = batch[26] + 1;
        batch.extend_from_slice(&bytes);
        let length = u32::try_from(batch.len() - 12).unwrap();
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        let header = onrush_record::batch::BatchHeader::parse(&batch).unwrap();
        let mut scratch = Vec::new();
        if let Ok(records) = BatchRef::parse(&batch).unwrap().records_with(&mut scratch, 10_000) {
            let mut last = None;
            for record in records.flatten() {
                prop_assert!(Some(record.offset) > last && record.offset <= header.last_offset());
                last = Some(record.offset);
            }
        }
    }
}
