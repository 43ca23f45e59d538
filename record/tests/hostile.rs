//! Damage, bombs and nonsense: each gives an error, never other data, a panic, or memory by request.
//! All from fixed seeds; `ONRUSH_FUZZ_ROUNDS` makes the random ones longer.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use onrush_record::batch::{
    BatchBuilder, BatchError, BatchHeader, BatchRef, Batches, Codec, HEADER_LEN, set_producer,
    validate,
};
use onrush_record::codec::{compress, decompress};
use onrush_record::{ProducerEpoch, ProducerId, Sequence};

/// What a batch of these tests may decompress to; little under Miri, which clears room byte by byte.
const CAP: usize = if cfg!(miri) { 500 } else { 10_000 };

const CODECS: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

/// Miri cannot run zstd (C), and takes minutes for gzip.
fn codecs() -> impl Iterator<Item = Codec> {
    CODECS.into_iter().filter(|codec| !cfg!(miri) || matches!(codec, Codec::None | Codec::Lz4))
}

fn rounds(usual: u32) -> u32 {
    let asked = std::env::var("ONRUSH_FUZZ_ROUNDS").ok().and_then(|text| text.parse().ok());
    if cfg!(miri) { 10 } else { asked.unwrap_or(usual) }
}

/// splitmix64: small, and the same everywhere.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

fn small(codec: Codec) -> Vec<u8> {
    let mut builder = BatchBuilder::new(codec).with_producer(
        ProducerId::new(7),
        ProducerEpoch::new(1),
        Sequence::new(40),
    );
    builder.push(1000, Some(b"key"), Some(b"value value value value"), &[]);
    builder.push(1001, None, Some(b"value value"), &[(b"name", Some(b"header")), (b"none", None)]);
    builder.push(999, Some(b""), None, &[]);
    builder.finish().unwrap()
}

/// All there is to be read from a batch, as text.
fn contents(bytes: &[u8], cap: usize) -> Result<String, BatchError> {
    let batch = BatchRef::parse(bytes)?;
    // A flipped bit may turn one codec into another, which Miri cannot run or not in time.
    let codec = batch.header().attributes.codec()?;
    if !codecs().any(|known| known == codec) {
        return Err(BatchError::UnknownCodec { id: codec.id() });
    }
    let mut scratch = Vec::new();
    let mut text = String::new();
    for record in batch.records_with(&mut scratch, cap)? {
        let record = record?;
        let headers: Vec<_> = record.headers.collect();
        text += &format!(
            "{} {} {:?} {:?} {headers:?}\n",
            record.offset, record.timestamp, record.key, record.value
        );
    }
    Ok(text)
}

#[test]
fn every_truncation_is_noticed() {
    for codec in codecs() {
        let batch = small(codec);
        for len in 0..batch.len() {
            let need = if len < HEADER_LEN { HEADER_LEN } else { batch.len() };
            assert_eq!(
                validate(&batch[..len], u32::MAX),
                Err(BatchError::Truncated { have: len, need })
            );
            let mut batches = Batches::new(&batch[..len]);
            assert!(batches.next_batch().is_none());
            assert_eq!(batches.remaining(), len);
        }
        let longer = [&batch[..], &[0]].concat();
        assert_eq!(validate(&longer, u32::MAX), Err(BatchError::TrailingBytes { extra: 1 }));
    }
}

#[test]
fn every_bit_flip_outside_what_the_broker_stamps_is_noticed() {
    for codec in codecs() {
        let batch = small(codec);
        let good = contents(&batch, CAP).unwrap();
        for bit in (0..batch.len() * 8).step_by(if cfg!(miri) { 37 } else { 1 }) {
            let mut flipped = batch.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let validated = validate(&flipped, u32::MAX);
            match bit / 8 {
                // Base offset and leader epoch: outside the checksum, vouched for elsewhere.
                0..8 | 12..16 => {
                    if validated.is_ok() {
                        assert_eq!(flipped[16..], batch[16..]);
                    }
                }
                _ => assert!(validated.is_err(), "{codec}, bit {bit}"),
            }
            // Read without looking at the checksum: anything but a panic, and no unbounded memory.
            let _ = contents(&flipped, CAP);
        }
        assert_eq!(contents(&batch, CAP).unwrap(), good);
    }
}

