//! Batches that real clients made: read them, make them again from what was read, compare the bytes.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use onrush_record::batch::{
    BatchBuilder, BatchRef, Batches, Codec, HEADER_LEN, RecordRef, Records, TimestampType, stamp,
    validate,
};
use onrush_record::{LeaderEpoch, Offset};

macro_rules! fixtures {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("fixtures/", $name, ".hex")))),*]
    };
}

const PLAIN: [(&str, &str); 15] = fixtures![
    "java-4.3-keyed",
    "java-4.3-console",
    "java-4.3-transactional",
    "java-4.3-late-timestamps",
    "java-4.3-odd-shapes",
    "java-3.9-flink",
    "spring-kafka-4.1",
    "kafka-streams-4.3",
    "librdkafka-2.16",
    "librdkafka-2.16-transactional",
    "kafka-python-2.0",
    "kafka-python-3.0",
    "kafkajs-2.2",
    "aiokafka-0.14-transactional",
    "kafka-4.3-commit-marker",
];

const COMPRESSED: [(&str, &str); 13] = fixtures![
    "java-4.3-gzip",
    "java-4.3-snappy",
    "java-4.3-lz4",
    "java-4.3-zstd",
    "kafka-python-2.2-gzip",
    "kafka-python-2.2-snappy",
    "kafka-python-2.2-lz4",
    "kafka-python-2.2-zstd",
    "librdkafka-2.0-gzip",
    "aiokafka-0.14-lz4",
    "franz-go-1.22-snappy",
    "sarama-1.60-zstd",
    "sarama-1.60-zstd-199",
];

const CAP: usize = if cfg!(miri) { 4096 } else { 1 << 20 };

fn unhex(text: &str) -> Vec<u8> {
    text.trim()
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

/// Miri runs no C, which zstd is, and takes minutes for gzip and for long batches.
fn readable(&(name, text): &(&str, &str)) -> bool {
    !cfg!(miri) || text.len() < 900 && !name.contains("zstd") && !name.contains("gzip")
}

/// Pushes what was read into a new, uncompressed batch.
fn again(batch: &BatchRef<'_>, records: Records<'_>) -> Vec<u8> {
    let header = batch.header();
    let mut builder = BatchBuilder::new(Codec::None).with_producer(
        header.producer_id,
        header.producer_epoch,
        header.base_sequence,
    );
    builder.set_transactional(header.attributes.is_transactional());
    for (index, record) in records.enumerate() {
        let RecordRef { offset, timestamp, key, value, headers } = record.unwrap();
        assert_eq!(offset, header.base_offset.plus(index as u64));
        let headers: Vec<_> = headers.collect();
        assert_eq!(builder.push(timestamp, key, value, &headers) as usize, index);
    }
    assert_eq!(builder.count(), header.record_count);
    let len = builder.len();
    let bytes = builder.finish().unwrap();
    assert_eq!(bytes.len(), len);
    bytes
}

#[test]
fn plain_batches_are_made_again_byte_for_byte() {
    for (name, text) in PLAIN.into_iter().filter(readable) {
        let theirs = unhex(text);
        let header = validate(&theirs, u32::MAX).unwrap_or_else(|error| panic!("{name}: {error}"));
        if header.attributes.is_control() {
            continue;
        }
        header.check_from_client().unwrap();
        let batch = BatchRef::parse(&theirs).unwrap();
        let mut ours = again(&batch, batch.records().unwrap());
        // Some clients write a leader epoch of 0 where most write -1.
        if theirs[12..16] == [0; 4] {
            stamp(&mut ours, Offset::ZERO, LeaderEpoch::new(0));
        }
        assert_eq!(ours, theirs, "{name}");
    }
}

#[test]
fn compressed_batches_hold_the_records_that_a_plain_one_would() {
    for (name, text) in COMPRESSED.into_iter().filter(readable) {
        let theirs = unhex(text);
        validate(&theirs, u32::MAX).unwrap_or_else(|error| panic!("{name}: {error}"));
        let batch = BatchRef::parse(&theirs).unwrap();
        batch.records().unwrap_err();
        let mut scratch = Vec::new();
        let records =
            batch.records_with(&mut scratch, CAP).unwrap_or_else(|error| panic!("{name}: {error}"));
        let ours = again(&batch, records);
        assert_eq!(ours[HEADER_LEN..], scratch[..], "{name}");
        assert_eq!(ours[57..61], theirs[57..61], "{name}");
        assert_eq!(ours[23..43], theirs[23..43], "{name}: offset delta and timestamps");
    }
}

#[test]
fn javas_codecs_all_hold_the_same_records() {
    let plain = unhex(include_str!("fixtures/java-4.3-odd-shapes.hex"));
    for (name, text) in COMPRESSED.into_iter().filter(readable) {
        if name.starts_with("java") {
            let theirs = unhex(text);
            let batch = BatchRef::parse(&theirs).unwrap();
            let mut scratch = Vec::new();
            batch.decompress_into(&mut scratch, CAP).unwrap();
            assert_eq!(scratch[..], plain[HEADER_LEN..], "{name}");
            assert!(batch.records_in(&scratch).all(|record| record.is_ok()));
        }
    }
}

#[test]
fn odd_shapes_are_read_as_they_were_written() {
    let theirs = unhex(include_str!("fixtures/java-4.3-odd-shapes.hex"));
    let batch = BatchRef::parse(&theirs).unwrap();
    let records: Vec<_> = batch.records().unwrap().map(Result::unwrap).collect();
    assert_eq!(records[5].key, None);
    assert_eq!(records[6].value, None);
    assert_eq!(records[7].value, Some(&b""[..]));
    assert!(records[8].headers.is_empty());
    let headers: Vec<_> = records[9].headers.collect();
    assert_eq!(headers, [(&b"n"[..], None), (b"", Some(&b""[..])), (b"n", Some(&[1, 2][..]))]);
    assert_eq!(records[10].timestamp, 1_700_000_000_000 - 5000);
    assert_eq!(batch.header().base_timestamp, 1_700_000_000_000);
    assert_eq!(batch.header().max_timestamp, 1_700_000_000_019);
}

#[test]
fn a_commit_marker_is_a_control_batch() {
    let theirs = unhex(include_str!("fixtures/kafka-4.3-commit-marker.hex"));
    let header = validate(&theirs, u32::MAX).unwrap();
    assert!(header.attributes.is_control() && header.attributes.is_transactional());
    header.check_from_client().unwrap_err();
    let batch = BatchRef::parse(&theirs).unwrap();
    let record = batch.records().unwrap().next().unwrap().unwrap();
    // Version 0, type 1: commit.
    assert_eq!(record.key, Some(&[0, 0, 0, 1][..]));
    assert_eq!(record.offset, header.base_offset);
}

#[test]
fn all_of_them_in_a_row_are_gone_through() {
    let all: Vec<_> =
        PLAIN.into_iter().chain(COMPRESSED).filter(readable).map(|(_, text)| unhex(text)).collect();
    let mut bytes = all.concat();
    bytes.extend_from_slice(&all[0][..all[0].len() - 1]);
    let mut batches = Batches::new(&bytes);
    for expected in &all {
        let batch = batches.next_batch().unwrap().unwrap();
        batch.verify().unwrap();
        assert_eq!(batch.bytes(), expected);
        assert_eq!(batch.header().attributes.timestamp_type(), TimestampType::CreateTime);
    }
    assert!(batches.next_batch().is_none());
    assert_eq!(batches.remaining(), all[0].len() - 1);
}