#[test]
fn every_bit_flip_and_cut_of_compressed_bytes_stays_within_the_cap() {
    let plain: Vec<u8> = b"a row of words, and a row of words again; ".repeat(30);
    for codec in codecs() {
        let mut packed = Vec::new();
        compress(codec, &plain, &mut packed).unwrap();
        for bit in (0..packed.len() * 8).step_by(if cfg!(miri) { 29 } else { 1 }) {
            let mut flipped = packed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let mut out = Vec::new();
            let _ = decompress(codec, &flipped, plain.len(), &mut out);
            assert!(out.capacity() <= plain.len() + 64);
        }
        for len in 0..packed.len() {
            let mut out = Vec::new();
            if decompress(codec, &packed[..len], plain.len(), &mut out).is_ok() {
                assert!(plain.starts_with(&out) && matches!(codec, Codec::None | Codec::Snappy));
            }
        }
    }
}

#[test]
fn random_edits_of_good_batches() {
    let mut seeded = Seeded(0x0117_0522);
    let batches: Vec<_> = codecs().map(small).collect();
    for _ in 0..rounds(20_000) {
        let mut bytes = batches[seeded.below(batches.len())].clone();
        for _ in 0..=seeded.below(6) {
            let at = seeded.below(bytes.len());
            match seeded.below(4) {
                0 => bytes[at] = seeded.byte(),
                1 => bytes[at] = [0, 0x7f, 0x80, 0xff][seeded.below(4)],
                2 => bytes.insert(at, seeded.byte()),
                _ => {
                    let to = (at + seeded.below(9)).min(bytes.len());
                    bytes.drain(at..to);
                }
            }
            if bytes.is_empty() {
                bytes.push(0);
            }
        }
        // Half of them with length and checksum put right, so that the damage reaches further in.
        if seeded.below(2) == 0 && bytes.len() > HEADER_LEN {
            let length = u32::try_from(bytes.len() - 12).unwrap();
            bytes[8..12].copy_from_slice(&length.to_be_bytes());
            set_producer(&mut bytes, ProducerId::NONE, ProducerEpoch::NONE, Sequence::NONE);
        }
        if let Ok(header) = validate(&bytes, u32::MAX) {
            assert_eq!(header.total_len as usize, bytes.len());
        }
        let _ = contents(&bytes, CAP);
        for batch in Batches::new(&bytes).flatten() {
            let _ = batch.verify();
        }
    }
}

#[test]
fn random_bytes_for_every_codec() {
    let mut seeded = Seeded(0x00c0_dec5);
    for _ in 0..rounds(20_000) {
        for codec in codecs() {
            // Begins as the real thing does, now and then.
            let mut bytes = Vec::new();
            if seeded.below(2) == 0 {
                compress(codec, b"some bytes to begin with", &mut bytes).unwrap();
                bytes.truncate(seeded.below(bytes.len()));
            }
            bytes.extend((0..seeded.below(60)).map(|_| seeded.byte()).collect::<Vec<_>>());
            let mut out = Vec::new();
            let _ = decompress(codec, &bytes, 4096, &mut out);
            assert!(out.capacity() <= 4096 + 64);
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "too many bytes for an interpreter")]
fn bombs_are_stopped_at_the_cap() {
    const CAP: usize = 1 << 20;
    let zeros = vec![0; 64 << 20];
    for codec in codecs() {
        let mut packed = Vec::new();
        compress(codec, &zeros, &mut packed).unwrap();
        let mut out = Vec::new();
        assert_eq!(
            decompress(codec, &packed, CAP, &mut out),
            Err(BatchError::TooLargeDecompressed { cap: CAP }),
            "{codec}"
        );
        assert!(out.capacity() <= CAP + 64, "{codec}: {}", out.capacity());
    }
}

#[test]
fn announced_sizes_cost_nothing() {
    let mut out = Vec::new();
    // A raw snappy block that announces 4 GiB - 1.
    decompress(Codec::Snappy, &[0xff, 0xff, 0xff, 0xff, 0x0f, 0], 1 << 30, &mut out).unwrap_err();
    // A xerial block that announces 2 GiB of input.
    let mut xerial = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    xerial.extend([0x7f, 0xff, 0xff, 0xff, 1, 2, 3]);
    decompress(Codec::Snappy, &xerial, 1 << 30, &mut out).unwrap_err();
    // An LZ4 frame with blocks of up to 4 MiB, one of which announces 2 GiB of input.
    let lz4 = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73, 0xff, 0xff, 0xff, 0x7f, 0];
    decompress(Codec::Lz4, &lz4, 1 << 30, &mut out).unwrap_err();
    assert!(out.capacity() <= 64, "{}", out.capacity());
    if !cfg!(miri) {
        // A zstd frame with a window of 2 GiB and a content of 2^40 bytes.
        let zstd = [0x28, 0xb5, 0x2f, 0xfd, 0xc0, 0xa8, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0];
        decompress(Codec::Zstd, &zstd, 1 << 30, &mut out).unwrap_err();
        assert!(out.capacity() <= 8192, "{}", out.capacity());
    }
}

#[test]
fn each_impossible_field_has_its_name() {
    let good = small(Codec::None);
    let with = |at: usize, value: &[u8]| {
        let mut bytes = good.clone();
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    };
    let resealed = |at: usize, value: &[u8]| {
        let mut bytes = with(at, value);
        let crc = onrush_record::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        validate(&bytes, u32::MAX)
    };
    let parsed = |at, value: &[u8]| BatchHeader::parse(&with(at, value));

    assert_eq!(BatchHeader::parse(&[0; HEADER_LEN]), Err(BatchError::BadLength { length: 0 }));
    assert_eq!(parsed(8, &48i32.to_be_bytes()), Err(BatchError::BadLength { length: 48 }));
    assert_eq!(parsed(8, &(-1i32).to_be_bytes()), Err(BatchError::BadLength { length: -1 }));
    assert_eq!(parsed(8, &i32::MAX.to_be_bytes()), Err(BatchError::BadLength { length: i32::MAX }));
    assert_eq!(parsed(16, &[1]), Err(BatchError::BadMagic(1)));
    assert_eq!(parsed(0, &[0xff]), Err(BatchError::BadOffset { base_offset: -1 << 56 }));
    assert_eq!(
        parsed(0, &i64::MAX.to_be_bytes()),
        Err(BatchError::BadOffset { base_offset: i64::MAX })
    );
    assert_eq!(
        parsed(57, &4i32.to_be_bytes()),
        Err(BatchError::BadCount { count: 4, last_offset_delta: 2 })
    );
    assert_eq!(
        parsed(23, &(-1i32).to_be_bytes()),
        Err(BatchError::BadCount { count: 3, last_offset_delta: -1 })
    );
    assert_eq!(parsed(12, &(-1i32).to_be_bytes()).unwrap().leader_epoch.get(), 0);
    // Compaction leaves fewer records than offsets, even none: readable, but nobody may produce that.
    assert_eq!(parsed(57, &0i32.to_be_bytes()).unwrap().record_count, 0);
    assert_eq!(
        resealed(57, &2i32.to_be_bytes()),
        Err(BatchError::BadCount { count: 2, last_offset_delta: 2 })
    );
    let mut counts = with(23, &(i32::MAX - 1).to_be_bytes());
    counts[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
    assert!(matches!(validate(&counts, u32::MAX), Err(BatchError::BadCount { .. })));
    assert_eq!(resealed(21, &[0, 5]), Err(BatchError::UnknownCodec { id: 5 }));
    assert_eq!(
        resealed(35, &(-2i64).to_be_bytes()),
        Err(BatchError::BadTimestamp { timestamp: -2 })
    );
    assert!(matches!(validate(&with(17, &[0; 4]), u32::MAX), Err(BatchError::BadCrc { .. })));
    let max = u32::try_from(good.len()).unwrap() - 1;
    assert!(matches!(validate(&good, max), Err(BatchError::TooLarge { .. })));
    assert!(validate(&good, max + 1).is_ok());

    let from_client = |at, value: &[u8]| resealed(at, value).unwrap().check_from_client();
    assert!(matches!(from_client(21, &[0, 0x20]), Err(BatchError::Reserved { .. })));
    assert!(matches!(from_client(21, &[0, 0x08]), Err(BatchError::Reserved { .. })));
    assert!(matches!(from_client(51, &[0xff]), Err(BatchError::BadProducer { .. })));
    assert!(matches!(from_client(53, &[0xff]), Err(BatchError::BadProducer { .. })));
}

#[test]
fn a_builder_starts_anew_after_each_batch() {
    let mut builder = BatchBuilder::with_buffer(Codec::None, Vec::with_capacity(4096));
    assert_eq!(builder.finish(), Err(BatchError::Empty));
    builder.set_producer(ProducerId::new(1), ProducerEpoch::new(0), Sequence::ZERO);
    builder.push(5, None, Some(b"one"), &[]);
    let first = builder.finish().unwrap();
    assert_eq!(first.capacity(), 4096);
    assert!(builder.is_empty() && builder.len() == HEADER_LEN);
    builder.push(9, None, Some(b"one"), &[]);
    let header = validate(&builder.finish().unwrap(), u32::MAX).unwrap();
    assert_eq!((header.base_timestamp, header.producer_id), (9, ProducerId::NONE));
}
